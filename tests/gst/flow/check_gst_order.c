// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_order.c - results that no frame waits for leave in the order of
// their clips, whenever the device is ready with them. Over the scripted device
// of fake_runner.h.

#include "gst_script.h"

static GstHarness *
play_script(const char *properties)
{
    fake_reset();
    GstHarness *h = play_inference(properties);
    gst_harness_set_live(h, false);
    return h;
}

static void
push_at(GstHarness *h, int ms)
{
    GstBuffer *buffer = make_frame(0);

    GST_BUFFER_PTS(buffer) = (GstClockTime)ms * GST_MSECOND;
    GST_BUFFER_DURATION(buffer) = GST_CLOCK_TIME_NONE;
    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
    gst_buffer_unref(pull(h));
}

// The starts of so many results, in ms.
static char *
pull_starts(GstHarness *h, int n)
{
    GString *text = g_string_new(NULL);

    while (n > 0) {
        GstEvent *event = gst_harness_pull_event(h);
        g_assert_nonnull(event);
        GstPeResult *result = gst_event_get_pe_result(event);
        if (result) {
            g_string_append_printf(text, "%" G_GUINT64_FORMAT " ",
                                   gst_pe_result_get_clip_stream_start(result) /
                                       GST_MSECOND);
            n--;
        }
        gst_event_unref(event);
    }
    return g_string_free(text, FALSE);
}

// A frame that is on screen at several points of the grid is several clips, of
// which only the first is computed.
static void
keeps_clips_of_held_frames_in_place(void)
{
    GstHarness *h = play_script("hold=none clip-length=1 frame-rate=4/1");

    fake_hold(true);
    push_at(h, 0);
    push_at(h, 900);
    push_at(h, 1000);
    push_at(h, 1250);
    g_assert_cmpuint(get_stat(h->element, "held"), ==, 3);
    fake_hold(false);
    g_assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    g_autofree char *starts = pull_starts(h, 6);
    g_assert_cmpstr(starts, ==, "0 250 500 750 1000 1250 ");
    stop(h);
}

static gpointer
let_go(gpointer data)
{
    g_usleep((gulong)GPOINTER_TO_UINT(data));
    fake_hold(false);
    return NULL;
}

// The device becomes ready at any moment of a stream's end.
static void
keeps_the_order_where_a_stream_ends(void)
{
    enum { N_ROUNDS = 3000, N_FRAMES = 8, LATEST = 200 };
    GstHarness *h = play_script("hold=none clip-length=1 frame-rate=0/1");

    for (guint round = 0; round < N_ROUNDS; round++) {
        fake_hold(true);
        for (int i = 0; i < N_FRAMES; i++)
            push_at(h, i * 40);
        GThread *thread =
            g_thread_new("let go", let_go, GUINT_TO_POINTER(round % LATEST));
        g_assert_true(gst_harness_push_event(
            h, gst_event_new_stream_start(round % 2 ? "odd" : "even")));
        GstSegment segment;
        gst_segment_init(&segment, GST_FORMAT_TIME);
        g_assert_true(
            gst_harness_push_event(h, gst_event_new_segment(&segment)));
        g_thread_join(thread);
        g_autofree char *starts = pull_starts(h, N_FRAMES);
        g_assert_cmpstr(starts, ==, "0 40 80 120 160 200 240 280 ");
    }
    stop(h);
}

static void
add_tests(void)
{
    g_test_add_func("/order/held", keeps_clips_of_held_frames_in_place);
    g_test_add_func("/order/end", keeps_the_order_where_a_stream_ends);
}

int
main(int argc, char **argv)
{
    return script_run(argc, argv, add_tests);
}
