// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpequery.c - see gstpequery.h.

#include "gst/inference/flow/gstpequery.h"

#include "gst/engine/gstpeenginequery.h"

// Until there is an engine, only the CPU's by name is known to be one.
static bool
is_host_engine(GstPeShared *shared)
{
    g_mutex_lock(&shared->lock);
    bool host = shared->engine
                    ? pe_engine_is_host(shared->engine)
                    : g_strcmp0(shared->engine_settings.device, "cpu") == 0;
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
    GstPeStream *stream = gst_pad_get_element_private(pad);
    GstPeShared *shared = stream->shared;

    if (!GST_QUERY_IS_SERIALIZED(query))
        return answer_query(shared, pad, query);
    if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION)
        gst_pe_stream_update_mode(stream);
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

    if (gst_pe_engine_query_is(query)) {
        g_auto(GstPeEngineSettings) engine =
            gst_pe_shared_dup_engine_settings(shared);
        gst_pe_engine_query_answer(query, &engine);
        return TRUE;
    }
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

// ---- Serialized -----------------------------------------------------------

// The frames that are held here are missing in the pool that they came from.
// Without a pool from downstream the number alone is announced: decoders that
// are given one wait for its buffers, others copy. false: no frames are asked
// about.
static bool
announce_held(GstPeShared *shared, GstQuery *query)
{
    guint held = (guint)gst_pe_shared_count_held(shared);
    guint n = gst_query_get_n_allocation_pools(query);

    for (guint i = 0; i < n; i++) {
        GstBufferPool *pool;
        guint size, min, max;
        gst_query_parse_nth_allocation_pool(query, i, &pool, &size, &min, &max);
        min += held;
        if (max > 0)
            max = MAX(max + held, min);
        gst_query_set_nth_allocation_pool(query, i, pool, size, min, max);
        gst_clear_object(&pool);
    }
    if (n > 0)
        return true;
    GstCaps *caps = NULL;
    GstVideoInfo info;
    gst_query_parse_allocation(query, &caps, NULL);
    if (!caps || !gst_video_info_from_caps(&info, caps))
        return false;
    gst_query_add_allocation_pool(query, NULL, (guint)info.size, held, 0);
    return true;
}

// Downstream may ask for metadata that changes what is seen, such as pictures
// to be drawn over the frame. Only that passes which is read here too.
static void
leave_known_metas(GstQuery *query)
{
    for (guint i = gst_query_get_n_allocation_metas(query); i-- > 0;) {
        GType api = gst_query_parse_nth_allocation_meta(query, i, NULL);
        if (api != GST_VIDEO_META_API_TYPE &&
            api != GST_VIDEO_CROP_META_API_TYPE)
            gst_query_remove_nth_allocation_meta(query, i);
    }
}

bool
gst_pe_query_answer(GstPeShared *shared, GstQuery *query)
{
    bool ok = gst_pad_peer_query(shared->srcpad, query);

    // They are held even if nobody downstream has an opinion.
    if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION) {
        leave_known_metas(query);
        ok = announce_held(shared, query) || ok;
    }
    return ok;
}

// ---- Setup ----------------------------------------------------------------

void
gst_pe_query_init(GstPeShared *shared)
{
    gst_pad_set_query_function(shared->sinkpad, sink_query);
    gst_pad_set_query_function(shared->srcpad, src_query);
}
