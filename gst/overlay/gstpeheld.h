// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeheld.h - the results and events that count at a frame: its own, and
// those of frames before it that nothing has replaced and that are not too old.
// Owned by the streaming thread.

#pragma once

#include "gst/meta/gstpemeta.h"

#include <stdbool.h>

// How long a result stays on frames that do not carry it: two clips, and at
// least five seconds.
#define GST_PE_HOLD_AUTO (-1)

// A result that counts.
typedef struct {
    GstPeResult *result; // a reference
    GstClockTime seen;   // running time of the last frame that carried it
    guint64 frame;       // its number
    bool pending;        // it came without a frame
    bool repeated;       // frames in a row carry it
} GstPeHeldResult;

// An event that has begun and is not over.
typedef struct {
    char *element; // owned
    guint64 id;
    char *label; // owned, clean; behind the name of its region, if it has one
    int percent;
} GstPeHeldEvent;

// One owner.
typedef struct {
    GArray *slots;    // GstPeHeldResult of each element, window and region
    GArray *events;   // GstPeHeldEvent
    GHashTable *told; // element -> sequence of its last result with events
    guint64 frame;    // number of the frame that is looked at
    GstClockTime now; // its running time
} GstPeHeld;

void gst_pe_held_init(GstPeHeld *held);
void gst_pe_held_clear(GstPeHeld *held);

// Each returns whether something is another now.

// Everything is gone.
bool gst_pe_held_forget(GstPeHeld *held);
// A frame, with the results that it carries.
//   hold  in ms, or GST_PE_HOLD_AUTO
bool gst_pe_held_take_frame(GstPeHeld *held, GstBuffer *buffer,
                            GstClockTime running_time, int hold);
// A result without a frame; it counts as one of the next.
bool gst_pe_held_take_result(GstPeHeld *held, GstPeResult *result);
