// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_event_output.c - events of labels in what others read: bytes, lines
// of JSON, WebVTT; and the scenes of a video as events, from its file to these
// lines.

#include "tests/support/gst_helpers.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

// ---- Bytes ----------------------------------------------------------------

static const gfloat vector[3] = {0.6f, -0.8f, 0};

// With all that can be known of it, and of a result.
static GstPeResult *
make_result(const char *label, GstPeEventPhase phase, guint64 id, guint64 start,
            guint64 end, guint n_frames)
{
    GstPeResultFields fields = full_fields;
    g_autoptr(GstPeVectors) embedding =
        gst_pe_vectors_new_from_floats(vector, G_N_ELEMENTS(vector));
    GstPeLabelEvent event = {
        .phase = phase,
        .id = id,
        .label = label,
        .start = start,
        .end = end,
        .peak = start + 1,
        .stream_start = start,
        .stream_end = end,
        .stream_peak = start + 1,
        .wall_start = 1700000000 * GST_SECOND + start,
        .wall_end = 1700000000 * GST_SECOND + end,
        .wall_peak = GST_CLOCK_TIME_NONE,
        .peak_score = 0.93,
        .threshold = 0.5,
        .p_value = 0.001,
        .n_clips = 7,
        .embedding = phase == GST_PE_EVENT_END ? embedding : NULL,
    };
    static guint64 sequence;

    fields.sequence = sequence++;
    fields.n_frames = n_frames;
    fields.events = &event;
    fields.n_events = 1;
    return gst_pe_result_new(&fields);
}

static void
travels_as_bytes(void)
{
    for (int phase = 0; phase <= GST_PE_EVENT_END; phase++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GstPeResult) result =
            make_result("a \xff b", (GstPeEventPhase)phase, 3, 5 * GST_SECOND,
                        9 * GST_SECOND, 4);
        GBytes *bytes = gst_pe_result_to_bytes(result);
        g_autoptr(GstPeResult) copy =
            gst_pe_result_new_from_bytes(bytes, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(gst_pe_result_get_n_events(copy), ==, 1);
        const GstPeLabelEvent *a = gst_pe_result_get_event(result, 0);
        const GstPeLabelEvent *b = gst_pe_result_get_event(copy, 0);
        g_assert_cmpint(b->phase, ==, phase);
        g_assert_cmpstr(a->label, ==, b->label);
        g_assert_cmpuint(b->id, ==, 3);
        g_assert_cmpuint(b->stream_peak, ==, 5 * GST_SECOND + 1);
        g_assert_cmpuint(b->wall_peak, ==, GST_CLOCK_TIME_NONE);
        g_assert_cmpfloat(b->p_value, ==, 0.001);
        g_assert_cmpuint(b->n_clips, ==, 7);
        g_assert_true(!b->embedding == (phase != GST_PE_EVENT_END));
        g_autoptr(GstPeLabelEvent) another = gst_pe_label_event_copy(b);
        g_assert_cmpstr(another->label, ==, b->label);
        // Cut anywhere, it is a result or an error.
        gsize size;
        const guint8 *data = g_bytes_get_data(bytes, &size);
        for (gsize n = 0; n < size; n++) {
            GBytes *cut = g_bytes_new(data, n);
            g_assert_null(gst_pe_result_new_from_bytes(cut, NULL));
            g_bytes_unref(cut);
        }
        g_bytes_unref(bytes);
    }
}

// ---- pemetaconvert --------------------------------------------------------

// Pushes the result on a frame; takes it.
static void
push_result(GstHarness *h, GstPeResult *result)
{
    GstBuffer *buffer = make_frame(0);

    gst_buffer_add_pe_meta(buffer, result, 0);
    gst_pe_result_unref(result);
    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
}

static char *
take_text(GstHarness *h)
{
    GString *out = g_string_new(NULL);
    GstBuffer *buffer;

    while ((buffer = gst_harness_try_pull(h))) {
        GstMapInfo map;
        g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
        g_string_append_len(out, (const char *)map.data, (gssize)map.size);
        gst_buffer_unmap(buffer, &map);
        gst_buffer_unref(buffer);
    }
    return g_string_free(out, FALSE);
}

static GstHarness *
convert_to(const char *caps)
{
    GstHarness *h = gst_harness_new("pemetaconvert");

    gst_harness_set_caps_str(h, FRAME_CAPS, caps);
    return h;
}

static void
writes_lines(void)
{
    GstHarness *h = convert_to("application/x-json,format=pe-1");

    push_result(h, make_result("a \"dog\"\n", GST_PE_EVENT_END, 3, GST_SECOND,
                               2 * GST_SECOND, 4));
    g_autofree char *text = take_text(h);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 3); // and nothing behind them
    g_test_message("%s", lines[1]);
    g_assert_nonnull(strstr(lines[0], "\"type\":\"clip\""));
    g_assert_nonnull(strstr(lines[1], "{\"schema\":\"pe-1\",\"type\":\"event\","
                                      "\"event\":\"end\",\"id\":3,"
                                      "\"label\":\"a \\\"dog\\\"\\u000a\","));
    g_assert_nonnull(strstr(lines[1], "\"start\":1000000000,"
                                      "\"end\":2000000000,"
                                      "\"peak\":1000000001,"));
    g_assert_nonnull(strstr(lines[1], "\"wall-start\":\"2023-11-14T22:13:21"));
    g_assert_nonnull(strstr(lines[1], "\"peak-score\":0.93,"
                                      "\"threshold\":0.5,\"p-value\":0.001,"
                                      "\"clips\":7,"));
    // Where there is no clip, there is no line about one.
    push_result(h, make_result("a dog", GST_PE_EVENT_END, 4, GST_SECOND,
                               2 * GST_SECOND, 0));
    g_autofree char *event = take_text(h);
    g_assert_true(g_str_has_prefix(
        event, "{\"schema\":\"pe-1\",\"type\":\"event\",\"event\":\"end\""));
    gst_harness_teardown(h);
}

static char *
write_cues(void)
{
    GstHarness *h = convert_to("application/x-subtitle-vtt");

    // The second one waits for the first one.
    push_result(h, make_result("A --> B & <b>\n\nC", GST_PE_EVENT_START, 7,
                               GST_SECOND, 2 * GST_SECOND, 4));
    push_result(h, make_result("dog", GST_PE_EVENT_START, 8, 3 * GST_SECOND,
                               4 * GST_SECOND, 4));
    push_result(h, make_result("dog", GST_PE_EVENT_END, 8, 3 * GST_SECOND,
                               4 * GST_SECOND + 1, 4));
    g_autofree char *nothing = take_text(h);
    g_assert_cmpstr(nothing, ==, "");
    push_result(h, make_result("A --> B & <b>\n\nC", GST_PE_EVENT_END, 7,
                               GST_SECOND, 5 * GST_SECOND, 4));
    g_autofree char *two = take_text(h);
    push_result(h, make_result("never ends", GST_PE_EVENT_START, 9,
                               6 * GST_SECOND, 7 * GST_SECOND, 4));
    // An event of no length, more than a day later.
    push_result(h, make_result("late", GST_PE_EVENT_END, 10, 90000 * GST_SECOND,
                               90000 * GST_SECOND, 4));
    gst_harness_push_event(h, gst_event_new_eos());
    g_autofree char *rest = take_text(h);
    gst_harness_teardown(h);
    return g_strconcat(two, rest, NULL);
}

static void
writes_cues(void)
{
    g_autofree char *text = write_cues();

    g_assert_cmpstr(
        text, ==,
        "WEBVTT\n\n"
        "7\n00:00:01.000 --> 00:00:05.000\n"
        "door 99: A --&gt; B &amp; &lt;b&gt;  C (93 %)\n\n"
        "8\n00:00:03.000 --> 00:00:04.001\ndoor 99: dog (93 %)\n\n"
        "10\n25:00:00.000 --> 25:00:00.001\ndoor 99: late (93 %)\n\n");
    // A file without events is one all the same.
    GstHarness *h = convert_to("text/vtt");
    gst_harness_push(h, make_frame(0));
    gst_harness_push_event(h, gst_event_new_eos());
    g_autofree char *empty = take_text(h);
    g_assert_cmpstr(empty, ==, "WEBVTT\n\n");
    gst_harness_teardown(h);
}

// GStreamer's own reader, which leaves out cues that lie within others.
static void
is_read_by_subparse(void)
{
    static const char *const needed[] = {"subparse", NULL};
    static const struct {
        const char *text;
        GstClockTime start, duration;
    } cues[] = {
        {"door 99: A --&gt; B &amp; &lt;b&gt;  C (93 %)", 1000, 4000},
        {"door 99: late (93 %)", 90000000, 1},
    };
    if (!have_elements(needed))
        return;
    GstHarness *h = gst_harness_new("subparse");
    g_autofree char *text = write_cues();
    gsize size = strlen(text);

    gst_harness_set_src_caps_str(h, "application/x-subtitle-vtt");
    gst_harness_push(h, gst_buffer_new_memdup(text, size));
    gst_harness_push_event(h, gst_event_new_eos());
    for (gsize i = 0; i < G_N_ELEMENTS(cues); i++) {
        GstBuffer *buffer = pull(h);
        GstMapInfo map;
        g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
        g_autofree char *found = g_strndup((const char *)map.data, map.size);
        // It makes markup of what is markup already.
        g_auto(GStrv) parts = g_strsplit(found, "&amp;", -1);
        g_autofree char *plain = g_strjoinv("&", parts);
        g_assert_cmpstr(plain, ==, cues[i].text);
        gst_buffer_unmap(buffer, &map);
        g_assert_cmpuint(GST_BUFFER_PTS(buffer), ==,
                         cues[i].start * GST_MSECOND);
        g_assert_cmpuint(GST_BUFFER_DURATION(buffer), ==,
                         cues[i].duration * GST_MSECOND);
        gst_buffer_unref(buffer);
    }
    gst_harness_teardown(h);
}

// ---- All of it ------------------------------------------------------------

// The scenes of the demo video, from the file to the lines of JSON.
static void
finds_the_scenes_of_a_video(void)
{
    static const char *const needed[] = {"qtdemux", "h264parse", "avdec_h264",
                                         NULL};
    if (!have_elements(needed))
        return;
    const char *demo = g_getenv("PE_DEMO_DIR");
    g_autofree char *path =
        g_strdup_printf("%s/pe-lines-%d", g_get_tmp_dir(), (int)getpid());
    g_autofree char *line = g_strdup_printf(
        "filesrc location=%s/demo.mp4 ! qtdemux ! h264parse ! avdec_h264 ! "
        "videoconvert ! peinference model=%s/pe-demo.safetensors device=cpu "
        "frame-rate=4/1 clip-length=2 clip-stride=1 event-threshold=0.5 "
        "event-smoothing=200 event-min-duration=500 event-merge-gap=1000 "
        "labels=\"a red circle|three white stars|a boat at sea\" ! "
        "pemetaconvert ! filesink location=%s",
        demo, demo, path);
    static const struct {
        const char *label;
        int start; // s; each lasts for 2
    } scenes[] = {
        {"a boat at sea", 4}, {"a red circle", 6}, {"three white stars", 8}};
    g_autoptr(GError) error = NULL;
    GstElement *pipeline = gst_parse_launch(line, &error);
    g_assert_no_error(error);
    GstBus *bus = gst_element_get_bus(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    GstMessage *message = gst_bus_timed_pop_filtered(
        bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    g_assert_cmpint(GST_MESSAGE_TYPE(message), ==, GST_MESSAGE_EOS);
    gst_message_unref(message);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(bus);
    gst_object_unref(pipeline);

    g_autofree char *text = NULL;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_remove(path);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    guint n = 0;
    for (int i = 0; lines[i]; i++) {
        if (!strstr(lines[i], "\"event\":\"end\""))
            continue;
        g_assert_cmpuint(n, <, G_N_ELEMENTS(scenes));
        double start =
            g_ascii_strtod(strstr(lines[i], "\"stream-start\":") + 15, NULL);
        double end =
            g_ascii_strtod(strstr(lines[i], "\"stream-end\":") + 13, NULL);
        g_test_message("%s from %.2f to %.2f s", scenes[n].label, start / 1e9,
                       end / 1e9);
        g_assert_nonnull(strstr(lines[i], scenes[n].label));
        g_assert_cmpfloat(fabs(start / 1e9 - scenes[n].start), <, 0.6);
        g_assert_cmpfloat(fabs(end / 1e9 - scenes[n].start - 2), <, 0.6);
        n++;
    }
    g_assert_cmpuint(n, ==, G_N_ELEMENTS(scenes));
}

static void
add_tests(void)
{
#define ADD(test) g_test_add_func("/gst/event_output/" #test, test)
    ADD(travels_as_bytes);
    ADD(writes_lines);
    ADD(writes_cues);
    ADD(is_read_by_subparse);
    ADD(finds_the_scenes_of_a_video);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
