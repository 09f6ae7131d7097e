// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetimeline.h - from running time to another clock, for times that have
// passed: learnt from the clips that were seen.

#pragma once

#include <gst/gst.h>

// One owner. Zeros know nothing.
typedef struct {
    GArray *pieces; // of running time in which the other clock goes evenly
} GstPeTimeline;

void gst_pe_timeline_clear(GstPeTimeline *timeline);
// A clip was from `start` to `end` by running time, and from `other_start` to
// `other_end` by the other clock; GST_CLOCK_TIME_NONE where not known.
void gst_pe_timeline_add(GstPeTimeline *timeline, GstClockTime start,
                         GstClockTime end, GstClockTime other_start,
                         GstClockTime other_end);
// GST_CLOCK_TIME_NONE when nothing is known of the time.
GstClockTime gst_pe_timeline_convert(const GstPeTimeline *timeline,
                                     GstClockTime time);
