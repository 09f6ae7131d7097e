// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_wall_clock.c - what time a frame gets, by clocks of the test's own.

#include "pipelines/live/wall_clock.h"

#include <gst/check/gsttestclock.h>

#define FRAME (100 * GST_MSECOND)
#define BEGIN (G_GINT64_CONSTANT(1700000000) * G_USEC_PER_SEC) // UNIX time, us

static GstClock *test_clock; // the pipeline's
static gint64 real_time;     // UNIX time, us
static GstClockTime held_up; // for so long the thread waits at the next look

static void
let_pass(GstClockTime time)
{
    real_time += (gint64)(time / GST_USECOND);
    gst_test_clock_advance_time(GST_TEST_CLOCK(test_clock),
                                (GstClockTimeDiff)time);
}

// In place of GLib's, for the whole program.
gint64
g_get_real_time(void)
{
    gint64 now = real_time;
    GstClockTime wait = held_up;
    held_up = 0;
    if (wait)
        let_pass(wait);
    return now;
}

typedef struct {
    GstElement *element;
    GstPad *pad;
    GstBuffer *frame;
    WallClock clock;
} Stream;

static void
begin(Stream *stream)
{
    GstSegment segment;
    real_time = BEGIN;
    test_clock = gst_test_clock_new();
    *stream = (Stream){
        .element = gst_object_ref_sink(gst_bin_new(NULL)),
        .pad = gst_object_ref_sink(gst_pad_new("src", GST_PAD_SRC)),
    };
    gst_element_add_pad(stream->element, stream->pad);
    gst_element_set_clock(stream->element, test_clock);
    gst_element_set_base_time(stream->element, 0);
    gst_pad_set_active(stream->pad, TRUE);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    GstEvent *events[] = {gst_event_new_stream_start("a"),
                          gst_event_new_segment(&segment)};
    for (size_t i = 0; i < G_N_ELEMENTS(events); i++) {
        gst_pad_store_sticky_event(stream->pad, events[i]);
        gst_event_unref(events[i]);
    }
    stream->frame = gst_buffer_new();
}

static void
end(Stream *stream)
{
    gst_pad_set_active(stream->pad, FALSE);
    gst_buffer_unref(stream->frame);
    gst_object_unref(stream->pad);
    gst_object_unref(stream->element);
    gst_object_unref(test_clock);
}

// Of frame number i, in ns behind the beginning.
static GstClockTimeDiff
get(Stream *stream, int i)
{
    GST_BUFFER_PTS(stream->frame) = (GstClockTime)i * FRAME;
    GstClockTime time =
        wall_clock_get(&stream->clock, stream->pad, stream->frame);
    g_assert_true(GST_CLOCK_TIME_IS_VALID(time));
    return GST_CLOCK_DIFF((GstClockTime)BEGIN * GST_USECOND, time);
}

static void
is_as_even_as_the_stream(void)
{
    Stream stream;
    begin(&stream);
    for (int i = 0; i < 10; i++) {
        let_pass(i % 2 ? 0 : 2 * FRAME); // they come in pairs
        g_assert_cmpint(get(&stream, i), ==, (gint64)i * (gint64)FRAME);
    }
    end(&stream);
}

static void
follows_a_clock_that_is_set(void)
{
    Stream stream;
    begin(&stream);
    g_assert_cmpint(get(&stream, 0), ==, 0);
    let_pass(FRAME);
    real_time += G_GINT64_CONSTANT(3600) * G_USEC_PER_SEC;
    g_assert_cmpint(get(&stream, 1), ==, (gint64)(3600 * GST_SECOND + FRAME));
    end(&stream);
}

static void
stays_where_a_thread_was_held_up(void)
{
    Stream stream;
    begin(&stream);
    g_assert_cmpint(get(&stream, 0), ==, 0);
    let_pass(FRAME);
    held_up = 5 * GST_SECOND; // while it reads the two clocks
    g_assert_cmpint(get(&stream, 1), ==, (gint64)FRAME);
    g_assert_cmpint(get(&stream, 2), ==, (gint64)(2 * FRAME));
    end(&stream);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gst_init(&argc, &argv);
    g_test_add_func("/wall-clock/even", is_as_even_as_the_stream);
    g_test_add_func("/wall-clock/set", follows_a_clock_that_is_set);
    g_test_add_func("/wall-clock/held-up", stays_where_a_thread_was_held_up);
    return g_test_run();
}
