// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fuzz_safetensors.c - 'H' and a header, which gets its length and one
// megabyte of zeros; anything else is a file as it is.

#include "fuzz_checkpoint.h"

#include "tests/support/checkpoint_files.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || data[0] != 'H') {
        open_bytes(data, size);
        return 0;
    }
    g_autofree char *header = g_strndup((const char *)data + 1, size - 1);
    GByteArray *file = safetensors_file(header, NULL, 1 << 20);
    open_bytes(file->data, file->len);
    g_byte_array_unref(file);
    return 0;
}
