// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_checkpoint.c - every way that sound files may store tensors gives the
// numbers that were put in.

#include "core/checkpoint/checkpoint.h"

#include <math.h>
#include <string.h>

#include "tests/support/checkpoint_files.h"

static const float values[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

static PeCheckpoint *
open_bytes(const char *name, GByteArray *bytes)
{
    g_autofree char *path = file_write_bytes(name, bytes);
    g_byte_array_unref(bytes);
    g_autoptr(GError) error = NULL;
    PeCheckpoint *ckpt = pe_checkpoint_open(path, &error);
    g_assert_no_error(error);
    g_assert_nonnull(ckpt);
    return ckpt;
}

static void
assert_values(const PeCheckpoint *ckpt, const char *name, const float *expected,
              int n)
{
    const PeTensor *t = pe_checkpoint_get(ckpt, name);
    g_assert_nonnull(t);
    g_assert_cmpint(pe_tensor_size(t), ==, n);
    float out[16];
    g_auto(PeLoaded) loaded = {0};
    g_assert_true(pe_checkpoint_load(ckpt, t, &loaded, NULL));
    pe_tensor_to_f32(&loaded.tensor, out);
    g_assert_cmpmem(out, (size_t)n * sizeof *out, expected,
                    (size_t)n * sizeof *expected);
}

static GByteArray *
new_pickle(void)
{
    GByteArray *p = g_byte_array_new();
    pickle_begin(p);
    return p;
}

static void
add_vector(GByteArray *p, const char *name, int64_t offset, int64_t n)
{
    pickle_text(p, name);
    pickle_tensor(p, &(PickledTensor){
                         "FloatStorage", NULL, "0", 12, offset, 1, {n}, {1}});
}

// Close the pickle and open it with `values` as its only storage.
static PeCheckpoint *
open_pickle(GByteArray *p, const char *name)
{
    pickle_end(p);
    Storage storage = {values, sizeof values};
    GByteArray *bytes = torch_file(p, &storage, 1);
    g_byte_array_unref(p);
    return open_bytes(name, bytes);
}

static void
reads_views_of_one_torch_storage(void)
{
    GByteArray *p = new_pickle();
    add_vector(p, "head", 0, 3);
    add_vector(p, "tail", 9, 3);
    pickle_text(p, "turned");
    pickle_tensor(p, &(PickledTensor){
                         "FloatStorage", NULL, "0", 12, 2, 2, {2, 3}, {1, 2}});
    pickle_text(p, "scalar");
    pickle_tensor(p, &(PickledTensor){"FloatStorage", NULL, "0", 12, 7});
    pickle_text(p, "empty");
    pickle_tensor(p, &(PickledTensor){
                         "FloatStorage", NULL, "0", 12, 0, 2, {0, 3}, {3, 1}});
    PeCheckpoint *ckpt = open_pickle(p, "views.pt");
    g_assert_cmpstr(pe_checkpoint_get_container(ckpt), ==, "torch-zip");
    g_assert_cmpint(pe_checkpoint_count(ckpt), ==, 5);
    g_assert_cmpstr(pe_checkpoint_get_name(ckpt, 1), ==, "tail");
    assert_values(ckpt, "head", values, 3);
    assert_values(ckpt, "tail", values + 9, 3);
    assert_values(ckpt, "turned", (float[]){2, 4, 6, 3, 5, 7}, 6);
    assert_values(ckpt, "scalar", (float[]){7}, 1);
    assert_values(ckpt, "empty", NULL, 0);
    g_assert_null(pe_checkpoint_get(ckpt, "Head"));
    pe_checkpoint_free(ckpt);
}

static void
takes_wrappers_and_module_off(void)
{
    GByteArray *p = new_pickle();
    pickle_text(p, "epoch");
    pickle_int(p, 3);
    pickle_text(p, "state_dict");
    pickle_op(p, "}(");
    pickle_text(p, "model");
    pickle_op(p, "}(");
    add_vector(p, "module.a.module.b", 1, 2);
    pickle_op(p, "uu");
    PeCheckpoint *ckpt = open_pickle(p, "wrapped.pt");
    g_assert_cmpint(pe_checkpoint_count(ckpt), ==, 1);
    assert_values(ckpt, "a.b", values + 1, 2);
    pe_checkpoint_free(ckpt);
}

// What a module's state_dict() is: an OrderedDict with an attribute.
static void
reads_ordered_dictionaries_with_attributes(void)
{
    GByteArray *p = g_byte_array_new();
    pickle_op(p, "\x80\x02");
    pickle_global(p, "collections", "OrderedDict");
    pickle_op(p, ")R(");
    add_vector(p, "a", 4, 2);
    pickle_op(p, "u}");
    pickle_text(p, "_metadata");
    pickle_global(p, "collections", "OrderedDict");
    pickle_op(p, ")Rsb.");
    Storage storage = {values, sizeof values};
    PeCheckpoint *ckpt = open_bytes("ordered.pt", torch_file(p, &storage, 1));
    g_byte_array_unref(p);
    assert_values(ckpt, "a", values + 4, 2);
    pe_checkpoint_free(ckpt);
}

static void
skips_entries_that_are_no_tensors(void)
{
    GByteArray *p = new_pickle();
    pickle_text(p, "lr");
    pickle_op(p, "G?\xf8xxxxxx");
    pickle_text(p, "tags");
    pickle_op(p, "](");
    pickle_text(p, "x");
    pickle_op(p, "NK\x05");
    pickle_op(p, "e");
    pickle_text(p, "done");
    pickle_op(p, "\x88");
    pickle_text(p, "big");
    pickle_op(p, "\x8a\x09"
                 "123456789");
    pickle_text(p, "mask");
    pickle_tensor(
        p, &(PickledTensor){"BoolStorage", NULL, "0", 12, 0, 1, {12}, {1}});
    pickle_int(p, 17);
    pickle_text(p, "number for a name");
    add_vector(p, "a", 0, 2);
    PeCheckpoint *ckpt = open_pickle(p, "extras.pt");
    g_assert_cmpint(pe_checkpoint_count(ckpt), ==, 1);
    assert_values(ckpt, "a", values, 2);
    pe_checkpoint_free(ckpt);
}

static void
reads_parameters_and_untyped_storages(void)
{
    GByteArray *p = new_pickle();
    pickle_text(p, "parameter");
    pickle_global(p, "torch._utils", "_rebuild_parameter");
    pickle_op(p, "(");
    pickle_tensor(
        p, &(PickledTensor){"FloatStorage", NULL, "0", 12, 5, 1, {2}, {1}});
    pickle_op(p, "\x88");
    pickle_global(p, "collections", "OrderedDict");
    pickle_op(p, ")RtR");
    pickle_text(p, "untyped");
    pickle_tensor(p,
                  &(PickledTensor){NULL, "float32", "0", 48, 6, 1, {2}, {1}});
    PeCheckpoint *ckpt = open_pickle(p, "parameters.pt");
    assert_values(ckpt, "parameter", values + 5, 2);
    assert_values(ckpt, "untyped", values + 6, 2);
    pe_checkpoint_free(ckpt);
}

static void
reads_every_float_type(void)
{
    static const uint16_t bf16[2] = {0x3f80, 0xc020}, f16[2] = {0x3c00, 0xc100};
    static const double f64[2] = {1, -2.5};
    Storage storages[] = {
        {bf16, sizeof bf16}, {f16, sizeof f16}, {f64, sizeof f64}};
    static const char *const types[] = {"BFloat16Storage", "HalfStorage",
                                        "DoubleStorage"};
    static const char *const names[] = {"0", "1", "2"};
    GByteArray *p = new_pickle();
    for (int i = 0; i < 3; i++) {
        pickle_text(p, names[i]);
        pickle_tensor(
            p, &(PickledTensor){types[i], NULL, names[i], 2, 0, 1, {2}, {1}});
    }
    pickle_end(p);
    PeCheckpoint *ckpt = open_bytes("types.pt", torch_file(p, storages, 3));
    g_byte_array_unref(p);
    for (int i = 0; i < 3; i++)
        assert_values(ckpt, names[i], (float[]){1, -2.5f}, 2);
    pe_checkpoint_free(ckpt);
}

// As written for archives of more than four gigabytes; with a comment and
// without the entry for the byte order, as before torch 2.1.
static void
reads_zip64_with_a_comment(void)
{
    GByteArray *p = new_pickle();
    add_vector(p, "a", 3, 4);
    pickle_end(p);
    Zip zip;
    zip_begin(&zip);
    zip.zip64 = true;
    zip_add(&zip, "archive/data.pkl", p->data, p->len);
    zip_add(&zip, "archive/data/0", values, sizeof values);
    GByteArray *bytes = zip_end(&zip);
    bytes->data[bytes->len - 2] = 5;
    g_byte_array_append(bytes, (const guint8 *)"PK\5\6!", 5);
    PeCheckpoint *ckpt = open_bytes("zip64.pt", bytes);
    g_byte_array_unref(p);
    assert_values(ckpt, "a", values + 3, 4);
    pe_checkpoint_free(ckpt);
}

static void
reads_safetensors_with_holes_and_metadata(void)
{
    const char *header =
        "{\"__metadata__\": {\"config\": \"{\\\"heads\\\": 2}\"},"
        "\"module.b\": {\"dtype\": \"F32\", \"shape\": [2, 2],"
        " \"data_offsets\": [16, 32]},"
        "\"a\": {\"dtype\": \"F32\", \"shape\": [],"
        " \"data_offsets\": [4, 8]},"
        "\"none\": {\"dtype\": \"F32\", \"shape\": [0, 7],"
        " \"data_offsets\": [8, 8]}}     ";
    PeCheckpoint *ckpt = open_bytes(
        "holes.safetensors", safetensors_file(header, values, sizeof values));
    g_assert_cmpstr(pe_checkpoint_get_container(ckpt), ==, "safetensors");
    g_assert_cmpstr(pe_checkpoint_get_metadata(ckpt, "config"), ==,
                    "{\"heads\": 2}");
    g_assert_null(pe_checkpoint_get_metadata(ckpt, "text"));
    assert_values(ckpt, "b", values + 4, 4);
    assert_values(ckpt, "a", values + 1, 1);
    assert_values(ckpt, "none", NULL, 0);
    pe_checkpoint_free(ckpt);
}

// Old writers did not pad the header, so that numbers lie at odd addresses.
static void
reads_misaligned_tensors(void)
{
    for (int pad = 0; pad < 4; pad++) {
        g_autofree char *header =
            g_strdup_printf("{\"a\": {\"dtype\": \"F32\", \"shape\": [12],"
                            " \"data_offsets\": [0, 48]}}%*s",
                            pad, "");
        PeCheckpoint *ckpt =
            open_bytes("misaligned.safetensors",
                       safetensors_file(header, values, sizeof values));
        assert_values(ckpt, "a", values, 12);
        pe_checkpoint_free(ckpt);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/checkpoint/torch/views",
                    reads_views_of_one_torch_storage);
    g_test_add_func("/checkpoint/torch/wrappers",
                    takes_wrappers_and_module_off);
    g_test_add_func("/checkpoint/torch/ordered",
                    reads_ordered_dictionaries_with_attributes);
    g_test_add_func("/checkpoint/torch/extras",
                    skips_entries_that_are_no_tensors);
    g_test_add_func("/checkpoint/torch/parameters",
                    reads_parameters_and_untyped_storages);
    g_test_add_func("/checkpoint/torch/types", reads_every_float_type);
    g_test_add_func("/checkpoint/torch/zip64", reads_zip64_with_a_comment);
    g_test_add_func("/checkpoint/safetensors/holes",
                    reads_safetensors_with_holes_and_metadata);
    g_test_add_func("/checkpoint/safetensors/misaligned",
                    reads_misaligned_tensors);
    int status = g_test_run();
    file_cleanup();
    return status;
}
