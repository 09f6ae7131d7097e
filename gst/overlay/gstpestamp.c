// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpestamp.c - see gstpestamp.h.

#include "gst/overlay/gstpestamp.h"

#include "gst/overlay/gstpeaffine.h"

// Windows begin at a multiple of this, where subsampled formats have no pixels
// in common with what is before.
#define ALIGNMENT 4

struct GstPeStamp {
    GstPeDrawing drawing;
    GstPeWindow window;  // of the frame, that it is in
    bool has_window;     // else GStreamer blends into the whole frame
    GstPeAffine *affine; // NULL: there is no fast way
};

static GstPeWindow
choose_window(const GstPeDrawing *d, const GstVideoInfo *info)
{
    int right = d->x + d->width, bottom = d->y + d->height;
    GstPeWindow window = {.x = d->x / ALIGNMENT * ALIGNMENT,
                          .y = d->y / ALIGNMENT * ALIGNMENT};

    right = (right + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    bottom = (bottom + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    window.width = MIN(right, GST_VIDEO_INFO_WIDTH(info)) - window.x;
    window.height = MIN(bottom, GST_VIDEO_INFO_HEIGHT(info)) - window.y;
    return window;
}

GstPeStamp *
gst_pe_stamp_new(const GstPeDrawing *drawing, const GstVideoInfo *info)
{
    GstPeStamp *stamp = g_new0(GstPeStamp, 1);

    stamp->drawing = *drawing;
    gst_buffer_ref(drawing->pixels);
    stamp->window = choose_window(drawing, info);
    stamp->has_window = gst_pe_window_is_possible(info->finfo);
    stamp->affine = gst_pe_affine_new(drawing, &stamp->window, info);
    return stamp;
}

void
gst_pe_stamp_free(GstPeStamp *stamp)
{
    g_clear_pointer(&stamp->affine, gst_pe_affine_free);
    gst_buffer_unref(stamp->drawing.pixels);
    g_free(stamp);
}

bool
gst_pe_stamp_is_of(const GstPeStamp *stamp, const GstPeDrawing *drawing)
{
    return stamp->drawing.pixels == drawing->pixels &&
           stamp->drawing.x == drawing->x && stamp->drawing.y == drawing->y;
}

// ---- GStreamer's way --------------------------------------------------------

static bool
blend(const GstPeDrawing *drawing, GstVideoFrame *frame, int x, int y)
{
    GstVideoInfo info;
    GstVideoFrame pixels;

    gst_video_info_set_format(&info, GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB,
                              (guint)drawing->width, (guint)drawing->height);
    info.flags |= GST_VIDEO_FLAG_PREMULTIPLIED_ALPHA;
    if (!gst_video_frame_map(&pixels, &info, drawing->pixels, GST_MAP_READ))
        return false;
    bool ok = gst_video_blend(frame, &pixels, x, y, 1);
    gst_video_frame_unmap(&pixels);
    return ok;
}

// It unpacks whole lines, so it gets a frame that is no wider than needed.
static bool
blend_into_window(const GstPeStamp *stamp, GstVideoFrame *frame)
{
    const GstPeWindow *w = &stamp->window;
    GstVideoFrame part = *frame;

    part.info.width = w->width;
    part.info.height = w->height;
    for (guint p = 0; p < GST_VIDEO_FRAME_N_PLANES(frame); p++) {
        GstPeSpan span = gst_pe_window_find(w, frame->info.finfo, p);
        part.data[p] = (guint8 *)frame->data[p] + span.left +
                       span.top * (gsize)frame->info.stride[p];
    }
    return blend(&stamp->drawing, &part, stamp->drawing.x - w->x,
                 stamp->drawing.y - w->y);
}

bool
gst_pe_stamp_put(const GstPeStamp *stamp, GstVideoFrame *frame)
{
    const GstPeWindow *w = &stamp->window;
    // A frame may be smaller than its caps say.
    bool fits = w->x + w->width <= GST_VIDEO_FRAME_WIDTH(frame) &&
                w->y + w->height <= GST_VIDEO_FRAME_HEIGHT(frame);

    if (!stamp->has_window || !fits)
        return blend(&stamp->drawing, frame, stamp->drawing.x,
                     stamp->drawing.y);
    return (stamp->affine && gst_pe_affine_put(stamp->affine, frame)) ||
           blend_into_window(stamp, frame);
}
