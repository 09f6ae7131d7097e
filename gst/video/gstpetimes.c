// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetimes.c - see gstpetimes.h.

#include "gst/video/gstpetimes.h"

#include <stddef.h>

// Seconds from 1900, where NTP counts from, to 1970.
#define NTP_TO_UNIX G_GUINT64_CONSTANT(2208988800)
// An end that JSON can say.
#define LATEST ((GstClockTime)G_MAXINT64)

static GstClockTime
get_wall_clock(GstBuffer *buffer)
{
    gpointer state = NULL;
    GstMeta *meta;

    while ((meta = gst_buffer_iterate_meta_filtered(
                buffer, &state, GST_REFERENCE_TIMESTAMP_META_API_TYPE))) {
        GstReferenceTimestampMeta *reference =
            (GstReferenceTimestampMeta *)meta;
        GstStructure *s = gst_caps_get_structure(reference->reference, 0);
        if (gst_structure_has_name(s, "timestamp/x-unix"))
            return reference->timestamp;
        if (gst_structure_has_name(s, "timestamp/x-ntp") &&
            reference->timestamp >= NTP_TO_UNIX * GST_SECOND)
            return reference->timestamp - NTP_TO_UNIX * GST_SECOND;
    }
    return GST_CLOCK_TIME_NONE;
}

// Exact at the usual rate.
static GstClockTime
scale(GstClockTime time, double factor)
{
    return factor == 1 ? time : (GstClockTime)((double)time * factor + 0.5);
}

static GstClockTime
get_end(GstClockTime start, GstClockTime duration, double factor)
{
    if (!GST_CLOCK_TIME_IS_VALID(start) || !GST_CLOCK_TIME_IS_VALID(duration))
        return start;
    GstClockTime length = scale(duration, factor);
    return length > LATEST - MIN(start, LATEST) ? MAX(start, LATEST)
                                                : start + length;
}

static double
get_speed(const GstSegment *segment)
{
    return ABS(segment->rate);
}

// What is played backwards begins with its end.
static void
turn_around(GstClockTime *start, GstClockTime *end)
{
    if (!GST_CLOCK_TIME_IS_VALID(*start))
        return;
    GstClockTime length = *end - *start;

    *end = *start;
    *start -= MIN(*start, length);
}

GstPeTimes
gst_pe_times_get(const GstSegment *segment, GstBuffer *buffer)
{
    GstPeTimes t = GST_PE_TIMES_NONE;

    t.pts = GST_BUFFER_PTS(buffer);
    t.duration = GST_BUFFER_DURATION(buffer);
    t.wall_clock = get_wall_clock(buffer);
    t.wall_end = get_end(t.wall_clock, t.duration, 1);
    if (segment->format != GST_FORMAT_TIME || !GST_BUFFER_PTS_IS_VALID(buffer))
        return t;
    t.running_time =
        gst_segment_to_running_time(segment, GST_FORMAT_TIME, t.pts);
    t.stream_time = gst_segment_to_stream_time(segment, GST_FORMAT_TIME, t.pts);
    t.running_end = get_end(t.running_time, t.duration, 1 / get_speed(segment));
    t.stream_end =
        get_end(t.stream_time, t.duration, ABS(segment->applied_rate));
    t.backwards = (segment->rate < 0) != (segment->applied_rate < 0);
    if (segment->rate < 0)
        turn_around(&t.running_time, &t.running_end);
    if (segment->applied_rate < 0)
        turn_around(&t.stream_time, &t.stream_end);
    return t;
}

GstPeTimes
gst_pe_times_cut(const GstPeTimes *times, const GstSegment *segment,
                 GstClockTime start, GstClockTime end)
{
    GstPeTimes t = *times;

    if (!GST_CLOCK_TIME_IS_VALID(times->running_time) || end < start)
        return t;
    double speed = get_speed(segment);
    GstClockTime before =
        start - MIN(start, times->running_time); // in running time
    GstClockTime skipped = scale(before, speed);
    t.running_time = start;
    t.running_end = end;
    t.duration = scale(end - start, speed);
    if (segment->rate < 0) {
        GstClockTime whole = GST_CLOCK_TIME_IS_VALID(times->duration)
                                 ? times->duration
                                 : skipped + t.duration;
        GstClockTime behind = skipped + t.duration;
        skipped = whole - MIN(whole, behind);
    }
    t.pts += skipped;
    double applied = ABS(segment->applied_rate);
    if (GST_CLOCK_TIME_IS_VALID(t.stream_time)) {
        t.stream_time += scale(skipped, applied);
        t.stream_end = get_end(t.stream_time, t.duration, applied);
    }
    if (GST_CLOCK_TIME_IS_VALID(t.wall_clock)) {
        t.wall_clock += skipped;
        t.wall_end = get_end(t.wall_clock, t.duration, 1);
    }
    return t;
}

gboolean
gst_pe_times_continue(const GstSegment *old, const GstSegment *segment)
{
    GstSegment copy = *segment;

    copy.flags = old->flags;
    copy.stop = old->stop;
    copy.duration = old->duration;
    copy.position = old->position;
    copy.offset = old->offset;
    return gst_segment_is_equal(old, &copy);
}

// ---- Structures -----------------------------------------------------------

static const struct {
    const char *name;
    size_t offset;
} fields[] = {
    {"timestamp", offsetof(GstPeTimes, pts)},
    {"duration", offsetof(GstPeTimes, duration)},
    {"running-time", offsetof(GstPeTimes, running_time)},
    {"stream-time", offsetof(GstPeTimes, stream_time)},
    {"wall-clock", offsetof(GstPeTimes, wall_clock)},
};

void
gst_pe_times_to_structure(const GstPeTimes *times, GstStructure *s)
{
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        GstClockTime time =
            *(const GstClockTime *)((const char *)times + fields[i].offset);
        if (GST_CLOCK_TIME_IS_VALID(time))
            gst_structure_set(s, fields[i].name, G_TYPE_UINT64, time, NULL);
    }
}

gboolean
gst_pe_times_from_structure(GstPeTimes *times, const GstStructure *s)
{
    gboolean found = FALSE;

    *times = GST_PE_TIMES_NONE;
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
        found |= gst_structure_get_uint64(
            s, fields[i].name,
            (guint64 *)(void *)((char *)times + fields[i].offset));
    return found;
}
