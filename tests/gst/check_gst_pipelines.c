// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_pipelines.c - the elements among others: metadata through
// converters and encoders, several streams on one engine, seeks, sudden ends.

#include "tests/support/gst_helpers.h"

#include <gst/app/gstappsink.h>

typedef struct {
    int n_buffers;
    int n_results;
    int n_events;
    int n_disordered;
    GstClockTime last;
} Seen;

static GstPadProbeReturn
watch(GstPad *pad, GstPadProbeInfo *info, void *user_data)
{
    Seen *seen = user_data;

    if (info->type & GST_PAD_PROBE_TYPE_BUFFER) {
        GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
        seen->n_buffers++;
        seen->n_results += gst_buffer_get_pe_meta(buffer) != NULL;
        seen->n_disordered += GST_CLOCK_TIME_IS_VALID(seen->last) &&
                              GST_BUFFER_PTS(buffer) <= seen->last;
        seen->last = GST_BUFFER_PTS(buffer);
    } else if (GST_EVENT_TYPE(info->data) == GST_EVENT_SEGMENT) {
        seen->last = GST_CLOCK_TIME_NONE;
    } else {
        seen->n_events += gst_event_get_pe_result(info->data) != NULL;
    }
    return GST_PAD_PROBE_OK;
}

static void
watch_element(GstElement *pipeline, const char *name, Seen *seen)
{
    GstElement *element = gst_bin_get_by_name(GST_BIN(pipeline), name);
    GstPad *pad = gst_element_get_static_pad(element, "sink");

    *seen = (Seen){.last = GST_CLOCK_TIME_NONE};
    gst_pad_add_probe(
        pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
        watch, seen, NULL);
    gst_object_unref(pad);
    gst_object_unref(element);
}

// %s of the format become peinference with the tiny model.
static GstElement *
make_pipeline(const char *format)
{
    g_autofree char *inference = g_strdup_printf(
        "peinference model=%s device=cpu precision=fp32 frame-rate=0/1",
        tiny_model_path());
    g_auto(GStrv) parts = g_strsplit(format, "INFERENCE", -1);
    g_autofree char *line = g_strjoinv(inference, parts);
    g_autoptr(GError) error = NULL;
    GstElement *pipeline = gst_parse_launch(line, &error);

    g_assert_no_error(error);
    return pipeline;
}

// 20 frames with a result on every fourth, through `middle`.
static void
assert_survives(const char *middle, int n_buffers)
{
    g_autofree char *line = g_strdup_printf(
        "videotestsrc num-buffers=20 ! "
        "video/x-raw,format=I420,width=96,height=64,framerate=25/1 ! "
        "INFERENCE clip-length=4 ! %s ! fakesink name=sink",
        middle);
    GstElement *pipeline = make_pipeline(line);
    Seen seen;

    g_test_message("%s", middle);
    watch_element(pipeline, "sink", &seen);
    run_to_the_end(pipeline);
    g_assert_cmpint(seen.n_buffers, ==, n_buffers);
    g_assert_cmpint(seen.n_results, ==, 5);
    g_assert_cmpint(seen.n_disordered, ==, 0);
    gst_object_unref(pipeline);
}

static void
survives_other_elements(void)
{
    static const char *const needed[] = {
        "videotestsrc", "videoconvert", "videoscale", "videoflip", "videocrop",
        "jpegenc",      "queue",        "tee",        NULL};

    if (!have_elements(needed))
        return;
    assert_survives("queue", 20);
    assert_survives("tee ! queue", 20);
    assert_survives("videoconvert ! video/x-raw,format=RGB", 20);
    assert_survives("videoscale ! video/x-raw,width=40,height=30", 20);
    assert_survives("videoflip method=clockwise", 20);
    assert_survives("videocrop left=8 top=8", 20);
    assert_survives("jpegenc", 20);
}

static void
survives_h264(void)
{
    static const char *const needed[] = {"videotestsrc", "x264enc",
                                         "avdec_h264", "h264parse", NULL};

    if (!have_elements(needed))
        return;
    assert_survives("x264enc bframes=0", 20);
    assert_survives("x264enc ! h264parse ! avdec_h264", 20);
}

static void
decodes_and_converts(void)
{
    static const char *const needed[] = {"videotestsrc", "x264enc",
                                         "avdec_h264", "appsink", NULL};

    if (!have_elements(needed))
        return;
    GstElement *pipeline = make_pipeline(
        "videotestsrc num-buffers=22 ! video/x-raw,format=I420 ! "
        "x264enc tune=zerolatency ! avdec_h264 ! "
        "INFERENCE labels=dog|cat clip-length=4 ! pemetaconvert ! "
        "appsink name=sink sync=false");
    GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    int n = 0;

    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    GstSample *sample;
    while ((sample = gst_app_sink_pull_sample(GST_APP_SINK(sink)))) {
        gst_sample_unref(sample);
        n++;
    }
    g_assert_cmpint(n, ==, 6); // five clips, and two frames of a sixth
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(sink);
    gst_object_unref(pipeline);
}

static void
shares_one_engine_between_streams(void)
{
    static const char *const needed[] = {"videotestsrc", NULL};

    if (!have_elements(needed))
        return;
    GstElement *pipeline = make_pipeline(
        "videotestsrc num-buffers=100 ! INFERENCE name=a clip-length=1 ! "
        "fakesink name=s0 "
        "videotestsrc num-buffers=100 ! INFERENCE name=b clip-length=3 ! "
        "fakesink name=s1 "
        "videotestsrc num-buffers=101 ! INFERENCE clip-length=4 clip-stride=1 "
        "! queue ! fakesink name=s2");
    Seen seen[3];

    for (int i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("s%d", i);
        watch_element(pipeline, name, &seen[i]);
    }
    g_autoptr(GstElement) a = gst_bin_get_by_name(GST_BIN(pipeline), "a");
    g_autoptr(GstElement) b = gst_bin_get_by_name(GST_BIN(pipeline), "b");
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PAUSED);
    gst_element_get_state(pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
    guint64 before = get_stat(a, "engine-images");
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    GstMessage *m = wait_message(bus, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    g_assert_cmpint(GST_MESSAGE_TYPE(m), ==, GST_MESSAGE_EOS);
    gst_message_unref(m);
    // Both see all streams' images.
    g_assert_cmpuint(get_stat(a, "engine-images"), ==,
                     get_stat(b, "engine-images"));
    g_assert_cmpuint(get_stat(a, "engine-images"), >, before + 150);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    static const int n_buffers[3] = {100, 100, 101};
    static const int n_results[3] = {100, 33, 98};
    static const int n_events[3] = {100, 34, 98};
    for (int i = 0; i < 3; i++) {
        g_assert_cmpint(seen[i].n_buffers, ==, n_buffers[i]);
        g_assert_cmpint(seen[i].n_results, ==, n_results[i]);
        g_assert_cmpint(seen[i].n_events, ==, n_events[i]);
        g_assert_cmpint(seen[i].n_disordered, ==, 0);
    }
    gst_object_unref(pipeline);
}

static void
seeks_thirty_times(void)
{
    static const char *const needed[] = {"videotestsrc", NULL};

    if (!have_elements(needed))
        return;
    GstElement *pipeline =
        make_pipeline("videotestsrc ! video/x-raw,framerate=30/1 ! "
                      "INFERENCE clip-length=3 ! fakesink name=sink");
    Seen seen;

    watch_element(pipeline, "sink", &seen);
    gst_element_set_state(pipeline, GST_STATE_PAUSED);
    gst_element_get_state(pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
    for (int i = 0; i < 30; i++) {
        g_assert_true(gst_element_seek_simple(
            pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH,
            (guint64)(i % 5) * GST_SECOND / 10));
        if (i % 2)
            gst_element_get_state(pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
        if (i == 15)
            gst_element_set_state(pipeline, GST_STATE_PLAYING);
    }
    gst_element_set_state(pipeline, GST_STATE_PAUSED);
    g_assert_true(gst_element_seek(pipeline, 1.0, GST_FORMAT_TIME,
                                   GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET, 0,
                                   GST_SEEK_TYPE_SET, 2 * GST_SECOND));
    gst_element_get_state(pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
    seen.n_results = 0;
    run_to_the_end(pipeline);
    g_assert_cmpint(seen.n_disordered, ==, 0);
    g_assert_cmpint(seen.n_results, ==, 20); // of 60 frames
    gst_object_unref(pipeline);
}

static void
stops_at_any_time(void)
{
    static const char *const needed[] = {"videotestsrc", NULL};

    if (!have_elements(needed))
        return;
    for (int i = 0; i < 20; i++) {
        GstElement *pipeline =
            make_pipeline(i % 2 ? "videotestsrc ! INFERENCE clip-length=2 ! "
                                  "pemetaconvert ! fakesink"
                                : "videotestsrc is-live=true ! INFERENCE ! "
                                  "fakesink");
        gst_element_set_state(pipeline, GST_STATE_PLAYING);
        g_usleep((gulong)g_test_rand_int_range(0, 20000));
        gst_element_set_state(pipeline, GST_STATE_NULL);
        gst_object_unref(pipeline);
    }
}

static void
plays_live_sources(void)
{
    static const char *const needed[] = {"videotestsrc", NULL};

    if (!have_elements(needed))
        return;
    GstElement *pipeline =
        make_pipeline("videotestsrc num-buffers=20 is-live=true ! "
                      "video/x-raw,framerate=30/1 ! INFERENCE clip-length=2 ! "
                      "fakesink name=a sync=true "
                      "videotestsrc num-buffers=20 is-live=true ! "
                      "video/x-raw,framerate=30/1 ! "
                      "INFERENCE clip-length=2 mode=exact latency=300 ! "
                      "queue ! fakesink name=b sync=true");
    Seen a, b;

    watch_element(pipeline, "a", &a);
    watch_element(pipeline, "b", &b);
    run_to_the_end(pipeline);
    // On a busy machine all results may come too late for any frame; then they
    // come in events.
    g_test_message("latest: %d of 20 frames with a result, %d events; exact: "
                   "%d, %d events",
                   a.n_results, a.n_events, b.n_results, b.n_events);
    g_assert_cmpint(a.n_buffers, ==, 20);
    g_assert_cmpint(b.n_buffers, ==, 20);
    g_assert_cmpint(a.n_results + a.n_events, >, 0);
    g_assert_cmpint(b.n_results + b.n_events, >, 0);
    g_assert_cmpint(b.n_results, <=, 10);
    gst_object_unref(pipeline);
}

static void
ends_when_downstream_has_had_enough(void)
{
    static const char *const needed[] = {"videotestsrc", "identity", NULL};

    if (!have_elements(needed))
        return;
    GstElement *pipeline = make_pipeline(
        "videotestsrc ! INFERENCE clip-length=2 ! identity eos-after=10 ! "
        "fakesink name=sink");
    Seen seen;

    watch_element(pipeline, "sink", &seen);
    run_to_the_end(pipeline);
    g_assert_cmpint(seen.n_buffers, <=, 10);
    gst_object_unref(pipeline);
}

static void
add_tests(void)
{
    g_test_add_func("/pipelines/survival", survives_other_elements);
    g_test_add_func("/pipelines/h264", survives_h264);
    g_test_add_func("/pipelines/decode", decodes_and_converts);
    g_test_add_func("/pipelines/sharing", shares_one_engine_between_streams);
    g_test_add_func("/pipelines/seeks", seeks_thirty_times);
    g_test_add_func("/pipelines/stops", stops_at_any_time);
    g_test_add_func("/pipelines/live", plays_live_sources);
    g_test_add_func("/pipelines/downstream-eos",
                    ends_when_downstream_has_had_enough);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
