// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_event_flow.c - events of labels however frames flow: without frames
// that wait, backwards, in a live pipeline; and how unusual labels are where a
// history is kept. The demo model tells red from green.

#include "tests/support/gst_helpers.h"

#include <math.h>
#include <string.h>

#define SIDE 64

#define LABELS \
    "labels=\"a red ball\" negative-labels=\"a green field\" " \
    "event-threshold=0.5 event-smoothing=0 event-merge-gap=0 " \
    "event-update-interval=0 "

static char *
get_inference(const char *properties)
{
    return g_strdup_printf("peinference model=%s/pe-demo.safetensors "
                           "device=cpu precision=fp32 frame-rate=0/1 "
                           "clip-length=1 " LABELS "%s",
                           g_getenv("PE_DEMO_DIR"), properties);
}

// Frames of a second.
static GstHarness *
play(const char *properties)
{
    g_autofree char *line = get_inference(properties);
    g_autoptr(GError) error = NULL;
    GstElement *element = gst_parse_launch(line, &error);

    g_assert_no_error(error);
    return play_element(
        element, "video/x-raw,format=RGB,width=64,height=64,framerate=1/1");
}

// r is red, g is green.
static void
push(GstHarness *h, char color, guint64 second)
{
    gsize size = SIDE * SIDE * 3;
    guint8 *pixels = g_malloc0(size);

    for (gsize i = color == 'r' ? 0 : 1; i < size; i += 3)
        pixels[i] = 255;
    GstBuffer *buffer = gst_buffer_new_wrapped(pixels, size);
    GST_BUFFER_PTS(buffer) = second * GST_SECOND;
    GST_BUFFER_DURATION(buffer) = GST_SECOND;
    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
}

// The next result that travels as an event. Returns a reference.
static GstPeResult *
pull_result(GstHarness *h)
{
    GstPeResult *result = NULL;

    for (GstEvent *e; !result && (e = gst_harness_pull_event(h));
         gst_event_unref(e)) {
        if (gst_event_get_pe_result(e))
            result = gst_pe_result_ref(gst_event_get_pe_result(e));
    }
    g_assert_nonnull(result);
    return result;
}

static void
print_events(GString *out, const GstPeResult *result)
{
    for (guint i = 0; i < gst_pe_result_get_n_events(result); i++) {
        const GstPeLabelEvent *e = gst_pe_result_get_event(result, i);
        g_string_append_printf(
            out, "%s%s %d-%d of %d-%d", out->len > 0 ? ", " : "",
            gst_pe_event_phase_to_string(e->phase),
            (int)(e->start / GST_SECOND), (int)(e->end / GST_SECOND),
            (int)(e->stream_start / GST_SECOND),
            (int)(e->stream_end / GST_SECOND));
    }
}

// Push a frame, and print the events of its result.
static void
follow(GstHarness *h, char color, guint64 second, GString *out)
{
    push(h, color, second);
    GstPeResult *result = pull_result(h);
    print_events(out, result);
    gst_pe_result_unref(result);
}

// ---- Flow -----------------------------------------------------------------

static void
tells_events_when_no_frame_waits(void)
{
    GstHarness *h = play("hold=none");
    g_autoptr(GString) told = g_string_new(NULL);

    for (guint64 second = 0; second < 5; second++)
        follow(h, "grrgr"[second], second, told);
    gst_harness_push_event(h, gst_event_new_eos());
    GstPeResult *last = pull_result(h);
    g_assert_cmpuint(gst_pe_result_get_n_frames(last), ==, 0);
    print_events(told, last);
    gst_pe_result_unref(last);
    g_assert_cmpstr(told->str, ==,
                    "start 1-2 of 1-2, end 1-3 of 1-3, start 4-5 of 4-5, "
                    "end 4-5 of 4-5");
    g_assert_cmpuint(gst_harness_buffers_received(h), ==, 5);
    stop(h);
}

// Ten seconds, from the end. Events go on in running time, and say where in the
// stream they are from the earlier to the later end.
static void
tells_events_of_a_video_played_backwards(void)
{
    GstHarness *h = play("");
    g_autoptr(GString) told = g_string_new(NULL);
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.rate = -1;
    segment.stop = segment.position = 10 * GST_SECOND;
    gst_harness_push_event(h, gst_event_new_segment(&segment));
    guint64 second = 9;
    for (const char *p = "grrgr"; *p; p++)
        follow(h, *p, second--, told);
    gst_harness_push_event(h, gst_event_new_eos());
    GstPeResult *last = pull_result(h);
    print_events(told, last);
    gst_pe_result_unref(last);
    g_assert_cmpstr(told->str, ==,
                    "start 1-2 of 8-9, end 1-3 of 7-9, start 4-5 of 5-6, "
                    "end 4-5 of 5-6");
    stop(h);
}

// A camera that sees red: the event begins, and ends with the stream.
static void
tells_events_of_a_live_pipeline(void)
{
    const char *const needed[] = {"videotestsrc", "fakesink", NULL};
    g_autoptr(GString) told = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    if (!have_elements(needed))
        return;
    g_autofree char *inference = get_inference("");
    g_autofree char *line = g_strdup_printf(
        "videotestsrc is-live=true pattern=red num-buffers=10 ! "
        "video/x-raw,format=RGB,width=64,height=64,framerate=10/1 ! %s ! "
        "fakesink sync=true",
        inference);
    GstElement *pipeline = gst_parse_launch(line, &error);
    g_assert_no_error(error);
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    for (bool over = false; !over;) {
        g_autoptr(GstMessage) m = wait_message(
            bus, GST_MESSAGE_ELEMENT | GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
        g_assert_nonnull(m);
        g_assert_cmpint(GST_MESSAGE_TYPE(m), !=, GST_MESSAGE_ERROR);
        over = GST_MESSAGE_TYPE(m) == GST_MESSAGE_EOS;
        const GstStructure *s = gst_message_get_structure(m);
        if (!over && gst_structure_has_name(s, "peinference-event"))
            g_string_append_printf(told, "%s ",
                                   gst_structure_get_string(s, "event"));
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
    g_assert_cmpstr(told->str, ==, "start end ");
}

// ---- How unusual it is ----------------------------------------------------

// That of the message about the last result; NaN without any.
static double
get_posted_p_value(GstHarness *h)
{
    double p_value = NAN;
    GstMessage *m;

    while ((m = gst_bus_pop_filtered(GST_ELEMENT_BUS(h->element),
                                     GST_MESSAGE_ELEMENT))) {
        const GstStructure *s = gst_message_get_structure(m);
        const GValue *p_values = gst_structure_get_value(s, "p-values");
        if (p_values)
            p_value =
                g_value_get_double(gst_value_array_get_value(p_values, 0));
        gst_message_unref(m);
    }
    return p_value;
}

static void
knows_p_values_where_a_history_is_kept(void)
{
    static const double expected[] = {1, 1, 1.0 / 3, 2.0 / 4, 1};
    GstHarness *h = play("alarms-per-day=5");

    for (guint64 i = 0; i < G_N_ELEMENTS(expected); i++) {
        push(h, "ggrrg"[i], i);
        g_autoptr(GstPeResult) result = pull_result(h);
        g_assert_cmpuint(gst_pe_result_get_n_labels(result), ==, 1);
        double p_value = gst_pe_result_get_p_value(result, 0);
        g_test_message("%d: %g, expected %g", (int)i, p_value, expected[i]);
        g_assert_cmpfloat(p_value, ==, expected[i]);
        g_assert_cmpfloat(get_posted_p_value(h), ==, expected[i]);
    }
    stop(h);
}

static void
knows_no_p_values_without_a_history(void)
{
    GstHarness *h = play("");

    push(h, 'r', 0);
    g_autoptr(GstPeResult) result = pull_result(h);
    g_assert_cmpuint(gst_pe_result_get_n_labels(result), ==, 1);
    g_assert_true(isnan(gst_pe_result_get_p_value(result, 0)));
    g_assert_true(isnan(get_posted_p_value(h)));
    stop(h);
}

static void
add_tests(void)
{
#define ADD(test) g_test_add_func("/gst/event-flow/" #test, test)
    ADD(tells_events_when_no_frame_waits);
    ADD(tells_events_of_a_video_played_backwards);
    ADD(tells_events_of_a_live_pipeline);
    ADD(knows_p_values_where_a_history_is_kept);
    ADD(knows_no_p_values_without_a_history);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
