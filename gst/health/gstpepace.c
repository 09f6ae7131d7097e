// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpepace.c - see gstpepace.h.

#include "gst/health/gstpepace.h"

// What is further ahead may be a wrong timestamp, unless pictures use to be
// that far apart: so many times the distance of the last two, or of two looks.
#define FAR_AHEAD (10 * GST_SECOND)
#define FAR_STEPS 3

void
gst_pe_pace_restart(GstPePace *pace)
{
    *pace = (GstPePace){
        .last = GST_CLOCK_TIME_NONE,
        .stray = GST_CLOCK_TIME_NONE,
        .next_look = GST_CLOCK_TIME_NONE,
        .next_glance = GST_CLOCK_TIME_NONE,
    };
}

static GstClockTime
get_distance(GstClockTime a, GstClockTime b)
{
    return a > b ? a - b : b - a;
}

GstPePaceStep
gst_pe_pace_step(GstPePace *pace, GstClockTime time, GstClockTime interval)
{
    GstClockTime last = pace->last, stray = pace->stray;
    // Pictures that are out of order, as decoders leave them, are not by that
    // much.
    GstClockTime behind = MAX(interval, GST_SECOND);
    GstClockTime ahead = MAX(FAR_AHEAD, FAR_STEPS * MAX(interval, pace->step));

    if (last == GST_CLOCK_TIME_NONE) {
        pace->last = time;
        return GST_PE_PACE_NEXT;
    }
    bool back = time < last && last - time > behind;
    bool far = back || (time > last && time - last > ahead);
    if (far && (stray == GST_CLOCK_TIME_NONE ||
                get_distance(time, stray) >= get_distance(time, last))) {
        pace->stray = time;
        return GST_PE_PACE_STRAY;
    }
    if (back)
        gst_pe_pace_restart(pace);
    pace->stray = GST_CLOCK_TIME_NONE;
    pace->n_standing = back || time > last ? 0 : pace->n_standing + 1;
    if (pace->n_standing == 0) {
        pace->step = get_distance(time, far ? stray : last);
        pace->last = time;
    }
    return back ? GST_PE_PACE_BACK : GST_PE_PACE_NEXT;
}

bool
gst_pe_pace_is_due(GstClockTime *next, GstClockTime time, GstClockTime interval)
{
    if (*next == GST_CLOCK_TIME_NONE) {
        *next = time + interval;
        return true;
    }
    if (time < *next)
        return false;
    bool late = time - *next >= interval;
    *next = late ? time + interval : *next + interval;
    return true;
}
