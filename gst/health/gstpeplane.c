// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeplane.c - see gstpeplane.h. Most frames have a plane of 8-bit luma,
// which is read where it is. GStreamer unpacks the lines of all others.

#include "gst/health/gstpeplane.h"

#include "gst/video/gstpeframe.h"

void
gst_pe_plane_clear(GstPePlane *plane)
{
    g_free(plane->pixels);
    g_free(plane->line);
    plane->pixels = plane->line = NULL;
    plane->n_pixels = plane->n_line = 0;
}

static bool
is_luma_plane(const GstVideoFormatInfo *format)
{
    return (GST_VIDEO_FORMAT_INFO_IS_YUV(format) ||
            GST_VIDEO_FORMAT_INFO_IS_GRAY(format)) &&
           GST_VIDEO_FORMAT_INFO_DEPTH(format, 0) == 8 &&
           GST_VIDEO_FORMAT_INFO_PSTRIDE(format, 0) == 1 &&
           GST_VIDEO_FORMAT_INFO_PLANE(format, 0) == 0;
}

static uint8_t *
reserve(uint8_t **memory, size_t *n, size_t needed)
{
    if (*n < needed) {
        g_free(*memory);
        *memory = g_malloc(needed);
        *n = needed;
    }
    return *memory;
}

static uint8_t
mean_of_rgb(int red, int green, int blue)
{
    return (uint8_t)((77 * red + 150 * green + 29 * blue) >> 8);
}

// What GStreamer unpacks to has four components, the first of them alpha, and
// with 16 bits the machine's order of bytes.
//   line  [x + width] pixels of 4 components
static void
read_line(uint8_t *out, const uint8_t *line, GstVideoFormat format, int x,
          int width)
{
    const uint16_t *wide = (const uint16_t *)(const void *)line + 4 * x;
    const uint8_t *narrow = line + 4 * x;

    for (int i = 0; i < width; i++, narrow += 4, wide += 4)
        switch (format) {
        case GST_VIDEO_FORMAT_AYUV:
            out[i] = narrow[1];
            break;
        case GST_VIDEO_FORMAT_ARGB:
            out[i] = mean_of_rgb(narrow[1], narrow[2], narrow[3]);
            break;
        case GST_VIDEO_FORMAT_AYUV64:
            out[i] = (uint8_t)(wide[1] >> 8);
            break;
        default: // ARGB64
            out[i] = mean_of_rgb(wide[1] >> 8, wide[2] >> 8, wide[3] >> 8);
            break;
        }
}

// Unpacks `rows` of the part, evenly spaced.
static void
unpack(GstPePlane *plane, const PeRect *part, int rows)
{
    const GstVideoFrame *frame = &plane->frame;
    const GstVideoFormatInfo *format = frame->info.finfo;
    int width = GST_VIDEO_FRAME_WIDTH(frame);
    // Formats in groups of pixels fill whole ones.
    uint8_t *line =
        reserve(&plane->line, &plane->n_line, 8 * ((size_t)width + 64));
    uint8_t *out = reserve(&plane->pixels, &plane->n_pixels,
                           (size_t)part->width * (size_t)rows);

    for (int i = 0; i < rows; i++, out += part->width) {
        int y = part->y + (2 * i + 1) * part->height / (2 * rows);

        format->unpack_func(format, GST_VIDEO_PACK_FLAG_NONE, line, frame->data,
                            frame->info.stride, 0, y, width);
        read_line(out, line, format->unpack_format, part->x, part->width);
    }
}

static bool
find_part(const PeFrame *frame, PeRect *part, GError **error)
{
    *part = frame->crop;
    if (part->width == 0 && part->height == 0)
        *part = (PeRect){0, 0, frame->width, frame->height};
    if (part->width > 0 && part->height > 0 &&
        part->width <= frame->width - part->x &&
        part->height <= frame->height - part->y)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "the crop of a picture, %dx%d at %d, %d, is not inside its "
                "frame of %dx%d",
                part->width, part->height, part->x, part->y, frame->width,
                frame->height);
    return false;
}

bool
gst_pe_plane_open(GstPePlane *plane, const GstVideoInfo *info,
                  GstBuffer *buffer, int rows, GstPeLuma *luma, GError **error)
{
    const GstVideoFrame *map = &plane->frame;
    PeFrame frame;
    PeRect part;

    if (!gst_pe_frame_map(&plane->frame, &frame, info, buffer, false, error))
        return false;
    if (!find_part(&frame, &part, error)) {
        gst_pe_plane_close(plane);
        return false;
    }
    luma->width = part.width;
    luma->height = part.height;
    if (is_luma_plane(map->info.finfo)) {
        luma->stride = (size_t)GST_VIDEO_FRAME_PLANE_STRIDE(map, 0);
        luma->pixels = (const uint8_t *)GST_VIDEO_FRAME_PLANE_DATA(map, 0) +
                       (size_t)part.y * luma->stride + part.x;
        return true;
    }
    if (rows > 0)
        luma->height = MIN(rows, part.height);
    unpack(plane, &part, luma->height);
    luma->pixels = plane->pixels;
    luma->stride = (size_t)part.width;
    return true;
}

void
gst_pe_plane_close(GstPePlane *plane)
{
    gst_video_frame_unmap(&plane->frame);
}
