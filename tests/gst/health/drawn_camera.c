// SPDX-License-Identifier: LGPL-2.1-or-later
//
// drawn_camera.c - see drawn_camera.h.

#include "tests/gst/health/drawn_camera.h"

#include <gst/video/video.h>
#include <math.h>

static double
light_of(int scene, int x, int y)
{
    double a = 0.11 + 0.013 * scene, b = 0.17 - 0.021 * scene;

    return 110 + 40 * sin(a * x + scene) * cos(b * y + 2 * scene) +
           30 * sin(0.31 * x - 0.23 * y * (1 + scene));
}

// As from a peinference upstream.
static void
embed(GstBuffer *buffer, double angle)
{
    const float values[] = {(float)cos(angle * G_PI / 180),
                            (float)sin(angle * G_PI / 180)};
    GstPeResultFields fields = example_fields;

    fields.embedding = gst_pe_vectors_new_from_floats(values, 2);
    GstPeResult *result = gst_pe_result_new(&fields);
    gst_buffer_add_pe_meta(buffer, result, 0);
    gst_pe_result_unref(result);
    gst_pe_vectors_unref(fields.embedding);
    // And one that only tells events.
    fields.embedding = NULL;
    fields.n_frames = 0;
    fields.sequence++;
    result = gst_pe_result_new(&fields);
    gst_buffer_add_pe_meta(buffer, result, 0);
    gst_pe_result_unref(result);
}

// noise  from -1 to 1
static guint8
level_at(const View *view, int x, int y, double noise)
{
    double level = view->gain * light_of(view->scene, x, y);

    if (view->clock && x < 24 && y < 6)
        level = 255 * ((x / 3 + view->clock) % 2);
    if (view->walker && abs(x - view->walker) < 8 && y > 40)
        level = 30;
    return (guint8)CLAMP(level + view->noise * noise + 0.5, 0, 255);
}

static void
draw(const View *view, guint8 *pixels, int stride, GRand *rand)
{
    g_autoptr(GRand) same = g_rand_new_with_seed((guint32)view->seed);
    g_autoptr(GRand) other = g_rand_new_with_seed((guint32)view->redrawn);

    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            // Also where it is drawn anew, so that each has its place.
            double noise = g_rand_double_range(view->seed ? same : rand, -1, 1);
            if (view->redrawn && x < WIDTH / 3)
                noise = g_rand_double_range(other, -1, 1);
            pixels[y * stride + x] = level_at(view, x, y, noise);
        }
}

GstBuffer *
shoot(const View *view, int second, GRand *rand)
{
    int margin = view->margin, stride = WIDTH + 2 * margin;
    GstBuffer *buffer = gst_buffer_new_allocate(
        NULL, (gsize)stride * (gsize)(HEIGHT + 2 * margin), NULL);
    GstMapInfo map;

    g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_WRITE));
    for (gsize i = 0; margin > 0 && i < map.size; i++)
        map.data[i] = (guint8)g_rand_int(rand);
    draw(view, map.data + margin * stride + margin, stride, rand);
    gst_buffer_unmap(buffer, &map);
    if (margin > 0) {
        GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);
        crop->x = crop->y = (guint)margin;
        crop->width = WIDTH;
        crop->height = HEIGHT;
    }
    if (view->embedded)
        embed(buffer, view->angle);
    GST_BUFFER_PTS(buffer) = (GstClockTime)(second + view->ahead) * GST_SECOND;
    GST_BUFFER_DURATION(buffer) = GST_SECOND;
    return buffer;
}
