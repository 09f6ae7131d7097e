// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeframe.h - a GStreamer video frame as the library sees it.

#pragma once

#include "core/pe.h"

#include <gst/video/video.h>

// The formats that have a PeFormat, for pad templates.
#define GST_PE_FORMATS \
    "{ NV12, I420, YUY2, RGB, BGR, RGBx, BGRx, RGBA, BGRA, GRAY8, P010_10LE }"

// What follows the formats in caps. No side is longer than the library takes.
#define GST_PE_SIDE "(int) [ 1, 16384 ]"
#define GST_PE_SIZE_AND_RATE \
    ", width = " GST_PE_SIDE ", height = " GST_PE_SIDE \
    ", framerate = " GST_VIDEO_FPS_RANGE
#define GST_PE_CAPS \
    "video/x-raw, format = (string) " GST_PE_FORMATS GST_PE_SIZE_AND_RATE

// Map the buffer for reading and describe its pixels. `frame` borrows the
// mapping, which the caller ends with gst_video_frame_unmap().
//
//   info       of the caps
//   on_device  a frame in CUDA memory is described where it lies; otherwise
//              GStreamer copies it to the host
//
// A GstVideoCropMeta becomes the frame's crop. GstVideoMeta may say of a frame
// that it is larger than the caps: without a crop its upper left part is meant.
// false with PE_ERROR_FORMAT when the buffer does not hold a frame of this
// kind; the message names what it holds and what was expected.
bool gst_pe_frame_map(GstVideoFrame *map, PeFrame *frame,
                      const GstVideoInfo *info, GstBuffer *buffer,
                      bool on_device, GError **error);
