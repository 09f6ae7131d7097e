// SPDX-License-Identifier: LGPL-2.1-or-later
//
// overlay_helpers.c - see overlay_helpers.h.

#include "overlay_helpers.h"

#include <string.h>

const GstPeRegion gate = {.id = 2,
                          .name = "gate",
                          .x = 120,
                          .y = 140,
                          .width = 101,
                          .height = 79,
                          .track_id = GST_PE_REGION_NO_TRACK};

GstHarness *
play_overlay(const char *properties, GstVideoFormat format, bool attaches)
{
    g_autofree char *line = g_strdup_printf("peoverlay %s", properties);
    g_autoptr(GError) error = NULL;
    GstElement *element = gst_parse_launch(line, &error);
    GstVideoInfo info;
    GstHarness *h;

    g_assert_no_error(error);
    gst_video_info_set_format(&info, format, WIDTH, HEIGHT);
    info.fps_n = 25;
    // The one that GStreamer's blending always takes.
    if (!GST_VIDEO_INFO_IS_RGB(&info))
        gst_video_colorimetry_from_string(&info.colorimetry,
                                          GST_VIDEO_COLORIMETRY_BT709);
    GstCaps *caps = gst_video_info_to_caps(&info);
    g_autofree char *text = gst_caps_to_string(caps);
    gst_caps_unref(caps);
    h = gst_harness_new_with_element(element, "sink", "src");
    gst_object_unref(element);
    gst_harness_set_live(h, FALSE);
    if (attaches)
        gst_harness_add_propose_allocation_meta(
            h, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
    gst_harness_set_src_caps_str(h, text);
    return h;
}

// Of xRGB and the like: where x is. 4: there is none.
static gsize
find_padding(const GstVideoFormatInfo *format)
{
    switch (GST_VIDEO_FORMAT_INFO_FORMAT(format)) {
    case GST_VIDEO_FORMAT_xRGB:
    case GST_VIDEO_FORMAT_xBGR:
        return 0;
    case GST_VIDEO_FORMAT_RGBx:
    case GST_VIDEO_FORMAT_BGRx:
        return 3;
    default:
        return 4;
    }
}

static bool
has_short_words(const GstVideoFormatInfo *format)
{
    return format->bits > 8 && format->bits < 16 && format->depth[0] > 8 &&
           format->shift[0] == 0 && GST_VIDEO_FORMAT_INFO_IS_LE(format) &&
           format->pixel_stride[0] == 2;
}

GstBuffer *
make_noise(const GstVideoInfo *info, int index)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, info->size, NULL);
    guint32 state = 12345;
    GstMapInfo map;
    gsize padding = find_padding(info->finfo);

    gst_buffer_map(buffer, &map, GST_MAP_WRITE);
    for (gsize i = 0; i < map.size; i++) {
        state = state * 1664525 + 1013904223;
        map.data[i] = (guint8)(state >> 24);
    }
    // Of words of 10 bits, the other bits are 0.
    for (gsize i = 1; has_short_words(info->finfo) && i < map.size; i += 2)
        map.data[i] &= (guint8)((1u << (info->finfo->bits - 8)) - 1);
    // GStreamer takes what stands in place of alpha as alpha.
    for (gsize i = padding; padding < 4 && i < map.size; i += 4)
        map.data[i] = 255;
    gst_buffer_unmap(buffer, &map);
    GST_BUFFER_PTS(buffer) = (GstClockTime)index * FRAME_DURATION;
    GST_BUFFER_DURATION(buffer) = FRAME_DURATION;
    return buffer;
}

GstPeResult *
make_result(const GstPeLabel *labels, guint n, const GstPeRegion *region)
{
    static guint64 sequence;
    GstPeResultFields fields = example_fields;

    fields.sequence = ++sequence;
    fields.clip_start = sequence;
    fields.clip_end = sequence + 1;
    fields.labels = labels;
    fields.n_labels = n;
    fields.calibration = "none";
    fields.region = region;
    return gst_pe_result_new(&fields);
}

void
add_result(GstBuffer *buffer, GstPeResult *result)
{
    gst_buffer_add_pe_meta(buffer, result, 0);
    gst_pe_result_unref(result);
}

void
add_example(GstBuffer *buffer)
{
    static const GstPeLabel labels[] = {{"a dog", .87, .3, .9},
                                        {"a cat", .12, .2, .1}};
    static const GstPeLabel open = {"open", .61, .3, .9};

    add_result(buffer, make_result(labels, G_N_ELEMENTS(labels), NULL));
    add_result(buffer, make_result(&open, 1, &gate));
}

GstBuffer *
pass(GstHarness *h, GstBuffer *buffer)
{
    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
    return pull(h);
}

bool
draws_on_next(GstHarness *h, int index)
{
    GstCaps *caps = gst_pad_get_current_caps(h->srcpad);
    GstVideoInfo info;
    GstMapInfo map, same;

    g_assert_true(gst_video_info_from_caps(&info, caps));
    gst_caps_unref(caps);
    GstBuffer *plain = make_noise(&info, index);
    GstBuffer *out = pass(h, gst_buffer_copy_deep(plain));
    gst_buffer_map(plain, &map, GST_MAP_READ);
    gst_buffer_map(out, &same, GST_MAP_READ);
    bool drawn = memcmp(map.data, same.data, map.size) != 0 ||
                 get_composition(out) != NULL;
    gst_buffer_unmap(plain, &map);
    gst_buffer_unmap(out, &same);
    gst_buffer_unref(plain);
    gst_buffer_unref(out);
    return drawn;
}

guint64
get_count(GstHarness *h, const char *name)
{
    g_autoptr(GstElement) element = gst_harness_find_element(h, "peoverlay");

    return get_stat(element, name);
}

GstVideoOverlayComposition *
get_composition(GstBuffer *buffer)
{
    GstVideoOverlayCompositionMeta *meta =
        gst_buffer_get_video_overlay_composition_meta(buffer);

    return meta ? meta->overlay : NULL;
}

GstVideoOverlayComposition *
make_example_composition(void)
{
    GstHarness *h = play_overlay("", GST_VIDEO_FORMAT_I420, true);
    GstVideoInfo info;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, WIDTH, HEIGHT);
    GstBuffer *buffer = make_noise(&info, 0);
    add_example(buffer);
    GstBuffer *out = pass(h, buffer);
    GstVideoOverlayComposition *composition = get_composition(out);
    g_assert_nonnull(composition);
    gst_video_overlay_composition_ref(composition);
    gst_buffer_unref(out);
    stop(h);
    return composition;
}
