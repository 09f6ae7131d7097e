// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_bytes.c - results as bytes of other versions, other processes and
// other people.

#include "tests/support/gst_helpers.h"

#include <gst/base/gstbytewriter.h>
#include <math.h>
#include <string.h>

// The parts of the format that tests write by hand, see
// gst/meta/gstpebytes_private.h. What is written here has left the house: it
// stays readable.
enum {
    HEAD_SIZE = 12,
    VERSION = 4, // places in the head
    OLDEST = 5,
    SEQUENCE = 3, // tags
    CLIP = 5,
    REASON = 7,
    REGION = 8,
    MODEL = 10,
    EMBEDDING = 14,
    LABEL = 18,
    CALIBRATION = 19,
    NEGATIVE_MASS = 20,
    UNKNOWN = 21,
    FROM_THE_FUTURE = 4711,
};

static void
begin(GstByteWriter *w)
{
    static const guint8 head[HEAD_SIZE] = {'G', 'P', 'E', 'R', 1, 1};

    gst_byte_writer_init(w);
    gst_byte_writer_put_data(w, head, sizeof head);
}

static void
put_field(GstByteWriter *w, guint tag, const void *data, gsize size)
{
    gst_byte_writer_put_uint16_le(w, (guint16)tag);
    gst_byte_writer_put_uint16_le(w, 0);
    gst_byte_writer_put_uint32_le(w, (guint32)size);
    if (size > 0)
        gst_byte_writer_put_data(w, data, (guint)size);
}

static GBytes *
end(GstByteWriter *w)
{
    guint size = gst_byte_writer_get_size(w);
    guint8 *data = gst_byte_writer_reset_and_get_data(w);

    GST_WRITE_UINT32_LE(data + HEAD_SIZE - 4, size - HEAD_SIZE);
    return g_bytes_new_take(data, size);
}

static GstPeResult *
read_well(GBytes *bytes)
{
    g_autoptr(GError) error = NULL;
    GstPeResult *result = gst_pe_result_new_from_bytes(bytes, &error);

    g_assert_no_error(error);
    return result;
}

// `part` must be in the error's message.
static void
assert_refused(GBytes *bytes, const char *part)
{
    g_autoptr(GError) error = NULL;
    GstPeResult *result = gst_pe_result_new_from_bytes(bytes, &error);

    g_assert_null(result);
    g_assert_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_DECODE);
    if (!strstr(error->message, part))
        g_error("'%s' does not say '%s'", error->message, part);
}

// A result that has every kind of field.
static GBytes *
make_bytes(void)
{
    static const float vector[3] = {0.6f, -0.8f, 0};
    const GstPeLabel labels[2] = {{"a dog", 0.75, 0.25, 0.8, 0.01},
                                  {"", 0.25, -0.5}};
    const GstPeRegion region = {.name = "door", .width = 1, .height = 1};
    g_autoptr(GBytes) floats = g_bytes_new_static(vector, sizeof vector);
    g_autoptr(GstPeVectors) embedding = gst_pe_vectors_new(
        GST_PE_VECTORS_POOLED, GST_PE_DTYPE_F32, 1, 3, floats);
    GstPeResultFields fields = example_fields;

    fields.region = &region;
    fields.embedding = embedding;
    fields.labels = labels;
    fields.n_labels = G_N_ELEMENTS(labels);
    g_autoptr(GstPeResult) result = gst_pe_result_new(&fields);
    return gst_pe_result_to_bytes(result);
}

// ---- Other versions -------------------------------------------------------

static void
leaves_out_what_is_not_there(void)
{
    GstByteWriter w;

    begin(&w);
    g_autoptr(GBytes) bytes = end(&w);
    g_autoptr(GstPeResult) result = read_well(bytes);
    g_assert_null(gst_pe_result_get_source(result));
    g_assert_null(gst_pe_result_get_region(result));
    g_assert_null(gst_pe_result_get_embedding(result));
    g_assert_cmpuint(gst_pe_result_get_clip_start(result), ==,
                     GST_CLOCK_TIME_NONE);
    g_assert_false(gst_pe_result_is_partial(result));
    g_assert_cmpuint(gst_pe_result_get_n_labels(result), ==, 0);
}

static void
reads_what_a_future_version_wrote(void)
{
    static const guint8 more[64] = {[0] = 5, [63] = 1};
    guint8 label[24 + 9] = {0}; // a probability and one byte behind it
    GstByteWriter w;

    begin(&w);
    put_field(&w, FROM_THE_FUTURE, more, sizeof more);
    put_field(&w, SEQUENCE, more, sizeof more); // a longer number
    put_field(&w, CLIP, more, sizeof more);     // and more clocks
    put_field(&w, MODEL, "PE-Next", 7);
    GST_WRITE_DOUBLE_LE(label, 0.5);
    GST_WRITE_DOUBLE_LE(label + 8, 0.25);
    GST_WRITE_UINT32_LE(label + 16, 3);
    memcpy(label + 20, "dog and more", 12);
    put_field(&w, LABEL, label, sizeof label);
    put_field(&w, 0, more, 1);
    put_field(&w, FROM_THE_FUTURE, more, 3);
    gsize size;
    g_autoptr(GBytes) written = end(&w);
    g_autofree guint8 *data =
        g_memdup2(g_bytes_get_data(written, &size), g_bytes_get_size(written));
    data[VERSION] = 9;
    g_autoptr(GBytes) bytes = g_bytes_new_static(data, size);
    g_autoptr(GstPeResult) result = read_well(bytes);
    g_assert_cmpuint(gst_pe_result_get_sequence(result), ==, 5);
    g_assert_cmpuint(gst_pe_result_get_clip_start(result), ==, 5);
    g_assert_cmpstr(gst_pe_result_get_model(result), ==, "PE-Next");
    g_assert_cmpuint(gst_pe_result_get_n_labels(result), ==, 1);
    g_assert_cmpstr(gst_pe_result_get_label(result, 0), ==, "dog");
    g_assert_cmpfloat(gst_pe_result_get_similarity(result, 0), ==, 0.25);

    data[OLDEST] = 2;
    g_autoptr(GBytes) too_new = g_bytes_new_static(data, size);
    assert_refused(too_new, "written by version 9 for readers of version 2");
}

static void
knows_that_it_does_not_know(void)
{
    static const guint8 reason[4] = {77};
    static const guint8 vectors[16] = {[4] = 9}; // of a type to come
    GstByteWriter w;

    begin(&w);
    put_field(&w, REASON, reason, sizeof reason);
    put_field(&w, EMBEDDING, vectors, sizeof vectors);
    g_autoptr(GBytes) bytes = end(&w);
    g_autoptr(GstPeResult) result = read_well(bytes);
    g_assert_true(gst_pe_result_is_partial(result));
    g_assert_cmpint(gst_pe_result_get_reason(result), ==,
                    GST_PE_REASON_UNKNOWN);
    g_assert_null(gst_pe_result_get_embedding(result));
}

// The bytes that the first version wrote, once and for all.
static void
still_reads_the_first_version(void)
{
    static const char first[] = "475045520101000028000000" // head
                                "01000000030000006d6963"   // source
                                "03000000080000000700000000000000"
                                "0700000004000000"
                                "02000000"; // reason
    GByteArray *data = g_byte_array_new();

    for (const char *p = first; *p; p += 2) {
        guint8 byte = (guint8)(g_ascii_xdigit_value(p[0]) << 4 |
                               g_ascii_xdigit_value(p[1]));
        g_byte_array_append(data, &byte, 1);
    }
    data->data[8] = (guint8)(data->len - HEAD_SIZE);
    g_autoptr(GBytes) bytes = g_byte_array_free_to_bytes(data);
    g_autoptr(GstPeResult) result = read_well(bytes);
    g_assert_cmpstr(gst_pe_result_get_source(result), ==, "mic");
    g_assert_cmpuint(gst_pe_result_get_sequence(result), ==, 7);
    g_assert_cmpint(gst_pe_result_get_reason(result), ==, GST_PE_REASON_JUMP);
}

// Written before labels had a probability, and results a verdict.
static void
does_not_know_the_verdict_of_an_older_version(void)
{
    guint8 label[20 + 3] = {0};
    GstByteWriter w;

    begin(&w);
    GST_WRITE_DOUBLE_LE(label, 0.5);
    GST_WRITE_UINT32_LE(label + 16, 3);
    memcpy(label + 20, "dog", 3);
    put_field(&w, LABEL, label, sizeof label);
    g_autoptr(GBytes) bytes = end(&w);
    g_autoptr(GstPeResult) result = read_well(bytes);
    g_assert_cmpfloat(gst_pe_result_get_score(result, 0), ==, 0.5);
    g_assert_true(isnan(gst_pe_result_get_probability(result, 0)));
    g_assert_true(isnan(gst_pe_result_get_p_value(result, 0)));
    g_assert_null(gst_pe_result_get_calibration(result));
    g_assert_false(gst_pe_result_is_unknown(result));
}

// ---- Bytes that are no result ---------------------------------------------

static void
refuses_bytes_that_are_cut_or_longer(void)
{
    g_autoptr(GBytes) bytes = make_bytes();
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);

    for (gsize n = 0; n < size; n++) {
        // Of their own, so that reading behind them is seen.
        g_autoptr(GBytes) cut = g_bytes_new(data, n);
        assert_refused(cut, n < 4           ? "GPER"
                            : n < HEAD_SIZE ? "head"
                                            : "announced");
        if (n < HEAD_SIZE)
            continue;
        // The same with a head that fits: cut between two fields it is good.
        guint8 *copy = g_memdup2(data, n);
        GST_WRITE_UINT32_LE(copy + HEAD_SIZE - 4, n - HEAD_SIZE);
        g_autoptr(GBytes) fitting = g_bytes_new_take(copy, n);
        g_autoptr(GError) error = NULL;
        GstPeResult *result = gst_pe_result_new_from_bytes(fitting, &error);
        g_assert_true((result == NULL) == (error != NULL));
        g_clear_pointer(&result, gst_pe_result_unref);
    }
    g_autofree guint8 *longer = g_malloc0(size + 1);
    memcpy(longer, data, size);
    g_autoptr(GBytes) more = g_bytes_new_static(longer, size + 1);
    assert_refused(more, "announced");
}

static void
refuses_fields_that_make_no_sense(void)
{
    static const guint8 zeros[64] = {0};
    static const guint8 huge[16] = {
        1,   0,   0,   0,   0,   0,   0,   0, // tokens, f32
        255, 255, 255, 255, 255, 255, 255, 255};
    static const guint8 pooled[16 + 8] = {[8] = 2, [12] = 1};
    static const guint8 narrow[32] = {[19] = 0x80}; // width
    guint8 label[20] = {[16] = 200};
    static const struct {
        const char *part;
        guint tag;
        gsize size;
        const void *data;
    } rows[] = {
        {"model has 2 bytes that are not one", MODEL, 2, "\xff\xfe"},
        {"model has 3 bytes", MODEL, 3, "a\0b"},
        {"sequence has 7 bytes", SEQUENCE, 7, zeros},
        {"clip has 47 bytes", CLIP, 47, zeros},
        {"reason has 0 bytes", REASON, 0, zeros},
        {"region has 31 bytes", REGION, 31, zeros},
        {"region has 32 bytes", REGION, 32, narrow},
        {"embedding has 15 bytes", EMBEDDING, 15, zeros},
        {"embedding has 16 bytes", EMBEDDING, 16, zeros}, // 0 x 0
        {"embedding has 16 bytes", EMBEDDING, 16, huge},
        {"embedding has 24 bytes", EMBEDDING, 24, pooled},
        {"label has 0 bytes", LABEL, 0, zeros},
        {"calibration has 2 bytes", CALIBRATION, 2, "\xff\xfe"},
        {"negative-mass has 7 bytes", NEGATIVE_MASS, 7, zeros},
        {"unknown has 3 bytes", UNKNOWN, 3, zeros},
    };
    GstByteWriter w;

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        begin(&w);
        put_field(&w, rows[i].tag, rows[i].data, rows[i].size);
        g_autoptr(GBytes) bytes = end(&w);
        assert_refused(bytes, rows[i].part);
    }
    begin(&w);
    put_field(&w, LABEL, label, sizeof label); // a name of 200 bytes
    g_autoptr(GBytes) missing = end(&w);
    assert_refused(missing, "label has 20 bytes");
}

static void
refuses_a_field_twice(void)
{
    GstByteWriter w;

    begin(&w);
    put_field(&w, MODEL, "a", 1);
    put_field(&w, MODEL, "b", 1);
    g_autoptr(GBytes) bytes = end(&w);
    assert_refused(bytes, "model is there twice");
}

static void
refuses_a_field_beyond_the_end(void)
{
    GstByteWriter w;

    begin(&w);
    gst_byte_writer_put_uint32_le(&w, FROM_THE_FUTURE);
    gst_byte_writer_put_uint32_le(&w, G_MAXUINT32);
    g_autoptr(GBytes) bytes = end(&w);
    assert_refused(bytes, "field 4711 (not known) has 4294967295 bytes, 0 are");
}

// Whatever the bytes are, reading them ends with a result or an error.
static void
survives_damaged_bytes(void)
{
    g_autoptr(GBytes) bytes = make_bytes();
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    int n_read = 0;

    for (int i = 0; i < 50000; i++) {
        guint8 *copy = g_memdup2(data, size);
        for (int k = g_test_rand_int_range(1, 5); k > 0; k--) {
            int place = g_test_rand_int_range(HEAD_SIZE, (int)size);
            copy[place] = g_test_rand_bit() ? (guint8)g_test_rand_int()
                                            : (guint8)(copy[place] ^ 1);
        }
        g_autoptr(GBytes) damaged = g_bytes_new_take(copy, size);
        g_autoptr(GError) error = NULL;
        GstPeResult *result = gst_pe_result_new_from_bytes(damaged, &error);
        g_assert_true((result == NULL) == (error != NULL));
        if (!result)
            continue;
        // What was read can be written.
        g_autoptr(GBytes) again = gst_pe_result_to_bytes(result);
        g_assert_cmpuint(g_bytes_get_size(again), >=, HEAD_SIZE);
        gst_pe_result_unref(result);
        n_read++;
    }
    g_test_message("%d of 50000 damaged results could be read", n_read);
    g_assert_cmpint(n_read, >, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gst_init(&argc, &argv);
    g_test_add_func("/bytes/empty", leaves_out_what_is_not_there);
    g_test_add_func("/bytes/future", reads_what_a_future_version_wrote);
    g_test_add_func("/bytes/older",
                    does_not_know_the_verdict_of_an_older_version);
    g_test_add_func("/bytes/unknown", knows_that_it_does_not_know);
    g_test_add_func("/bytes/first", still_reads_the_first_version);
    g_test_add_func("/bytes/cut", refuses_bytes_that_are_cut_or_longer);
    g_test_add_func("/bytes/nonsense", refuses_fields_that_make_no_sense);
    g_test_add_func("/bytes/twice", refuses_a_field_twice);
    g_test_add_func("/bytes/beyond", refuses_a_field_beyond_the_end);
    g_test_add_func("/bytes/damaged", survives_damaged_bytes);
    int failed = g_test_run();
    gst_deinit();
    return failed;
}
