// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpecanvas.h - a scene on frames: painted when it changes, and put on every
// frame, as a composition beside the pixels or into them. Owned by the
// streaming thread.

#pragma once

#include "gst/overlay/gstpelayout.h"

typedef struct GstPeCanvas GstPeCanvas;

// How it is to look.
typedef struct {
    double text_size; // share of the picture's height
    GstPePosition position;
} GstPeLook;

GstPeCanvas *gst_pe_canvas_new(void);
void gst_pe_canvas_free(GstPeCanvas *canvas);

// Frames of another kind follow.
//   info    NULL: of a kind whose pixels are not known here
//   attach  they get a composition
void gst_pe_canvas_set_frames(GstPeCanvas *canvas, const GstVideoInfo *info,
                              int width, int height, bool attach);

// What is to be seen from now on, of a picture that is all of the frame or the
// rectangle of its GstVideoCropMeta. Takes the scene. Returns whether it was
// painted.
bool gst_pe_canvas_show(GstPeCanvas *canvas, GstPeScene *scene,
                        const GstPeLook *look, GstBuffer *frame);

// Is there anything to put on frames?
bool gst_pe_canvas_has_drawings(const GstPeCanvas *canvas);
// Put it on a frame. Takes the buffer and returns it, or a copy that can be
// written to. *ok: whether it was put there wholly.
GstBuffer *gst_pe_canvas_put(GstPeCanvas *canvas, GstBuffer *buffer, bool *ok);
