// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelayout.h - where what is to be seen goes: the table into a corner,
// events to the middle of the other end of the picture, boxes to their places.

#pragma once

#include "gst/overlay/gstpepainter.h"
#include "gst/overlay/gstpescene.h"

// Corners: bits for the right and the lower side.
typedef enum {
    GST_PE_POSITION_TOP_LEFT = 0,
    GST_PE_POSITION_TOP_RIGHT = 1,
    GST_PE_POSITION_BOTTOM_LEFT = 2,
    GST_PE_POSITION_BOTTOM_RIGHT = 3,
} GstPePosition;

typedef struct {
    int x, y, width, height; // of the picture in the stored frame
    int size;                // of texts, pixels
    GstPePosition position;  // of the table
    // Of the table, so far: it grows with its texts and does not shrink with
    // them, so that it keeps still.
    int table_width;
} GstPeLayout;

// A picture and where it goes; all of it is inside of the frame's picture.
typedef struct {
    GstBuffer *pixels; // a reference; of the painter
    int x, y, width, height;
} GstPeDrawing;

// Texts of this share of the picture's height, but readable.
int gst_pe_layout_choose_size(double share, int height);

// Returns an array of GstPeDrawing, from the lowest to the uppermost.
GArray *gst_pe_layout_draw(GstPeLayout *layout, GstPePainter *painter,
                           const GstPeScene *scene);
