// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gst_helpers.c - see gst_helpers.h.

#include "gst_helpers.h"

#include "tiny_model.h"

#define PATIENCE_S 60

static char *model;

#define EXAMPLE \
    .source = "file:///v.mp4", .element = "pe", .model = "PE-Core-T16-384", \
    .model_fingerprint = "0123456789abcdef", .device = "cpu", .sequence = 7, \
    .clip_start = 10, .clip_end = 20, .clip_stream_start = 30, \
    .clip_stream_end = 40, .n_frames = 8, .reason = GST_PE_REASON_JUMP, \
    .label_set = "animals", .label_set_fingerprint = "fedcba9876543210"

const GstPeResultFields example_fields = {
    EXAMPLE,
    .clip_wall_start = GST_CLOCK_TIME_NONE,
    .clip_wall_end = GST_CLOCK_TIME_NONE,
};

static const GstPeRegion door = {.id = 3,
                                 .name = "door",
                                 .x = -1,
                                 .y = 2,
                                 .width = 30,
                                 .height = 40,
                                 .track_id = 99};

const GstPeResultFields full_fields = {
    EXAMPLE,
    .precision = "fp32",
    .clip_wall_start = 1700000000 * GST_SECOND + 1,
    .clip_wall_end = 1700000001 * GST_SECOND,
    .region = &door,
    .window = "long",
};

int
run_gst_tests_on(const char *path, int argc, char **argv,
                 void (*add_tests)(void))
{
    g_test_init(&argc, &argv, NULL);
    gst_init(&argc, &argv);
    model = path ? g_strdup(path) : tiny_model_new(1);
    // Keeps the engine loaded from test to test.
    GstElement *keeper = make_inference("");
    g_assert_cmpint(gst_element_set_state(keeper, GST_STATE_PAUSED), ==,
                    GST_STATE_CHANGE_SUCCESS);
    add_tests();
    int failed = g_test_run();
    gst_element_set_state(keeper, GST_STATE_NULL);
    gst_object_unref(keeper);
    if (!path)
        tiny_model_remove(model);
    gst_deinit();
    return failed;
}

int
run_gst_tests(int argc, char **argv, void (*add_tests)(void))
{
    return run_gst_tests_on(NULL, argc, argv, add_tests);
}

const char *
tiny_model_path(void)
{
    return model;
}

GstElement *
make_inference(const char *properties)
{
    g_autofree char *line = g_strdup_printf(
        "peinference model=%s device=cpu precision=fp32 frame-rate=0/1 %s",
        model, properties);
    g_autoptr(GError) error = NULL;
    GstElement *element = gst_parse_launch(line, &error);

    g_assert_no_error(error);
    return element;
}

GstHarness *
play_element(GstElement *element, const char *caps)
{
    GstBus *bus = gst_bus_new();

    gst_element_set_bus(element, bus);
    gst_object_unref(bus);
    GstHarness *h = gst_harness_new_with_element(element, "sink", "src");
    gst_object_unref(element);
    gst_harness_set_live(h, FALSE);
    gst_harness_set_src_caps_str(h, caps);
    return h;
}

GstHarness *
play_inference(const char *properties)
{
    return play_element(make_inference(properties), FRAME_CAPS);
}

void
stop(GstHarness *h)
{
    gst_element_set_bus(h->element, NULL);
    gst_harness_teardown(h);
}

bool
have_elements(const char *const *names)
{
    for (; *names; names++) {
        GstElementFactory *factory = gst_element_factory_find(*names);
        if (!factory) {
            g_autofree char *text = g_strdup_printf("no element %s", *names);
            g_test_skip(text);
            return false;
        }
        gst_object_unref(factory);
    }
    return true;
}

GBytes *
get_embedding(const GstPeResult *result)
{
    GstPeVectors *embedding = gst_pe_result_get_embedding(result);

    g_assert_nonnull(embedding);
    g_assert_cmpint(gst_pe_vectors_get_dtype(embedding), ==, GST_PE_DTYPE_F32);
    return gst_pe_vectors_get_data(embedding);
}

GstBuffer *
make_frame(int index)
{
    gsize size = FRAME_WIDTH * FRAME_HEIGHT * 3;
    guint8 *pixels = g_malloc(size);

    for (int y = 0; y < FRAME_HEIGHT; y++) {
        for (int x = 0; x < FRAME_WIDTH; x++) {
            guint8 *p = pixels + (y * FRAME_WIDTH + x) * 3;
            p[0] = (guint8)(2 * x + 5 * index);
            p[1] = (guint8)(3 * y - 7 * index);
            p[2] = (guint8)((x + index) / 8 % 2 ? 220 : 30);
        }
    }
    GstBuffer *buffer = gst_buffer_new_wrapped(pixels, size);
    GST_BUFFER_PTS(buffer) = (guint64)index * FRAME_DURATION;
    GST_BUFFER_DURATION(buffer) = FRAME_DURATION;
    GST_BUFFER_OFFSET(buffer) = (guint64)index;
    return buffer;
}

void
push_frames(GstHarness *h, int first, int n)
{
    for (int i = first; i < first + n; i++)
        g_assert_cmpint(gst_harness_push(h, make_frame(i)), ==, GST_FLOW_OK);
}

GstBuffer *
pull(GstHarness *h)
{
    GstBuffer *buffer = NULL;

    // Each waits a minute, which sanitizers on a busy machine exceed.
    for (int i = 0; i < 10 && !buffer; i++)
        buffer = gst_harness_pull(h);
    g_assert_nonnull(buffer);
    return buffer;
}

GBytes *
embed_buffer(GstHarness *h, GstBuffer *buffer)
{
    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
    GstBuffer *out = pull(h);
    GstPeMeta *meta = gst_buffer_get_pe_meta(out);
    g_assert_nonnull(meta);
    GBytes *embedding = g_bytes_ref(get_embedding(meta->result));
    gst_buffer_unref(out);
    return embedding;
}

int
pull_frames(GstHarness *h, int n)
{
    int n_results = 0;

    for (int i = 0; i < n; i++) {
        GstBuffer *buffer = pull(h);
        n_results += gst_buffer_get_pe_meta(buffer) != NULL;
        gst_buffer_unref(buffer);
    }
    return n_results;
}

GstEvent *
pull_event(GstHarness *h, GstEventType type)
{
    gint64 end = g_get_monotonic_time() + PATIENCE_S * G_USEC_PER_SEC;

    while (g_get_monotonic_time() < end) {
        GstEvent *event = gst_harness_try_pull_event(h);
        if (!event)
            g_usleep(1000);
        else if (GST_EVENT_TYPE(event) == type)
            return event;
        else
            gst_event_unref(event);
    }
    return NULL;
}

guint64
get_stat(GstElement *element, const char *name)
{
    GstStructure *stats = NULL;
    guint64 value = 0;

    g_object_get(element, "stats", &stats, NULL);
    g_assert_true(gst_structure_get_uint64(stats, name, &value));
    gst_structure_free(stats);
    return value;
}

GstMessage *
wait_message(GstBus *bus, GstMessageType types)
{
    return gst_bus_timed_pop_filtered(bus, PATIENCE_S * GST_SECOND, types);
}

void
run_to_the_end(GstElement *pipeline)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);

    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    GstMessage *m = wait_message(bus, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    g_assert_nonnull(m);
    if (GST_MESSAGE_TYPE(m) == GST_MESSAGE_ERROR) {
        g_autoptr(GError) error = NULL;
        gst_message_parse_error(m, &error, NULL);
        g_assert_no_error(error);
    }
    gst_message_unref(m);
    gst_element_set_state(pipeline, GST_STATE_NULL);
}
