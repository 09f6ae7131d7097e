// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpecanvas.c - see gstpecanvas.h.

#include "gst/overlay/gstpecanvas.h"

#include "gst/overlay/gstpestamp.h"

struct GstPeCanvas {
    GstPePainter *painter;
    GstPeLayout layout;
    GstPeScene *scene; // NULL: nothing has been painted
    GArray *drawings;  // GstPeDrawing of the scene; NULL: none
    GPtrArray *stamps; // GstPeStamp of these; NULL: none
    GstVideoOverlayComposition *composition; // of these; NULL: none
    GstVideoInfo info;
    bool has_info;
    int width, height; // of frames
    bool attach;
};

GstPeCanvas *
gst_pe_canvas_new(void)
{
    GstPeCanvas *canvas = g_new0(GstPeCanvas, 1);

    canvas->painter = gst_pe_painter_new();
    return canvas;
}

static void
clear_drawings(GstPeCanvas *canvas)
{
    g_clear_pointer(&canvas->drawings, g_array_unref);
    g_clear_pointer(&canvas->composition, gst_video_overlay_composition_unref);
}

static void
forget(GstPeCanvas *canvas)
{
    clear_drawings(canvas);
    g_clear_pointer(&canvas->scene, gst_pe_scene_free);
    g_clear_pointer(&canvas->stamps, g_ptr_array_unref);
    canvas->layout.table_width = 0;
}

void
gst_pe_canvas_free(GstPeCanvas *canvas)
{
    forget(canvas);
    gst_pe_painter_free(canvas->painter);
    g_free(canvas);
}

void
gst_pe_canvas_set_frames(GstPeCanvas *canvas, const GstVideoInfo *info,
                         int width, int height, bool attach)
{
    forget(canvas);
    canvas->has_info = info != NULL;
    if (info)
        canvas->info = *info;
    canvas->width = width;
    canvas->height = height;
    canvas->attach = attach;
}

// ---- Painting ---------------------------------------------------------------

static void
make_composition(GstPeCanvas *canvas)
{
    for (guint i = 0; i < canvas->drawings->len; i++) {
        const GstPeDrawing *d =
            &g_array_index(canvas->drawings, GstPeDrawing, i);
        GstVideoOverlayRectangle *rectangle =
            gst_video_overlay_rectangle_new_raw(
                d->pixels, d->x, d->y, (guint)d->width, (guint)d->height,
                GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);
        if (canvas->composition)
            gst_video_overlay_composition_add_rectangle(canvas->composition,
                                                        rectangle);
        else
            canvas->composition = gst_video_overlay_composition_new(rectangle);
        gst_video_overlay_rectangle_unref(rectangle);
    }
}

// Takes the one that there was, or NULL.
static GstPeStamp *
take_stamp(GPtrArray *stamps, const GstPeDrawing *drawing)
{
    for (guint i = 0; stamps && i < stamps->len; i++) {
        if (gst_pe_stamp_is_of(stamps->pdata[i], drawing))
            return g_ptr_array_steal_index_fast(stamps, i);
    }
    return NULL;
}

static void
make_stamps(GstPeCanvas *canvas)
{
    GPtrArray *stamps =
        g_ptr_array_new_with_free_func((GDestroyNotify)gst_pe_stamp_free);

    for (guint i = 0; i < canvas->drawings->len; i++) {
        const GstPeDrawing *d =
            &g_array_index(canvas->drawings, GstPeDrawing, i);
        GstPeStamp *stamp = take_stamp(canvas->stamps, d);
        g_ptr_array_add(stamps,
                        stamp ? stamp : gst_pe_stamp_new(d, &canvas->info));
    }
    g_clear_pointer(&canvas->stamps, g_ptr_array_unref);
    canvas->stamps = stamps;
}

static void
paint(GstPeCanvas *canvas)
{
    clear_drawings(canvas);
    canvas->drawings =
        gst_pe_layout_draw(&canvas->layout, canvas->painter, canvas->scene);
    if (canvas->attach)
        make_composition(canvas);
    else if (canvas->has_info)
        make_stamps(canvas);
}

// Returns whether it is another.
static bool
set_layout(GstPeCanvas *canvas, const GstPeLook *look, GstBuffer *frame)
{
    const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(frame);
    GstPeLayout *l = &canvas->layout;
    GstPeLayout next = {.width = canvas->width,
                        .height = canvas->height,
                        .position = look->position};

    if (crop && crop->x < (guint)canvas->width &&
        crop->y < (guint)canvas->height) {
        next.x = (int)crop->x;
        next.y = (int)crop->y;
        next.width = (int)MIN(crop->width, (guint)(canvas->width - next.x));
        next.height = (int)MIN(crop->height, (guint)(canvas->height - next.y));
    }
    next.size = gst_pe_layout_choose_size(look->text_size, next.height);
    bool same = l->x == next.x && l->y == next.y && l->width == next.width &&
                l->height == next.height && l->size == next.size &&
                l->position == next.position;
    if (!same)
        *l = next;
    return !same;
}

bool
gst_pe_canvas_show(GstPeCanvas *canvas, GstPeScene *scene,
                   const GstPeLook *look, GstBuffer *frame)
{
    bool changed = set_layout(canvas, look, frame);

    if (canvas->scene && !changed &&
        gst_pe_scene_is_equal(scene, canvas->scene)) {
        gst_pe_scene_free(scene);
        return false;
    }
    g_clear_pointer(&canvas->scene, gst_pe_scene_free);
    canvas->scene = scene;
    paint(canvas);
    return canvas->drawings->len > 0;
}

// ---- On frames --------------------------------------------------------------

// Sinks look at one composition only, so what others attached goes into it.
static GstBuffer *
attach(const GstPeCanvas *canvas, GstBuffer *buffer)
{
    GstVideoOverlayComposition *ours = canvas->composition;

    buffer = gst_buffer_make_writable(buffer);
    GstVideoOverlayCompositionMeta *theirs =
        gst_buffer_get_video_overlay_composition_meta(buffer);
    if (!theirs) {
        gst_buffer_add_video_overlay_composition_meta(buffer, ours);
        return buffer;
    }
    GstVideoOverlayComposition *both =
        gst_video_overlay_composition_copy(theirs->overlay);
    for (guint i = 0; i < gst_video_overlay_composition_n_rectangles(ours); i++)
        gst_video_overlay_composition_add_rectangle(
            both, gst_video_overlay_composition_get_rectangle(ours, i));
    gst_buffer_remove_video_overlay_composition_meta(buffer, theirs);
    gst_buffer_add_video_overlay_composition_meta(buffer, both);
    gst_video_overlay_composition_unref(both);
    return buffer;
}

static bool
put_stamps(const GstPeCanvas *canvas, GstBuffer *buffer)
{
    GstVideoFrame frame;
    bool ok = true;

    if (!gst_video_frame_map(&frame, &canvas->info, buffer, GST_MAP_READWRITE))
        return false;
    for (guint i = 0; i < canvas->stamps->len; i++)
        ok &= gst_pe_stamp_put(canvas->stamps->pdata[i], &frame);
    gst_video_frame_unmap(&frame);
    return ok;
}

bool
gst_pe_canvas_has_drawings(const GstPeCanvas *canvas)
{
    return canvas->drawings && canvas->drawings->len > 0;
}

GstBuffer *
gst_pe_canvas_put(GstPeCanvas *canvas, GstBuffer *buffer, bool *ok)
{
    *ok = true;
    if (!gst_pe_canvas_has_drawings(canvas))
        return buffer;
    if (canvas->attach)
        return attach(canvas, buffer);
    buffer = gst_buffer_make_writable(buffer);
    *ok = canvas->stamps && put_stamps(canvas, buffer);
    return buffer;
}
