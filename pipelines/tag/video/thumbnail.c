// SPDX-License-Identifier: LGPL-2.1-or-later
//
// thumbnail.c - see thumbnail.h. For video.c.

#include "thumbnail.h"

struct Thumbnailer {
    GstCaps *caps; // of the converter
    GstVideoInfo in, out;
    GstVideoConverter *converter;
};

Thumbnailer *
thumbnailer_new(void)
{
    return g_new0(Thumbnailer, 1);
}

static void
clear(Thumbnailer *thumbnailer)
{
    g_clear_pointer(&thumbnailer->converter, gst_video_converter_free);
    gst_clear_caps(&thumbnailer->caps);
}

void
thumbnailer_free(Thumbnailer *thumbnailer)
{
    clear(thumbnailer);
    g_free(thumbnailer);
}

// The larger side as it is shown becomes THUMBNAIL_SIDE; nothing is enlarged.
static void
choose_size(const GstVideoInfo *in, int *width, int *height)
{
    double w = (double)in->width * in->par_n / MAX(in->par_d, 1);
    double h = in->height;
    double scale = MIN(THUMBNAIL_SIDE / MAX(w, h), 1);
    *width = CLAMP((int)(w * scale + 0.5), 1, THUMBNAIL_SIDE);
    *height = CLAMP((int)(h * scale + 0.5), 1, THUMBNAIL_SIDE);
}

static bool
configure(Thumbnailer *t, GstCaps *caps)
{
    if (t->caps && gst_caps_is_equal(t->caps, caps))
        return t->converter != NULL;
    clear(t);
    t->caps = gst_caps_ref(caps);
    int width, height;
    if (!gst_video_info_from_caps(&t->in, caps))
        return false;
    // Lines of two fields are lines: so small, nobody tells them apart.
    t->in.interlace_mode = GST_VIDEO_INTERLACE_MODE_PROGRESSIVE;
    choose_size(&t->in, &width, &height);
    gst_video_info_set_format(&t->out, GST_VIDEO_FORMAT_RGB, (guint)width,
                              (guint)height);
    t->out.fps_n = t->in.fps_n;
    t->out.fps_d = t->in.fps_d;
    // What is shown stays upright by the caller, and no border is added.
    t->converter = gst_video_converter_new(
        &t->in, &t->out,
        gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_FILL_BORDER,
                          G_TYPE_BOOLEAN, FALSE,
                          GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD,
                          GST_TYPE_VIDEO_RESAMPLER_METHOD,
                          GST_VIDEO_RESAMPLER_METHOD_LINEAR, NULL));
    return t->converter != NULL;
}

// Convert into a buffer of the system's layout, then into a pixbuf's lines.
static GdkPixbuf *
convert(Thumbnailer *t, GstVideoFrame *in)
{
    g_autoptr(GstBuffer) buffer =
        gst_buffer_new_allocate(NULL, t->out.size, NULL);
    GstVideoFrame out;
    if (!gst_video_frame_map(&out, &t->out, buffer, GST_MAP_READWRITE))
        return NULL;
    gst_video_converter_frame(t->converter, in, &out);
    g_autoptr(GBytes) bytes =
        g_bytes_new(GST_VIDEO_FRAME_PLANE_DATA(&out, 0), t->out.size);
    gst_video_frame_unmap(&out);
    return gdk_pixbuf_new_from_bytes(bytes, GDK_COLORSPACE_RGB, FALSE, 8,
                                     t->out.width, t->out.height,
                                     t->out.stride[0]);
}

// By the picture's numbers of EXIF, which are ours plus one.
static GdkPixbuf *
turn(GdkPixbuf *picture, PeOrientation orientation)
{
    if (orientation == PE_ORIENTATION_NORMAL)
        return picture;
    g_autofree char *number = g_strdup_printf("%d", (int)orientation + 1);
    gdk_pixbuf_set_option(picture, "orientation", number);
    GdkPixbuf *turned = gdk_pixbuf_apply_embedded_orientation(picture);
    g_object_unref(picture);
    return turned;
}

GdkPixbuf *
thumbnailer_shrink(Thumbnailer *thumbnailer, GstCaps *caps, GstBuffer *buffer,
                   PeOrientation orientation)
{
    GstVideoFrame in;
    if (!configure(thumbnailer, caps) ||
        !gst_video_frame_map(&in, &thumbnailer->in, buffer, GST_MAP_READ))
        return NULL;
    GdkPixbuf *picture = convert(thumbnailer, &in);
    gst_video_frame_unmap(&in);
    return picture ? turn(picture, orientation) : NULL;
}

GBytes *
thumbnail_encode(GdkPixbuf *picture)
{
    gchar *data;
    gsize size;
    if (!gdk_pixbuf_save_to_buffer(picture, &data, &size, "jpeg", NULL,
                                   "quality", "80", NULL))
        return NULL;
    return g_bytes_new_take(data, size);
}
