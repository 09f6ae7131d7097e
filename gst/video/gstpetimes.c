// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetimes.c - see gstpetimes.h.

#include "gst/video/gstpetimes.h"

// Seconds from 1900, where NTP counts from, to 1970.
#define NTP_TO_UNIX G_GUINT64_CONSTANT(2208988800)

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

GstPeTimes
gst_pe_times_get(const GstSegment *segment, GstBuffer *buffer)
{
    GstPeTimes times = GST_PE_TIMES_NONE;

    times.pts = GST_BUFFER_PTS(buffer);
    times.duration = GST_BUFFER_DURATION(buffer);
    times.wall_clock = get_wall_clock(buffer);
    if (segment->format == GST_FORMAT_TIME && GST_BUFFER_PTS_IS_VALID(buffer)) {
        times.running_time =
            gst_segment_to_running_time(segment, GST_FORMAT_TIME, times.pts);
        times.stream_time =
            gst_segment_to_stream_time(segment, GST_FORMAT_TIME, times.pts);
    }
    return times;
}
