// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_meta.c - the metadata library alone: results and their vectors,
// copies of buffers, events.

#include "tests/support/gst_helpers.h"

#include <math.h>

static const float vector[3] = {0.6f, -0.8f, 0};
// 2 x 2 halves: 1, -2, 2^-24, infinity.
static const guint8 halves[] = {0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0x00, 0x7c};

static GstPeResult *
make_result(void)
{
    const GstPeLabel labels[2] = {{"a dog", 0.75, 0.25, 0.9, 0.01},
                                  {"Ünï|\"", 0.25, -0.5, 0.1}};
    const GstPeRegion region = {.id = 4,
                                .name = "door",
                                .x = -1,
                                .y = 2,
                                .width = 30,
                                .height = 40,
                                .track_id = 1ULL << 40};
    g_autoptr(GBytes) floats = g_bytes_new_static(vector, sizeof vector);
    g_autoptr(GBytes) few = g_bytes_new_static(halves, sizeof halves);
    g_autoptr(GstPeVectors) embedding = gst_pe_vectors_new(
        GST_PE_VECTORS_POOLED, GST_PE_DTYPE_F32, 1, 3, floats);
    g_autoptr(GstPeVectors) tokens =
        gst_pe_vectors_new(GST_PE_VECTORS_TOKENS, GST_PE_DTYPE_F16, 2, 2, few);
    GstPeResultFields fields = example_fields;

    fields.stream_id = "stream";
    fields.clip_end = GST_CLOCK_TIME_NONE;
    fields.clip_wall_start = 50;
    fields.clip_wall_end = 60;
    fields.region = &region;
    fields.window = "long";
    fields.stretch = 3;
    fields.sample = 1ULL << 40;
    fields.norm = 2.5;
    fields.embedding = embedding;
    fields.tokens = tokens;
    fields.labels = labels;
    fields.n_labels = G_N_ELEMENTS(labels);
    fields.calibration = "model";
    fields.negative_mass = 0.625;
    fields.unknown = TRUE;
    return gst_pe_result_new(&fields);
}

static void
assert_are_the_tokens(const GstPeVectors *tokens)
{
    gsize n;

    g_assert_cmpint(gst_pe_vectors_get_kind(tokens), ==, GST_PE_VECTORS_TOKENS);
    g_assert_cmpint(gst_pe_vectors_get_dtype(tokens), ==, GST_PE_DTYPE_F16);
    g_assert_cmpuint(gst_pe_vectors_get_n_vectors(tokens), ==, 2);
    g_assert_cmpuint(gst_pe_vectors_get_dim(tokens), ==, 2);
    g_autofree gfloat *values = gst_pe_vectors_to_floats(tokens, &n);
    g_assert_cmpuint(n, ==, 4);
    g_assert_cmpfloat(values[0], ==, 1);
    g_assert_cmpfloat(values[1], ==, -2);
    g_assert_cmpfloat(values[2], ==, 1.0f / (1 << 24));
    g_assert_true(isinf(values[3]));
}

static void
assert_is_the_region(const GstPeRegion *region)
{
    g_assert_nonnull(region);
    g_assert_cmpint(region->id, ==, 4);
    g_assert_cmpstr(region->name, ==, "door");
    g_assert_cmpint(region->x, ==, -1);
    g_assert_cmpint(region->y, ==, 2);
    g_assert_cmpint(region->width, ==, 30);
    g_assert_cmpint(region->height, ==, 40);
    g_assert_cmpuint(region->track_id, ==, 1ULL << 40);
}

static void
assert_is_the_clip(GstPeResult *r)
{
    g_assert_cmpuint(gst_pe_result_get_clip_start(r), ==, 10);
    g_assert_cmpuint(gst_pe_result_get_clip_end(r), ==, GST_CLOCK_TIME_NONE);
    g_assert_cmpuint(gst_pe_result_get_clip_stream_start(r), ==, 30);
    g_assert_cmpuint(gst_pe_result_get_clip_stream_end(r), ==, 40);
    g_assert_cmpuint(gst_pe_result_get_clip_wall_start(r), ==, 50);
    g_assert_cmpuint(gst_pe_result_get_clip_wall_end(r), ==, 60);
    g_assert_cmpuint(gst_pe_result_get_n_frames(r), ==, 8);
    g_assert_true(gst_pe_result_is_partial(r));
    g_assert_cmpint(gst_pe_result_get_reason(r), ==, GST_PE_REASON_JUMP);
    g_assert_cmpstr(gst_pe_result_get_window(r), ==, "long");
    g_assert_cmpuint(gst_pe_result_get_stretch(r), ==, 3);
    g_assert_cmpuint(gst_pe_result_get_sample(r), ==, 1ULL << 40);
    g_assert_cmpfloat(gst_pe_result_get_norm(r), ==, 2.5);
    assert_is_the_region(gst_pe_result_get_region(r));
}

static void
assert_is_the_result(GstPeResult *r)
{
    gsize size;

    g_assert_cmpstr(gst_pe_result_get_source(r), ==, "file:///v.mp4");
    g_assert_cmpstr(gst_pe_result_get_element(r), ==, "pe");
    g_assert_cmpuint(gst_pe_result_get_sequence(r), ==, 7);
    g_assert_cmpstr(gst_pe_result_get_stream_id(r), ==, "stream");
    g_assert_cmpstr(gst_pe_result_get_model(r), ==, "PE-Core-T16-384");
    g_assert_cmpstr(gst_pe_result_get_model_fingerprint(r), ==,
                    "0123456789abcdef");
    g_assert_cmpstr(gst_pe_result_get_device(r), ==, "cpu");
    g_assert_cmpstr(gst_pe_result_get_precision(r), ==, NULL);
    assert_is_the_clip(r);
    g_assert_cmpuint(gst_pe_result_get_dim(r), ==, 3);
    const void *data = g_bytes_get_data(get_embedding(r), &size);
    g_assert_cmpmem(data, size, vector, sizeof vector);
    assert_are_the_tokens(gst_pe_result_get_tokens(r));
    g_assert_cmpstr(gst_pe_result_get_label_set(r), ==, "animals");
    g_assert_cmpstr(gst_pe_result_get_label_set_fingerprint(r), ==,
                    "fedcba9876543210");
    g_assert_cmpuint(gst_pe_result_get_n_labels(r), ==, 2);
    g_assert_cmpstr(gst_pe_result_get_label(r, 1), ==, "Ünï|\"");
    g_assert_cmpfloat(gst_pe_result_get_score(r, 0), ==, 0.75);
    g_assert_cmpfloat(gst_pe_result_get_similarity(r, 1), ==, -0.5);
    g_assert_cmpfloat(gst_pe_result_get_probability(r, 1), ==, 0.1);
    g_assert_cmpfloat(gst_pe_result_get_p_value(r, 0), ==, 0.01);
    g_assert_true(isnan(gst_pe_result_get_p_value(r, 1))); // not known
    g_assert_cmpstr(gst_pe_result_get_calibration(r), ==, "model");
    g_assert_cmpfloat(gst_pe_result_get_negative_mass(r), ==, 0.625);
    g_assert_true(gst_pe_result_is_unknown(r));
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
    g_autoptr(GError) error = NULL;
    g_autoptr(GstPeResult) back = gst_pe_result_new_from_bytes(bytes, &error);

    g_assert_no_error(error);
    assert_is_the_result(back);
    g_assert_true(gst_pe_result_is_same(r, back));
}

static void
is_the_same_by_source_element_and_sequence(void)
{
    g_autoptr(GstPeResult) r = make_result();
    GstPeResultFields fields[4];

    for (int i = 0; i < 4; i++)
        fields[i] = example_fields;
    fields[0].n_frames = 1; // says nothing
    fields[1].source = "file:///w.mp4";
    fields[2].element = NULL;
    fields[3].sequence++;
    for (int i = 0; i < 4; i++) {
        g_autoptr(GstPeResult) other = gst_pe_result_new(&fields[i]);
        g_assert_cmpint(gst_pe_result_is_same(r, other), ==, i == 0);
    }
}

static void
makes_texts_valid(void)
{
    const GstPeLabel label = {"\xff dog", 1, 1};
    g_autoptr(GstPeResult) r = gst_pe_result_new(&(GstPeResultFields){
        .source = "caf\xe9", .labels = &label, .n_labels = 1});

    g_assert_cmpstr(gst_pe_result_get_source(r), ==, "caf\uFFFD");
    g_assert_cmpstr(gst_pe_result_get_label(r, 0), ==, "\uFFFD dog");
}

static void
converts_every_type_to_floats(void)
{
    static const guint8 bf16[] = {0x80, 0x3f, 0x40, 0xc0}; // 1, -3
    static const guint8 f16[] = {0x00, 0x38, 0x01, 0x7e, 0x00, 0x80};
    g_autoptr(GBytes) a = g_bytes_new_static(bf16, sizeof bf16);
    g_autoptr(GBytes) b = g_bytes_new_static(f16, sizeof f16);
    g_autoptr(GstPeVectors) upper =
        gst_pe_vectors_new(GST_PE_VECTORS_TOKENS, GST_PE_DTYPE_BF16, 2, 1, a);
    g_autoptr(GstPeVectors) half =
        gst_pe_vectors_new(GST_PE_VECTORS_TOKENS, GST_PE_DTYPE_F16, 1, 3, b);
    gsize n;
    g_autofree gfloat *x = gst_pe_vectors_to_floats(upper, &n);
    g_autofree gfloat *y = gst_pe_vectors_to_floats(half, &n);

    g_assert_cmpfloat(x[0], ==, 1);
    g_assert_cmpfloat(x[1], ==, -3);
    g_assert_cmpuint(n, ==, 3);
    g_assert_cmpfloat(y[0], ==, 0.5);
    g_assert_true(isnan(y[1]));
    g_assert_true(y[2] == 0 && signbit(y[2]));
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
finds_every_result_of_a_buffer(void)
{
    GstBuffer *buffer = gst_buffer_new();
    GstPeResultFields fields = example_fields;

    g_assert_cmpuint(gst_buffer_get_n_pe_metas(buffer), ==, 0);
    g_assert_null(gst_buffer_get_nth_pe_meta(buffer, 0));
    for (fields.sequence = 0; fields.sequence < 3; fields.sequence++) {
        g_autoptr(GstPeResult) r = gst_pe_result_new(&fields);
        gst_buffer_add_pe_meta(buffer, r, 0);
    }
    g_assert_cmpuint(gst_buffer_get_n_pe_metas(buffer), ==, 3);
    for (guint i = 0; i < 3; i++) {
        GstPeMeta *meta = gst_buffer_get_nth_pe_meta(buffer, i);
        g_assert_cmpuint(gst_pe_result_get_sequence(meta->result), ==, i);
    }
    g_assert_null(gst_buffer_get_nth_pe_meta(buffer, 3));
    g_assert_true(gst_buffer_get_pe_meta(buffer) ==
                  gst_buffer_get_nth_pe_meta(buffer, 0));
    gst_buffer_unref(buffer);
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
    g_test_add_func("/meta/identity",
                    is_the_same_by_source_element_and_sequence);
    g_test_add_func("/meta/texts", makes_texts_valid);
    g_test_add_func("/meta/floats", converts_every_type_to_floats);
    g_test_add_func("/meta/copies", is_shared_by_copies_of_a_buffer);
    g_test_add_func("/meta/several", finds_every_result_of_a_buffer);
    g_test_add_func("/meta/tags", has_no_tags);
    g_test_add_func("/meta/event", travels_in_an_event);
#if GST_CHECK_VERSION(1, 24, 0)
    g_test_add_func("/meta/serialise", is_serialised_by_gstreamer);
#endif
    int failed = g_test_run();
    gst_deinit();
    return failed;
}
