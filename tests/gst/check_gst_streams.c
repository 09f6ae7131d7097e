// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_streams.c - peinference where streams begin, end, jump and change:
// end inside a clip, segments, caps, gaps, timestamps, flushes, states.

#include "tests/support/gst_helpers.h"

#include <gst/video/video.h>

// ---- Ends -----------------------------------------------------------------

// The result of the next event with that of a partial clip; NULL: none before
// EOS. Those of whole clips follow their frames.
static GstPeResult *
pull_result_event(GstHarness *h)
{
    GstEvent *event;

    while ((event = gst_harness_pull_event(h))) {
        GstPeResult *result = gst_event_get_pe_result(event);
        bool eos = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
        if (result && !gst_pe_result_is_partial(result))
            result = NULL;
        if (result)
            gst_pe_result_ref(result);
        gst_event_unref(event);
        if (result || eos)
            return result;
    }
    return NULL;
}

static void
sends_the_partial_clip_before_the_end(void)
{
    GstHarness *h = play_inference("clip-length=4");

    push_frames(h, 0, 6);
    g_assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    g_assert_cmpint(pull_frames(h, 6), ==, 1);
    g_autoptr(GstPeResult) result = pull_result_event(h);
    g_assert_nonnull(result);
    g_assert_true(gst_pe_result_is_partial(result));
    g_assert_cmpuint(gst_pe_result_get_n_frames(result), ==, 2);
    g_assert_cmpuint(gst_pe_result_get_clip_start(result), ==,
                     4 * FRAME_DURATION);
    g_assert_cmpuint(gst_pe_result_get_clip_end(result), ==,
                     6 * FRAME_DURATION);
    g_assert_null(pull_result_event(h)); // nothing more before EOS
    g_assert_cmpuint(get_stat(h->element, "partial-clips"), ==, 1);
    stop(h);
}

static void
sends_no_partial_clip_after_a_whole_one(void)
{
    GstHarness *h = play_inference("clip-length=4 clip-stride=1");

    push_frames(h, 0, 6);
    g_assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    g_assert_cmpint(pull_frames(h, 6), ==, 3);
    g_assert_null(pull_result_event(h));
    stop(h);
}

static void
goes_on_after_the_end(void)
{
    GstHarness *h = play_inference("clip-length=2");
    GstSegment segment;

    push_frames(h, 0, 2);
    g_assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    g_assert_cmpint(pull_frames(h, 2), ==, 1);
    gst_event_unref(pull_event(h, GST_EVENT_EOS));
    g_assert_true(
        gst_harness_push_event(h, gst_event_new_stream_start("another")));
    gst_segment_init(&segment, GST_FORMAT_TIME);
    g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    push_frames(h, 0, 2);
    gst_buffer_unref(pull(h));
    GstBuffer *buffer = pull(h);
    GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
    g_assert_nonnull(meta);
    g_assert_cmpstr(gst_pe_result_get_stream_id(meta->result), ==, "another");
    gst_buffer_unref(buffer);
    stop(h);
}

static void
ends_the_clip_at_a_new_segment(void)
{
    GstHarness *h = play_inference("clip-length=4");
    GstSegment segment;

    push_frames(h, 0, 3);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.base = 3 * FRAME_DURATION;
    segment.time = GST_SECOND;
    g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    push_frames(h, 0, 4);
    g_assert_cmpint(pull_frames(h, 6), ==, 0);
    GstBuffer *buffer = pull(h);
    GstPeResult *whole = gst_buffer_get_pe_meta(buffer)->result;
    g_autoptr(GstPeResult) partial = pull_result_event(h);
    g_assert_cmpuint(gst_pe_result_get_n_frames(partial), ==, 3);
    g_assert_cmpuint(gst_pe_result_get_n_frames(whole), ==, 4);
    g_assert_cmpuint(gst_pe_result_get_clip_start(whole), ==,
                     3 * FRAME_DURATION);
    g_assert_cmpuint(gst_pe_result_get_clip_stream_start(whole), ==,
                     GST_SECOND);
    gst_buffer_unref(buffer);
    stop(h);
}

static void
goes_on_when_a_segment_only_gets_a_stop(void)
{
    GstHarness *h = play_inference("clip-length=4");
    GstSegment segment;

    push_frames(h, 0, 3);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.stop = 10 * GST_SECOND;
    g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    push_frames(h, 3, 1);
    g_assert_cmpint(pull_frames(h, 4), ==, 1);
    stop(h);
}

static void
embeds_nothing_outside_of_the_segment(void)
{
    GstHarness *h = play_inference("clip-length=1");
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = segment.time = 5 * FRAME_DURATION;
    g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    push_frames(h, 3, 4);
    g_assert_cmpint(pull_frames(h, 4), ==, 2);
    stop(h);
}

// ---- Caps -----------------------------------------------------------------

static void
goes_on_across_new_caps(void)
{
    GstHarness *h = play_inference("clip-length=4");

    push_frames(h, 0, 2);
    gst_harness_set_src_caps_str(
        h, "video/x-raw,format=NV12,width=320,height=240,framerate=25/1");
    for (int i = 2; i < 4; i++) {
        GstBuffer *buffer =
            gst_buffer_new_allocate(NULL, 320 * 240 * 3 / 2, NULL);
        gst_buffer_memset(buffer, 0, 128, 320 * 240 * 3 / 2);
        GST_BUFFER_PTS(buffer) = (guint64)i * FRAME_DURATION;
        g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
    }
    g_assert_cmpint(pull_frames(h, 3), ==, 0);
    GstBuffer *buffer = pull(h);
    g_assert_cmpuint(
        gst_pe_result_get_n_frames(gst_buffer_get_pe_meta(buffer)->result), ==,
        4);
    g_assert_cmpuint(gst_buffer_get_size(buffer), ==, 320 * 240 * 3 / 2);
    gst_buffer_unref(buffer);
    GstCaps *caps = gst_pad_get_current_caps(h->sinkpad);
    int width = 0;
    gst_structure_get_int(gst_caps_get_structure(caps, 0), "width", &width);
    g_assert_cmpint(width, ==, 320);
    gst_caps_unref(caps);
    stop(h);
}

static void
takes_every_format_of_its_template(void)
{
    static const char *const formats[] = {
        "NV12", "I420", "YUY2", "RGB",   "BGR",       "RGBx",
        "BGRx", "RGBA", "BGRA", "GRAY8", "P010_10LE",
    };
    GstHarness *h = play_inference("clip-length=1");

    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++) {
        // Odd sizes have padded strides.
        g_autofree char *text = g_strdup_printf(
            "video/x-raw,format=%s,width=57,height=33,framerate=25/1",
            formats[i]);
        GstVideoInfo info;
        GstCaps *caps = gst_caps_from_string(text);
        g_assert_true(gst_video_info_from_caps(&info, caps));
        gst_harness_set_src_caps(h, caps);
        GstBuffer *buffer = gst_buffer_new_allocate(NULL, info.size, NULL);
        gst_buffer_memset(buffer, 0, 77, info.size);
        GST_BUFFER_PTS(buffer) = i * FRAME_DURATION;
        g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
        g_assert_cmpint(pull_frames(h, 1), ==, 1);
    }
    stop(h);
}

// ---- Timestamps and gaps --------------------------------------------------

static void
counts_frames_without_timestamps(void)
{
    GstHarness *h = play_inference("clip-length=3");

    for (int i = 0; i < 6; i++) {
        GstBuffer *buffer = make_frame(i);
        GST_BUFFER_PTS(buffer) = GST_CLOCK_TIME_NONE;
        g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
    }
    g_assert_cmpint(pull_frames(h, 5), ==, 1);
    GstBuffer *buffer = pull(h);
    GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
    g_assert_cmpuint(meta->age, ==, GST_CLOCK_TIME_NONE);
    g_assert_cmpuint(gst_pe_result_get_clip_start(meta->result), ==,
                     GST_CLOCK_TIME_NONE);
    gst_buffer_unref(buffer);
    g_assert_cmpuint(get_stat(h->element, "frames-without-pts"), ==, 6);
    stop(h);
}

static void
ends_the_clip_when_timestamps_run_backwards(void)
{
    GstHarness *h = play_inference("clip-length=3");

    push_frames(h, 10, 2);
    push_frames(h, 0, 3);
    g_assert_cmpint(pull_frames(h, 4), ==, 0);
    GstBuffer *buffer = pull(h);
    g_autoptr(GstPeResult) partial = pull_result_event(h);
    g_assert_cmpuint(gst_pe_result_get_n_frames(partial), ==, 2);
    g_assert_cmpuint(
        gst_pe_result_get_clip_start(gst_buffer_get_pe_meta(buffer)->result),
        ==, 0);
    gst_buffer_unref(buffer);
    stop(h);
}

static void
goes_on_across_holes_and_gaps(void)
{
    GstHarness *h = play_inference("clip-length=4");

    push_frames(h, 0, 2);
    g_assert_true(gst_harness_push_event(
        h, gst_event_new_gap(2 * FRAME_DURATION, FRAME_DURATION)));
    GstBuffer *jump = make_frame(27); // a second behind the end of frame 1
    GST_BUFFER_FLAG_SET(jump, GST_BUFFER_FLAG_DISCONT);
    g_assert_cmpint(gst_harness_push(h, jump), ==, GST_FLOW_OK);
    push_frames(h, 28, 1);
    g_assert_cmpint(pull_frames(h, 3), ==, 0);
    g_assert_cmpint(pull_frames(h, 1), ==, 1);
    GstEvent *event = pull_event(h, GST_EVENT_GAP);
    g_assert_nonnull(event);
    gst_event_unref(event);
    stop(h);
}

static GstPadProbeReturn
record(GstPad *pad, GstPadProbeInfo *info, void *order)
{
    if (info->type & GST_PAD_PROBE_TYPE_BUFFER)
        g_string_append_c(order, 'b');
    else if (GST_EVENT_TYPE(info->data) == GST_EVENT_TAG)
        g_string_append_c(order, 't');
    else if (GST_EVENT_TYPE(info->data) == GST_EVENT_CUSTOM_DOWNSTREAM)
        g_string_append_c(order,
                          gst_event_get_pe_result(info->data) ? 'r' : 'c');
    else if (GST_EVENT_TYPE(info->data) == GST_EVENT_EOS)
        g_string_append_c(order, 'e');
    return GST_PAD_PROBE_OK;
}

static void
keeps_events_between_their_frames(void)
{
    GstHarness *h = play_inference("clip-length=2");
    GString *order = g_string_new(NULL);
    GstTagList *tags = gst_tag_list_new(GST_TAG_TITLE, "title", NULL);
    GstStructure *custom = gst_structure_new_empty("custom");

    gst_pad_add_probe(h->sinkpad,
                      GST_PAD_PROBE_TYPE_BUFFER |
                          GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
                      record, order, NULL);
    push_frames(h, 0, 2);
    gst_harness_push_event(h, gst_event_new_tag(tags));
    push_frames(h, 2, 1);
    gst_harness_push_event(
        h, gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, custom));
    push_frames(h, 3, 2);
    gst_harness_push_event(h, gst_event_new_eos());
    gst_event_unref(pull_event(h, GST_EVENT_EOS));
    g_assert_cmpstr(order->str, ==, "bbrtbcbrbre");
    g_string_free(order, TRUE);
    stop(h);
}

// ---- Flushes and states ---------------------------------------------------

static void
survives_thirty_flushes(void)
{
    GstHarness *h = play_inference("clip-length=3 clip-stride=1");
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    for (int i = 0; i < 30; i++) {
        push_frames(h, 0, i % 9);
        g_assert_true(gst_harness_push_event(h, gst_event_new_flush_start()));
        g_assert_cmpint(gst_harness_push(h, make_frame(9)), ==,
                        GST_FLOW_FLUSHING);
        g_assert_true(
            gst_harness_push_event(h, gst_event_new_flush_stop(TRUE)));
        segment.time = (guint64)i * GST_SECOND;
        g_assert_true(
            gst_harness_push_event(h, gst_event_new_segment(&segment)));
    }
    while (gst_harness_buffers_in_queue(h) > 0)
        gst_buffer_unref(pull(h));
    push_frames(h, 0, 3);
    g_assert_cmpint(pull_frames(h, 2), ==, 0);
    GstBuffer *buffer = pull(h);
    GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
    g_assert_nonnull(meta);
    g_assert_cmpuint(gst_pe_result_get_n_frames(meta->result), ==, 3);
    g_assert_cmpuint(gst_pe_result_get_clip_stream_start(meta->result), ==,
                     29 * GST_SECOND);
    gst_buffer_unref(buffer);
    stop(h);
}

static GstPadProbeReturn
block(GstPad *pad, GstPadProbeInfo *info, void *user_data)
{
    return GST_PAD_PROBE_OK;
}

static void *
push_until_it_fails(void *h)
{
    int i = 0;
    GstFlowReturn flow;

    while ((flow = gst_harness_push(h, make_frame(i))) == GST_FLOW_OK)
        i++;
    return GINT_TO_POINTER(flow);
}

static void
flushes_a_full_queue(void)
{
    GstHarness *h = play_inference("clip-length=2");
    GstPad *src = gst_element_get_static_pad(h->element, "src");
    gulong id = gst_pad_add_probe(
        src, GST_PAD_PROBE_TYPE_BLOCK | GST_PAD_PROBE_TYPE_BUFFER, block, NULL,
        NULL);
    GThread *thread = g_thread_new("push", push_until_it_fails, h);

    // One frame blocks in the pad, 16 wait behind it, the next one in chain().
    while (get_stat(h->element, "frames") < 17)
        g_usleep(1000);
    g_usleep(20000);
    g_assert_cmpuint(get_stat(h->element, "frames"), ==, 17);
    g_assert_true(gst_harness_push_event(h, gst_event_new_flush_start()));
    g_assert_cmpint(GPOINTER_TO_INT(g_thread_join(thread)), ==,
                    GST_FLOW_FLUSHING);
    gst_pad_remove_probe(src, id);
    g_assert_true(gst_harness_push_event(h, gst_event_new_flush_stop(TRUE)));
    gst_object_unref(src);
    stop(h);
}

static void
cycles_through_its_states(void)
{
    GstElement *element = make_inference("labels=dog");

    for (int i = 0; i < 100; i++) {
        g_assert_cmpint(gst_element_set_state(element, GST_STATE_PLAYING), ==,
                        GST_STATE_CHANGE_SUCCESS);
        g_assert_cmpint(gst_element_set_state(element, i % 2 ? GST_STATE_READY
                                                             : GST_STATE_NULL),
                        ==, GST_STATE_CHANGE_SUCCESS);
    }
    gst_element_set_state(element, GST_STATE_NULL);
    gst_object_unref(element);
}

static void
cycles_with_frames_on_their_way(void)
{
    GstHarness *h = play_inference("clip-length=2 labels=dog");

    for (int i = 0; i < 100; i++) {
        push_frames(h, 0, i % 7);
        g_assert_cmpint(gst_element_set_state(h->element, GST_STATE_READY), ==,
                        GST_STATE_CHANGE_SUCCESS);
        g_assert_cmpint(gst_element_set_state(h->element, GST_STATE_PLAYING),
                        ==, GST_STATE_CHANGE_SUCCESS);
        GstSegment segment;
        gst_segment_init(&segment, GST_FORMAT_TIME);
        gst_pad_push_event(h->srcpad, gst_event_new_stream_start("again"));
        g_autoptr(GstCaps) caps = gst_caps_from_string(FRAME_CAPS);
        gst_pad_push_event(h->srcpad, gst_event_new_caps(caps));
        gst_pad_push_event(h->srcpad, gst_event_new_segment(&segment));
    }
    while (gst_harness_buffers_in_queue(h) > 0)
        gst_buffer_unref(pull(h));
    push_frames(h, 0, 2);
    g_assert_cmpint(pull_frames(h, 2), ==, 1);
    stop(h);
}

// ---- Queries --------------------------------------------------------------

static void
announces_the_frames_that_it_holds(void)
{
    GstHarness *h = play_inference("clip-length=8 batch-size=12");
    g_autoptr(GstCaps) caps = gst_caps_from_string(FRAME_CAPS);
    g_autoptr(GstQuery) query = gst_query_new_allocation(caps, TRUE);
    GstBufferPool *pool;
    guint size, min, max;

    gst_harness_set_propose_allocator(h, NULL, NULL);
    g_assert_true(gst_pad_peer_query(h->srcpad, query));
    g_assert_cmpuint(gst_query_get_n_allocation_pools(query), ==, 1);
    gst_query_parse_nth_allocation_pool(query, 0, &pool, &size, &min, &max);
    g_assert_null(pool);
    g_assert_cmpuint(size, >=, FRAME_WIDTH * FRAME_HEIGHT * 3);
    g_assert_cmpuint(min, ==, 24);
    g_assert_cmpuint(max, ==, 0);
    stop(h);
}

static void
offers_the_caps_of_its_neighbours(void)
{
    GstHarness *h = play_inference("");
    g_autoptr(GstCaps) caps = gst_pad_peer_query_caps(h->srcpad, NULL);
    g_autoptr(GstCaps) good = gst_caps_from_string(FRAME_CAPS);
    g_autoptr(GstCaps) bad =
        gst_caps_from_string("video/x-raw,format=UYVP,width=8,height=8");

    g_assert_true(gst_caps_can_intersect(caps, good));
    g_assert_false(gst_caps_can_intersect(caps, bad));
    g_assert_true(gst_pad_peer_query_accept_caps(h->srcpad, good));
    g_assert_false(gst_pad_peer_query_accept_caps(h->srcpad, bad));
    stop(h);
}

static void
add_tests(void)
{
    g_test_add_func("/streams/partial", sends_the_partial_clip_before_the_end);
    g_test_add_func("/streams/no-partial",
                    sends_no_partial_clip_after_a_whole_one);
    g_test_add_func("/streams/after-eos", goes_on_after_the_end);
    g_test_add_func("/streams/segment", ends_the_clip_at_a_new_segment);
    g_test_add_func("/streams/same-segment",
                    goes_on_when_a_segment_only_gets_a_stop);
    g_test_add_func("/streams/outside", embeds_nothing_outside_of_the_segment);
    g_test_add_func("/streams/caps", goes_on_across_new_caps);
    g_test_add_func("/streams/formats", takes_every_format_of_its_template);
    g_test_add_func("/streams/no-pts", counts_frames_without_timestamps);
    g_test_add_func("/streams/backwards",
                    ends_the_clip_when_timestamps_run_backwards);
    g_test_add_func("/streams/gaps", goes_on_across_holes_and_gaps);
    g_test_add_func("/streams/event-order", keeps_events_between_their_frames);
    g_test_add_func("/streams/flush", survives_thirty_flushes);
    g_test_add_func("/streams/flush-full", flushes_a_full_queue);
    g_test_add_func("/streams/states", cycles_through_its_states);
    g_test_add_func("/streams/states-busy", cycles_with_frames_on_their_way);
    g_test_add_func("/streams/allocation", announces_the_frames_that_it_holds);
    g_test_add_func("/streams/caps-query", offers_the_caps_of_its_neighbours);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
