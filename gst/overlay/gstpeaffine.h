// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeaffine.h - blending a drawing into a rectangle of a frame as what each
// word of the frame's planes is multiplied by and what is added to it. It is
// computed once in the frame's own format, by GStreamer's packing, and put on
// many frames. For formats whose words are one component each.

#pragma once

#include "gst/overlay/gstpelayout.h"
#include "gst/overlay/gstpewindow.h"

typedef struct GstPeAffine GstPeAffine;

// NULL: the format is not of that kind. Borrows the drawing.
GstPeAffine *gst_pe_affine_new(const GstPeDrawing *drawing,
                               const GstPeWindow *window,
                               const GstVideoInfo *info);
void gst_pe_affine_free(GstPeAffine *affine);

// false, and nothing is done: the frame is not opaque there.
bool gst_pe_affine_put(const GstPeAffine *affine, GstVideoFrame *frame);
