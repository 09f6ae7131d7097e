// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpequery.c - see gstpequery.h.

#include "gst/inference/flow/gstpequery.h"

// Until there is an engine, only the CPU's by name is known to be one.
static bool
is_host_engine(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    bool host = shared->engine ? pe_engine_is_host(shared->engine)
                               : g_strcmp0(shared->device, "cpu") == 0;
    g_mutex_unlock(&shared->lock);
    return host;
}

// Of either pad. A host engine takes frames in CUDA memory too, but reads them
// through a copy.
static gboolean
answer_query(GstPeShared *shared, GstPad *pad, GstQuery *query)
{
    if (gst_pe_cuda_answer(&shared->cuda, query))
        return TRUE;
    if (!gst_pad_query_default(pad, GST_OBJECT_CAST(shared->element), query))
        return FALSE;
    if (GST_QUERY_TYPE(query) == GST_QUERY_CAPS && is_host_engine(shared))
        gst_pe_cuda_put_last(query);
    return TRUE;
}

static gboolean
sink_query(GstPad *pad, GstObject *parent, GstQuery *query)
{
    GstPeInput *input = gst_pad_get_element_private(pad);
    GstPeShared *shared = gst_pe_input_get_shared(input);

    if (!GST_QUERY_IS_SERIALIZED(query))
        return answer_query(shared, pad, query);
    if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION)
        gst_pe_input_update_mode(input);
    gst_pe_shared_run_now(shared);
    return gst_pe_queue_push_query(&shared->queue, query);
}

// Only exact mode behind a live source delays frames; otherwise they wait for
// nothing, or the source waits too.
static gboolean
src_query(GstPad *pad, GstObject *parent, GstQuery *query)
{
    GstPeShared *shared = gst_pad_get_element_private(pad);
    GstPeSettings settings = gst_pe_shared_get_settings(shared);
    gboolean live;
    GstClockTime min, max;

    if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
        return answer_query(shared, pad, query);
    if (!gst_pad_peer_query(shared->sinkpad, query))
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
gst_pe_query_init(GstPeShared *shared, GstPeInput *input)
{
    gst_pad_set_query_function(shared->sinkpad, sink_query);
    gst_pad_set_query_function(shared->srcpad, src_query);
}
