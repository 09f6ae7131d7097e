// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeorientation.h - which way up a stream is seen, as its tags say.

#pragma once

#include "core/pe.h"

#include <gst/gst.h>

// One owner. Zeros: no tag has come.
typedef struct {
    PeOrientation stream, global; // what tags of either scope said last
    bool has_stream;
} GstPeOrientation;

// Takes note of an event that came in at `sinkpad`, if it is a TAG with
// "image-orientation" or a STREAM_START, which forgets it; borrows both. The
// tag of a stream holds before that of its container, whichever came first. A
// tag that an element in front has already turned the frames by says nothing.
void gst_pe_orientation_take_event(GstPeOrientation *self, GstPad *sinkpad,
                                   GstEvent *event);

// wanted  a PeOrientation, which then is the answer; -1: by the tags
PeOrientation gst_pe_orientation_get(const GstPeOrientation *self, int wanted);
