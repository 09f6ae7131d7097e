// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_meta.c - the metadata library alone: results, their byte form,
// copies of buffers, events.

#include "tests/support/gst_helpers.h"

#include <string.h>

static const float vector[3] = {0.6f, -0.8f, 0};

static GstPeResult *
make_result(void)
{
    const GstPeLabel labels[2] = {{"a dog", 0.75, 0.25},
                                  {"Ünï|\"", 0.25, -0.5}};
    g_autoptr(GBytes) embedding = g_bytes_new_static(vector, sizeof vector);
    GstPeResultFields fields = example_fields;

    fields.stream_id = "stream";
    fields.clip_end = GST_CLOCK_TIME_NONE;
    fields.embedding = embedding;
    fields.labels = labels;
    fields.n_labels = G_N_ELEMENTS(labels);
    return gst_pe_result_new(&fields);
}

static void
assert_is_the_result(GstPeResult *r)
{
    gsize size;

    g_assert_cmpstr(gst_pe_result_get_stream_id(r), ==, "stream");
    g_assert_cmpstr(gst_pe_result_get_model(r), ==, "PE-Core-T16-384");
    g_assert_cmpstr(gst_pe_result_get_model_fingerprint(r), ==,
                    "0123456789abcdef");
    g_assert_cmpstr(gst_pe_result_get_device(r), ==, "cpu");
    g_assert_cmpstr(gst_pe_result_get_precision(r), ==, NULL);
    g_assert_cmpuint(gst_pe_result_get_sequence(r), ==, 7);
    g_assert_cmpuint(gst_pe_result_get_clip_start(r), ==, 10);
    g_assert_cmpuint(gst_pe_result_get_clip_end(r), ==, GST_CLOCK_TIME_NONE);
    g_assert_cmpuint(gst_pe_result_get_stream_start(r), ==, 30);
    g_assert_cmpuint(gst_pe_result_get_stream_end(r), ==, 40);
    g_assert_cmpuint(gst_pe_result_get_n_frames(r), ==, 8);
    g_assert_true(gst_pe_result_is_partial(r));
    g_assert_cmpuint(gst_pe_result_get_labels_version(r), ==, 9);
    g_assert_cmpuint(gst_pe_result_get_dim(r), ==, 3);
    const void *data = g_bytes_get_data(gst_pe_result_get_embedding(r), &size);
    g_assert_cmpmem(data, size, vector, sizeof vector);
    g_assert_cmpuint(gst_pe_result_get_n_labels(r), ==, 2);
    g_assert_cmpstr(gst_pe_result_get_label(r, 1), ==, "Ünï|\"");
    g_assert_cmpfloat(gst_pe_result_get_probability(r, 0), ==, 0.75);
    g_assert_cmpfloat(gst_pe_result_get_similarity(r, 1), ==, -0.5);
}

static void
keeps_what_it_was_made_of(void)
{
    g_autoptr(GstPeResult) r = make_result();
    assert_is_the_result(r);
}

static void
comes_back_from_bytes(void)
{
    g_autoptr(GstPeResult) r = make_result();
    g_autoptr(GBytes) bytes = gst_pe_result_to_bytes(r);
    g_autoptr(GstPeResult) back = gst_pe_result_new_from_bytes(bytes);

    g_assert_nonnull(back);
    assert_is_the_result(back);

    GstPeResultFields none = {0};
    g_autoptr(GstPeResult) empty = gst_pe_result_new(&none);
    g_autoptr(GBytes) few = gst_pe_result_to_bytes(empty);
    g_autoptr(GstPeResult) again = gst_pe_result_new_from_bytes(few);
    g_assert_null(gst_pe_result_get_embedding(again));
    g_assert_null(gst_pe_result_get_stream_id(again));
}

static void
refuses_bytes_that_are_cut_or_longer(void)
{
    g_autoptr(GstPeResult) r = make_result();
    g_autoptr(GBytes) bytes = gst_pe_result_to_bytes(r);
    gsize size = g_bytes_get_size(bytes);

    for (gsize n = 0; n < size; n++) {
        g_autoptr(GBytes) cut = g_bytes_new_from_bytes(bytes, 0, n);
        g_assert_null(gst_pe_result_new_from_bytes(cut));
    }
    g_autofree guint8 *longer = g_malloc0(size + 1);
    memcpy(longer, g_bytes_get_data(bytes, NULL), size);
    g_autoptr(GBytes) more = g_bytes_new_static(longer, size + 1);
    g_assert_null(gst_pe_result_new_from_bytes(more));
}

// Whatever the bytes are, reading them ends.
static void
survives_damaged_bytes(void)
{
    g_autoptr(GstPeResult) r = make_result();
    g_autoptr(GBytes) bytes = gst_pe_result_to_bytes(r);
    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);

    for (int i = 0; i < 20000; i++) {
        guint8 *copy = g_memdup2(data, size);
        for (int k = g_test_rand_int_range(1, 5); k > 0; k--)
            copy[g_test_rand_int_range(1, (int)size)] =
                (guint8)g_test_rand_int();
        GBytes *damaged = g_bytes_new_take(copy, size);
        GstPeResult *result = gst_pe_result_new_from_bytes(damaged);
        if (result)
            gst_pe_result_unref(result);
        g_bytes_unref(damaged);
    }
}

static void
is_shared_by_copies_of_a_buffer(void)
{
    g_autoptr(GstPeResult) r = make_result();
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 100, NULL);

    g_assert_null(gst_buffer_get_pe_meta(buffer));
    gst_buffer_add_pe_meta(buffer, r, 5);
    GstBuffer *copy = gst_buffer_copy_deep(buffer);
    GstBuffer *part =
        gst_buffer_copy_region(buffer, GST_BUFFER_COPY_ALL, 10, 20);
    gst_buffer_unref(buffer);
    GstPeMeta *meta = gst_buffer_get_pe_meta(copy);
    g_assert_true(gst_pe_meta_get_result(meta) == r);
    g_assert_cmpuint(gst_pe_meta_get_age(meta), ==, 5);
    g_assert_true(gst_buffer_get_pe_meta(part)->result == r);
    gst_buffer_unref(copy);
    gst_buffer_unref(part);
    assert_is_the_result(r);
}

static void
has_no_tags(void)
{
    const gchar *const *tags = gst_meta_api_type_get_tags(GST_PE_META_API_TYPE);
    g_assert_true(!tags || !tags[0]);
}

static void
travels_in_an_event(void)
{
    g_autoptr(GstPeResult) r = make_result();
    GstEvent *event = gst_event_new_pe_result(r);
    GstEvent *copy = gst_event_copy(event);
    GstEvent *other = gst_event_new_eos();

    g_assert_true(GST_EVENT_IS_SERIALIZED(event));
    g_assert_true(gst_event_get_pe_result(event) == r);
    g_assert_true(gst_event_get_pe_result(copy) == r);
    g_assert_null(gst_event_get_pe_result(other));
    gst_event_unref(event);
    gst_event_unref(copy);
    gst_event_unref(other);
}

#if GST_CHECK_VERSION(1, 24, 0)
static void
is_serialised_by_gstreamer(void)
{
    g_autoptr(GstPeResult) r = make_result();
    GstBuffer *buffer = gst_buffer_new(), *back = gst_buffer_new();
    GByteArray *bytes = g_byte_array_new();
    guint32 consumed;

    GstMeta *meta = (GstMeta *)gst_buffer_add_pe_meta(buffer, r, 5);
    g_assert_true(gst_meta_serialize_simple(meta, bytes));
    g_assert_nonnull(
        gst_meta_deserialize(back, bytes->data, bytes->len, &consumed));
    g_assert_cmpuint(consumed, ==, bytes->len);
    g_assert_cmpuint(gst_buffer_get_pe_meta(back)->age, ==, 5);
    assert_is_the_result(gst_buffer_get_pe_meta(back)->result);
    g_byte_array_unref(bytes);
    gst_buffer_unref(buffer);
    gst_buffer_unref(back);
}
#endif

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gst_init(&argc, &argv);
    g_test_add_func("/meta/fields", keeps_what_it_was_made_of);
    g_test_add_func("/meta/bytes", comes_back_from_bytes);
    g_test_add_func("/meta/cut-bytes", refuses_bytes_that_are_cut_or_longer);
    g_test_add_func("/meta/damaged-bytes", survives_damaged_bytes);
    g_test_add_func("/meta/copies", is_shared_by_copies_of_a_buffer);
    g_test_add_func("/meta/tags", has_no_tags);
    g_test_add_func("/meta/event", travels_in_an_event);
#if GST_CHECK_VERSION(1, 24, 0)
    g_test_add_func("/meta/serialise", is_serialised_by_gstreamer);
#endif
    int failed = g_test_run();
    gst_deinit();
    return failed;
}
