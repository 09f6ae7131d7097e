// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeframe.h - a GStreamer video frame as the library sees it.

#pragma once

#include "core/pe.h"

#include <gst/video/video.h>

// The formats that have a PeFormat, for pad templates; the usual ones first. An
// element upstream that can make several makes the first.
#define GST_PE_FORMATS \
    "{ NV12, I420, YUY2, RGB, BGR, RGBx, BGRx, RGBA, BGRA, GRAY8, " \
    "P010_10LE, YV12, A420, AV12, NV21, NV16, NV61, NV24, Y42B, Y444, " \
    "Y41B, YUV9, YVU9, UYVY, YVYU, VYUY, AYUV, VUYA, v308, IYU2, " \
    "I420_10LE, I422_10LE, Y444_10LE, A420_10LE, A422_10LE, A444_10LE, " \
    "I420_12LE, I422_12LE, Y444_12LE, A420_12LE, A422_12LE, A444_12LE, " \
    "Y444_16LE, A420_16LE, A422_16LE, A444_16LE, P012_LE, P016_LE, " \
    "NV12_10LE32, NV16_10LE32, v210, v216, Y210, Y212_LE, Y410, " \
    "Y412_LE, AYUV64, xRGB, ARGB, xBGR, ABGR, GBR, GBRA, RGBP, BGRP, " \
    "GBR_10LE, GBRA_10LE, GBR_12LE, GBRA_12LE, GBR_16LE, RGB16, BGR16, " \
    "RGB15, BGR15, RGB10A2_LE, BGR10A2_LE, r210, ARGB64, ARGB64_LE, " \
    "RGBA64_LE, BGRA64_LE, ABGR64_LE, GRAY16_LE, GRAY16_BE, GRAY10_LE32 }"

// What follows the formats in caps. No side is longer than the library takes.
#define GST_PE_SIDE "(int) [ 1, 16384 ]"
#define GST_PE_SIZE_AND_RATE \
    ", width = " GST_PE_SIDE ", height = " GST_PE_SIDE \
    ", framerate = " GST_VIDEO_FPS_RANGE
#define GST_PE_CAPS \
    "video/x-raw, format = (string) " GST_PE_FORMATS GST_PE_SIZE_AND_RATE

// gst_video_info_from_caps(), which keeps those parts of the colorimetry that
// the caps state when they state no matrix, and knows when they state no site
// of chroma.
bool gst_pe_video_info_from_caps(GstVideoInfo *info, const GstCaps *caps);

// Map the buffer for reading and describe its pixels. `frame` borrows the
// mapping, which the caller ends with gst_video_frame_unmap().
//
//   info       of the caps
//   on_device  a frame in CUDA memory is described where it lies; otherwise
//              GStreamer copies it to the host
//
// A GstVideoCropMeta becomes the frame's crop. GstVideoMeta may say of a frame
// that it is larger than the caps: without a crop its upper left part is meant.
// Without a GstVideoMeta, lines are those of GStreamer or, where that makes up
// the buffer's size, those of a file.
// false with PE_ERROR_FORMAT when the buffer does not hold a frame of this
// kind; the message names what it holds and what was expected.
bool gst_pe_frame_map(GstVideoFrame *map, PeFrame *frame,
                      const GstVideoInfo *info, GstBuffer *buffer,
                      bool on_device, GError **error);
