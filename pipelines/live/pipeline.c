// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pipeline.c - see pipeline.h.

#include "pipeline.h"

#include <string.h>

#define RTSP_LATENCY_MS 200
// Of a TCP connection that takes or gives nothing, us.
#define TCP_TIMEOUT (G_GUINT64_CONSTANT(5) * G_USEC_PER_SEC)
// How long the end of a session may wait for the server. A stopped one does not
// answer.
#define TEARDOWN_TIMEOUT (100 * GST_MSECOND)
// Pictures that a live stream may be behind before it loses some.
#define QUEUE_LENGTH 4

static GstElement *
add(GstElement *pipeline, const char *factory, GError **error)
{
    GstElement *element = gst_element_factory_make(factory, NULL);
    if (element)
        gst_bin_add(GST_BIN(pipeline), element);
    else if (error && !*error)
        g_set_error(error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
                    "GStreamer's element \"%s\" is not installed", factory);
    return element;
}

static bool
has_property(GstElement *element, const char *name)
{
    return g_object_class_find_property(G_OBJECT_GET_CLASS(element), name);
}

static void
set_transport(GstElement *source, const char *transport)
{
    const char *protocols = g_str_equal(transport, "tcp") ? "tcp"
                            : g_str_equal(transport, "udp")
                                ? "udp-mcast+udp"
                                : "tcp+udp-mcast+udp";
    gst_util_set_object_arg(G_OBJECT(source), "protocols", protocols);
}

// The URI has no user and no password; the source gets them apart, so that what
// GStreamer says of the URI does not tell them.
static void
on_source_setup(GstElement *decoder, GstElement *source, gpointer data)
{
    const StreamPlan *plan = data;
    const Address *address = plan->address;
    if (address->user && has_property(source, "user-id"))
        g_object_set(source, "user-id", address->user, "user-pw",
                     address->password ? address->password : "", NULL);
    if (has_property(source, "protocols") &&
        has_property(source, "teardown-timeout")) {
        set_transport(source, plan->transport);
        g_object_set(source, "latency", RTSP_LATENCY_MS, "drop-on-latency",
                     TRUE, "tcp-timeout", TCP_TIMEOUT, "teardown-timeout",
                     TEARDOWN_TIMEOUT, NULL);
    }
}

// The first video stream is the one that is watched; others go nowhere, which
// demuxers bear as long as one is linked.
static void
on_pad_added(GstElement *decoder, GstPad *pad, gpointer data)
{
    GstElement *queue = data;
    g_autoptr(GstPad) sink = gst_element_get_static_pad(queue, "sink");
    g_autoptr(GstCaps) caps = gst_pad_query_caps(pad, NULL);
    if (gst_pad_is_linked(sink))
        return;
    if (gst_pad_link(pad, sink) == GST_PAD_LINK_OK)
        return;
    g_autofree char *text = gst_caps_to_string(caps);
    GST_ELEMENT_ERROR(decoder, STREAM, FORMAT,
                      ("Frames of this kind cannot be used: %.200s", text),
                      (NULL));
}

static GstElement *
add_test_source(GstElement *pipeline, const Address *address, GError **error)
{
    GstElement *source = add(pipeline, "videotestsrc", error);
    GstElement *filter = add(pipeline, "capsfilter", error);
    if (!source || !filter)
        return NULL;
    g_object_set(source, "is-live", TRUE, NULL);
    if (address->pattern)
        gst_util_set_object_arg(G_OBJECT(source), "pattern", address->pattern);
    gst_util_set_object_arg(G_OBJECT(filter), "caps",
                            "video/x-raw,width=320,height=240,framerate=15/1");
    gst_element_link(source, filter);
    return filter;
}

static bool
add_source(GstElement *pipeline, const StreamPlan *plan, GstElement *queue,
           GError **error)
{
    if (plan->address->kind == ADDRESS_TEST) {
        GstElement *source = add_test_source(pipeline, plan->address, error);
        return source && gst_element_link(source, queue);
    }
    GstElement *decoder = add(pipeline, "uridecodebin", error);
    if (!decoder)
        return false;
    g_autoptr(GstCaps) caps = gst_caps_from_string("video/x-raw(ANY)");
    g_object_set(decoder, "uri", plan->address->uri, "caps", caps,
                 "expose-all-streams", FALSE, NULL);
    g_signal_connect(decoder, "source-setup", G_CALLBACK(on_source_setup),
                     (gpointer)plan);
    g_signal_connect(decoder, "pad-added", G_CALLBACK(on_pad_added), queue);
    return true;
}

// Only the newest counts.
static void
keep_picture(GstSample **place, GstPad *pad, GstBuffer *buffer)
{
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
    GstSample *picture = gst_sample_new(buffer, caps, NULL, NULL);
    GstSample *old = __atomic_exchange_n(place, picture, __ATOMIC_ACQ_REL);
    if (old)
        gst_sample_unref(old);
}

static GstPadProbeReturn
on_frame(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    PipelineCounts *seen = data;
    GST_PAD_PROBE_INFO_DATA(info) =
        wall_clock_stamp(&seen->clock, pad, GST_PAD_PROBE_INFO_BUFFER(info));
    __atomic_store_n(&seen->last_frame, g_get_monotonic_time(),
                     __ATOMIC_RELEASE);
    __atomic_add_fetch(&seen->n_frames, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < N_DECODED; i++) {
        if (g_atomic_int_compare_and_exchange(&seen->wanted[i], TRUE, FALSE))
            keep_picture(&seen->pictures[i], pad,
                         GST_PAD_PROBE_INFO_BUFFER(info));
    }
    return GST_PAD_PROBE_OK;
}

// ---- Pictures with what was found -------------------------------------------

// Only what somebody wants is drawn on.
static GstPadProbeReturn
on_overlay_frame(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    PipelineCounts *seen = data;
    return g_atomic_int_compare_and_exchange(&seen->wanted[PICTURE_OVERLAY],
                                             TRUE, FALSE)
               ? GST_PAD_PROBE_OK
               : GST_PAD_PROBE_DROP;
}

static void
on_overlay_picture(GstElement *sink, GstBuffer *buffer, GstPad *pad,
                   gpointer data)
{
    PipelineCounts *seen = data;
    keep_picture(&seen->pictures[PICTURE_OVERLAY], pad, buffer);
}

// A branch of its own behind peinference, which never holds up the other.
// Returns the element that leads to both, or NULL.
static GstElement *
add_overlay(GstElement *pipeline, GstElement *overlay, PipelineCounts *seen,
            GError **error)
{
    GstElement *tee = add(pipeline, "tee", error);
    GstElement *queue = add(pipeline, "queue", error);
    GstElement *convert = add(pipeline, "videoconvert", error);
    GstElement *sink = add(pipeline, "fakesink", error);
    if (!tee || !queue || !convert || !sink)
        return NULL;
    gst_bin_add(GST_BIN(pipeline), overlay);
    gst_util_set_object_arg(G_OBJECT(queue), "leaky", "downstream");
    g_object_set(queue, "max-size-buffers", 1, NULL);
    g_object_set(sink, "sync", FALSE, "async", FALSE, "signal-handoffs", TRUE,
                 "enable-last-sample", FALSE, NULL);
    g_autoptr(GstPad) pad = gst_element_get_static_pad(queue, "sink");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_overlay_frame, seen,
                      NULL);
    g_signal_connect(sink, "handoff", G_CALLBACK(on_overlay_picture), seen);
    return gst_element_link_many(tee, queue, convert, overlay, sink, NULL)
               ? tee
               : NULL;
}

// ---- What was found --------------------------------------------------------

// Each element numbers its results in the order in which they leave, and some
// are repeated.
static void
take_result(PipelineFindings *findings, GstPeResult *result)
{
    guint64 sequence = gst_pe_result_get_sequence(result);
    bool of_health =
        findings->health &&
        g_strcmp0(gst_pe_result_get_element(result), findings->health) == 0;
    if (sequence < findings->next[of_health])
        return;
    findings->next[of_health] = sequence + 1;
    findings->result(result, findings->user_data);
}

static GstPadProbeReturn
on_finding(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    if (info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
        GstPeResult *result =
            gst_event_get_pe_result(GST_PAD_PROBE_INFO_EVENT(info));
        if (result)
            take_result(data, result);
        return GST_PAD_PROBE_OK;
    }
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    for (guint i = 0; i < gst_buffer_get_n_pe_metas(buffer); i++)
        take_result(data, gst_pe_meta_get_result(
                              gst_buffer_get_nth_pe_meta(buffer, i)));
    return GST_PAD_PROBE_OK;
}

// A buffer of pemetaconvert is a line.
static void
on_line(GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer data)
{
    const PipelineFindings *findings = data;
    GstMapInfo map;
    if (!gst_buffer_map(buffer, &map, GST_MAP_READ))
        return;
    findings->line((const char *)map.data, map.size, findings->user_data);
    gst_buffer_unmap(buffer, &map);
}

static void
watch(GstElement *queue, GstElement *convert, GstElement *sink,
      PipelineCounts *seen, PipelineFindings *findings)
{
    g_autoptr(GstPad) frames = gst_element_get_static_pad(queue, "sink");
    g_autoptr(GstPad) results = gst_element_get_static_pad(convert, "sink");
    gst_pad_add_probe(frames, GST_PAD_PROBE_TYPE_BUFFER, on_frame, seen, NULL);
    gst_pad_add_probe(results,
                      GST_PAD_PROBE_TYPE_BUFFER |
                          GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
                      on_finding, findings, NULL);
    g_signal_connect(sink, "handoff", G_CALLBACK(on_line), findings);
}

// Every picture passes pehealth, which looks at them and keeps none.
static GstElement *
add_health(GstElement *pipeline, GstElement *queue, GstElement *health)
{
    if (!health)
        return queue;
    gst_bin_add(GST_BIN(pipeline), health);
    return gst_element_link(queue, health) ? health : NULL;
}

bool
pipeline_build(GstElement *pipeline, GstElement *inference,
               const StreamPlan *plan, PipelineCounts *seen,
               PipelineFindings *findings, GError **error)
{
    bool live = address_is_live(plan->address);
    GstElement *queue = add(pipeline, "queue", error);
    GstElement *convert = add(pipeline, "pemetaconvert", error);
    GstElement *sink = add(pipeline, "fakesink", error);
    if (!queue || !convert || !sink)
        return false;
    gst_bin_add(GST_BIN(pipeline), inference);
    g_object_set(queue, "max-size-buffers", QUEUE_LENGTH, "max-size-bytes", 0,
                 "max-size-time", G_GUINT64_CONSTANT(0), NULL);
    if (live)
        gst_util_set_object_arg(G_OBJECT(queue), "leaky", "downstream");
    // A file is played as fast as a camera would.
    g_object_set(sink, "sync", !live, "signal-handoffs", TRUE, NULL);
    watch(queue, convert, sink, seen, findings);
    GstElement *next = plan->overlay
                           ? add_overlay(pipeline, plan->overlay, seen, error)
                           : convert;
    GstElement *last = add_health(pipeline, queue, plan->health);
    if (next && last && gst_element_link_many(last, inference, next, NULL) &&
        (next == convert || gst_element_link(next, convert)) &&
        gst_element_link(convert, sink) &&
        add_source(pipeline, plan, queue, error))
        return true;
    if (!*error)
        g_set_error(error, GST_CORE_ERROR, GST_CORE_ERROR_NEGOTIATION,
                    "the elements of the stream cannot be linked");
    return false;
}
