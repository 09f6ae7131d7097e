// SPDX-License-Identifier: LGPL-2.1-or-later
//
// jpeg.c - see jpeg.h.

#include "jpeg.h"

#include <gst/video/video.h>

#define TIMEOUT (2 * GST_SECOND)

GBytes *
jpeg_from_sample(GstSample *sample, int width)
{
    g_autoptr(GstCaps) caps = gst_caps_new_simple(
        "image/jpeg", "width", G_TYPE_INT, width, "pixel-aspect-ratio",
        GST_TYPE_FRACTION, 1, 1, NULL);
    g_autoptr(GstSample) jpeg =
        gst_video_convert_sample(sample, caps, TIMEOUT, NULL);
    if (!jpeg)
        return NULL;
    GstBuffer *buffer = gst_sample_get_buffer(jpeg);
    gsize size = gst_buffer_get_size(buffer);
    guint8 *data = g_malloc(size);
    gst_buffer_extract(buffer, 0, data, size);
    return g_bytes_new_take(data, size);
}
