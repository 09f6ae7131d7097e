// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bench_pipeline.c - see bench_pipeline.h.

#include "bench_pipeline.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>

struct BenchPipeline {
    GstElement *pipeline;
    GstAppSrc *src;
    GstAppSink *sink;
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

BenchPipeline *
bench_pipeline_new(const BenchPipelineParams *params, GError **error)
{
    GstElement *pipeline = gst_parse_launch_full(
        "appsrc name=src format=time max-bytes=0 ! peinference name=pe ! "
        "appsink name=sink sync=false",
        NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
    if (!pipeline) {
        g_prefix_error(error, "is GST_PLUGIN_PATH set to the build's gst "
                              "folder? ");
        return NULL;
    }
    BenchPipeline *p = g_new0(BenchPipeline, 1);
    p->pipeline = pipeline;
    p->params = *params;
    p->src = GST_APP_SRC(gst_bin_get_by_name(GST_BIN(pipeline), "src"));
    p->sink = GST_APP_SINK(gst_bin_get_by_name(GST_BIN(pipeline), "sink"));
    GstElement *element = gst_bin_get_by_name(GST_BIN(pipeline), "pe");
    configure_element(element, params);
    gst_object_unref(element);

    GstCaps *caps = gst_caps_new_simple(
        "video/x-raw", "format", G_TYPE_STRING, "RGB", "width", G_TYPE_INT,
        params->size, "height", G_TYPE_INT, params->size, "framerate",
        GST_TYPE_FRACTION, 30, 1, NULL);
    gst_app_src_set_caps(p->src, caps);
    gst_caps_unref(caps);
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
    gst_object_unref(p->src);
    gst_object_unref(p->sink);
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
        gst_app_src_push_buffer(p->src, make_buffer(p));
    for (int i = 0; i < n;) {
        GstSample *sample =
            gst_app_sink_try_pull_sample(p->sink, 100 * GST_MSECOND);
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
