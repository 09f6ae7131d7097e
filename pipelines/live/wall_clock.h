// SPDX-License-Identifier: LGPL-2.1-or-later
//
// wall_clock.h - says on each frame when it was shown, by the clock of this
// machine, so that results and events of all streams have times that can be
// compared.

#pragma once

#include <gst/gst.h>

// Of one stream, on its streaming thread.
typedef struct {
    GstClockTime start; // UNIX time in ns at running time 0; 0: not known yet
} WallClock;

// When the frame is shown, UNIX time in ns; GST_CLOCK_TIME_NONE: it does not
// say.
GstClockTime wall_clock_get(WallClock *clock, GstPad *pad, GstBuffer *frame);
// Takes the frame that passes the pad, and returns it, or a copy with the same
// pixels, with its time, unless it has one already.
GstBuffer *wall_clock_stamp(WallClock *clock, GstPad *pad, GstBuffer *frame);
