// SPDX-License-Identifier: LGPL-2.1-or-later
//
// decode.c - uridecodebin into an appsink that takes the library's own formats,
// and GstVideoFrame as PeFrame.

#include "decode.h"

#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <string.h>

static const struct {
    GstVideoFormat gst;
    PeFormat pe;
} formats[] = {
    {GST_VIDEO_FORMAT_NV12, PE_FORMAT_NV12},
    {GST_VIDEO_FORMAT_I420, PE_FORMAT_I420},
    {GST_VIDEO_FORMAT_YUY2, PE_FORMAT_YUY2},
    {GST_VIDEO_FORMAT_P010_10LE, PE_FORMAT_P010},
    {GST_VIDEO_FORMAT_RGB, PE_FORMAT_RGB},
    {GST_VIDEO_FORMAT_BGR, PE_FORMAT_BGR},
    {GST_VIDEO_FORMAT_RGBx, PE_FORMAT_RGBX},
    {GST_VIDEO_FORMAT_RGBA, PE_FORMAT_RGBX},
    {GST_VIDEO_FORMAT_BGRx, PE_FORMAT_BGRX},
    {GST_VIDEO_FORMAT_BGRA, PE_FORMAT_BGRX},
    {GST_VIDEO_FORMAT_GRAY8, PE_FORMAT_GRAY8},
};

static PeMatrix
matrix_of(const GstVideoInfo *info)
{
    switch (info->colorimetry.matrix) {
    case GST_VIDEO_COLOR_MATRIX_BT601:
    case GST_VIDEO_COLOR_MATRIX_FCC:
        return PE_MATRIX_BT601;
    case GST_VIDEO_COLOR_MATRIX_BT2020:
        return PE_MATRIX_BT2020;
    case GST_VIDEO_COLOR_MATRIX_BT709:
        return PE_MATRIX_BT709;
    default: // unknown: by size, as televisions do
        return info->height < 720 ? PE_MATRIX_BT601 : PE_MATRIX_BT709;
    }
}

static PeFrame
frame_of(const GstVideoFrame *v)
{
    const GstVideoInfo *info = &v->info;
    PeFrame frame = {
        .memory = PE_MEMORY_HOST,
        .matrix = matrix_of(info),
        .full_range = info->colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255,
        .width = info->width,
        .height = info->height,
    };
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        if (formats[i].gst == GST_VIDEO_INFO_FORMAT(info))
            frame.format = formats[i].pe;
    }
    for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES(v) && i < 3; i++) {
        frame.planes[i] = GST_VIDEO_FRAME_PLANE_DATA(v, i);
        frame.strides[i] = GST_VIDEO_FRAME_PLANE_STRIDE(v, i);
    }
    return frame;
}

static GstCaps *
known_caps(void)
{
    GValue list = G_VALUE_INIT;
    gst_value_list_init(&list, G_N_ELEMENTS(formats));
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
        GValue name = G_VALUE_INIT;
        g_value_init(&name, G_TYPE_STRING);
        g_value_set_static_string(&name,
                                  gst_video_format_to_string(formats[i].gst));
        gst_value_list_append_and_take_value(&list, &name);
    }
    GstCaps *caps = gst_caps_new_empty_simple("video/x-raw");
    gst_caps_set_value(caps, "format", &list);
    g_value_unset(&list);
    return caps;
}

// videoconvert passes everything that appsink takes through untouched.
static GstElement *
new_pipeline(const char *path, GstAppSink **sink, GError **error)
{
    g_autofree char *uri = gst_filename_to_uri(path, error);
    if (!uri)
        return NULL;
    GstElement *pipeline = gst_parse_launch_full(
        "uridecodebin name=source caps=video/x-raw ! videoconvert ! appsink "
        "name=sink sync=false max-buffers=4",
        NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
    if (!pipeline)
        return NULL;
    GstElement *source = gst_bin_get_by_name(GST_BIN(pipeline), "source");
    g_object_set(source, "uri", uri, NULL);
    gst_object_unref(source);
    *sink = GST_APP_SINK(gst_bin_get_by_name(GST_BIN(pipeline), "sink"));
    GstCaps *caps = known_caps();
    gst_app_sink_set_caps(*sink, caps);
    gst_caps_unref(caps);
    return pipeline;
}

static bool
give_sample(GstSample *sample, DecodeFunc func, int64_t index, void *user_data,
            GError **error)
{
    GstVideoInfo info;
    GstVideoFrame mapped;
    if (!gst_video_info_from_caps(&info, gst_sample_get_caps(sample)) ||
        !gst_video_frame_map(&mapped, &info, gst_sample_get_buffer(sample),
                             GST_MAP_READ)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "a decoded frame cannot be mapped");
        return false;
    }
    PeFrame frame = frame_of(&mapped);
    bool more = func(&frame, index, user_data, error);
    gst_video_frame_unmap(&mapped);
    return more;
}

// The first error on the bus, if there is one.
static bool
find_bus_error(GstElement *pipeline, const char *path, GError **error)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    g_autoptr(GstMessage) message =
        gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    if (!message)
        return false;
    g_autoptr(GError) cause = NULL;
    g_autofree char *debug = NULL;
    gst_message_parse_error(message, &cause, &debug);
    // The last line says what it was; the others where in GStreamer.
    const char *line = debug ? strrchr(g_strchomp(debug), '\n') : NULL;
    g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: %s%s%.200s%s", path,
                cause->message, line ? " (" : "", line ? line + 1 : "",
                line ? ")" : "");
    return true;
}

// Feed `func` until it has enough, the stream ends or something fails.
static int64_t
pull_frames(GstElement *pipeline, GstAppSink *sink, const char *path,
            DecodeFunc func, void *user_data, GError **error)
{
    GError *e = NULL;
    bool more = true;
    int64_t n = 0;
    while (more && !e) {
        GstSample *sample =
            gst_app_sink_try_pull_sample(sink, 50 * GST_MSECOND);
        if (sample) {
            more = give_sample(sample, func, n++, user_data, &e);
            gst_sample_unref(sample);
        } else if (find_bus_error(pipeline, path, &e) ||
                   gst_app_sink_is_eos(sink)) {
            break;
        }
    }
    if (!e && n == 0)
        g_set_error(&e, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: has no video frame and no picture", path);
    if (!e)
        return n;
    g_propagate_error(error, e);
    return -1;
}

int64_t
decode_file(const char *path, DecodeFunc func, void *user_data, GError **error)
{
    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: there is no such file",
                    path);
        return -1;
    }
    GstAppSink *sink = NULL;
    GstElement *pipeline = new_pipeline(path, &sink, error);
    if (!pipeline)
        return -1;
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    int64_t n = pull_frames(pipeline, sink, path, func, user_data, error);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(sink);
    gst_object_unref(pipeline);
    return n;
}
