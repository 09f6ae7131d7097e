// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeplane.h - the luma of a frame in any format, with 8 bits.

#pragma once

#include "gst/health/gstpeluma.h"

#include <gst/video/video.h>
#include <stdbool.h>

// One picture at a time; one owner. Zeros are closed.
typedef struct {
    GstVideoFrame frame; // mapped while it is open
    uint8_t *pixels, *line;
    size_t n_pixels, n_line;
} GstPePlane;

void gst_pe_plane_clear(GstPePlane *plane);

// The luma of a buffer's picture, which is the rectangle of its
// GstVideoCropMeta where it has one. Of more than 8 bits, the 8 highest; of
// RGB, the usual mean of BT.601.
//   info  of the caps, one of GST_PE_FORMATS
//   rows  how many are enough, evenly spaced; 0: all. Where each has to be
//         unpacked, others are left out, and the luma has only these
//   luma  borrows from the plane until it is closed, which the caller does
// Fails like gst_pe_frame_map(), and when the rectangle is not inside the
// frame.
bool gst_pe_plane_open(GstPePlane *plane, const GstVideoInfo *info,
                       GstBuffer *buffer, int rows, GstPeLuma *luma,
                       GError **error);
void gst_pe_plane_close(GstPePlane *plane);
