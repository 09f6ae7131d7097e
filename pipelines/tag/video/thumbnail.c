// SPDX-License-Identifier: LGPL-2.1-or-later
//
// thumbnail.c - see thumbnail.h. For video.c.
//
// A frame is made small in its own format, plane by plane, and the small one
// becomes RGB: six times as fast as both at once, for which GStreamer brings
// chroma to the size of the large luma first.

#include "thumbnail.h"

struct Thumbnailer {
    GstCaps *caps; // of the converter
    GstVideoInfo in, small, out;
    GstBuffer *small_buffer;
    GstVideoConverter *shrinker, *converter;
};

Thumbnailer *
thumbnailer_new(void)
{
    return g_new0(Thumbnailer, 1);
}

static void
clear(Thumbnailer *thumbnailer)
{
    g_clear_pointer(&thumbnailer->shrinker, gst_video_converter_free);
    g_clear_pointer(&thumbnailer->converter, gst_video_converter_free);
    gst_clear_buffer(&thumbnailer->small_buffer);
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

// What is shown stays upright by the caller, and no border is added.
static GstVideoConverter *
make_converter(GstVideoInfo *in, GstVideoInfo *out)
{
    return gst_video_converter_new(
        in, out,
        gst_structure_new("options", GST_VIDEO_CONVERTER_OPT_FILL_BORDER,
                          G_TYPE_BOOLEAN, FALSE,
                          GST_VIDEO_CONVERTER_OPT_RESAMPLER_METHOD,
                          GST_TYPE_VIDEO_RESAMPLER_METHOD,
                          GST_VIDEO_RESAMPLER_METHOD_LINEAR, NULL));
}

static void
set_size(GstVideoInfo *info, const GstVideoInfo *in, GstVideoFormat format,
         int width, int height)
{
    gst_video_info_set_format(info, format, (guint)width, (guint)height);
    info->fps_n = in->fps_n;
    info->fps_d = in->fps_d;
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
    set_size(&t->small, &t->in, GST_VIDEO_INFO_FORMAT(&t->in), width, height);
    t->small.colorimetry = t->in.colorimetry;
    t->small.chroma_site = t->in.chroma_site;
    set_size(&t->out, &t->in, GST_VIDEO_FORMAT_RGB, width, height);
    t->shrinker = make_converter(&t->in, &t->small);
    if (t->shrinker)
        t->converter = make_converter(&t->small, &t->out);
    t->small_buffer = gst_buffer_new_allocate(NULL, t->small.size, NULL);
    return t->converter != NULL;
}

// A frame into a buffer of the other size or format.
static bool
convert_into(GstVideoConverter *converter, const GstVideoFrame *in,
             GstVideoInfo *info, GstBuffer *buffer)
{
    GstVideoFrame out;
    if (!gst_video_frame_map(&out, info, buffer, GST_MAP_READWRITE))
        return false;
    gst_video_converter_frame(converter, in, &out);
    gst_video_frame_unmap(&out);
    return true;
}

// The small frame as a pixbuf, which keeps the buffer's lines.
static GdkPixbuf *
make_picture(Thumbnailer *t)
{
    g_autoptr(GstBuffer) buffer =
        gst_buffer_new_allocate(NULL, t->out.size, NULL);
    GstVideoFrame small;
    GstMapInfo map;
    if (!gst_video_frame_map(&small, &t->small, t->small_buffer, GST_MAP_READ))
        return NULL;
    bool ok = convert_into(t->converter, &small, &t->out, buffer);
    gst_video_frame_unmap(&small);
    if (!ok || !gst_buffer_map(buffer, &map, GST_MAP_READ))
        return NULL;
    g_autoptr(GBytes) bytes = g_bytes_new(map.data, map.size);
    gst_buffer_unmap(buffer, &map);
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
    bool ok = convert_into(thumbnailer->shrinker, &in, &thumbnailer->small,
                           thumbnailer->small_buffer);
    gst_video_frame_unmap(&in);
    GdkPixbuf *picture = ok ? make_picture(thumbnailer) : NULL;
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
