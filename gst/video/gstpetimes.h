// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetimes.h - where a frame is in time, by every clock that knows it.

#pragma once

#include <gst/gst.h>

// GST_CLOCK_TIME_NONE where not known.
typedef struct {
    GstClockTime pts;
    GstClockTime duration;
    GstClockTime running_time;
    GstClockTime stream_time;
    GstClockTime wall_clock; // ns since 1970, UTC
} GstPeTimes;

#define GST_PE_TIMES_NONE \
    ((GstPeTimes){GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, \
                  GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, \
                  GST_CLOCK_TIME_NONE})

// Of a buffer in a segment; only those that the segment's format allows. The
// wall clock is that of the buffer's GstReferenceTimestampMeta, when it counts
// Unix or NTP time.
GstPeTimes gst_pe_times_get(const GstSegment *segment, GstBuffer *buffer);

// `start` itself when it or `duration` is not known.
static inline GstClockTime
gst_pe_times_get_end(GstClockTime start, GstClockTime duration)
{
    if (!GST_CLOCK_TIME_IS_VALID(start) || !GST_CLOCK_TIME_IS_VALID(duration))
        return start;
    return start + duration;
}
