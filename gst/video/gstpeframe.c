// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeframe.c - pixel format, colour matrix, range, planes and strides. The
// strides come from the mapped frame: GstVideoMeta may say other than the caps.

#include "gst/video/gstpeframe.h"

#include "gst/video/gstpecuda.h"
#include "gst/video/gstpeformat.h"

// GStreamer takes "1:0:0:0" of a webcam for nothing, because YUV must name a
// matrix, and puts its defaults in the place of all four parts.
static void
read_colorimetry(GstVideoInfo *info, const char *text)
{
    GstVideoColorimetry c = {0};

    if (!text || !gst_video_colorimetry_from_string(&c, text))
        return;
    info->colorimetry.range = c.range;
    info->colorimetry.transfer = c.transfer;
    info->colorimetry.primaries = c.primaries;
    if (c.matrix != GST_VIDEO_COLOR_MATRIX_UNKNOWN)
        info->colorimetry.matrix = c.matrix;
    else if (c.primaries == GST_VIDEO_COLOR_PRIMARIES_BT2020)
        info->colorimetry.matrix = GST_VIDEO_COLOR_MATRIX_BT2020;
}

bool
gst_pe_video_info_from_caps(GstVideoInfo *info, const GstCaps *caps)
{
    if (!gst_video_info_from_caps(info, caps))
        return false;
    const GstStructure *s = gst_caps_get_structure(caps, 0);
    if (GST_VIDEO_INFO_IS_YUV(info) || GST_VIDEO_INFO_IS_GRAY(info))
        read_colorimetry(info, gst_structure_get_string(s, "colorimetry"));
    // Its default depends on the size of the picture.
    const char *site = gst_structure_get_string(s, "chroma-site");
    info->chroma_site = site ? gst_video_chroma_site_from_string(site)
                             : GST_VIDEO_CHROMA_SITE_UNKNOWN;
    return true;
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

// Where nothing is said, video of full range comes from JPEG, and all other has
// its chroma where MPEG-2 has it.
static PeSite
get_site(const GstVideoInfo *info)
{
    GstVideoChromaSite site = info->chroma_site;
    bool left = site & GST_VIDEO_CHROMA_SITE_H_COSITED;
    bool top = site & GST_VIDEO_CHROMA_SITE_V_COSITED;

    if (site == GST_VIDEO_CHROMA_SITE_UNKNOWN)
        return is_full_range(info) ? PE_SITE_CENTER : PE_SITE_LEFT;
    if (top)
        return left ? PE_SITE_TOP_LEFT : PE_SITE_TOP;
    return left ? PE_SITE_LEFT : PE_SITE_CENTER;
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

// Bytes of a line of plane `p` without padding; 0 when samples in groups have
// no size of their own.
static gint
count_line(const GstVideoInfo *info, guint p)
{
    const GstVideoFormatInfo *format = info->finfo;
    gint line = 0;

    for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS(format); c++) {
        if (GST_VIDEO_FORMAT_INFO_PLANE(format, c) == p)
            line = MAX(line, GST_VIDEO_INFO_COMP_WIDTH(info, c) *
                                 GST_VIDEO_FORMAT_INFO_PSTRIDE(format, c));
    }
    return line;
}

static gint
count_lines(const GstVideoInfo *info, guint p)
{
    gint n = 0;

    for (guint c = 0; c < GST_VIDEO_INFO_N_COMPONENTS(info); c++) {
        if (GST_VIDEO_FORMAT_INFO_PLANE(info->finfo, c) == p)
            n = MAX(n, GST_VIDEO_INFO_COMP_HEIGHT(info, c));
    }
    return n;
}

// Lines as files hold them: without padding, where GStreamer has lines of whole
// words, and those of r210 in whole 256 bytes (FFmpeg libavcodec/r210dec.c,
// decode_frame). Demuxers hand such frames on without a GstVideoMeta, so that
// only the size of the buffer tells: it must be exactly that.
static void
fit_to_size(GstVideoInfo *info, gsize size)
{
    GstVideoInfo fitted = *info;
    bool is_r210 = GST_VIDEO_INFO_FORMAT(info) == GST_VIDEO_FORMAT_r210;
    gsize end = 0;

    for (guint p = 0; p < GST_VIDEO_INFO_N_PLANES(info); p++) {
        gint line = count_line(info, p);
        if (line == 0)
            return;
        fitted.stride[p] = is_r210 ? (line + 255) / 256 * 256 : line;
        fitted.offset[p] = end;
        end += (gsize)fitted.stride[p] * (gsize)count_lines(info, p);
    }
    fitted.size = end;
    if (end == size)
        *info = fitted;
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
        // Samples in groups have no size of their own.
        int step = GST_VIDEO_FORMAT_INFO_PSTRIDE(format, c);
        gint64 line =
            step ? GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(format, c, meta->width) *
                       step
                 : meta->stride[plane];
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
    frame->site = get_site(info);
    frame->transfer = info->colorimetry.transfer == GST_VIDEO_TRANSFER_SMPTE2084
                          ? PE_TRANSFER_PQ
                          : PE_TRANSFER_SDR;
    frame->full_range = is_full_range(info);
    frame->width = GST_VIDEO_FRAME_WIDTH(map);
    frame->height = GST_VIDEO_FRAME_HEIGHT(map);
    frame->crop = get_crop(map->buffer, info, frame);
    // With a plane for each component, their order differs.
    guint n = GST_VIDEO_FRAME_N_PLANES(map);
    bool planar = n >= 3 && GST_VIDEO_FORMAT_INFO_PLANE(map->info.finfo, 1) !=
                                GST_VIDEO_FORMAT_INFO_PLANE(map->info.finfo, 2);
    for (guint i = 0; i < MIN(n, 3); i++) {
        guint p = planar ? GST_VIDEO_FORMAT_INFO_PLANE(map->info.finfo, i) : i;
        frame->planes[i] = GST_VIDEO_FRAME_PLANE_DATA(map, p);
        frame->strides[i] = GST_VIDEO_FRAME_PLANE_STRIDE(map, p);
    }
}

bool
gst_pe_frame_map(GstVideoFrame *map, PeFrame *frame, const GstVideoInfo *caps,
                 GstBuffer *buffer, bool on_device, GError **error)
{
    GstVideoInfo fitted = *caps, *info = &fitted;
    bool in_place = on_device && gst_pe_cuda_has_memory(buffer);
    const GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
    guint flags = GST_MAP_READ | GST_VIDEO_FRAME_MAP_FLAG_NO_REF;

    if (in_place)
        flags |= gst_pe_cuda_get_map_flag();
    *frame = (PeFrame){.memory = PE_MEMORY_HOST};
    if (!gst_pe_format_from_gst(GST_VIDEO_INFO_FORMAT(info), &frame->format)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "frames in %s cannot be embedded",
                    GST_VIDEO_INFO_NAME(info));
        return false;
    }
    if (!meta && gst_buffer_get_size(buffer) != GST_VIDEO_INFO_SIZE(info))
        fit_to_size(info, gst_buffer_get_size(buffer));
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
