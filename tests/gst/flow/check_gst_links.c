// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_links.c - peinference while its pads are linked and unlinked, and
// what it answers before it has been started.

#include "tests/support/gst_helpers.h"

#include <string.h>

static GstPad *src; // of the element under test

static void
unlink_sink(GstHarness *h)
{
    g_assert_true(gst_pad_unlink(src, h->sinkpad));
}

static void
link_sink(GstHarness *h)
{
    g_assert_cmpint(gst_pad_link(src, h->sinkpad), ==, GST_PAD_LINK_OK);
}

static GstHarness *
play(const char *properties)
{
    GstHarness *h = play_inference(properties);

    src = gst_element_get_static_pad(h->element, "src");
    return h;
}

static void
end(GstHarness *h)
{
    gst_clear_object(&src);
    stop(h);
}

// Push until the flow is what it has become because of an earlier frame.
static void
push_until(GstHarness *h, GstFlowReturn wanted)
{
    GstFlowReturn flow = GST_FLOW_OK;

    for (int i = 0; i < 60000 && flow != wanted; i++) {
        flow = gst_harness_push(h, make_frame(i));
        if (flow != wanted)
            g_usleep(1000);
    }
    g_assert_cmpint(flow, ==, wanted);
}

static GstHarness *to_relink;

// Just when the task says that it is about to end, or has.
static void
relink(GstDebugCategory *category, GstDebugLevel level, const char *file,
       const char *function, int line, GObject *object,
       GstDebugMessage *message, void *user_data)
{
    GstHarness *h = to_relink;

    if (h && strstr(gst_debug_message_get(message), "task") &&
        strstr(gst_debug_message_get(message), "not-linked")) {
        to_relink = NULL;
        link_sink(h);
    }
}

static void
relinks_while_its_task_ends(void)
{
    GstHarness *h = play("clip-length=2");

    push_frames(h, 0, 2);
    g_assert_cmpint(pull_frames(h, 2), ==, 1);
    gst_debug_remove_log_function(gst_debug_log_default);
    gst_debug_add_log_function(relink, NULL, NULL);
    gst_debug_set_threshold_for_name("peinference", GST_LEVEL_DEBUG);
    unlink_sink(h);
    to_relink = h;
    g_assert_cmpint(gst_harness_push(h, make_frame(2)), ==, GST_FLOW_OK);
    while (!gst_pad_is_linked(src))
        g_usleep(1000);
    push_frames(h, 3, 2);
    pull_frames(h, 2);
    gst_debug_set_threshold_for_name("peinference", GST_LEVEL_NONE);
    gst_debug_remove_log_function(relink);
    gst_debug_add_log_function(gst_debug_log_default, NULL, NULL);
    end(h);
}

static void
relinks_a_thousand_times(void)
{
    GstHarness *h = play("clip-length=2");

    for (int i = 0; i < 1000; i++) {
        unlink_sink(h);
        gst_harness_push(h, make_frame(0));
        if (i % 3 == 0)
            gst_harness_push(h, make_frame(0));
        link_sink(h);
        GstSegment segment;
        gst_segment_init(&segment, GST_FORMAT_TIME);
        g_assert_true(
            gst_harness_push_event(h, gst_event_new_segment(&segment)));
        while (gst_harness_buffers_in_queue(h) > 0)
            gst_buffer_unref(pull(h));
    }
    gst_harness_push_event(h, gst_event_new_eos());
    g_autoptr(GstEvent) eos = pull_event(h, GST_EVENT_EOS);
    g_assert_nonnull(eos);
    end(h);
}

static void
keeps_caps_while_not_linked(void)
{
    GstHarness *h = play("clip-length=2");

    push_frames(h, 0, 1);
    pull_frames(h, 1);
    unlink_sink(h);
    push_until(h, GST_FLOW_NOT_LINKED);
    g_autoptr(GstCaps) caps = gst_caps_from_string(
        "video/x-raw,format=NV12,width=320,height=240,framerate=25/1");
    g_assert_true(gst_harness_push_event(h, gst_event_new_caps(caps)));
    link_sink(h);
    GstBuffer *frame = gst_buffer_new_allocate(NULL, 320 * 240 * 3 / 2, NULL);
    gst_buffer_memset(frame, 0, 128, 320 * 240 * 3 / 2);
    GST_BUFFER_PTS(frame) = 100 * FRAME_DURATION;
    g_assert_cmpint(gst_harness_push(h, frame), ==, GST_FLOW_OK);
    for (;;) {
        g_autoptr(GstBuffer) buffer = pull(h);
        if (gst_buffer_get_size(buffer) == 320 * 240 * 3 / 2)
            break;
    }
    g_autoptr(GstCaps) now = gst_pad_get_current_caps(h->sinkpad);
    g_assert_true(gst_caps_is_equal(now, caps));
    end(h);
}

static void
ask(GstElement *element)
{
    g_autoptr(GstPad) sink = gst_element_get_static_pad(element, "sink");
    g_autoptr(GstCaps) caps = gst_caps_from_string(FRAME_CAPS);
    g_autoptr(GstQuery) allocation = gst_query_new_allocation(caps, TRUE);
    g_autoptr(GstQuery) drain = gst_query_new_drain();

    g_assert_false(gst_pad_query(sink, allocation));
    g_assert_false(gst_pad_query(sink, drain));
}

static void
refuses_serialized_queries_until_it_plays(void)
{
    GstElement *element = make_inference("");

    ask(element);
    gst_element_set_state(element, GST_STATE_READY);
    ask(element);
    gst_element_set_state(element, GST_STATE_PAUSED);
    gst_element_set_state(element, GST_STATE_READY);
    ask(element);
    gst_element_set_state(element, GST_STATE_NULL);
    ask(element);
    gst_object_unref(element);
}

static void *
ask_on_and_on(void *data)
{
    GstElement *element = ((void **)data)[0];
    int *stopping = ((void **)data)[1];
    g_autoptr(GstPad) sink = gst_element_get_static_pad(element, "sink");

    while (!g_atomic_int_get(stopping)) {
        g_autoptr(GstCaps) caps = gst_caps_from_string(FRAME_CAPS);
        g_autoptr(GstQuery) query = gst_query_new_allocation(caps, TRUE);
        gst_pad_query(sink, query);
    }
    return NULL;
}

static void
answers_queries_while_its_state_changes(void)
{
    GstElement *element = make_inference("");
    int stopping = 0;
    void *data[] = {element, &stopping};
    GThread *thread = g_thread_new("ask", ask_on_and_on, data);

    for (int i = 0; i < 200; i++) {
        gst_element_set_state(element, GST_STATE_PLAYING);
        gst_element_set_state(element,
                              i % 2 ? GST_STATE_NULL : GST_STATE_READY);
    }
    g_atomic_int_set(&stopping, 1);
    g_thread_join(thread);
    gst_element_set_state(element, GST_STATE_NULL);
    gst_object_unref(element);
}

static void
takes_no_more_pixels_than_it_can_embed(void)
{
    GstElement *element = make_inference("");
    g_autoptr(GstPad) pad = gst_element_get_static_pad(element, "sink");
    g_autoptr(GstCaps) caps = gst_pad_get_pad_template_caps(pad);
    g_autoptr(GstCaps) good = gst_caps_from_string(
        "video/x-raw,format=RGB,width=16384,height=16384,framerate=25/1");
    g_autoptr(GstCaps) bad = gst_caps_from_string(
        "video/x-raw,format=RGB,width=16385,height=64,framerate=25/1");

    g_assert_true(gst_caps_can_intersect(caps, good));
    g_assert_false(gst_caps_can_intersect(caps, bad));
    gst_object_unref(element);
}

static void
add_tests(void)
{
    g_test_add_func("/links/relink", relinks_while_its_task_ends);
    g_test_add_func("/links/thousand", relinks_a_thousand_times);
    g_test_add_func("/links/caps", keeps_caps_while_not_linked);
    g_test_add_func("/links/early-queries",
                    refuses_serialized_queries_until_it_plays);
    g_test_add_func("/links/racing-queries",
                    answers_queries_while_its_state_changes);
    g_test_add_func("/links/pixels", takes_no_more_pixels_than_it_can_embed);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
