// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fuzz_merges.c - bytes as vocab.json and, behind the first 0, merges.txt,
// which lie in one folder as CLIP's vocabulary does. It then encodes them.

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/pe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *folder, *vocab, *merges; // of all inputs, each over the last one

static void
remove_folder(void)
{
    unlink(vocab);
    unlink(merges);
    rmdir(folder);
}

static void
make_folder(void)
{
    folder = g_dir_make_tmp("pe-fuzz-XXXXXX", NULL);
    g_assert(folder);
    vocab = g_build_filename(folder, "vocab.json", NULL);
    merges = g_build_filename(folder, "merges.txt", NULL);
    atexit(remove_folder);
}

static void
write_file(const char *path, const uint8_t *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    g_assert(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

static void
encode(const PeTokenizer *tokenizer, const uint8_t *data, size_t size)
{
    enum { CONTEXT = 32 };
    int ids[CONTEXT];
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autofree char *cut = NULL;
    int n = pe_tokenizer_encode(tokenizer, text, CONTEXT, ids, &cut);
    int n_ids = pe_tokenizer_get_vocab_size(tokenizer);
    g_assert(n >= 2 && n <= CONTEXT);
    for (int i = 0; i < CONTEXT; i++)
        g_assert(ids[i] >= 0 && ids[i] < n_ids);
    g_assert(!cut || n == CONTEXT);
}

// Errors are fine, but there must be one, and it must name the folder.
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!folder)
        make_folder();
    const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
    size_t n = zero ? (size_t)(zero - data) : size;
    write_file(vocab, data, n);
    write_file(merges, zero ? zero + 1 : data, zero ? size - n - 1 : 0);

    g_autoptr(GError) error = NULL;
    PeTokenizer *tokenizer =
        pe_tokenizer_open(size % 2 ? vocab : merges, &error);
    g_assert((tokenizer != NULL) != (error != NULL));
    if (tokenizer)
        encode(tokenizer, data, size);
    else
        g_assert(error->domain == PE_ERROR && strstr(error->message, folder) &&
                 g_utf8_validate(error->message, -1, NULL));
    pe_tokenizer_unref(tokenizer);
    return 0;
}
