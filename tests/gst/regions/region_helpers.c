// SPDX-License-Identifier: LGPL-2.1-or-later
//
// region_helpers.c - see region_helpers.h.

#include "region_helpers.h"

#include <math.h>

char *
caps_of(GstVideoFormat format)
{
    return g_strdup_printf(
        "video/x-raw,format=%s,width=%d,height=%d,framerate=25/1",
        gst_video_format_to_string(format), FRAME_WIDTH, FRAME_HEIGHT);
}

GstBuffer *
make_frame_in(GstVideoFormat format, int index)
{
    GstBuffer *buffer = make_frame(index);
    GstVideoInfo from, to;
    GstVideoFrame in, out;

    if (format == GST_VIDEO_FORMAT_RGB)
        return buffer;
    gst_video_info_set_format(&from, GST_VIDEO_FORMAT_RGB, FRAME_WIDTH,
                              FRAME_HEIGHT);
    gst_video_info_set_format(&to, format, FRAME_WIDTH, FRAME_HEIGHT);
    GstBuffer *made = gst_buffer_new_allocate(NULL, to.size, NULL);
    gst_buffer_copy_into(made, buffer, GST_BUFFER_COPY_TIMESTAMPS, 0, -1);
    GstVideoConverter *converter = gst_video_converter_new(&from, &to, NULL);
    g_assert_true(gst_video_frame_map(&in, &from, buffer, GST_MAP_READ));
    g_assert_true(gst_video_frame_map(&out, &to, made, GST_MAP_WRITE));
    gst_video_converter_frame(converter, &in, &out);
    gst_video_frame_unmap(&out);
    gst_video_frame_unmap(&in);
    gst_video_converter_free(converter);
    gst_buffer_unref(buffer);
    return made;
}

GstVideoRegionOfInterestMeta *
add_object(GstBuffer *buffer, const char *type, int id, guint x, guint y,
           guint w, guint h)
{
    GstVideoRegionOfInterestMeta *meta =
        gst_buffer_add_video_region_of_interest_meta(buffer, type, x, y, w, h);

    meta->id = id;
    return meta;
}

GstBuffer *
pass(GstHarness *h, GstBuffer *buffer)
{
    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
    return pull(h);
}

const GstPeRegion *
get_region(GstBuffer *buffer, guint index)
{
    GstPeMeta *meta = gst_buffer_get_nth_pe_meta(buffer, index);

    g_assert_nonnull(meta);
    return gst_pe_result_get_region(meta->result);
}

GstPeResult *
find_result(GstBuffer *buffer, const char *name)
{
    for (guint i = 0; i < gst_buffer_get_n_pe_metas(buffer); i++) {
        const GstPeRegion *region = get_region(buffer, i);
        if (region && g_strcmp0(region->name, name) == 0)
            return gst_buffer_get_nth_pe_meta(buffer, i)->result;
    }
    return NULL;
}

GBytes *
embed_crop(GstVideoFormat format, GstBuffer *buffer, guint x, guint y, guint w,
           guint h)
{
    GstHarness *harness = play_inference("clip-length=1 mode=exact");
    g_autofree char *caps = caps_of(format);
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);

    crop->x = x;
    crop->y = y;
    crop->width = w;
    crop->height = h;
    gst_harness_set_src_caps_str(harness, caps);
    GBytes *embedding = embed_buffer(harness, buffer);
    stop(harness);
    return embedding;
}

double
compare(GBytes *a, GBytes *b)
{
    gsize size, n;
    const float *x = g_bytes_get_data(a, &size);
    const float *y = g_bytes_get_data(b, &n);
    double xy = 0, xx = 0, yy = 0;

    g_assert_cmpint(size, ==, n);
    for (gsize i = 0; i < n / sizeof(float); i++) {
        xy += (double)x[i] * (double)y[i];
        xx += (double)x[i] * (double)x[i];
        yy += (double)y[i] * (double)y[i];
    }
    return xy / sqrt(xx * yy);
}
