// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpethumbnail.h - how different a rectangle of two frames looks. Takes every
// format that GStreamer can unpack, in host memory. Called by gstpereuse.c.

#pragma once

#include "core/pe.h"

#include <gst/video/video.h>

#define GST_PE_THUMBNAIL_SIDE 32

typedef struct {
    float luma[GST_PE_THUMBNAIL_SIDE * GST_PE_THUMBNAIL_SIDE]; // 0 to 255
} GstPeThumbnail;

// Of a rectangle that lies inside the frame. Each value is the mean over its
// columns and up to four of its lines.
void gst_pe_thumbnail_take(GstPeThumbnail *thumbnail, const GstVideoFrame *map,
                           const PeRect *rectangle);
// The mean absolute difference, 0 to 255.
double gst_pe_thumbnail_compare(const GstPeThumbnail *a,
                                const GstPeThumbnail *b);
