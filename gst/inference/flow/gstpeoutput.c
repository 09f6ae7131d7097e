// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeoutput.c - see gstpeoutput.h.

#include "gst/inference/flow/gstpeoutput.h"

#include "gst/inference/gstpeanalytics.h"
#include "gst/inference/gstpemessage.h"
#include "gst/result/gstpefinding.h"
#include "gst/result/gstpesource.h"

GST_DEBUG_CATEGORY_EXTERN(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

struct _GstPeOutput {
    GstPeShared *shared; // borrowed
    PeEngine *engine;    // borrowed, while started
    GstPeSource source;
    guint64 sequence; // of the next result
    GstPeResult *latest;
};

static GstPeResult *
make_result(GstPeOutput *self, const GstPeClip *clip,
            const GstPeSettings *settings, GError **error)
{
    int dim = pe_engine_get_dim(self->engine);
    g_autofree float *embedding = g_new(float, (size_t)dim);

    if (!gst_pe_clip_embed(clip, dim, embedding, error))
        return NULL;

    PeLabels *labels = gst_pe_labels_get(&self->shared->labels);
    g_autofree char *name = gst_element_get_name(self->shared->element);
    GstPeResult *result = gst_pe_finding_to_result(&(GstPeFinding){
        .source = gst_pe_source_get(&self->source, NULL, self->shared->sinkpad),
        .stream_id = self->source.stream_id,
        .element = name,
        .sequence = self->sequence++,
        .first = clip->first,
        .last = clip->last,
        .n_frames = clip->jobs->len,
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

// Takes the clip, which has ended. *result is posted as a message too; it stays
// NULL when the clip was cancelled. false: failed, and the error is posted.
static bool
finish_clip(GstPeOutput *self, GstPeClip *clip, GstPeResult **result)
{
    int64_t start = g_get_monotonic_time();
    GstPeSettings settings = gst_pe_shared_get_settings(self->shared);
    g_autoptr(GError) error = NULL;

    *result = make_result(self, clip, &settings, &error);
    if (*result) {
        gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_CLIPS);
        if (clip->reason != GST_PE_REASON_NONE)
            gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_PARTIAL);
        gst_pe_stats_time(&self->shared->stats, GST_PE_STAGE_SCORE, start);
        if (settings.post_messages)
            gst_element_post_message(
                self->shared->element,
                gst_pe_message_new(GST_OBJECT(self->shared->element), *result,
                                   &clip->last));
    }
    gst_pe_clip_free(clip);
    if (!error || g_error_matches(error, PE_ERROR, PE_ERROR_CANCELLED))
        return true;
    gst_pe_shared_post_error(self->shared, error);
    return false;
}

// *newest takes the result, an older one goes.
static void
supersede(GstPeOutput *self, GstPeResult **newest, GstPeResult *result)
{
    if (!result)
        return;
    if (*newest) {
        gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_SUPERSEDED);
        gst_pe_result_unref(*newest);
    }
    *newest = result;
}

// The results of all pending clips that have ended; *newest takes the last.
// false: one of them failed.
static bool
finish_pending(GstPeOutput *self, GstPeResult **newest)
{
    GstPeClip *clip;

    while ((clip = gst_pe_queue_take_pending(&self->shared->queue, true))) {
        GstPeResult *result;
        if (!finish_clip(self, clip, &result))
            return false;
        supersede(self, newest, result);
    }
    return true;
}

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

// The result for this frame: of the clip it ends, of a clip that came too late
// for its own frame, or in latest mode the most recent one. *result stays NULL
// when there is none; false: a clip failed.
static bool
get_result(GstPeOutput *self, GstPeItem *item, GstPeResult **result)
{
    GstPeClip *clip = g_steal_pointer(&item->clip);

    if (clip && !gst_pe_clip_is_done(clip)) {
        GST_DEBUG_OBJECT(self->shared->element,
                         "a frame leaves without its result");
        gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_LATE);
        gst_pe_queue_add_pending(&self->shared->queue, g_steal_pointer(&clip));
    }
    bool ok = finish_pending(self, result);
    if (clip) {
        GstPeResult *own = NULL;
        gst_pe_stats_time(&self->shared->stats, GST_PE_STAGE_HOLD,
                          item->arrival);
        ok = finish_clip(self, clip, &own) && ok;
        supersede(self, result, own);
    }
    if (item->repeat) {
        if (*result) {
            g_clear_pointer(&self->latest, gst_pe_result_unref);
            self->latest = gst_pe_result_ref(*result);
        } else if (self->latest) {
            *result = gst_pe_result_ref(self->latest);
        }
    }
    return ok;
}

static GstFlowReturn
send_buffer(GstPeOutput *self, GstPeItem *item)
{
    GstBuffer *buffer = GST_BUFFER_CAST(item->object);
    g_autoptr(GstPeResult) result = NULL;

    if (!get_result(self, item, &result)) {
        gst_buffer_unref(buffer);
        return GST_FLOW_CUSTOM_ERROR;
    }
    if (result) {
        buffer = gst_buffer_make_writable(buffer);
        item->object = GST_MINI_OBJECT_CAST(buffer);
        gst_buffer_add_pe_meta(buffer, result, get_age(result, item));
        gst_pe_analytics_attach(buffer, result);
    }
    return gst_pad_push(self->shared->srcpad, buffer);
}

static GstFlowReturn
send_result(GstPeOutput *self, GstPeItem *item)
{
    g_autoptr(GstPeResult) result = NULL;

    if (!finish_clip(self, item->clip, &result))
        return GST_FLOW_CUSTOM_ERROR;
    if (result)
        gst_pad_push_event(self->shared->srcpad,
                           gst_event_new_pe_result(result));
    return GST_FLOW_OK;
}

static GstFlowReturn
send_event(GstPeOutput *self, GstEvent *event)
{
    GstEventType type = GST_EVENT_TYPE(event);

    if (type == GST_EVENT_STREAM_START) {
        const char *id;
        gst_event_parse_stream_start(event, &id);
        gst_pe_source_set_stream(&self->source, id);
    }
    if (type == GST_EVENT_STREAM_START || type == GST_EVENT_SEGMENT)
        g_clear_pointer(&self->latest, gst_pe_result_unref);
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
    guint held = (guint)gst_pe_shared_get_max_held(self->shared);
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
    gst_pe_source_set_stream(&self->source, NULL);
    g_clear_pointer(&self->latest, gst_pe_result_unref);
}
