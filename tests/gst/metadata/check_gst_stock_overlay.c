// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_stock_overlay.c - GStreamer's own objectdetectionoverlay draws our
// labels, of the whole picture and of a region, when there are boxes for them.

#include "tests/support/gst_helpers.h"

#include <gst/app/gstappsink.h>

#define WIDTH 640
#define HEIGHT 360
#define BORDER 5 // of a box, with its stroke

// Pixels; right and bottom are outside.
typedef struct {
    int left, top, right, bottom;
} Area;

// The pixels of one black frame behind peinference with these properties and
// the overlay.
static GBytes *
draw(const char *properties)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *line = g_strdup_printf(
        "videotestsrc pattern=black num-buffers=1 ! "
        "video/x-raw,format=RGB,width=%d,height=%d ! peinference model=%s "
        "device=cpu precision=fp32 frame-rate=0/1 clip-length=1 mode=exact "
        "negative-labels=none %s ! objectdetectionoverlay ! "
        "video/x-raw,format=RGB ! appsink name=out sync=false",
        WIDTH, HEIGHT, tiny_model_path(), properties);
    GstElement *pipeline = gst_parse_launch(line, &error);
    GstMapInfo map;

    g_assert_no_error(error);
    g_autoptr(GstElement) out = gst_bin_get_by_name(GST_BIN(pipeline), "out");
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    GstSample *sample =
        gst_app_sink_try_pull_sample(GST_APP_SINK(out), 60 * GST_SECOND);
    g_assert_nonnull(sample);
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
    g_assert_cmpuint(map.size, ==, WIDTH * HEIGHT * 3);
    GBytes *pixels = g_bytes_new(map.data, map.size);
    gst_buffer_unmap(buffer, &map);
    gst_sample_unref(sample);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
    return pixels;
}

// How many pixels of an area something is drawn on; the pixels are taken.
static guint
count_ink(GBytes *pixels, Area area)
{
    const guint8 *data = g_bytes_get_data(pixels, NULL);
    int first = -1, last = -1;
    guint n = 0;

    for (int y = area.top; y < area.bottom; y++) {
        for (int x = area.left; x < area.right; x++) {
            const guint8 *p = data + (y * WIDTH + x) * 3;
            if (p[0] <= 64 && p[1] <= 64 && p[2] <= 64)
                continue;
            n++;
            first = first < 0 ? y : first;
            last = y;
        }
    }
    g_test_message("%u pixels, in rows %d to %d", n, first, last);
    g_bytes_unref(pixels);
    return n;
}

// What is drawn in an area is a text: it has more ink when it is longer, and
// nothing is there without boxes.
static void
assert_draws_labels(const char *format, Area text)
{
    static const char *const elements[] = {"objectdetectionoverlay", NULL};
    static const Area all = {0, 0, WIDTH, HEIGHT};

    if (!have_elements(elements))
        return;
    g_autofree char *without = g_strdup_printf(format, "false", "dog");
    g_autofree char *with = g_strdup_printf(format, "true", "dog");
    g_autofree char *longer =
        g_strdup_printf(format, "true", "dogs that sleep in the sun");
    g_assert_cmpuint(count_ink(draw(without), all), ==, 0);
    guint one = count_ink(draw(with), text);
    guint more = count_ink(draw(longer), text);
    g_test_message("%.1f times as much for a longer text, at least 1.5",
                   (double)more / MAX(one, 1));
    g_assert_cmpuint(one, >, 50);
    g_assert_cmpuint(more, >, one + one / 2);
}

static void
draws_the_label_of_the_picture(void)
{
    assert_draws_labels("attach-boxes=%s labels=\"%s\"",
                        (Area){0, 0, WIDTH, 32 - BORDER});
}

// Above its box.
static void
draws_the_label_of_a_region(void)
{
    assert_draws_labels("attach-boxes=%s regions=\"gate=100,200,400,100;%s\"",
                        (Area){0, 0, WIDTH, 200 - BORDER});
}

static void
add_tests(void)
{
    g_test_add_func("/stock-overlay/picture", draws_the_label_of_the_picture);
    g_test_add_func("/stock-overlay/region", draws_the_label_of_a_region);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
