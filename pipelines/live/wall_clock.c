// SPDX-License-Identifier: LGPL-2.1-or-later
//
// wall_clock.c - see wall_clock.h. Frames are stamped by their running time,
// not by when they come, so that the times are as even as the stream's own.

#include "wall_clock.h"

// What the machine's clock and the pipeline's may differ by before the start is
// measured again: somebody has set the clock.
#define MAX_DIFFERENCE (1 * GST_SECOND)

static GstStaticCaps unix_caps = GST_STATIC_CAPS("timestamp/x-unix");

// Before it plays, its time stands at 0.
static GstClockTime
get_time(GstElement *element)
{
    GstClockTime time = element ? gst_element_get_current_running_time(element)
                                : GST_CLOCK_TIME_NONE;
    return GST_CLOCK_TIME_IS_VALID(time) ? time : 0;
}

// The thread may be held up between two looks at clocks, and then what it
// measures is off by as much: nobody has set a clock.
static void
measure(WallClock *clock, GstPad *pad)
{
    g_autoptr(GstElement) element = gst_pad_get_parent_element(pad);
    GstClockTime before = get_time(element);
    GstClockTime now = (GstClockTime)g_get_real_time() * GST_USECOND;
    GstClockTime after = MAX(get_time(element), before);
    GstClockTime start = after < now ? now - after : now;
    GstClockTimeDiff difference = GST_CLOCK_DIFF(clock->start, start);
    if (ABS(difference) > (GstClockTimeDiff)(MAX_DIFFERENCE + after - before))
        clock->start = start;
}

static GstClockTime
get_running_time(GstPad *pad, GstBuffer *frame)
{
    GstClockTime time = GST_CLOCK_TIME_NONE;
    GstEvent *event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
    if (!event)
        return time;
    const GstSegment *segment;
    gst_event_parse_segment(event, &segment);
    if (segment->format == GST_FORMAT_TIME && GST_BUFFER_PTS_IS_VALID(frame))
        time = gst_segment_to_running_time(segment, GST_FORMAT_TIME,
                                           GST_BUFFER_PTS(frame));
    gst_event_unref(event);
    return time;
}

GstClockTime
wall_clock_get(WallClock *clock, GstPad *pad, GstBuffer *frame)
{
    GstClockTime running = get_running_time(pad, frame);
    if (!GST_CLOCK_TIME_IS_VALID(running))
        return running;
    measure(clock, pad);
    return clock->start + running;
}

GstBuffer *
wall_clock_stamp(WallClock *clock, GstPad *pad, GstBuffer *frame)
{
    GstClockTime time = wall_clock_get(clock, pad, frame);
    if (!GST_CLOCK_TIME_IS_VALID(time) ||
        gst_buffer_get_reference_timestamp_meta(frame, NULL))
        return frame;
    g_autoptr(GstCaps) caps = gst_static_caps_get(&unix_caps);
    frame = gst_buffer_make_writable(frame);
    gst_buffer_add_reference_timestamp_meta(frame, caps, time,
                                            GST_CLOCK_TIME_NONE);
    return frame;
}
