// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpepace.h - which pictures of a stream are looked at, by their times, and
// where time does not go on. Knows no picture.

#pragma once

#include <gst/gst.h>
#include <stdbool.h>

// Running times; GST_CLOCK_TIME_NONE where there is none. One owner.
typedef struct {
    GstClockTime last;  // the latest of a picture
    GstClockTime step;  // from the one before to it
    GstClockTime stray; // of a picture that was far from the last, just now
    GstClockTime next_look, next_glance;
    guint n_standing; // pictures since one that was later than the last
} GstPePace;

typedef enum {
    GST_PE_PACE_NEXT,  // time goes on, be it behind a gap
    GST_PE_PACE_STRAY, // leave this picture out: its timestamp may be wrong
    GST_PE_PACE_BACK,  // time is another one from here on
} GstPePaceStep;

// All begins anew.
void gst_pe_pace_restart(GstPePace *pace);

// The next picture. One that is far ahead of the last, or behind it, is a stray
// until the one after it is nearer to it than to the last.
//   time      below GST_PE_PACE_END
//   interval  between two looks, ns
GstPePaceStep gst_pe_pace_step(GstPePace *pace, GstClockTime time,
                               GstClockTime interval);

// Is it the picture's turn, of one that is no stray? On a grid, so that the
// rate of frames does not lengthen the interval.
//   next  pace->next_look or pace->next_glance
bool gst_pe_pace_is_due(GstClockTime *next, GstClockTime time,
                        GstClockTime interval);

// Times from here on are nobody's: sums with them would not fit.
#define GST_PE_PACE_END ((GstClockTime)G_MAXINT64)
