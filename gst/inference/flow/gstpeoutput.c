// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeoutput.c - see gstpeoutput.h.

#include "gst/inference/flow/gstpeoutput.h"

#include "gst/result/gstpeanalytics.h"
#include "gst/result/gstpefinding.h"
#include "gst/result/gstpemessage.h"

GST_DEBUG_CATEGORY_EXTERN(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

struct _GstPeOutput {
    GstPeShared *shared; // borrowed
    PeEngine *engine;    // borrowed, while started
    guint64 sequence;    // of the next result
    GstPeResult *latest; // that frames may carry; NULL: none
    bool carried;        // by a frame
};

static GstPeResult *
make_result(GstPeOutput *self, GstPeClip *clip, const GstPeSettings *settings,
            GError **error)
{
    int dim = pe_engine_get_dim(self->engine);
    g_autofree float *embedding = g_new(float, (size_t)dim);
    guint n_frames, n_skipped;

    bool ok =
        gst_pe_clip_embed(clip, dim, embedding, &n_frames, &n_skipped, error);
    for (guint i = 0; i < n_skipped; i++)
        gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_SKIPPED);
    if (!ok)
        return NULL;

    PeLabels *labels = gst_pe_label_source_get(&self->shared->labels);
    g_autofree char *name = gst_element_get_name(self->shared->element);
    GstPeResult *result = gst_pe_finding_to_result(&(GstPeFinding){
        .source = clip->source,
        .stream_id = clip->stream_id,
        .element = name,
        .sequence = self->sequence++,
        .first = clip->first,
        .last = clip->last,
        .n_frames = n_frames,
        .reason = clip->reason,
        .embedding = embedding,
        .engine = self->engine,
        .labels = labels,
        .top_k = settings->top_k,
        .threshold = settings->threshold,
        .attach_embedding = settings->attach_embedding,
    });
    g_clear_pointer(&labels, pe_labels_unref);
    return result;
}

// *result, of a clip that has ended, is posted as a message too; it stays NULL
// when the clip was cancelled. false: failed, and the error is posted.
static bool
finish_clip(GstPeOutput *self, GstPeClip *clip, GstPeResult **result)
{
    GstPeShared *shared = self->shared;
    int64_t start = g_get_monotonic_time();
    GstPeSettings settings = gst_pe_shared_get_settings(shared);
    g_autoptr(GError) error = NULL;

    *result = make_result(self, clip, &settings, &error);
    if (*result) {
        gst_pe_stats_count(&shared->stats, GST_PE_COUNT_CLIPS);
        if (clip->reason != GST_PE_REASON_NONE)
            gst_pe_stats_count(&shared->stats, GST_PE_COUNT_PARTIAL);
        gst_pe_stats_time(&shared->stats, GST_PE_STAGE_SCORE, start);
        if (settings.post_messages)
            gst_element_post_message(
                shared->element, gst_pe_message_new(GST_OBJECT(shared->element),
                                                    *result, &clip->last));
    }
    if (!error || g_error_matches(error, PE_ERROR, PE_ERROR_CANCELLED))
        return true;
    gst_pe_shared_post_error(shared, error);
    return false;
}

// ---- Frames ---------------------------------------------------------------

static GstClockTime
get_age(const GstPeResult *result, const GstPeItem *item)
{
    GstClockTime end = gst_pe_result_get_clip_end(result);
    GstClockTime frame_end = gst_pe_times_get_end(
        item->running_time, GST_BUFFER_DURATION(item->object));

    if (!GST_CLOCK_TIME_IS_VALID(end) || !GST_CLOCK_TIME_IS_VALID(frame_end))
        return GST_CLOCK_TIME_NONE;
    return frame_end > end ? frame_end - end : 0;
}

// Frames may carry this result from now on. Borrows it; NULL: none.
static void
set_latest(GstPeOutput *self, GstPeResult *result, bool carried)
{
    if (self->latest && !self->carried)
        gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_SUPERSEDED);
    g_clear_pointer(&self->latest, gst_pe_result_unref);
    if (result)
        self->latest = gst_pe_result_ref(result);
    self->carried = carried;
}

// The frame's own clip has not ended: its result will be late.
static void
let_go(GstPeOutput *self, GstPeClip *clip)
{
    GST_DEBUG_OBJECT(self->shared->element,
                     "a frame leaves without its result");
    gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_LATE);
    clip->for_frames = true;
    gst_pe_queue_add_pending(&self->shared->queue, clip);
}

// The result of the clip that this frame ends; *result stays NULL when there is
// none. false: the clip failed.
static bool
get_own_result(GstPeOutput *self, GstPeItem *item, GstPeResult **result)
{
    GstPeClip *clip = g_steal_pointer(&item->clip);

    if (!clip)
        return true;
    if (!gst_pe_clip_is_done(clip)) {
        let_go(self, clip);
        return true;
    }
    gst_pe_stats_time(&self->shared->stats, GST_PE_STAGE_HOLD, item->arrival);
    bool ok = finish_clip(self, clip, result);
    gst_pe_clip_free(clip);
    if (*result)
        set_latest(self, *result, true);
    return ok;
}

static void
push_result(GstPeOutput *self, GstPeResult *result)
{
    gst_pad_push_event(self->shared->srcpad, gst_event_new_pe_result(result));
}

// A frame carries its own result, else one that was late, else in latest mode
// the most recent one once more. What happens to frames downstream is not
// known, so a result that is new follows its frame as an event too.
static GstFlowReturn
send_buffer(GstPeOutput *self, GstPeItem *item)
{
    GstBuffer *buffer = GST_BUFFER_CAST(item->object);
    g_autoptr(GstPeResult) own = NULL;

    if (!get_own_result(self, item, &own)) {
        gst_buffer_unref(buffer);
        return GST_FLOW_CUSTOM_ERROR;
    }
    if (self->latest && (own || item->repeat || !self->carried)) {
        buffer = gst_buffer_make_writable(buffer);
        item->object = GST_MINI_OBJECT_CAST(buffer);
        gst_buffer_add_pe_meta(buffer, self->latest,
                               get_age(self->latest, item));
        gst_pe_analytics_attach(buffer, self->latest);
        self->carried = true;
    }
    GstFlowReturn flow = gst_pad_push(self->shared->srcpad, buffer);
    if (own)
        push_result(self, own);
    return flow;
}

// ---- Everything else ------------------------------------------------------

// A clip that no frame waited for, or whose place in the stream this is.
static GstFlowReturn
send_result(GstPeOutput *self, GstPeItem *item)
{
    GstPeClip *clip = item->clip;
    g_autoptr(GstPeResult) result = NULL;

    if (!gst_pe_clip_is_done(clip)) {
        gst_pe_queue_add_pending(&self->shared->queue, clip);
        return GST_FLOW_OK;
    }
    bool ok = finish_clip(self, clip, &result);
    bool for_frames = clip->for_frames;
    gst_pe_clip_free(clip);
    if (!ok)
        return GST_FLOW_CUSTOM_ERROR;
    if (!result)
        return GST_FLOW_OK;
    push_result(self, result);
    if (for_frames)
        set_latest(self, result, false);
    return GST_FLOW_OK;
}

static GstFlowReturn
send_event(GstPeOutput *self, GstEvent *event)
{
    GstEventType type = GST_EVENT_TYPE(event);

    if (type == GST_EVENT_STREAM_START || type == GST_EVENT_SEGMENT)
        set_latest(self, NULL, true);
    gst_pad_push_event(self->shared->srcpad, event);
    return type == GST_EVENT_EOS ? GST_FLOW_EOS : GST_FLOW_OK;
}

static GstFlowReturn
send_item(GstPeItem *item, void *user_data)
{
    GstPeOutput *self = user_data;

    if (!item->object)
        return send_result(self, item);
    if (GST_IS_BUFFER(item->object))
        return send_buffer(self, item);
    return send_event(self, GST_EVENT_CAST(item->object));
}

// ---- Queries --------------------------------------------------------------

// The frames that are held here are missing in the pool that they came from.
// Without a pool from downstream the number alone is announced: decoders that
// are given one wait for its buffers, others copy. false: no frames are asked
// about.
static bool
announce_held(GstPeOutput *self, GstQuery *query)
{
    guint held = (guint)gst_pe_shared_count_held(self->shared);
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

static bool
answer(GstQuery *query, void *user_data)
{
    GstPeOutput *self = user_data;
    bool ok = gst_pad_peer_query(self->shared->srcpad, query);

    // They are held even if nobody downstream has an opinion.
    if (GST_QUERY_TYPE(query) == GST_QUERY_ALLOCATION)
        ok = announce_held(self, query) || ok;
    return ok;
}

// ---- Object ---------------------------------------------------------------

GstPeOutput *
gst_pe_output_new(GstPeShared *shared)
{
    GstPeOutput *self = g_new0(GstPeOutput, 1);

    self->shared = shared;
    gst_pe_queue_init(&shared->queue, shared->element, shared->srcpad,
                      send_item, answer, self);
    return self;
}

void
gst_pe_output_free(GstPeOutput *self)
{
    gst_pe_output_stop(self);
    g_free(self);
}

void
gst_pe_output_start(GstPeOutput *self, PeEngine *engine)
{
    self->engine = engine;
    self->sequence = 0;
}

void
gst_pe_output_stop(GstPeOutput *self)
{
    self->engine = NULL;
    g_clear_pointer(&self->latest, gst_pe_result_unref);
}
