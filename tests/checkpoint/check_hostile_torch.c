// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_hostile_torch.c - broken and hostile zips and pickles get an error that
// names the file and says what is wrong; none may crash, hang or run.

#include "core/checkpoint/checkpoint.h"
#include "tests/support/checkpoint_files.h"
#include "tests/support/hostile_files.h"

static const float values[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
static const Storage storage = {values, sizeof values};

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

// What a pickle calls is looked at and never done.
static void
rejects_pickles_that_are_programs(void)
{
    assert_rejected_pickle(pickle_of("\x80\x02"
                                     "cos\nsystem\nX\x07\x00"),
                           "ends too early");
    assert_rejected_pickle(pickle_of("\x80\x02"
                                     "cos\nsystem\nU\x09touch /xx\x85R."),
                           "'os system'");
    assert_rejected_pickle(pickle_of("\x80\x02"
                                     "cbuiltins\neval\n."),
                           "'builtins eval'");
    assert_rejected_pickle(pickle_of("\x80\x02"
                                     "cbuiltins\neval\n)R."),
                           "'builtins eval'");
    assert_rejected_pickle(pickle_of("\x80\x02"
                                     "ctorch.nn.modules.linear\nLinear\n)\x81"
                                     "}b."),
                           "save the weights alone");
    assert_rejected_pickle(pickle_of("\x80\x02"
                                     "c\xff\n\xfe\n."),
                           "'\\377 \\376'");
    assert_rejected_pickle(pickle_of("\x80\x02"
                                     "cnever ends"),
                           "broken global");
    assert_rejected_pickle(pickle_of("\x80\x04NN\x93."), "broken global");
    assert_rejected_pickle(pickle_of("\x80\x02]]R."), "no tuple");
    assert_rejected_pickle(pickle_of("\x80\x02])R."), "no function");
    assert_rejected_pickle(pickle_of("\x80\x02"
                                     "ctorch\nFloatStorage\n]R."),
                           "no tuple");
    assert_rejected_pickle(pickle_of("\x80\x02"
                                     "i__main__\nx\n."),
                           "opcode 0x69");
    assert_rejected_pickle(pickle_of("\x80\x02\x81."), "empty stack");
    assert_rejected_pickle(pickle_of("\x80\x04\x95."), "ends too early");
    assert_rejected_pickle(pickle_of("\x80\x01}."), "protocols 2 to 5");
    assert_rejected_pickle(pickle_of("\x80\x06}."), "protocols 2 to 5");
    assert_rejected_pickle(pickle_of("garbage"), "protocols 2 to 5");
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
    assert_rejected_pickle(p, "it has 'state_dict'");

    // Lists of lists, each holding the one before ten times.
    p = pickle_of("\x80\x02}");
    pickle_text(p, "laughs");
    pickle_op(p, "](]q\1");
    for (int i = 0; i < 100; i++)
        pickle_op(p, "](h\1h\1h\1h\1h\1h\1h\1h\1h\1h\1eq\1");
    pickle_op(p, "es.");
    assert_rejected_pickle(p, "it has 'laughs'");

    // A tuple in a tuple in a tuple, and more values than anybody needs.
    p = pickle_of("\x80\x02)");
    for (int i = 0; i < 500000; i++)
        pickle_op(p, "\x85");
    pickle_op(p, ".");
    assert_rejected_pickle(p, "no dictionary");
    p = pickle_of("\x80\x02N");
    for (int i = 0; i < 5000000; i++)
        pickle_op(p, "2");
    assert_rejected_pickle(p, "on its stack");
    p = pickle_of("\x80\x02");
    for (int i = 0; i < 2000000; i++)
        pickle_op(p, "N");
    assert_rejected_pickle(p, "more than a million values");
}

// A module without tensors but `n_children` times the one in memo 1, which it
// replaces there.
static void
put_module(GByteArray *p, int n_children)
{
    pickle_op(p, "cm\nM\n)\x81}(");
    pickle_text(p, "_parameters");
    pickle_op(p, "}");
    pickle_text(p, "_modules");
    pickle_op(p, "}(");
    for (int i = 0; i < n_children; i++) {
        g_autofree char *name = g_strdup_printf("%d", i);
        pickle_text(p, name);
        pickle_op(p, "h\1");
    }
    pickle_op(p, "uubq\1");
}

static void
survives_modules_that_hold_each_other(void)
{
    GByteArray *p = pickle_of("\x80\x02Nq\x01");
    for (int i = 0; i < 20; i++)
        put_module(p, 10);
    pickle_op(p, ".");
    assert_rejected_pickle(p, "more tensors and modules");

    p = pickle_of("\x80\x02Nq\x01");
    for (int i = 0; i < 100; i++)
        put_module(p, 1);
    pickle_op(p, ".");
    assert_rejected_pickle(p, "without an end");

    // One that is in itself.
    p = pickle_of("\x80\x02"
                  "cm\nM\n)\x81q\1}(");
    pickle_text(p, "_parameters");
    pickle_op(p, "}");
    pickle_text(p, "_modules");
    pickle_op(p, "}");
    pickle_text(p, "me");
    pickle_op(p, "h\1sub.");
    assert_rejected_pickle(p, "without an end");
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

// Many views of one misaligned storage take no memory before they are read.
static void
takes_many_views_of_a_misaligned_storage(void)
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
    g_autofree char *path = file_write_bytes("odd.pt", bytes);
    g_byte_array_unref(bytes);
    g_autoptr(GError) error = NULL;
    PeCheckpoint *ckpt = pe_checkpoint_open(path, &error);
    g_assert_no_error(error);
    g_assert_cmpint(pe_checkpoint_count(ckpt), ==, 100);
    g_auto(PeLoaded) loaded = {0};
    g_assert_true(pe_checkpoint_load(ckpt, pe_checkpoint_get(ckpt, "99"),
                                     &loaded, &error));
    g_assert_cmpint((uintptr_t)loaded.tensor.data % 64, ==, 0);
    pe_checkpoint_free(ckpt);
}

static void
counts_its_files(void)
{
    g_test_message("%d files were rejected", n_rejected);
    g_assert_cmpint(n_rejected, >=, 70);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hostile-torch/zip-broken", rejects_broken_zips);
    g_test_add_func("/hostile-torch/zip-lies", rejects_lies_in_the_directory);
    g_test_add_func("/hostile-torch/pickle-programs",
                    rejects_pickles_that_are_programs);
    g_test_add_func("/hostile-torch/pickle-stack",
                    rejects_pickles_that_misuse_the_stack);
    g_test_add_func("/hostile-torch/pickle-bombs", survives_bombs);
    g_test_add_func("/hostile-torch/pickle-modules",
                    survives_modules_that_hold_each_other);
    g_test_add_func("/hostile-torch/pickle-views",
                    rejects_views_outside_of_their_storage);
    g_test_add_func("/hostile-torch/pickle-misaligned",
                    takes_many_views_of_a_misaligned_storage);
    g_test_add_func("/hostile-torch/count", counts_its_files);
    int status = g_test_run();
    file_cleanup();
    return status;
}
