// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fuzz_tokenizer.c - bytes as a vocabulary, which then encodes them.

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/pe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
encode(const PeTokenizer *tokenizer, const uint8_t *data, size_t size)
{
    enum { CONTEXT = 32 };
    int ids[CONTEXT];
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autofree char *cut = NULL;
    int n = pe_tokenizer_encode(tokenizer, text, CONTEXT, ids, &cut);
    int n_ids = pe_tokenizer_get_vocab_size(tokenizer);
    g_assert(n >= 2 && n <= CONTEXT && ids[n - 1] == n_ids - 1);
    for (int i = 0; i < CONTEXT; i++)
        g_assert(ids[i] >= 0 && ids[i] < n_ids);
    g_assert(!cut || n == CONTEXT);
}

// Errors are fine, but there must be one, and it must name the file.
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    g_assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autoptr(GError) error = NULL;
    PeTokenizer *tokenizer = pe_tokenizer_open(path, &error);
    g_assert((tokenizer != NULL) != (error != NULL));
    if (tokenizer)
        encode(tokenizer, data, size);
    else
        g_assert(error->domain == PE_ERROR && strstr(error->message, path) &&
                 g_utf8_validate(error->message, -1, NULL));
    pe_tokenizer_unref(tokenizer);
    close(fd);
    return 0;
}
