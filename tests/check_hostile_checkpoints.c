// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_hostile_checkpoints.c - broken and hostile files get an error that
// names the file and says what is wrong; none may crash or hang.

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "checkpoint_files.h"
#include "core/checkpoint.h"
#include "core/pe.h"

static const float values[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
static const Storage storage = {values, sizeof values};
static int rejected;

// Opening `path` must fail with `part` in the message.
static void
assert_rejected_path(const char *path, const char *part)
{
    g_autoptr(GError) error = NULL;
    PeModel *model = pe_model_open(path, &error);
    if (model)
        g_error("%s: was taken for a model", path);
    g_assert_nonnull(error);
    g_test_message("%s", error->message);
    g_assert_true(error->domain == PE_ERROR);
    g_autofree char *name = g_path_get_basename(path);
    if (!strstr(error->message, name))
        g_error("'%s' does not name the file %s", error->message, name);
    if (!strstr(error->message, part))
        g_error("'%s' does not say '%s'", error->message, part);
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    rejected++;
}

static void
assert_rejected_bytes(const char *name, GByteArray *bytes, const char *part)
{
    g_autofree char *path = file_write_bytes(name, bytes);
    g_byte_array_unref(bytes);
    assert_rejected_path(path, part);
}

static void
assert_rejected_text(const char *name, const char *text, const char *part)
{
    g_autofree char *path = file_write(name, text, strlen(text));
    assert_rejected_path(path, part);
}

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

    g_autofree char *a = file_write("none/a.pt", "x", 1);
    g_autofree char *b = file_write("none/b.safetensors", "x", 1);
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

// ---- Zip ------------------------------------------------------------------

// A pickle of one sound vector 'a'.
static GByteArray *
sound_pickle(void)
{
    GByteArray *p = g_byte_array_new();
    pickle_begin(p);
    pickle_text(p, "a");
    pickle_tensor(
        p, &(PickledTensor){"FloatStorage", NULL, "0", 12, 0, 1, {12}, {1}});
    pickle_end(p);
    return p;
}

static void
rejects_broken_zips(void)
{
    g_autoptr(GByteArray) p = sound_pickle();
    Zip zip;

    zip_begin(&zip);
    assert_rejected_bytes("nothing.pt", zip_end(&zip), "neither");
    zip_begin(&zip);
    zip_add(&zip, "readme.txt", "hello", 5);
    assert_rejected_bytes("other.pt", zip_end(&zip), "has no data.pkl");
    zip_begin(&zip);
    zip_add(&zip, "a/data.pkl", p->data, p->len);
    zip_add(&zip, "b/data.pkl", p->data, p->len);
    assert_rejected_bytes("twin.pt", zip_end(&zip), "two torch archives");
    zip_begin(&zip);
    zip_add(&zip, "a/data.pkl", p->data, p->len);
    zip_add(&zip, "a/data.pkl", p->data, p->len);
    assert_rejected_bytes("double.pt", zip_end(&zip), "two entries");
    zip_begin(&zip);
    zip_add(&zip, "a/data.pkl", p->data, p->len);
    zip_add(&zip, "a/constants.pkl", p->data, p->len);
    assert_rejected_bytes("script.pt", zip_end(&zip), "TorchScript");
    zip_begin(&zip);
    zip_add(&zip, "a/data.pkl", p->data, p->len);
    zip_add(&zip, "a/byteorder", "big", 3);
    assert_rejected_bytes("big.pt", zip_end(&zip), "byte order");
    zip_begin(&zip);
    zip_add_raw(&zip, "a/data.pkl", p->data, p->len, 8, 0, p->len);
    assert_rejected_bytes("deflated.pt", zip_end(&zip), "compressed");
    zip_begin(&zip);
    zip_add(&zip, "a/data.pkl", p->data, p->len);
    zip_add_raw(&zip, "a/data/0", values, 48, 8, 0, 48);
    assert_rejected_bytes("deflated2.pt", zip_end(&zip), "compressed");
    zip_begin(&zip);
    zip_add_raw(&zip, "a/data.pkl", p->data, p->len, 0, 12345, p->len);
    assert_rejected_bytes("crc.pt", zip_end(&zip), "checksum");
    zip_begin(&zip);
    zip_add_raw(&zip, "a/data.pkl", p->data, p->len, 0, 0, 1 << 30);
    assert_rejected_bytes("long.pt", zip_end(&zip), "ends behind the file");
    zip_begin(&zip);
    zip_add(&zip, "a/data.pkl", p->data, p->len);
    assert_rejected_bytes("storage.pt", zip_end(&zip), "no entry data/0");
}

// A sound file with `n` bytes at `from_end` overwritten.
static void
assert_rejected_patch(const char *name, bool zip64, int from_end,
                      uint64_t number, int n, const char *part)
{
    g_autoptr(GByteArray) p = sound_pickle();
    Zip zip;
    zip_begin(&zip);
    zip.zip64 = zip64;
    zip_add(&zip, "a/data.pkl", p->data, p->len);
    zip_add(&zip, "a/data/0", values, 48);
    GByteArray *bytes = zip_end(&zip);
    for (int i = 0; i < n; i++)
        bytes->data[(int)bytes->len - from_end + i] =
            (guint8)(number >> (8 * i));
    assert_rejected_bytes(name, bytes, part);
}

static void
rejects_lies_in_the_directory(void)
{
    // The end record is 22 bytes, the zip64 locator 20, its record 56.
    assert_rejected_patch("end-offset.pt", false, 6, 0x7fffffff, 4, "outside");
    assert_rejected_patch("end-size.pt", false, 10, 0x7fffffff, 4, "outside");
    assert_rejected_patch("end-count.pt", false, 12, 3000, 2, "directory");
    assert_rejected_patch("end-zip64.pt", false, 6, UINT32_MAX, 4, "locator");
    assert_rejected_patch("locator.pt", true, 22 + 20 - 8, UINT64_MAX - 8, 8,
                          "zip64 directory end");
    assert_rejected_patch("end64-offset.pt", true, 22 + 20 + 8, UINT64_MAX, 8,
                          "outside");
    assert_rejected_patch("end64-size.pt", true, 22 + 20 + 16, UINT64_MAX, 8,
                          "outside");
    assert_rejected_patch("end64-count.pt", true, 22 + 20 + 24, UINT64_MAX, 8,
                          "directory");
    // The last entry: 46 bytes, the name of 8, and 28 of zip64 sizes.
    int entry = 22 + 20 + 56 + 46 + 8 + 28;
    assert_rejected_patch("extra-id.pt", true, entry - 54, 2, 2,
                          "zip64 sizes are missing");
    assert_rejected_patch("extra-short.pt", true, entry - 56, 8, 2,
                          "zip64 sizes are missing");
    assert_rejected_patch("entry-size.pt", true, entry - 58, UINT64_MAX, 8,
                          "two sizes");
    assert_rejected_patch("entry-offset.pt", true, entry - 74, UINT64_MAX, 8,
                          "header is missing");
    assert_rejected_patch("entry-name.pt", true, entry - 46, 'b', 1,
                          "two names");
    assert_rejected_patch("entry-length.pt", true, entry - 28, 60000, 2,
                          "cut short");
}

// ---- Pickle ---------------------------------------------------------------

static void
assert_rejected_pickle(GByteArray *p, const char *part)
{
    static int n;
    g_autofree char *name = g_strdup_printf("pickle%d.pt", n++);
    assert_rejected_bytes(name, torch_file(p, &storage, 1), part);
    g_byte_array_unref(p);
}

static GByteArray *
pickle_of(const char *opcodes)
{
    GByteArray *p = g_byte_array_new();
    pickle_op(p, opcodes);
    return p;
}

static void
rejects_pickles_that_are_programs(void)
{
    assert_rejected_pickle(pickle_of("\x80\x02"
                                     "cos\nsystem\nX\x07\x00"),
                           "refuses the Python object 'os system'");
    assert_rejected_pickle(pickle_of("\x80\x02"
                                     "cbuiltins\neval\n."),
                           "'builtins eval'");
    assert_rejected_pickle(pickle_of("\x80\x02"
                                     "ctorch.nn.modules.linear\nLinear\n."),
                           "save model.state_dict() alone");
    assert_rejected_pickle(pickle_of("\x80\x02"
                                     "c\xff\n\xfe\n."),
                           "refuses the Python object");
    assert_rejected_pickle(pickle_of("\x80\x02"
                                     "cnever ends"),
                           "broken global");
    assert_rejected_pickle(pickle_of("\x80\x02]]R."), "no function");
    assert_rejected_pickle(pickle_of("\x80\x02"
                                     "ctorch\nFloatStorage\n]R."),
                           "no function");
    assert_rejected_pickle(pickle_of("\x80\x02"
                                     "i__main__\nx\n."),
                           "opcode 0x69");
    assert_rejected_pickle(pickle_of("\x80\x02\x81."), "opcode 0x81");
    assert_rejected_pickle(pickle_of("\x80\x04\x95."), "protocol 2");
    assert_rejected_pickle(pickle_of("garbage"), "protocol 2");
}

static void
rejects_pickles_that_misuse_the_stack(void)
{
    assert_rejected_pickle(pickle_of("\x80\x02"), "ends too early");
    assert_rejected_pickle(pickle_of("\x80\x02."), "empty stack");
    assert_rejected_pickle(pickle_of("\x80\x02(."), "empty stack");
    assert_rejected_pickle(pickle_of("\x80\x02N."), "no dictionary");
    assert_rejected_pickle(pickle_of("\x80\x02]."), "no dictionary");
    assert_rejected_pickle(pickle_of("\x80\x02t."), "no mark");
    assert_rejected_pickle(pickle_of("\x80\x02N\x87."), "too few values");
    assert_rejected_pickle(pickle_of("\x80\x02(N\x86."), "too few values");
    assert_rejected_pickle(pickle_of("\x80\x02}Na."), "no list");
    assert_rejected_pickle(pickle_of("\x80\x02]NNs."), "no dictionary");
    assert_rejected_pickle(pickle_of("\x80\x02}(Nu."), "no dictionary");
    assert_rejected_pickle(pickle_of("\x80\x02}(N(Nu."), "no dictionary");
    assert_rejected_pickle(pickle_of("\x80\x02h\x05."), "never kept");
    assert_rejected_pickle(pickle_of("\x80\x02q\x05."), "empty stack");
    assert_rejected_pickle(pickle_of("\x80\x02X\xff\xff\xff\xff."),
                           "ends too early");
    assert_rejected_pickle(pickle_of("\x80\x02X\x01\x01\x01\x01."),
                           "ends too early");
    assert_rejected_pickle(pickle_of("\x80\x02\x8a\xff."), "ends too early");
    assert_rejected_pickle(pickle_of("\x80\x02Q."), "empty stack");
    assert_rejected_pickle(pickle_of("\x80\x02NbN."), "empty stack");
}

static void
survives_bombs(void)
{
    // A dictionary that wraps itself.
    GByteArray *p = pickle_of("\x80\x02}r\xff\xff\xff\xff(");
    pickle_text(p, "state_dict");
    pickle_op(p, "j\xff\xff\xff\xffu.");
    assert_rejected_pickle(p, "not a Perception Encoder");

    // Lists of lists, each holding the one before ten times.
    p = pickle_of("\x80\x02}");
    pickle_text(p, "laughs");
    pickle_op(p, "](]q\1");
    for (int i = 0; i < 100; i++)
        pickle_op(p, "](h\1h\1h\1h\1h\1h\1h\1h\1h\1h\1eq\1");
    pickle_op(p, "es.");
    assert_rejected_pickle(p, "not a Perception Encoder");

    // A tuple in a tuple in a tuple, and more values than anybody needs.
    p = pickle_of("\x80\x02)");
    for (int i = 0; i < 500000; i++)
        pickle_op(p, "\x85");
    pickle_op(p, ".");
    assert_rejected_pickle(p, "no dictionary");
    p = pickle_of("\x80\x02");
    for (int i = 0; i < 2000000; i++)
        pickle_op(p, "N");
    assert_rejected_pickle(p, "more values");
}

static void
assert_rejected_view(PickledTensor tensor, const char *part)
{
    GByteArray *p = g_byte_array_new();
    pickle_begin(p);
    pickle_text(p, "a");
    pickle_tensor(p, &tensor);
    pickle_end(p);
    assert_rejected_pickle(p, part);
}

#define F32 "FloatStorage", NULL, "0", 12

static void
rejects_views_outside_of_their_storage(void)
{
    const int64_t big = INT64_MAX;
    assert_rejected_view((PickledTensor){F32, 0, 1, {13}, {1}}, "12 elements");
    assert_rejected_view((PickledTensor){F32, 1, 1, {12}, {1}}, "12 elements");
    assert_rejected_view((PickledTensor){F32, 13, 1, {0}, {1}}, "12 elements");
    assert_rejected_view((PickledTensor){F32, 0, 2, {3, 4}, {5, 1}}, "reaches");
    assert_rejected_view((PickledTensor){F32, -1, 1, {1}, {1}}, "broken");
    assert_rejected_view((PickledTensor){F32, 4, 1, {2}, {-1}}, "broken");
    assert_rejected_view((PickledTensor){F32, 0, 1, {-2}, {1}}, "broken");
    assert_rejected_view((PickledTensor){F32, big, 1, {1}, {1}}, "reaches");
    assert_rejected_view((PickledTensor){F32, 0, 1, {big}, {big}}, "reaches");
    assert_rejected_view((PickledTensor){F32, 0, 2, {big, big}, {0, 0}},
                         "reaches");
    assert_rejected_view((PickledTensor){F32, 0, 2, {2, 2}, {big, big}},
                         "reaches");
    assert_rejected_view(
        (PickledTensor){F32, 0, 6, {1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1}},
        "6 axes");
    assert_rejected_view(
        (PickledTensor){"DoubleStorage", NULL, "0", 12, 0, 1, {12}, {1}},
        "6 elements");
    assert_rejected_view(
        (PickledTensor){
            "FloatStorage", NULL, "../data.pkl", 12, 0, 1, {12}, {1}},
        "no entry");
    assert_rejected_view(
        (PickledTensor){"float32", NULL, "0", 12, 0, 1, {12}, {1}},
        "no storage");
}

// Many views of one misaligned storage would each get a copy.
static void
rejects_views_that_multiply_a_misaligned_storage(void)
{
    enum { SIZE = 1 << 20 };
    g_autofree char *data = g_malloc0(SIZE);
    GByteArray *p = g_byte_array_new();
    pickle_begin(p);
    for (int i = 0; i < 100; i++) {
        g_autofree char *name = g_strdup_printf("%d", i);
        pickle_text(p, name);
        pickle_tensor(p, &(PickledTensor){"FloatStorage",
                                          NULL,
                                          "0",
                                          SIZE / 4,
                                          0,
                                          1,
                                          {SIZE / 4 - 1},
                                          {1}});
    }
    pickle_end(p);
    Zip zip;
    zip_begin(&zip);
    zip_add(&zip, "m/data.pkl", p->data, p->len);
    g_byte_array_unref(p);
    guint header = zip.bytes->len;
    zip_add(&zip, "m/data/0", data, SIZE);
    // One byte less of padding: the data begin at an odd address.
    zip.bytes->data[header + 28]--;
    GByteArray *bytes = zip_end(&zip);
    assert_rejected_bytes("odd.pt", bytes, "misaligned");
}

static void
counts_its_files(void)
{
    g_test_message("%d files were rejected", rejected);
    g_assert_cmpint(rejected, >=, 400);
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
    g_test_add_func("/hostile/zip-broken", rejects_broken_zips);
    g_test_add_func("/hostile/zip-lies", rejects_lies_in_the_directory);
    g_test_add_func("/hostile/pickle-programs",
                    rejects_pickles_that_are_programs);
    g_test_add_func("/hostile/pickle-stack",
                    rejects_pickles_that_misuse_the_stack);
    g_test_add_func("/hostile/pickle-bombs", survives_bombs);
    g_test_add_func("/hostile/pickle-views",
                    rejects_views_outside_of_their_storage);
    g_test_add_func("/hostile/pickle-misaligned",
                    rejects_views_that_multiply_a_misaligned_storage);
    g_test_add_func("/hostile/count", counts_its_files);
    int status = g_test_run();
    file_cleanup();
    return status;
}
