// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpestamp.h - a drawing that is put on many frames of one format: the fast
// way where there is one, else as GStreamer blends.

#pragma once

#include "gst/overlay/gstpelayout.h"

typedef struct GstPeStamp GstPeStamp;

// Borrows the drawing, of whose pixels it keeps a reference.
//   info  of the frames
GstPeStamp *gst_pe_stamp_new(const GstPeDrawing *drawing,
                             const GstVideoInfo *info);
void gst_pe_stamp_free(GstPeStamp *stamp);

// Is it the stamp of this drawing? The format is the same.
bool gst_pe_stamp_is_of(const GstPeStamp *stamp, const GstPeDrawing *drawing);

// Put it on a frame that is mapped for reading and writing. false: GStreamer
// cannot blend into this format.
bool gst_pe_stamp_put(const GstPeStamp *stamp, GstVideoFrame *frame);
