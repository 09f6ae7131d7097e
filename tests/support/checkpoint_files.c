// SPDX-License-Identifier: LGPL-2.1-or-later
//
// checkpoint_files.c - see checkpoint_files.h.

#include "checkpoint_files.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

// ---- Files ----------------------------------------------------------------

static char *folder;

const char *
file_folder(void)
{
    if (!folder) {
        folder = g_dir_make_tmp("pe-check-XXXXXX", NULL);
        g_assert_nonnull(folder);
    }
    return folder;
}

static void
remove_tree(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        if (g_file_test(child, G_FILE_TEST_IS_DIR))
            remove_tree(child);
        else
            g_unlink(child);
    }
    if (dir)
        g_dir_close(dir);
    g_rmdir(path);
}

void
file_cleanup(void)
{
    if (folder)
        remove_tree(folder);
    g_clear_pointer(&folder, g_free);
}

char *
file_write(const char *name, const void *data, size_t size)
{
    char *path = g_build_filename(file_folder(), name, NULL);
    FILE *file = fopen(path, "wb");
    g_assert_nonnull(file);
    g_assert_cmpuint(fwrite(data, 1, size, file), ==, size);
    g_assert_cmpint(fclose(file), ==, 0);
    return path;
}

char *
file_write_bytes(const char *name, const GByteArray *bytes)
{
    return file_write(name, bytes->data, bytes->len);
}

char *
file_data_path(const char *name)
{
    const char *data = g_getenv("PE_TEST_DATA");
    return g_build_filename(data ? data : "tests/data", name, NULL);
}

GByteArray *
file_read(const char *path)
{
    char *data;
    gsize size;
    g_assert_true(g_file_get_contents(path, &data, &size, NULL));
    return g_byte_array_new_take((guint8 *)data, size);
}

static void
put(GByteArray *b, const void *data, size_t n)
{
    g_byte_array_append(b, data, (guint)n);
}

static void
put_number(GByteArray *b, uint64_t number, int n)
{
    for (int i = 0; i < n; i++) {
        guint8 byte = (guint8)(number >> (8 * i));
        put(b, &byte, 1);
    }
}

// ---- Pickle ---------------------------------------------------------------

void
pickle_op(GByteArray *p, const char *opcodes)
{
    put(p, opcodes, strlen(opcodes));
}

void
pickle_begin(GByteArray *p)
{
    pickle_op(p, "\x80\x02}(");
}

void
pickle_end(GByteArray *p)
{
    pickle_op(p, "u.");
}

void
pickle_text(GByteArray *p, const char *text)
{
    pickle_op(p, "X");
    put_number(p, strlen(text), 4);
    pickle_op(p, text);
}

void
pickle_int(GByteArray *p, int64_t value)
{
    if (value >= INT32_MIN && value <= INT32_MAX) {
        pickle_op(p, "J");
        put_number(p, (uint64_t)value, 4);
    } else {
        pickle_op(p, "\x8a\x08");
        put_number(p, (uint64_t)value, 8);
    }
}

void
pickle_global(GByteArray *p, const char *module, const char *name)
{
    g_autofree char *op = g_strdup_printf("c%s\n%s\n", module, name);
    pickle_op(p, op);
}

static void
put_counts(GByteArray *p, const int64_t *counts, int n)
{
    pickle_op(p, "(");
    for (int i = 0; i < n; i++)
        pickle_int(p, counts[i]);
    pickle_op(p, "t");
}

void
pickle_tensor(GByteArray *p, const PickledTensor *t)
{
    pickle_global(p, "torch._utils",
                  t->dtype ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2");
    pickle_op(p, "((");
    pickle_text(p, "storage");
    if (t->storage)
        pickle_global(p, "torch", t->storage);
    else
        pickle_global(p, "torch.storage", "UntypedStorage");
    pickle_text(p, t->key);
    pickle_text(p, "cpu");
    pickle_int(p, t->elements);
    pickle_op(p, "tQ");
    pickle_int(p, t->offset);
    put_counts(p, t->shape, t->n_dims);
    put_counts(p, t->strides, t->n_dims);
    pickle_op(p, "\x89");
    pickle_global(p, "collections", "OrderedDict");
    pickle_op(p, ")R");
    if (t->dtype)
        pickle_global(p, "torch", t->dtype);
    pickle_op(p, "tR");
}

// ---- Zip ------------------------------------------------------------------

void
zip_begin(Zip *zip)
{
    *zip = (Zip){g_byte_array_new(), g_byte_array_new()};
}

static void
put_directory_entry(Zip *zip, const char *name, int method, uint32_t crc,
                    uint64_t size, uint64_t offset)
{
    GByteArray *d = zip->directory;
    put_number(d, 0x02014b50, 4);
    put_number(d, 45, 2);
    put_number(d, 45, 2);
    put_number(d, 0, 2);
    put_number(d, (uint64_t)method, 2);
    put_number(d, 0, 4);
    put_number(d, crc, 4);
    put_number(d, zip->zip64 ? UINT32_MAX : size, 4);
    put_number(d, zip->zip64 ? UINT32_MAX : size, 4);
    put_number(d, strlen(name), 2);
    put_number(d, zip->zip64 ? 28 : 0, 2);
    put_number(d, 0, 2 + 2 + 2);
    put_number(d, 0, 4);
    put_number(d, zip->zip64 ? UINT32_MAX : offset, 4);
    put(d, name, strlen(name));
    if (zip->zip64) {
        put_number(d, 1, 2);
        put_number(d, 24, 2);
        put_number(d, size, 8);
        put_number(d, size, 8);
        put_number(d, offset, 8);
    }
}

void
zip_add_raw(Zip *zip, const char *name, const void *data, size_t size,
            int method, uint32_t crc, uint64_t claimed_size)
{
    GByteArray *b = zip->bytes;
    size_t offset = b->len;
    size_t padding = 64 - (offset + 30 + strlen(name) + 4) % 64;
    put_number(b, 0x04034b50, 4);
    put_number(b, 45, 2);
    put_number(b, 0, 2);
    put_number(b, (uint64_t)method, 2);
    put_number(b, 0, 4);
    put_number(b, crc, 4);
    put_number(b, claimed_size, 4);
    put_number(b, claimed_size, 4);
    put_number(b, strlen(name), 2);
    put_number(b, padding + 4, 2);
    put(b, name, strlen(name));
    put(b, "FB", 2);
    put_number(b, padding, 2);
    for (size_t i = 0; i < padding; i++)
        put(b, "Z", 1);
    put(b, data, size);
    put_directory_entry(zip, name, method, crc, claimed_size, offset);
    zip->count++;
}

void
zip_add(Zip *zip, const char *name, const void *data, size_t size)
{
    zip_add_raw(zip, name, data, size, 0, (uint32_t)crc32(0, data, (uInt)size),
                size);
}

GByteArray *
zip_end(Zip *zip)
{
    GByteArray *b = zip->bytes;
    size_t offset = b->len, size = zip->directory->len;
    put(b, zip->directory->data, size);
    size_t end = b->len;
    if (zip->zip64) {
        put_number(b, 0x06064b50, 4);
        put_number(b, 44, 8);
        put_number(b, 45, 2);
        put_number(b, 45, 2);
        put_number(b, 0, 8);
        put_number(b, (uint64_t)zip->count, 8);
        put_number(b, (uint64_t)zip->count, 8);
        put_number(b, size, 8);
        put_number(b, offset, 8);
        put_number(b, 0x07064b50, 4);
        put_number(b, 0, 4);
        put_number(b, end, 8);
        put_number(b, 1, 4);
    }
    put_number(b, 0x06054b50, 4);
    put_number(b, 0, 4);
    put_number(b, zip->zip64 ? UINT16_MAX : (uint64_t)zip->count, 2);
    put_number(b, zip->zip64 ? UINT16_MAX : (uint64_t)zip->count, 2);
    put_number(b, zip->zip64 ? UINT32_MAX : size, 4);
    put_number(b, zip->zip64 ? UINT32_MAX : offset, 4);
    put_number(b, 0, 2);
    g_byte_array_unref(zip->directory);
    return b;
}

GByteArray *
torch_file(const GByteArray *pickle, const Storage *storages, int n_storages)
{
    Zip zip;
    zip_begin(&zip);
    zip_add(&zip, "model/data.pkl", pickle->data, pickle->len);
    zip_add(&zip, "model/byteorder", "little", 6);
    for (int i = 0; i < n_storages; i++) {
        g_autofree char *name = g_strdup_printf("model/data/%d", i);
        zip_add(&zip, name, storages[i].data, storages[i].size);
    }
    zip_add(&zip, "model/version", "3\n", 2);
    return zip_end(&zip);
}

// ---- safetensors ----------------------------------------------------------

GByteArray *
safetensors_file(const char *header, const void *data, size_t size)
{
    GByteArray *b = g_byte_array_new();
    put_number(b, strlen(header), 8);
    put(b, header, strlen(header));
    guint start = b->len;
    g_byte_array_set_size(b, start + (guint)size);
    if (data)
        memcpy(b->data + start, data, size);
    else
        memset(b->data + start, 0, size);
    return b;
}
