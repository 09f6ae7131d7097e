// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fuzz_torch_zip.c - 'P' and a pickle, which gets a sound zip with storages
// around it; anything else is a file as it is.

#include "fuzz_checkpoint.h"

#include "tests/support/checkpoint_files.h"

#define N_STORAGES 64
#define STORAGE_SIZE 131072

// The storages overlap, which saves writing megabytes for every input: each
// one's data are the headers of the others and a tail of zeros.
static GByteArray *
wrap_pickle(const uint8_t *data, size_t size)
{
    static const char zeros[STORAGE_SIZE];
    Zip zip;
    zip_begin(&zip);
    zip_add(&zip, "m/data.pkl", data, size);
    for (int i = 0; i < N_STORAGES; i++) {
        g_autofree char *name = g_strdup_printf("m/data/%d", i);
        zip_add_raw(&zip, name, zeros, 0, 0, 0, STORAGE_SIZE);
    }
    g_byte_array_append(zip.bytes, (const guint8 *)zeros, STORAGE_SIZE);
    return zip_end(&zip);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || data[0] != 'P') {
        open_bytes(data, size);
        return 0;
    }
    GByteArray *file = wrap_pickle(data + 1, size - 1);
    open_bytes(file->data, file->len);
    g_byte_array_unref(file);
    return 0;
}
