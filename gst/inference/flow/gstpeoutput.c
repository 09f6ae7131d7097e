// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeoutput.c - see gstpeoutput.h.

#include "gst/inference/flow/gstpeoutput.h"

#include "gst/inference/flow/gstpeclipkey.h"
#include "gst/inference/flow/gstpelatest.h"
#include "gst/inference/flow/gstpequery.h"
#include "gst/labels/gstpejudge.h"

GST_DEBUG_CATEGORY_EXTERN(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

struct _GstPeOutput {
    GstPeShared *shared; // borrowed
    PeEngine *engine;    // borrowed, while started
    GstPeLatest latest;  // that frames may carry
    GstPeJudge judge;
};

// Those of a named region are its own, if it has some: they came into use
// together. Returns a reference or NULL.
static PeLabels *
get_labels(GstPeOutput *self, const GstPeClip *clip)
{
    const GstPePart *part = gst_pe_clip_get_part(clip);

    if (part && part->kind == GST_PE_PART_NAMED) {
        PeLabels *own = clip->parts->regions->regions[part->index].labels;
        if (own)
            return pe_labels_ref(own);
    }
    return gst_pe_label_source_get(&self->shared->labels);
}

// The unit embedding [dim] of a clip that has ended. false: it has none.
static bool
embed(GstPeOutput *self, GstPeClip *clip, int dim, float *embedding,
      double *norm, guint *n_frames, GError **error)
{
    guint n_skipped;

    bool ok = gst_pe_clip_embed(clip, dim, embedding, norm, n_frames,
                                &n_skipped, error);
    gst_pe_stats_add(&self->shared->stats, GST_PE_COUNT_SKIPPED, n_skipped);
    return ok;
}

static GstPeResult *
make_result(GstPeOutput *self, GstPeClip *clip, const GstPeSettings *settings,
            const GstPeRegions *regions, GError **error)
{
    int dim = pe_engine_get_dim(self->engine);
    g_autofree float *embedding = g_new(float, (size_t)dim);
    const GstPePart *part = gst_pe_clip_get_part(clip);
    double norm;
    guint n_frames;

    if (!embed(self, clip, dim, embedding, &norm, &n_frames, error))
        return NULL;

    PeLabels *labels = get_labels(self, clip);
    GstPePlaceKey key = gst_pe_clip_get_key(clip, &settings->sampler, regions);
    GstPeFinding finding = {
        .source = clip->source,
        .stream_id = clip->stream_id,
        .first = clip->first,
        .last = clip->last,
        .n_frames = n_frames,
        .reason = clip->reason,
        .region = part ? &part->region : NULL,
        .embedding = embedding,
        .norm = norm,
        .stretch = clip->stretch,
        .sample = clip->sample,
    };
    GstPeResult *result = gst_pe_judge_clip(&self->judge, &settings->judge,
                                            labels, &key, &finding);
    g_clear_pointer(&labels, pe_labels_unref);
    return result;
}

static void
announce(GstPeOutput *self, const GstPeClip *clip, const GstPeResult *result,
         const GstPeSettings *settings)
{
    GstPeShared *shared = self->shared;

    gst_pe_stats_count(&shared->stats, GST_PE_COUNT_CLIPS);
    if (clip->reason != GST_PE_REASON_NONE)
        gst_pe_stats_count(&shared->stats, GST_PE_COUNT_PARTIAL);
    if (settings->judge.post_messages)
        gst_pe_judge_announce(&self->judge, result, &clip->last);
}

static GstPeFound
describe(const GstPeClip *clip)
{
    const GstPePart *part = gst_pe_clip_get_part(clip);
    GstPeFound found = {
        .kind = GST_PE_FOUND_WHOLE, .detection = -1, .last = clip->last};

    if (part && part->kind == GST_PE_PART_NAMED) {
        found.kind = GST_PE_FOUND_NAMED;
        found.regions = gst_pe_regions_ref(clip->parts->regions);
        found.index = part->index;
    } else if (clip->parts) {
        found.kind = GST_PE_FOUND_OBJECT;
        if (part && part->kind == GST_PE_PART_DETECTED)
            found.detection = part->region.id;
    }
    return found;
}

// Every frame of the clip was left out for a newer one. A named region's turn
// is then that of the next frame: those that are seldom looked at would never
// be seen beside others that always are.
static void
give_turn_back(GstPeOutput *self, const GstPeClip *clip)
{
    const GstPePart *part = gst_pe_clip_get_part(clip);

    if (part && part->kind == GST_PE_PART_NAMED)
        g_atomic_int_or(&self->shared->owed, UINT32_C(1) << part->index);
}

// One clip of a sample; takes its error to the bus.
static bool
finish_clip(GstPeOutput *self, GstPeClip *clip, const GstPeSettings *settings,
            const GstPeRegions *regions, GArray *found)
{
    int64_t start = g_get_monotonic_time();
    g_autoptr(GError) error = NULL;
    bool nothing = clip->tickets->len == 0;
    GstPeResult *result =
        nothing ? NULL : make_result(self, clip, settings, regions, &error);

    if (result || nothing) {
        GstPeFound one = describe(clip);
        one.result = result;
        g_array_append_val(found, one);
    }
    if (result) {
        int64_t end = gst_pe_clip_get_end(clip);
        gst_pe_stats_time(&self->shared->stats, GST_PE_STAGE_SCORE, start);
        if (end > 0)
            gst_pe_stats_time(&self->shared->stats, GST_PE_STAGE_PUSH, end);
        announce(self, clip, result, settings);
    }
    if (!error)
        return true;
    if (g_error_matches(error, PE_ERROR, PE_ERROR_CANCELLED)) {
        give_turn_back(self, clip);
        return true;
    }
    gst_pe_failure_post(&self->shared->failure, error);
    return false;
}

// What the clips of a sample that has ended have found, an array of GstPeFound;
// those that were cancelled have nothing. Each result is posted as a message
// too. NULL: one failed, and the error is posted. Takes the clips.
static GArray *
finish_clips(GstPeOutput *self, GstPeClip *clips)
{
    GstPeSettings settings = gst_pe_shared_get_settings(self->shared);
    GstPeRegions *regions =
        gst_pe_label_source_get_regions(&self->shared->labels);
    GArray *found = gst_pe_found_new();
    bool ok = true;

    for (GstPeClip *clip = clips; ok && clip; clip = clip->next)
        ok = finish_clip(self, clip, &settings, regions, found);
    gst_pe_judge_sampled(&self->judge, &settings.judge, clips->last.running_end,
                         regions);
    g_clear_pointer(&regions, gst_pe_regions_unref);
    gst_pe_clip_free(clips);
    if (!ok)
        g_clear_pointer(&found, g_array_unref);
    return found;
}

static void
push_results(GstPeOutput *self, const GArray *found)
{
    for (guint i = 0; i < found->len; i++) {
        const GstPeFound *one = &g_array_index(found, GstPeFound, i);
        if (one->result)
            gst_pe_judge_send(&self->judge, one->result, &one->last);
    }
}

// ---- Frames ---------------------------------------------------------------

// Frames may carry these from now on.
static void
set_latest(GstPeOutput *self, const GArray *found)
{
    gst_pe_stats_add(&self->shared->stats, GST_PE_COUNT_SUPERSEDED,
                     gst_pe_latest_take(&self->latest, found));
}

static void
forget_latest(GstPeOutput *self)
{
    gst_pe_stats_add(&self->shared->stats, GST_PE_COUNT_SUPERSEDED,
                     gst_pe_latest_forget(&self->latest));
}

// What is no longer looked at is not repeated on frames.
static void
keep_latest(GstPeOutput *self)
{
    GstPeSettings settings = gst_pe_shared_get_settings(self->shared);
    GstPeRegions *regions =
        gst_pe_label_source_get_regions(&self->shared->labels);

    gst_pe_latest_keep(
        &self->latest,
        gst_pe_region_wants_whole(settings.region, regions != NULL),
        settings.region == GST_PE_INFERENCE_REGION_ROI_LIST, regions);
    g_clear_pointer(&regions, gst_pe_regions_unref);
}

static GstPeAnalyticsWish
get_wish(GstPeOutput *self)
{
    GstPeSettings settings = gst_pe_shared_get_settings(self->shared);

    return gst_pe_judge_get_wish(&self->judge, &settings.judge);
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

// What the clips that this frame ends have found: *own stays NULL when there
// are none. false: one failed.
static bool
get_own_results(GstPeOutput *self, GstPeItem *item, GArray **own)
{
    GstPeClip *clip = g_steal_pointer(&item->clip);

    if (!clip)
        return true;
    if (!gst_pe_clip_is_done(clip)) {
        let_go(self, clip);
        return true;
    }
    gst_pe_stats_time(&self->shared->stats, GST_PE_STAGE_HOLD, item->arrival);
    *own = finish_clips(self, clip);
    if (*own)
        set_latest(self, *own);
    return *own != NULL;
}

// A frame carries its own results, else those that were late, else in latest
// mode the most recent ones once more. What happens to frames downstream is not
// known, so a result that is new follows its frame as an event too.
static GstFlowReturn
send_buffer(GstPeOutput *self, GstPeItem *item)
{
    GstBuffer *buffer = GST_BUFFER_CAST(item->object);
    g_autoptr(GArray) own = NULL;

    if (!get_own_results(self, item, &own)) {
        gst_buffer_unref(buffer);
        return GST_FLOW_CUSTOM_ERROR;
    }
    if (item->repeat)
        keep_latest(self);
    GstPeAnalyticsWish wish = get_wish(self);
    buffer = gst_pe_latest_attach(&self->latest, buffer, item->repeat,
                                  item->running_end, &wish);
    GstFlowReturn flow = gst_pad_push(self->shared->srcpad, buffer);
    if (own)
        push_results(self, own);
    return flow;
}

// ---- Everything else ------------------------------------------------------

// Clips that no frame waited for, or whose place in the stream this is.
static GstFlowReturn
send_result(GstPeOutput *self, GstPeItem *item)
{
    GstPeClip *clip = item->clip;

    if (!gst_pe_clip_is_done(clip)) {
        gst_pe_queue_add_pending(&self->shared->queue, clip);
        return GST_FLOW_OK;
    }
    bool for_frames = clip->for_frames;
    g_autoptr(GArray) found = finish_clips(self, clip);
    if (!found)
        return GST_FLOW_CUSTOM_ERROR;
    push_results(self, found);
    // The frame that detections are on has left.
    for (guint i = 0; i < found->len; i++)
        g_array_index(found, GstPeFound, i).detection = -1;
    if (for_frames)
        set_latest(self, found);
    return GST_FLOW_OK;
}

static GstFlowReturn
send_event(GstPeOutput *self, GstEvent *event)
{
    GstEventType type = GST_EVENT_TYPE(event);

    if (type == GST_EVENT_STREAM_START || type == GST_EVENT_SEGMENT)
        forget_latest(self);
    gst_pe_judge_before_event(&self->judge, type);
    gst_pad_push_event(self->shared->srcpad, event);
    gst_pe_judge_after_event(&self->judge, type);
    return type == GST_EVENT_EOS ? GST_FLOW_EOS : GST_FLOW_OK;
}

static GstFlowReturn
send_item(GstPeItem *item, void *user_data)
{
    GstPeOutput *self = user_data;

    if (g_atomic_int_compare_and_exchange(&self->shared->flushed, 1, 0))
        gst_pe_judge_flushed(&self->judge);
    if (!item->object)
        return send_result(self, item);
    if (GST_IS_BUFFER(item->object))
        return send_buffer(self, item);
    return send_event(self, GST_EVENT_CAST(item->object));
}

// ---- Queries --------------------------------------------------------------

static bool
answer(GstQuery *query, void *user_data)
{
    GstPeOutput *self = user_data;

    return gst_pe_query_answer(self->shared, query);
}

// ---- Object ---------------------------------------------------------------

GstPeOutput *
gst_pe_output_new(GstPeShared *shared)
{
    GstPeOutput *self = g_new0(GstPeOutput, 1);

    self->shared = shared;
    gst_pe_latest_init(&self->latest);
    gst_pe_judge_init(&self->judge, shared->element, shared->srcpad,
                      "peinference");
    gst_pe_queue_init(&shared->queue, shared->element, shared->srcpad,
                      send_item, answer, self);
    return self;
}

void
gst_pe_output_free(GstPeOutput *self)
{
    gst_pe_output_stop(self);
    gst_pe_judge_clear(&self->judge);
    gst_pe_latest_clear(&self->latest);
    g_free(self);
}

void
gst_pe_output_start(GstPeOutput *self, PeEngine *engine)
{
    g_autofree char *event_state = gst_pe_shared_dup_event_state(self->shared);

    self->engine = engine;
    g_atomic_int_set(&self->shared->flushed, 0);
    gst_pe_judge_start(&self->judge, engine, event_state);
}

void
gst_pe_output_stop(GstPeOutput *self)
{
    gst_pe_judge_stop(&self->judge);
    self->engine = NULL;
    gst_pe_latest_forget(&self->latest);
}
