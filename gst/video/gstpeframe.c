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

// What was left open is decided by size, as GStreamer itself does. SMPTE 240M
// is all but BT.709; FCC is BT.601.
static PeMatrix
get_matrix(const GstVideoInfo *info)
{
    GstVideoColorMatrix matrix = info->colorimetry.matrix;
    GstVideoInfo usual;

    if (matrix == GST_VIDEO_COLOR_MATRIX_UNKNOWN &&
        gst_video_info_set_format(&usual, GST_VIDEO_INFO_FORMAT(info),
                                  (guint)info->width, (guint)info->height))
        matrix = usual.colorimetry.matrix;
    switch (matrix) {
    case GST_VIDEO_COLOR_MATRIX_BT709:
    case GST_VIDEO_COLOR_MATRIX_SMPTE240M:
        return PE_MATRIX_BT709;
    case GST_VIDEO_COLOR_MATRIX_BT2020:
        return PE_MATRIX_BT2020;
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

// GStreamer asks for the same, but takes it for a programmer's error.
static bool
check_meta(const GstVideoMeta *meta, const GstVideoInfo *info, GError **error)
{
    if (meta->format == GST_VIDEO_INFO_FORMAT(info) &&
        meta->width >= (guint)GST_VIDEO_INFO_WIDTH(info) &&
        meta->height >= (guint)GST_VIDEO_INFO_HEIGHT(info))
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "a buffer holds a frame of %ux%u pixels in %s by its "
                "GstVideoMeta, its caps announce %dx%d pixels in %s",
                meta->width, meta->height,
                gst_video_format_to_string(meta->format),
                GST_VIDEO_INFO_WIDTH(info), GST_VIDEO_INFO_HEIGHT(info),
                GST_VIDEO_INFO_NAME(info));
    return false;
}

// Bytes of a buffer up to the end of the frame. Without GstVideoMeta GStreamer
// asks for the padding of the last line too.
static gint64
count_bytes(const GstVideoInfo *info, const GstVideoMeta *meta)
{
    const GstVideoFormatInfo *format = info->finfo;
    gint64 size = meta ? 0 : (gint64)GST_VIDEO_INFO_SIZE(info);

    for (guint c = 0; meta && c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format);
         c++) {
        int plane = GST_VIDEO_FORMAT_INFO_PLANE(format, c);
        gint64 line =
            GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(format, c, meta->width) *
            GST_VIDEO_FORMAT_INFO_PSTRIDE(format, c);
        gint64 n = GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(format, c, meta->height);
        size = MAX(size, (gint64)meta->offset[plane] +
                             (n - 1) * meta->stride[plane] + line);
    }
    return size;
}

static bool
check_size(GstBuffer *buffer, const GstVideoInfo *info,
           const GstVideoMeta *meta, GError **error)
{
    gint64 found = (gint64)gst_buffer_get_size(buffer);
    gint64 needed = count_bytes(info, meta);

    if (found >= needed)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "a buffer of %" G_GINT64_FORMAT " bytes does not hold the "
                "%dx%d %s frame that its %s announce%s, which takes "
                "%" G_GINT64_FORMAT,
                found, meta ? (int)meta->width : GST_VIDEO_INFO_WIDTH(info),
                meta ? (int)meta->height : GST_VIDEO_INFO_HEIGHT(info),
                GST_VIDEO_INFO_NAME(info), meta ? "GstVideoMeta" : "caps",
                meta ? "s" : "", needed);
    return false;
}

static PeRect
get_crop(GstBuffer *buffer, const GstVideoInfo *info, const PeFrame *frame)
{
    GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);

    // Larger numbers than a frame's are refused by the engine.
    if (crop)
        return (PeRect){
            (int)MIN(crop->x, G_MAXINT), (int)MIN(crop->y, G_MAXINT),
            (int)MIN(crop->width, G_MAXINT), (int)MIN(crop->height, G_MAXINT)};
    if (frame->width == GST_VIDEO_INFO_WIDTH(info) &&
        frame->height == GST_VIDEO_INFO_HEIGHT(info))
        return (PeRect){0};
    return (PeRect){0, 0, GST_VIDEO_INFO_WIDTH(info),
                    GST_VIDEO_INFO_HEIGHT(info)};
}

static void
describe(PeFrame *frame, const GstVideoFrame *map, const GstVideoInfo *info)
{
    frame->matrix = get_matrix(info);
    frame->full_range = is_full_range(info);
    frame->width = GST_VIDEO_FRAME_WIDTH(map);
    frame->height = GST_VIDEO_FRAME_HEIGHT(map);
    frame->crop = get_crop(map->buffer, info, frame);
    for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES(map); i++) {
        frame->planes[i] = GST_VIDEO_FRAME_PLANE_DATA(map, i);
        frame->strides[i] = GST_VIDEO_FRAME_PLANE_STRIDE(map, i);
    }
}

bool
gst_pe_frame_map(GstVideoFrame *map, PeFrame *frame, const GstVideoInfo *info,
                 GstBuffer *buffer, bool on_device, GError **error)
{
    bool in_place = on_device && gst_pe_cuda_has_memory(buffer);
    const GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    guint flags = GST_MAP_READ | GST_VIDEO_FRAME_MAP_FLAG_NO_REF;

    if (in_place)
        flags |= gst_pe_cuda_get_map_flag();
    *frame = (PeFrame){.memory = PE_MEMORY_HOST};
    if (!get_format(GST_VIDEO_INFO_FORMAT(info), &frame->format)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "frames in %s cannot be embedded",
                    GST_VIDEO_INFO_NAME(info));
        return false;
    }
    if ((meta && !check_meta(meta, info, error)) ||
        !check_size(buffer, info, meta, error))
        return false;
    if (!gst_video_frame_map(map, info, buffer, (GstMapFlags)flags)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "a buffer with a frame of %dx%d pixels in %s cannot be "
                    "mapped for reading",
                    GST_VIDEO_INFO_WIDTH(info), GST_VIDEO_INFO_HEIGHT(info),
                    GST_VIDEO_INFO_NAME(info));
        return false;
    }
    if (in_place)
        gst_pe_cuda_describe(buffer, frame);
    describe(frame, map, info);
    return true;
}
