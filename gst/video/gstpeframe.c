// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeframe.c - pixel format, colour matrix, range, planes and strides. The
// strides come from the mapped frame: GstVideoMeta may say other than the caps.

#include "gst/video/gstpeframe.h"

#include "gst/video/gstpecuda.h"

static bool
get_format(GstVideoFormat format, PeFormat *out)
{
    static const struct {
        GstVideoFormat gst;
        PeFormat pe;
    } formats[] = {
        {GST_VIDEO_FORMAT_NV12, PE_FORMAT_NV12},
        {GST_VIDEO_FORMAT_I420, PE_FORMAT_I420},
        {GST_VIDEO_FORMAT_YUY2, PE_FORMAT_YUY2},
        {GST_VIDEO_FORMAT_RGB, PE_FORMAT_RGB},
        {GST_VIDEO_FORMAT_BGR, PE_FORMAT_BGR},
        {GST_VIDEO_FORMAT_RGBx, PE_FORMAT_RGBX},
        {GST_VIDEO_FORMAT_BGRx, PE_FORMAT_BGRX},
        {GST_VIDEO_FORMAT_RGBA, PE_FORMAT_RGBX},
        {GST_VIDEO_FORMAT_BGRA, PE_FORMAT_BGRX},
        {GST_VIDEO_FORMAT_GRAY8, PE_FORMAT_GRAY8},
        {GST_VIDEO_FORMAT_P010_10LE, PE_FORMAT_P010},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (formats[i].gst == format) {
            *out = formats[i].pe;
            return true;
        }
    }
    return false;
}

// What caps leave open is decided by size, as GStreamer itself does.
static PeMatrix
get_matrix(const GstVideoInfo *info)
{
    switch (info->colorimetry.matrix) {
    case GST_VIDEO_COLOR_MATRIX_BT709:
        return PE_MATRIX_BT709;
    case GST_VIDEO_COLOR_MATRIX_BT2020:
        return PE_MATRIX_BT2020;
    case GST_VIDEO_COLOR_MATRIX_UNKNOWN:
        return info->height > 576 ? PE_MATRIX_BT709 : PE_MATRIX_BT601;
    default:
        return PE_MATRIX_BT601;
    }
}

static bool
is_full_range(const GstVideoInfo *info)
{
    if (info->colorimetry.range == GST_VIDEO_COLOR_RANGE_UNKNOWN)
        return GST_VIDEO_INFO_IS_GRAY(info);
    return info->colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255;
}

bool
gst_pe_frame_map(GstVideoFrame *map, PeFrame *frame, const GstVideoInfo *info,
                 GstBuffer *buffer, bool on_device)
{
    bool in_place = on_device && gst_pe_cuda_has_memory(buffer);
    guint flags = GST_MAP_READ | GST_VIDEO_FRAME_MAP_FLAG_NO_REF;

    if (in_place)
        flags |= gst_pe_cuda_get_map_flag();
    *frame = (PeFrame){.memory = PE_MEMORY_HOST};
    if (!get_format(GST_VIDEO_INFO_FORMAT(info), &frame->format))
        return false;
    if (!gst_video_frame_map(map, info, buffer, (GstMapFlags)flags))
        return false;

    if (in_place)
        gst_pe_cuda_describe(buffer, frame);
    frame->matrix = get_matrix(info);
    frame->full_range = is_full_range(info);
    frame->width = GST_VIDEO_FRAME_WIDTH(map);
    frame->height = GST_VIDEO_FRAME_HEIGHT(map);
    for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES(map); i++) {
        frame->planes[i] = GST_VIDEO_FRAME_PLANE_DATA(map, i);
        frame->strides[i] = GST_VIDEO_FRAME_PLANE_STRIDE(map, i);
    }
    return true;
}
