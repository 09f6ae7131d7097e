// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpewindow.c - see gstpewindow.h.

#include "gst/overlay/gstpewindow.h"

bool
gst_pe_window_is_possible(const GstVideoFormatInfo *format)
{
    const guint strange = GST_VIDEO_FORMAT_FLAG_COMPLEX |
                          GST_VIDEO_FORMAT_FLAG_TILED |
                          GST_VIDEO_FORMAT_FLAG_PALETTE;

    for (guint c = 0; c < format->n_components; c++) {
        if (format->pixel_stride[c] < 1)
            return false;
    }
    return !(format->flags & strange);
}

// Of components that share the plane, the one with the most bytes.
GstPeSpan
gst_pe_window_find(const GstPeWindow *w, const GstVideoFormatInfo *format,
                   guint plane)
{
    GstPeSpan span = {0};

    for (guint c = 0; c < format->n_components; c++) {
        gsize step = (gsize)format->pixel_stride[c];
        gsize width = step * (gsize)GST_VIDEO_FORMAT_INFO_SCALE_WIDTH(format, c,
                                                                      w->width);
        if (format->plane[c] != plane || width <= span.width)
            continue;
        span = (GstPeSpan){
            .left = step * (gsize)(w->x >> format->w_sub[c]),
            .top = (gsize)(w->y >> format->h_sub[c]),
            .width = width,
            .height =
                (gsize)GST_VIDEO_FORMAT_INFO_SCALE_HEIGHT(format, c, w->height),
        };
    }
    return span;
}
