// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bench_pipeline.c - see bench_pipeline.h.

#include "bench_pipeline.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>

// One of the elements, which share an engine.
typedef struct {
    GstAppSrc *src;
    GstAppSink *sink;
} Stream;

struct BenchPipeline {
    GstElement *pipeline;
    Stream *streams;
    BenchPipelineParams params;
    guint64 n_pushed;
};

// Not by gst_parse_launch(): a path may hold any character.
static void
configure_element(GstElement *element, const BenchPipelineParams *params)
{
    g_object_set(element, "model", params->model, "clip-length", 1,
                 "batch-size", params->batch, "batch-timeout", 20, NULL);
    gst_util_set_object_arg(G_OBJECT(element), "frame-rate", "0/1");
    gst_util_set_object_arg(G_OBJECT(element), "mode", "exact");
    gst_util_set_object_arg(G_OBJECT(element), "precision", params->precision);
    gst_util_set_object_arg(G_OBJECT(element), "device", params->device);
}

static void
take_bus_error(BenchPipeline *p, GError **error)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(p->pipeline);
    g_autoptr(GstMessage) message =
        gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_autoptr(GError) cause = NULL;
    g_autofree char *debug = NULL;
    if (message)
        gst_message_parse_error(message, &cause, &debug);
    g_set_error(error, PE_ERROR, PE_ERROR_BACKEND,
                "the pipeline failed: %s%s%s",
                cause ? cause->message : "no reason given", debug ? ": " : "",
                debug ? debug : "");
}

static GstElement *
make_pipeline(int n_streams, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (int i = 0; i < n_streams; i++)
        g_string_append_printf(
            text,
            "appsrc name=src%d format=time max-bytes=0 ! "
            "peinference name=pe%d ! appsink name=sink%d sync=false ",
            i, i, i);
    GstElement *pipeline = gst_parse_launch_full(
        text->str, NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
    if (!pipeline)
        g_prefix_error(error, "is GST_PLUGIN_PATH set to the build's gst "
                              "folder? ");
    return pipeline;
}

// Returns, gst_object_unref().
static GstElement *
find(BenchPipeline *p, const char *kind, int stream)
{
    g_autofree char *name = g_strdup_printf("%s%d", kind, stream);
    return gst_bin_get_by_name(GST_BIN(p->pipeline), name);
}

static void
set_up_streams(BenchPipeline *p)
{
    g_autoptr(GstCaps) caps = gst_caps_new_simple(
        "video/x-raw", "format", G_TYPE_STRING, "RGB", "width", G_TYPE_INT,
        p->params.size, "height", G_TYPE_INT, p->params.size, "framerate",
        GST_TYPE_FRACTION, 30, 1, NULL);
    p->streams = g_new0(Stream, p->params.n_streams);
    for (int i = 0; i < p->params.n_streams; i++) {
        GstElement *element = find(p, "pe", i);
        configure_element(element, &p->params);
        gst_object_unref(element);
        p->streams[i] = (Stream){.src = GST_APP_SRC(find(p, "src", i)),
                                 .sink = GST_APP_SINK(find(p, "sink", i))};
        gst_app_src_set_caps(p->streams[i].src, caps);
    }
}

BenchPipeline *
bench_pipeline_new(const BenchPipelineParams *params, GError **error)
{
    GstElement *pipeline = make_pipeline(params->n_streams, error);
    if (!pipeline)
        return NULL;
    BenchPipeline *p = g_new0(BenchPipeline, 1);
    p->pipeline = pipeline;
    p->params = *params;
    set_up_streams(p);
    if (gst_element_set_state(pipeline, GST_STATE_PLAYING) ==
        GST_STATE_CHANGE_FAILURE) {
        take_bus_error(p, error);
        bench_pipeline_free(p);
        return NULL;
    }
    return p;
}

void
bench_pipeline_free(BenchPipeline *p)
{
    if (!p)
        return;
    gst_element_set_state(p->pipeline, GST_STATE_NULL);
    for (int i = 0; i < p->params.n_streams; i++) {
        gst_object_unref(p->streams[i].src);
        gst_object_unref(p->streams[i].sink);
    }
    g_free(p->streams);
    gst_object_unref(p->pipeline);
    g_free(p);
}

// RGB rows of the frames that GStreamer expects are 4-byte aligned; sizes of
// the published models are multiples of 4 anyway.
static GstBuffer *
make_buffer(BenchPipeline *p)
{
    gsize size = (gsize)p->params.size * (gsize)p->params.size * 3;
    GstBuffer *buffer = gst_buffer_new_wrapped_full(GST_MEMORY_FLAG_READONLY,
                                                    (void *)p->params.pixels,
                                                    size, 0, size, NULL, NULL);
    GST_BUFFER_PTS(buffer) =
        gst_util_uint64_scale(p->n_pushed++, GST_SECOND, 30);
    GST_BUFFER_DURATION(buffer) = GST_SECOND / 30;
    return buffer;
}

double
bench_pipeline_run(BenchPipeline *p, int n, GError **error)
{
    gint64 start = g_get_monotonic_time();
    for (int i = 0; i < n; i++)
        gst_app_src_push_buffer(p->streams[i % p->params.n_streams].src,
                                make_buffer(p));
    for (int i = 0; i < n;) {
        GstSample *sample = gst_app_sink_try_pull_sample(
            p->streams[i % p->params.n_streams].sink, 100 * GST_MSECOND);
        if (sample) {
            gst_sample_unref(sample);
            i++;
            continue;
        }
        g_autoptr(GstBus) bus = gst_element_get_bus(p->pipeline);
        g_autoptr(GstMessage) message =
            gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
        if (message) {
            gst_bus_post(bus, g_steal_pointer(&message));
            take_bus_error(p, error);
            return -1;
        }
    }
    return (double)(g_get_monotonic_time() - start) / 1e6;
}
