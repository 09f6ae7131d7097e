// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_hostile_checkpoints.c - what is no checkpoint, a part of one or broken
// safetensors gets an error that names the file and says what is wrong; none
// may crash or hang. Torch files are in check_hostile_torch.c.

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/checkpoint/checkpoint.h"
#include "core/pe.h"
#include "tests/support/checkpoint_files.h"
#include "tests/support/hostile_files.h"

// ---- Other kinds of files -------------------------------------------------

static void
rejects_what_is_no_checkpoint(void)
{
    assert_rejected_text("empty.pt", "", "is empty");
    assert_rejected_text("note.pt", "hello, this is not a model",
                         "neither a safetensors nor a torch");
    assert_rejected_text("short.pt", "PK", "neither");
    assert_rejected_text("page.safetensors", "<!DOCTYPE html><html>404</html>",
                         "web page");
    assert_rejected_text("pointer.safetensors",
                         "version https://git-lfs.github.com/spec/v1\n"
                         "oid sha256:00\nsize 2684554240\n",
                         "git lfs pull");
    assert_rejected_text("gguf.pt", "GGUF\3xxxxxxxxxxx", "GGUF");
    assert_rejected_text("packed.pt", "\x1f\x8b\x08xxxxxxxx", "gzip");
    assert_rejected_text("old.pt", "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9",
                         "torch.save(torch.load(\"old.pt\"), \"new.pt\")");
    g_autofree char *legacy =
        file_data_path("checkpoints/tiny_core_cls.meta_legacy.pt");
    assert_rejected_path(legacy, "torch.save(torch.load");
}

static void
rejects_what_is_no_file(void)
{
    g_autofree char *absent =
        g_build_filename(file_folder(), "absent.pt", NULL);
    assert_rejected_path(absent, "No such file");

    g_autofree char *pipe = g_build_filename(file_folder(), "pipe.pt", NULL);
    g_assert_cmpint(mkfifo(pipe, 0600), ==, 0);
    assert_rejected_path(pipe, "device or pipe");

    g_autofree char *folder = g_build_filename(file_folder(), "none", NULL);
    g_assert_cmpint(g_mkdir(folder, 0700), ==, 0);
    assert_rejected_path(folder, "no checkpoint");
    g_autoptr(GError) error = NULL;
    g_assert_null(pe_checkpoint_open(folder, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FILE);

    g_free(file_write("none/a.pt", "x", 1));
    g_free(file_write("none/b.safetensors", "x", 1));
    assert_rejected_path(folder, "a.pt, b.safetensors");
}

// Every prefix of a file is an error, never a model: 60 points spread over the
// file and the first and last bytes one by one.
static void
rejects_cut_files(void)
{
    static const char *const names[] = {
        "checkpoints/tiny_core_cls.meta.pt",
        "checkpoints/tiny_core_cls.meta_nested.pt",
        "checkpoints/tiny_core_cls.open_clip.safetensors",
    };
    for (size_t n = 0; n < G_N_ELEMENTS(names); n++) {
        g_autofree char *whole = file_data_path(names[n]);
        g_autoptr(GByteArray) bytes = file_read(whole);
        for (guint i = 0; i < 100; i++) {
            guint size = i < 20   ? i
                         : i < 40 ? bytes->len - 1 - (i - 20)
                                  : bytes->len / 61 * (i - 39);
            g_autofree char *path = file_write("cut", bytes->data, size);
            assert_rejected_path(path, "cut");
        }
    }
}

// Random damage of the index must not crash, whatever it gives.
static void
survives_flipped_bytes(void)
{
    static const char *const names[] = {
        "checkpoints/tiny_core_cls.meta.pt",
        "checkpoints/tiny_core_cls.timm.safetensors",
    };
    for (size_t n = 0; n < G_N_ELEMENTS(names); n++) {
        g_autofree char *whole = file_data_path(names[n]);
        g_autoptr(GByteArray) bytes = file_read(whole);
        guint index = MIN(bytes->len, 9000);
        for (int i = 0; i < 300; i++) {
            guint at = (guint)g_test_rand_int_range(0, (gint32)index);
            // The zip's directory is at the other end.
            if (n == 0 && i % 2)
                at = bytes->len - 1 - at;
            guint8 old = bytes->data[at];
            bytes->data[at] ^= (guint8)(1 << g_test_rand_int_range(0, 8));
            g_autofree char *path =
                file_write("flipped", bytes->data, bytes->len);
            g_autoptr(GError) error = NULL;
            PeModel *model = pe_model_open(path, &error);
            g_assert_true((model != NULL) != (error != NULL));
            pe_model_unref(model);
            bytes->data[at] = old;
        }
    }
}

// ---- safetensors ----------------------------------------------------------

static void
assert_rejected_header(const char *header, const char *part)
{
    static int n;
    g_autofree char *name = g_strdup_printf("header%d.safetensors", n++);
    assert_rejected_bytes(name, safetensors_file(header, NULL, 64), part);
}

static void
rejects_broken_headers(void)
{
    assert_rejected_header("{", "ends too early");
    assert_rejected_header("{\"a", "ends too early");
    assert_rejected_header("{]", "JSON");
    assert_rejected_header("{a: 1}", "not JSON");
    assert_rejected_header("{/* \" */ \"a\": 1}", "not JSON");
    assert_rejected_header("{\"a\": \"\xff\xfe\"}", "JSON");
    assert_rejected_header("{\"a\": 1}", "'a' is not an object");
    assert_rejected_header("{\"a\": {}}", "'a' has no dtype");
    assert_rejected_header("{\"__metadata__\": 7}", "__metadata__");
    assert_rejected_header("{\"__metadata__\": {\"x\": 1}}", "'x'");
    assert_rejected_header("{}", "not a Perception Encoder");
    GString *deep = g_string_new("{\"a\":");
    for (int i = 0; i < 1000000; i++)
        g_string_append_c(deep, '[');
    assert_rejected_header(deep->str, "nested too deeply");
    g_string_free(deep, TRUE);

    GByteArray *huge = safetensors_file("{}", NULL, 8);
    memset(huge->data, 0xff, 8);
    assert_rejected_bytes("huge.safetensors", huge, "announces a header");
    GByteArray *more = safetensors_file("{}", NULL, 8);
    more->data[1] = 1;
    assert_rejected_bytes("more.safetensors", more, "cut short");
}

// One tensor 'a' with the given fields.
static void
assert_rejected_tensor(const char *dtype, const char *shape,
                       const char *offsets, const char *part)
{
    g_autofree char *header =
        g_strdup_printf("{\"a\": {\"dtype\": %s, \"shape\": %s,"
                        " \"data_offsets\": %s}}",
                        dtype, shape, offsets);
    assert_rejected_header(header, part);
}

static void
rejects_tensors_that_cannot_be(void)
{
    const char *f32 = "\"F32\"";
    assert_rejected_tensor("\"F8_E4M3\"", "[4]", "[0, 4]", "F8_E4M3");
    assert_rejected_tensor("4", "[4]", "[0, 16]", "dtype");
    assert_rejected_tensor(f32, "4", "[0, 16]", "no shape");
    assert_rejected_tensor(f32, "[4.5]", "[0, 16]", "not a count");
    assert_rejected_tensor(f32, "[-4]", "[0, 16]", "not a count");
    assert_rejected_tensor(f32, "[[4]]", "[0, 16]", "not a count");
    assert_rejected_tensor(f32, "[1, 1, 1, 1, 1, 4]", "[0, 16]", "at most 5");
    assert_rejected_tensor(f32, "[4]", "[0]", "outside");
    assert_rejected_tensor(f32, "[4]", "[0, 16, 32]", "at most 2");
    assert_rejected_tensor(f32, "[4]", "[-16, 0]", "not a count");
    assert_rejected_tensor(f32, "[4]", "[16, 0]", "outside");
    assert_rejected_tensor(f32, "[4]", "[56, 72]", "outside");
    assert_rejected_tensor(f32, "[5]", "[0, 16]", "its shape needs 20");
    assert_rejected_tensor(f32, "[4294967296, 4294967296]", "[0, 0]",
                           "too large");
    assert_rejected_tensor(f32, "[0, 4294967296, 4294967296]", "[0, 0]",
                           "too large");
    // Not a count or too large, which depends on the version of json-glib.
    assert_rejected_tensor(f32, "[99999999999999999999]", "[0, 16]", "'a'");
    assert_rejected_header("{\"a\": {\"dtype\": \"F32\", \"shape\": [4],"
                           " \"data_offsets\": [0, 16]},"
                           "\"b\": {\"dtype\": \"F32\", \"shape\": [4],"
                           " \"data_offsets\": [12, 28]}}",
                           "'a' and 'b' overlap");
    assert_rejected_header("{\"a\": {\"dtype\": \"F32\", \"shape\": [4],"
                           " \"data_offsets\": [0, 16]},"
                           "\"a\": {\"dtype\": \"F32\", \"shape\": [4],"
                           " \"data_offsets\": [16, 32]}}",
                           "'a' twice");
    assert_rejected_header("{\"a\": {\"dtype\": \"F32\", \"shape\": [4],"
                           " \"data_offsets\": [0, 16]},"
                           "\"module.a\": {\"dtype\": \"F32\", \"shape\": [4],"
                           " \"data_offsets\": [16, 32]}}",
                           "two tensors");
}

static void
counts_its_files(void)
{
    g_test_message("%d files were rejected", n_rejected);
    g_assert_cmpint(n_rejected, >=, 340);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hostile/kinds", rejects_what_is_no_checkpoint);
    g_test_add_func("/hostile/no-file", rejects_what_is_no_file);
    g_test_add_func("/hostile/cut", rejects_cut_files);
    g_test_add_func("/hostile/flipped", survives_flipped_bytes);
    g_test_add_func("/hostile/safetensors-header", rejects_broken_headers);
    g_test_add_func("/hostile/safetensors-tensors",
                    rejects_tensors_that_cannot_be);
    g_test_add_func("/hostile/count", counts_its_files);
    int status = g_test_run();
    file_cleanup();
    return status;
}
