// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fuzz_text.c - bytes as a text for a small vocabulary.

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/pe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static PeTokenizer *
open_vocabulary(void)
{
    // The last merges make one symbol in two ways, with ranks out of order.
    static const char content[] = "#version: 0.2\na b\nb c\nab c\nabc d\n"
                                  "a bc\nc d</w>\na a\naa a\naa aa\n";
    int fd = memfd_create("vocabulary", MFD_CLOEXEC);
    g_assert(write(fd, content, strlen(content)) == (ssize_t)strlen(content));
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autoptr(GError) error = NULL;
    PeTokenizer *tokenizer = pe_tokenizer_open(path, &error);
    g_assert_no_error(error);
    close(fd);
    return tokenizer;
}

// What a context has no room for is what a larger one would add: both cuts of a
// text begin with the same tokens.
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { SHORT = 8, LONG = 32 };
    static PeTokenizer *tokenizer;
    if (!tokenizer)
        tokenizer = open_vocabulary();
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autofree char *clean = pe_tokenizer_clean(text);
    g_assert(g_utf8_validate(clean, -1, NULL));

    int a[SHORT], b[LONG];
    g_autofree char *cut_a = NULL, *cut_b = NULL;
    int n_a = pe_tokenizer_encode(tokenizer, text, SHORT, a, &cut_a);
    int n_b = pe_tokenizer_encode(tokenizer, text, LONG, b, &cut_b);
    g_assert(n_a <= n_b && memcmp(a, b, sizeof *a * (size_t)(n_a - 1)) == 0);
    g_assert(!cut_a == (n_a == n_b));
    g_assert(!cut_a || g_str_has_suffix(clean, cut_a));
    g_assert(!cut_b || g_str_has_suffix(cut_a, cut_b));
    return 0;
}
