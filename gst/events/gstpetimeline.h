// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetimeline.h - from running time to another clock, for times that have
// passed: learnt from the clips that were seen.

#pragma once

#include "core/pe.h"
#include "gst/meta/gstpemeta.h"

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

// The event with its times by the stream and by the wall's clock, too. Its
// label is that of `event`, and it has no embedding.
GstPeLabelEvent gst_pe_timeline_convert_event(const PeEvent *event,
                                              const GstPeTimeline *stream,
                                              const GstPeTimeline *wall);
