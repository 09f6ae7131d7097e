// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpequery.c - what neighbours of peinference may ask: caps, latency, the
// CUDA context, and in the queue's order how frames are allocated.

#include "gst/inference/gstpeinference.h"

// Until there is an engine, only the CPU's by name is known to be one.
static bool
is_host_engine(GstPeInference *self)
{
    GST_OBJECT_LOCK(self);
    bool host = self->engine ? !gst_pe_engine_is_on_device(self->engine)
                             : g_strcmp0(self->device, "cpu") == 0;
    GST_OBJECT_UNLOCK(self);
    return host;
}

// Of either pad. A host engine takes frames in CUDA memory too, but reads them
// through a copy.
static gboolean
answer_query(GstPeInference *self, GstPad *pad, GstQuery *query)
{
    if (gst_pe_cuda_answer(&self->cuda, query))
        return TRUE;
    if (!gst_pad_query_default(pad, GST_OBJECT_CAST(self), query))
        return FALSE;
    if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS && is_host_engine(self))
        gst_pe_cuda_put_last(query);
    return TRUE;
}

static gboolean
sink_query(GstPad *pad, GstObject *parent, GstQuery *query)
{
    GstPeInference *self = GST_PE_INFERENCE(parent);

    if (!GST_QUERY_IS_SERIALIZED(query))
        return answer_query(self, pad, query);
    if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION)
        gst_pe_input_update_mode(self);
    pe_client_run_now(self->client);
    return gst_pe_queue_push_query(&self->queue, query);
}

// Only exact mode behind a live source delays frames; otherwise they wait for
// nothing, or the source waits too.
static gboolean
src_query(GstPad *pad, GstObject *parent, GstQuery *query)
{
    GstPeInference *self = GST_PE_INFERENCE(parent);
    GstPeSettings settings = gst_pe_inference_get_settings(self);
    gboolean live;
    GstClockTime min, max;

    if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
        return answer_query(self, pad, query);
    if (!gst_pad_peer_query(self->sinkpad, query))
        return FALSE;
    gst_query_parse_latency(query, &live, &min, &max);
    if (live && settings.mode == GST_PE_INFERENCE_MODE_EXACT) {
        GstClockTime latency = settings.latency * GST_MSECOND;
        min += latency;
        if (GST_CLOCK_TIME_IS_VALID(max))
            max += latency;
    }
    gst_query_set_latency(query, live, min, max);
    return TRUE;
}

void
gst_pe_query_init(GstPeInference *self)
{
    gst_pad_set_query_function(self->sinkpad, sink_query);
    gst_pad_set_query_function(self->srcpad, src_query);
}
