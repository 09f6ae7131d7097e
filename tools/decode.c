// SPDX-License-Identifier: LGPL-2.1-or-later
//
// decode.c - uridecodebin into an appsink that takes the library's own formats.

#include "decode.h"

#include <gst/app/gstappsink.h>
#include <gst/gst.h>
#include <string.h>

#include "gst/video/gstpeframe.h"

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
    GstCaps *caps = gst_caps_from_string(GST_VIDEO_CAPS_MAKE(GST_PE_FORMATS));
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
    PeFrame frame;
    if (!gst_video_info_from_caps(&info, gst_sample_get_caps(sample))) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "a decoded frame has no usable caps");
        return false;
    }
    if (!gst_pe_frame_map(&mapped, &frame, &info, gst_sample_get_buffer(sample),
                          false, error))
        return false;
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
