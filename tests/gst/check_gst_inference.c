// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_inference.c - which frames carry results, what is in them, and what
// peinference says when something is wrong. Events are in check_gst_streams.c,
// labels in check_gst_labels.c.

#include "core/pe.h"
#include "tests/support/gst_helpers.h"
#include "tests/support/tiny_model.h"

#include <math.h>
#include <string.h>

static void
puts_the_result_on_the_last_frame_of_a_clip(void)
{
    GstHarness *h = play_inference("clip-length=4");

    push_frames(h, 0, 10);
    for (int i = 0; i < 10; i++) {
        GstBuffer *buffer = pull(h);
        GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
        g_assert_cmpint(meta != NULL, ==, i % 4 == 3);
        if (meta) {
            GstPeResult *r = meta->result;
            guint64 end = (guint64)(i + 1) * FRAME_DURATION;
            g_assert_cmpuint(meta->age, ==, 0);
            g_assert_cmpuint(gst_pe_result_get_sequence(r), ==, i / 4);
            g_assert_cmpuint(gst_pe_result_get_n_frames(r), ==, 4);
            g_assert_false(gst_pe_result_is_partial(r));
            g_assert_cmpuint(gst_pe_result_get_clip_end(r), ==, end);
            g_assert_cmpuint(gst_pe_result_get_clip_stream_end(r), ==, end);
            g_assert_cmpuint(gst_pe_result_get_clip_start(r), ==,
                             end - 4 * FRAME_DURATION);
            g_assert_cmpuint(gst_pe_result_get_dim(r), ==, TINY_MODEL_DIM);
            g_assert_cmpstr(gst_pe_result_get_device(r), ==, "cpu");
            g_assert_cmpstr(gst_pe_result_get_precision(r), ==, "fp32");
            g_assert_cmpuint(gst_pe_result_get_n_labels(r), ==, 0);
        }
        gst_buffer_unref(buffer);
    }
    stop(h);
}

static void
keeps_order_timestamps_flags_and_pixels(void)
{
    GstHarness *h = play_inference("clip-length=3 clip-stride=1");

    for (int i = 0; i < 40; i++) {
        GstBuffer *buffer = make_frame(i);
        GST_BUFFER_DTS(buffer) = GST_BUFFER_PTS(buffer) / 2;
        GST_BUFFER_OFFSET_END(buffer) = (guint64)i + 1;
        if (i % 3 == 0)
            GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_MARKER);
        if (i % 5 == 0)
            GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
        g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
    }
    for (int i = 0; i < 40; i++) {
        GstBuffer *expected = make_frame(i), *buffer = pull(h);
        GstMapInfo map;
        g_assert_cmpuint(GST_BUFFER_PTS(buffer), ==, GST_BUFFER_PTS(expected));
        g_assert_cmpuint(GST_BUFFER_DTS(buffer), ==,
                         GST_BUFFER_PTS(expected) / 2);
        g_assert_cmpuint(GST_BUFFER_DURATION(buffer), ==, FRAME_DURATION);
        g_assert_cmpuint(GST_BUFFER_OFFSET(buffer), ==, i);
        g_assert_cmpuint(GST_BUFFER_OFFSET_END(buffer), ==, i + 1);
        g_assert_cmpint(
            GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_MARKER) != 0, ==,
            i % 3 == 0);
        g_assert_cmpint(
            GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT) != 0, ==,
            i % 5 == 0);
        g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
        g_assert_cmpint(gst_buffer_memcmp(expected, 0, map.data, map.size), ==,
                        0);
        gst_buffer_unmap(buffer, &map);
        g_assert_cmpint(gst_buffer_get_pe_meta(buffer) != NULL, ==, i >= 2);
        gst_buffer_unref(expected);
        gst_buffer_unref(buffer);
    }
    stop(h);
}

// ---- The numbers ----------------------------------------------------------

static PeEngine *
open_engine(void)
{
    g_autoptr(GError) error = NULL;
    PeModel *model = pe_model_open(tiny_model_path(), &error);
    g_assert_no_error(error);
    PeEngineParams params = {
        .model = model, .device = "cpu", .precision = PE_PRECISION_FP32};
    PeEngine *engine = pe_engine_get(&params, &error);
    g_assert_no_error(error);
    pe_model_unref(model);
    return engine;
}

// The unit embedding [TINY_MODEL_DIM] of frames 0 .. n-1.
static void
embed_directly(PeEngine *engine, int n, float *out)
{
    float features[8][TINY_MODEL_DIM];
    const float *rows[8];

    for (int i = 0; i < n; i++) {
        g_autoptr(GError) error = NULL;
        GstBuffer *buffer = make_frame(i);
        GstMapInfo map;
        g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
        PeFrame frame = {.format = PE_FORMAT_RGB,
                         .width = FRAME_WIDTH,
                         .height = FRAME_HEIGHT,
                         .planes = {map.data},
                         .strides = {FRAME_WIDTH * 3}};
        rows[i] = features[i];
        bool ok =
            pe_engine_embed_frames(engine, &frame, 1, features[i], &error);
        g_assert_no_error(error);
        g_assert_true(ok);
        gst_buffer_unmap(buffer, &map);
        gst_buffer_unref(buffer);
    }
    pe_embedding_mean(rows, n, TINY_MODEL_DIM, out);
}

static double
cosine(const float *a, const float *b)
{
    double dot = 0, aa = 0, bb = 0;

    for (int i = 0; i < TINY_MODEL_DIM; i++) {
        dot += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return dot / sqrt(aa * bb);
}

static void
answers_like_the_engine_itself(void)
{
    PeEngine *engine = open_engine();
    GstHarness *h = play_inference("clip-length=5");
    float expected[TINY_MODEL_DIM], first[TINY_MODEL_DIM];

    embed_directly(engine, 5, expected);
    embed_directly(engine, 1, first);
    push_frames(h, 0, 5);
    pull_frames(h, 4);
    GstBuffer *buffer = pull(h);
    GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
    gsize size;
    const float *found = g_bytes_get_data(get_embedding(meta->result), &size);
    double same = cosine(found, expected), other = cosine(found, first);

    g_test_message("cosine %.9f, at least 0.99999; to its first frame %.6f",
                   same, other);
    g_assert_cmpuint(size, ==, sizeof expected);
    g_assert_cmpfloat(same, >=, 0.99999);
    g_assert_cmpfloat(other, <, 0.99999);
    gst_buffer_unref(buffer);
    stop(h);
    pe_engine_unref(engine);
}

static void
leaves_the_embedding_out_when_asked(void)
{
    GstHarness *h = play_inference("clip-length=1 attach-embedding=false");

    push_frames(h, 0, 1);
    GstBuffer *buffer = pull(h);
    GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
    g_assert_nonnull(meta);
    g_assert_null(gst_pe_result_get_embedding(meta->result));
    g_assert_cmpuint(gst_pe_result_get_dim(meta->result), ==, 0);
    gst_buffer_unref(buffer);
    stop(h);
}

static void
samples_by_timestamp(void)
{
    GstHarness *h = play_inference("clip-length=2 frame-rate=5/1");

    push_frames(h, 0, 25);
    pull_frames(h, 25);
    g_assert_cmpuint(get_stat(h->element, "frames"), ==, 25);
    g_assert_cmpuint(get_stat(h->element, "sampled"), ==, 5);
    g_assert_cmpuint(get_stat(h->element, "clips"), ==, 2);
    stop(h);
}

// ---- Messages and statistics ----------------------------------------------

static guint64
get_uint64(const GstStructure *s, const char *name)
{
    guint64 value = 0;

    g_assert_true(gst_structure_get_uint64(s, name, &value));
    return value;
}

static void
posts_a_message_for_each_result(void)
{
    GstHarness *h = play_inference("clip-length=2 labels=\"a\\ dog|a\\ cat\"");

    push_frames(h, 0, 4);
    pull_frames(h, 4);
    for (guint64 i = 0; i < 2; i++) {
        GstMessage *m =
            wait_message(GST_ELEMENT_BUS(h->element), GST_MESSAGE_ELEMENT);
        const GstStructure *s = gst_message_get_structure(m);
        g_assert_cmpstr(gst_structure_get_name(s), ==, "peinference");
        g_assert_cmpuint(get_uint64(s, "sequence"), ==, i);
        g_assert_cmpuint(get_uint64(s, "timestamp"), ==,
                         (2 * i + 1) * FRAME_DURATION);
        g_assert_cmpuint(get_uint64(s, "running-time"), ==,
                         (2 * i + 1) * FRAME_DURATION);
        g_assert_cmpuint(get_uint64(s, "stream-time"), ==,
                         (2 * i + 1) * FRAME_DURATION);
        g_assert_cmpuint(get_uint64(s, "duration"), ==, FRAME_DURATION);
        g_assert_cmpuint(get_uint64(s, "clip-start"), ==,
                         2 * i * FRAME_DURATION);
        const GValue *labels = gst_structure_get_value(s, "labels");
        const GValue *shares = gst_structure_get_value(s, "probabilities");
        g_assert_cmpuint(gst_value_array_get_size(labels), ==, 2);
        double sum = g_value_get_double(gst_value_array_get_value(shares, 0)) +
                     g_value_get_double(gst_value_array_get_value(shares, 1));
        g_assert_true(
            gst_structure_has_field_typed(s, "unknown", G_TYPE_BOOLEAN));
        g_assert_true(
            gst_structure_has_field_typed(s, "negative-mass", G_TYPE_DOUBLE));
        g_assert_cmpstr(gst_structure_get_string(s, "calibration"), ==, "none");
        g_assert_cmpfloat_with_epsilon(sum, 1, 1e-5);
        gst_message_unref(m);
    }
    stop(h);
}

static void
posts_nothing_when_asked(void)
{
    GstHarness *h = play_inference("clip-length=1 post-messages=false");

    push_frames(h, 0, 3);
    g_assert_cmpint(pull_frames(h, 3), ==, 3);
    GstMessage *m =
        gst_bus_pop_filtered(GST_ELEMENT_BUS(h->element), GST_MESSAGE_ELEMENT);
    g_assert_null(m);
    stop(h);
}

static void
counts_stages(GstHarness *h)
{
    static const char *const stages[] = {"preprocess", "queue", "infer"};
    // A callback counts, which may run behind the result.
    while (get_stat(h->element, "infer-count") < 6)
        g_usleep(1000);
    g_autoptr(GstStructure) stats = NULL;
    g_object_get(h->element, "stats", &stats, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(stages); i++) {
        g_autofree char *count = g_strdup_printf("%s-count", stages[i]);
        g_autofree char *buckets = g_strdup_printf("%s-buckets", stages[i]);
        g_autofree char *seconds = g_strdup_printf("%s-seconds", stages[i]);
        const GValue *array = gst_structure_get_value(stats, buckets);
        guint64 n = 0;
        double sum = -1;
        g_assert_cmpuint(get_stat(h->element, count), ==, 6);
        g_assert_true(gst_structure_get_double(stats, seconds, &sum));
        g_assert_cmpfloat(sum, >, 0);
        g_assert_cmpuint(gst_value_array_get_size(array), ==,
                         PE_HISTOGRAM_BUCKETS);
        for (guint b = 0; b < PE_HISTOGRAM_BUCKETS; b++)
            n += g_value_get_uint64(gst_value_array_get_value(array, b));
        g_assert_cmpuint(n, ==, 6);
    }
    g_assert_cmpuint(get_stat(h->element, "push-count"), ==, 3);
}

static void
shows_statistics(void)
{
    GstHarness *h = play_inference("clip-length=2");
    guint64 before = get_stat(h->element, "engine-images");
    GstStructure *stats = NULL;
    double p50 = -1, p99 = -1, fill = -1;

    push_frames(h, 0, 6);
    pull_frames(h, 6);
    g_object_get(h->element, "stats", &stats, NULL);
    g_assert_true(gst_structure_get(stats, "preprocess-p50", G_TYPE_DOUBLE,
                                    &p50, "preprocess-p99", G_TYPE_DOUBLE, &p99,
                                    "batch-fill", G_TYPE_DOUBLE, &fill, NULL));
    g_assert_cmpfloat(p50, >, 0);
    g_assert_cmpfloat(p99, >=, p50);
    g_assert_cmpfloat(fill, >, 0);
    g_assert_cmpfloat(fill, <=, 1);
    g_assert_cmpuint(get_stat(h->element, "clips"), ==, 3);
    g_assert_cmpuint(get_stat(h->element, "engine-images"), ==, before + 6);
    gst_structure_free(stats);
    counts_stages(h);
    stop(h);
}

// ---- What is wrong --------------------------------------------------------

// The element refuses to start, and its error contains `text`.
static void
assert_start_fails(const char *properties, const char *text)
{
    GstElement *element = make_inference(properties);
    GstBus *bus = gst_bus_new();
    g_autoptr(GError) error = NULL;

    gst_element_set_bus(element, bus);
    g_assert_cmpint(gst_element_set_state(element, GST_STATE_PAUSED), ==,
                    GST_STATE_CHANGE_FAILURE);
    GstMessage *m = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_assert_nonnull(m);
    gst_message_parse_error(m, &error, NULL);
    g_test_message("%s", error->message);
    g_assert_nonnull(strstr(error->message, text));
    gst_message_unref(m);
    m = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_assert_null(m);
    gst_element_set_state(element, GST_STATE_NULL);
    gst_element_set_bus(element, NULL);
    gst_object_unref(bus);
    gst_object_unref(element);
}

static void
says_why_it_cannot_start(void)
{
    g_setenv("GST_PE_DATA_PATH", "/nonexistent", TRUE);
    assert_start_fails("model=\"\"", "no model is named");
    g_unsetenv("GST_PE_DATA_PATH");
    assert_start_fails("model=/nonexistent.pt", "/nonexistent.pt");
    assert_start_fails("model=/dev/null", "/dev/null");
    assert_start_fails("device=warp", "warp");
    assert_start_fails("device=cuda:77", "cuda:77");
    assert_start_fails("labels=\"|\"", "label");
    assert_start_fails("labels-file=/nonexistent.txt", "/nonexistent.txt");
    assert_start_fails("labels=dog labels-file=x", "both set");
    assert_start_fails("labels=dog vocab=/nonexistent", "/nonexistent");
    assert_start_fails("labels=dog prompt-template=\"no\\ place\"", "{}");
}

static void
starts_after_a_failure(void)
{
    GstElement *element = make_inference("model=/nonexistent.pt");

    for (int i = 0; i < 3; i++) {
        g_object_set(element, "model", "/nonexistent.pt", NULL);
        g_assert_cmpint(gst_element_set_state(element, GST_STATE_PAUSED), ==,
                        GST_STATE_CHANGE_FAILURE);
        g_object_set(element, "model", tiny_model_path(), NULL);
        g_assert_cmpint(gst_element_set_state(element, GST_STATE_PAUSED), ==,
                        GST_STATE_CHANGE_SUCCESS);
        gst_element_set_state(element, GST_STATE_NULL);
    }
    gst_object_unref(element);
}

static void
reports_a_buffer_that_is_no_frame(void)
{
    GstHarness *h = play_inference("clip-length=1");
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(
        gst_harness_push(h, gst_buffer_new_allocate(NULL, 10, NULL)), ==,
        GST_FLOW_ERROR);
    GstMessage *m =
        wait_message(GST_ELEMENT_BUS(h->element), GST_MESSAGE_ERROR);
    gst_message_parse_error(m, &error, NULL);
    g_assert_error(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, "96x64 RGB"));
    gst_message_unref(m);
    stop(h);
}

static void
add_tests(void)
{
    g_test_add_func("/inference/clips",
                    puts_the_result_on_the_last_frame_of_a_clip);
    g_test_add_func("/inference/order",
                    keeps_order_timestamps_flags_and_pixels);
    g_test_add_func("/inference/embedding", answers_like_the_engine_itself);
    g_test_add_func("/inference/no-embedding",
                    leaves_the_embedding_out_when_asked);
    g_test_add_func("/inference/sampling", samples_by_timestamp);
    g_test_add_func("/inference/messages", posts_a_message_for_each_result);
    g_test_add_func("/inference/no-messages", posts_nothing_when_asked);
    g_test_add_func("/inference/stats", shows_statistics);
    g_test_add_func("/inference/errors", says_why_it_cannot_start);
    g_test_add_func("/inference/recovery", starts_after_a_failure);
    g_test_add_func("/inference/bad-buffer", reports_a_buffer_that_is_no_frame);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
