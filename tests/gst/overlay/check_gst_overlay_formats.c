// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_overlay_formats.c - peoverlay draws into frames of every format as
// GStreamer blends.

#include "overlay_helpers.h"

// Of 255, or of 65535 in 257ths.
static int
compare_line(const GstVideoFrame *a, const GstVideoFrame *b, int y)
{
    const GstVideoFormatInfo *format = a->info.finfo;
    const GstVideoFormatInfo *unpacked =
        gst_video_format_get_info(format->unpack_format);
    bool wide = unpacked->bits == 16;
    guint16 lines[2][(WIDTH + 16) * 4];
    int worst = 0;

    format->unpack_func(format, 0, lines[0], a->data, a->info.stride, 0, y,
                        WIDTH);
    format->unpack_func(format, 0, lines[1], b->data, b->info.stride, 0, y,
                        WIDTH);
    for (int i = 0; i < WIDTH * 4; i++) {
        int d = wide ? (lines[0][i] - lines[1][i]) / 257
                     : ((guint8 *)lines[0])[i] - ((guint8 *)lines[1])[i];
        worst = MAX(worst, ABS(d));
    }
    return worst;
}

// The same as when GStreamer blends the composition into the frame.
//   opaque  every byte is 255, and all alpha with it
static void
check_format(GstVideoFormat format, bool opaque,
             GstVideoOverlayComposition *composition)
{
    GstHarness *h = play_overlay("", format, false);
    GstVideoInfo info;
    GstVideoFrame expected, actual;
    int worst = 0;

    gst_video_info_set_format(&info, format, WIDTH, HEIGHT);
    GstBuffer *twin = make_noise(&info, 0);
    if (opaque)
        gst_buffer_memset(twin, 0, 255, info.size);
    GstBuffer *frame = gst_buffer_copy_deep(twin);
    gst_video_frame_map(&expected, &info, twin, GST_MAP_READWRITE);
    g_assert_true(gst_video_overlay_composition_blend(composition, &expected));
    add_example(frame);
    GstBuffer *out = pass(h, frame);
    gst_video_frame_map(&actual, &info, out, GST_MAP_READ);
    for (int y = 0; y < HEIGHT; y++)
        worst = MAX(worst, compare_line(&expected, &actual, y));
    gst_video_frame_unmap(&expected);
    gst_video_frame_unmap(&actual);
    if (worst > 3)
        g_error("%s: off by %d, limit 3", gst_video_format_to_string(format),
                worst);
    g_assert_cmpuint(get_count(h, "blended"), ==, 1);
    g_assert_cmpuint(get_count(h, "failed"), ==, 0);
    gst_buffer_unref(twin);
    gst_buffer_unref(out);
    stop(h);
}

// Most cameras leave the padding of BGRx at 0, which must not count as alpha.
static void
takes_padding_as_no_alpha(void)
{
    GstHarness *h = play_overlay("", GST_VIDEO_FORMAT_BGRx, false);
    GstVideoInfo info;
    GstMapInfo map;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_BGRx, WIDTH, HEIGHT);
    GstBuffer *frame = make_noise(&info, 0);
    gst_buffer_map(frame, &map, GST_MAP_WRITE);
    for (gsize i = 0; i < map.size; i++)
        map.data[i] = i % 4 == 3 ? 0 : 255;
    gst_buffer_unmap(frame, &map);
    add_example(frame);
    GstBuffer *out = pass(h, frame);
    gst_buffer_map(out, &map, GST_MAP_READ);
    // The ground of the table, on white: dark, and not as dark as its colour.
    const guint8 *ground = map.data + (5 * WIDTH + 5) * 4;
    g_assert_cmpint(ground[0], >, 60);
    g_assert_cmpint(ground[0], <, 110);
    gst_buffer_unmap(out, &map);
    gst_buffer_unref(out);
    stop(h);
}

static void
draws_in_every_format(void)
{
    GstVideoOverlayComposition *composition = make_example_composition();
    g_autoptr(GstElement) element = gst_element_factory_make("peoverlay", NULL);
    GstPad *pad = gst_element_get_static_pad(element, "sink");
    GstCaps *caps = gst_pad_get_pad_template_caps(pad);
    const GValue *formats =
        gst_structure_get_value(gst_caps_get_structure(caps, 0), "format");

    g_assert_cmpuint(gst_value_list_get_size(formats), >, 60);
    for (guint i = 0; i < gst_value_list_get_size(formats); i++) {
        GstVideoFormat format = gst_video_format_from_string(
            g_value_get_string(gst_value_list_get_value(formats, i)));
        const GstVideoFormatInfo *info = gst_video_format_get_info(format);
        check_format(format, false, composition);
        if (GST_VIDEO_FORMAT_INFO_HAS_ALPHA(info))
            check_format(format, true, composition);
    }
    gst_caps_unref(caps);
    gst_object_unref(pad);
    gst_object_ref_sink(element);
    gst_video_overlay_composition_unref(composition);
}

static void
bears_frames_of_any_size(void)
{
    static const int sizes[][2] = {{1, 1},   {2, 2},   {3, 500},
                                   {500, 3}, {17, 33}, {96, 64}};
    static const char *const formats[] = {"I420", "RGB",       "YUY2",
                                          "NV12", "P010_10LE", "UYVP"};

    for (guint i = 0; i < G_N_ELEMENTS(sizes) * G_N_ELEMENTS(formats); i++) {
        const int *size = sizes[i / G_N_ELEMENTS(formats)];
        const char *format = formats[i % G_N_ELEMENTS(formats)];
        g_autofree char *text =
            g_strdup_printf("video/x-raw,format=%s,width=%d,height=%d,"
                            "framerate=25/1",
                            format, size[0], size[1]);
        GstHarness *h = gst_harness_new("peoverlay");
        GstVideoInfo info;
        gst_harness_set_live(h, FALSE);
        gst_harness_set_src_caps_str(h, text);
        gst_video_info_set_format(&info, gst_video_format_from_string(format),
                                  (guint)size[0], (guint)size[1]);
        GstBuffer *frame = make_noise(&info, 0);
        add_example(frame);
        gst_buffer_unref(pass(h, frame));
        gst_harness_teardown(h);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gst_init(&argc, &argv);
#define ADD(test) g_test_add_func("/overlay_formats/" #test, test)
    ADD(draws_in_every_format);
    ADD(takes_padding_as_no_alpha);
    ADD(bears_frames_of_any_size);
#undef ADD
    return g_test_run();
}
