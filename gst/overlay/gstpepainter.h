// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpepainter.h - small pictures of a text, a bar or the edge of a box, by
// Pango and Cairo. What was painted for the last scene and looks the same is
// not painted again. Owned by the streaming thread.

#pragma once

#include "gst/overlay/gstpescene.h"

#include <gst/video/video.h>

typedef struct GstPePainter GstPePainter;

GstPePainter *gst_pe_painter_new(void);
void gst_pe_painter_free(GstPePainter *painter);

// The size of texts from now on, in pixels.
void gst_pe_painter_set_size(GstPePainter *painter, int size);
// What is painted from here on is another scene: what was painted before the
// last call is forgotten, unless it was used again.
void gst_pe_painter_begin(GstPePainter *painter);

// How wide the text of a line is, in pixels, without an end for long ones.
int gst_pe_painter_measure(GstPePainter *painter, const char *text);

// Each returns a picture of premultiplied BGRA (of the machine's byte order)
// with its GstVideoMeta, or NULL when there is no memory.

// A line of the table: text, bar and number.
GstBuffer *gst_pe_painter_paint_row(GstPePainter *painter,
                                    const GstPeLine *line, int width,
                                    int height);
// A text on a ground of its own: an event, or what is in a box.
GstBuffer *gst_pe_painter_paint_tag(GstPePainter *painter,
                                    const GstPeLine *line, int width,
                                    int height);
// An edge of a box, in the colour of its score.
GstBuffer *gst_pe_painter_paint_edge(GstPePainter *painter, int percent,
                                     int width, int height);
