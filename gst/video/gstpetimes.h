// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetimes.h - where a frame is in time, by every clock that knows it.

#pragma once

#include <gst/gst.h>

// From when to when a frame is shown; GST_CLOCK_TIME_NONE where not known. An
// end is never before its start, and is the start when the duration is not
// known. Running time is as the pipeline plays: at rate 2 a frame lasts half of
// its duration, and at a negative rate it is shown from its end to its start.
typedef struct {
    GstClockTime pts;
    GstClockTime duration;
    GstClockTime running_time;
    GstClockTime running_end;
    GstClockTime stream_time;
    GstClockTime stream_end;
    GstClockTime wall_clock; // ns since 1970, UTC
    GstClockTime wall_end;
    gboolean backwards; // the stream is, as running time goes on
} GstPeTimes;

#define GST_PE_TIMES_NONE \
    ((GstPeTimes){GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, \
                  GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, \
                  GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE, \
                  GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE})

// Of a buffer in a segment; only those that the segment's format allows. The
// wall clock is that of the buffer's GstReferenceTimestampMeta, when it counts
// Unix or NTP time.
GstPeTimes gst_pe_times_get(const GstSegment *segment, GstBuffer *buffer);

// Of the part of a frame's time that is between two running times, not before
// the frame's own.
GstPeTimes gst_pe_times_cut(const GstPeTimes *times, const GstSegment *segment,
                            GstClockTime start, GstClockTime end);

// Do timestamps mean the same in the new segment as in the old one?
gboolean gst_pe_times_continue(const GstSegment *old,
                               const GstSegment *segment);

// As fields of a structure, which leaves out what is not known: `timestamp`,
// `duration`, `running-time`, `stream-time`, `wall-clock`.
void gst_pe_times_to_structure(const GstPeTimes *times, GstStructure *s);
// Only these five. FALSE: it has none of them.
gboolean gst_pe_times_from_structure(GstPeTimes *times, const GstStructure *s);
