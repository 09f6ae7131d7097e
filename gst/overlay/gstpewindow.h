// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpewindow.h - a rectangle of frames, as bytes of their planes.

#pragma once

#include <gst/video/video.h>
#include <stdbool.h>

// A rectangle of frames of one format.
typedef struct {
    int x, y, width, height; // pixels
} GstPeWindow;

// Of a plane, the bytes that a window covers.
typedef struct {
    gsize left, top, width, height; // bytes, rows
} GstPeSpan;

// Does each byte of a plane belong to a place in the picture?
bool gst_pe_window_is_possible(const GstVideoFormatInfo *format);
GstPeSpan gst_pe_window_find(const GstPeWindow *window,
                             const GstVideoFormatInfo *format, guint plane);
