// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpethumbnail.c - see gstpethumbnail.h.

#include "gst/inference/regions/gstpethumbnail.h"

#include <math.h>

#define SIDE GST_PE_THUMBNAIL_SIDE
#define LINES 4 // of a row

// The luma of one unpacked pixel; ITU-R BT.601, as 8 bits.
static float
get_luma(const GstVideoFormatInfo *unpacked, const void *line, int x)
{
    float c[3];

    if (GST_VIDEO_FORMAT_INFO_BITS(unpacked) > 8) {
        const guint16 *p = (const guint16 *)line + 4 * (gsize)x;
        for (int i = 0; i < 3; i++)
            c[i] = (float)p[1 + i] / 256;
    } else {
        const guint8 *p = (const guint8 *)line + 4 * (gsize)x;
        for (int i = 0; i < 3; i++)
            c[i] = p[1 + i];
    }
    if (GST_VIDEO_FORMAT_INFO_IS_RGB(unpacked))
        return 0.299F * c[0] + 0.587F * c[1] + 0.114F * c[2];
    return c[0];
}

// Add line `y` of the frame to a row of sums.
static void
add_line(const GstVideoFormatInfo *unpacked, const void *line, const PeRect *r,
         float *row)
{
    for (int column = 0; column < SIDE; column++) {
        int first = r->x + (int)((int64_t)r->width * column / SIDE);
        int end = r->x + (int)((int64_t)r->width * (column + 1) / SIDE);
        float sum = 0;
        end = MAX(end, first + 1); // a rectangle may be narrower
        for (int x = first; x < end; x++)
            sum += get_luma(unpacked, line, x);
        row[column] += sum / (float)(end - first);
    }
}

// Lines are unpacked from the left edge of the frame on, because not every
// format can be unpacked from anywhere.
void
gst_pe_thumbnail_take(GstPeThumbnail *thumbnail, const GstVideoFrame *map,
                      const PeRect *r)
{
    const GstVideoFormatInfo *format = map->info.finfo;
    const GstVideoFormatInfo *unpacked =
        gst_video_format_get_info(format->unpack_format);
    // Some unpack whole groups of pixels.
    g_autofree guint8 *line =
        g_malloc(8 * ((gsize)GST_VIDEO_FRAME_WIDTH(map) + 64));

    *thumbnail = (GstPeThumbnail){{0}};
    for (int i = 0; i < SIDE * LINES; i++) {
        float *row = &thumbnail->luma[(i / LINES) * SIDE];
        int y = r->y + (int)((int64_t)r->height * i / (SIDE * LINES));
        format->unpack_func(format, GST_VIDEO_PACK_FLAG_NONE, line,
                            (gpointer *)map->data, map->info.stride, 0, y,
                            r->x + r->width);
        add_line(unpacked, line, r, row);
    }
    for (int i = 0; i < SIDE * SIDE; i++)
        thumbnail->luma[i] /= LINES;
}

double
gst_pe_thumbnail_compare(const GstPeThumbnail *a, const GstPeThumbnail *b)
{
    double sum = 0;

    for (int i = 0; i < SIDE * SIDE; i++)
        sum += fabs((double)a->luma[i] - (double)b->luma[i]);
    return sum / (SIDE * SIDE);
}
