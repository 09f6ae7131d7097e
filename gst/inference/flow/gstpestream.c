// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpestream.c - see gstpestream.h.

#include "gst/inference/flow/gstpestream.h"

#include "gst/inference/flow/gstpepace.h"

GST_DEBUG_CATEGORY_EXTERN(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

// Frames that may be between both threads when none waits for its clip.
#define MIN_PASSING 2
// Frames that are waiting for preprocessing and being preprocessed.
#define INGESTING 2
#define UNKNOWN_FPS 60
#define FOREVER INT64_MAX

// ---- Where clips go -------------------------------------------------------

void
gst_pe_stream_let_go(GstPeStream *self, GstPeClip *clip, bool for_frames)
{
    if (!clip)
        return;
    clip->for_frames = for_frames;
    gst_pe_queue_add_pending(&self->shared->queue, clip);
}

// Takes the clip; NULL does nothing. Its result goes downstream alone, behind
// what is queued. What comes after it waits until then; 0: for ever.
static void
queue_clip(GstPeStream *self, GstPeClip *clip, int64_t deadline)
{
    if (!clip)
        return;
    clip->for_frames = false;
    GstPeItem item = {.clip = clip, .deadline = deadline};
    gst_pe_queue_push(&self->shared->queue, &item);
}

GstPeClip *
gst_pe_stream_sign(GstPeStream *self, GstPeClip *clip)
{
    if (!clip)
        return NULL;
    g_autofree char *given = gst_pe_shared_dup_source_id(self->shared);
    const char *source =
        gst_pe_source_get(&self->source, given, self->shared->sinkpad);
    for (GstPeClip *c = clip; c; c = c->next) {
        c->source = g_strdup(source);
        c->stream_id = g_strdup(self->source.stream_id);
    }
    return clip;
}

// No frame waits for it. Takes the clip; NULL does nothing.
static void
send_alone(GstPeStream *self, GstPeClip *clip, bool for_frames)
{
    if (self->live || !self->holds)
        gst_pe_stream_let_go(self, gst_pe_stream_sign(self, clip), for_frames);
    else
        queue_clip(self, gst_pe_stream_sign(self, clip), 0);
}

void
gst_pe_stream_cut(GstPeStream *self, GstPeClip *clip)
{
    send_alone(self, clip, false);
    gst_pe_ingest_run_now(self->ingest);
}

// ---- Time -----------------------------------------------------------------

void
gst_pe_stream_hold(GstPeStream *self, const PeMoment *next)
{
    GstPeClip *clip;

    while (gst_pe_clips_hold(self->clips, next, &clip)) {
        gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_HELD);
        send_alone(self, clip, self->carries);
    }
}

// The frame that is aside, if there is one, begins a new clip.
static bool
end_doubt(GstPeStream *self)
{
    GstPeClip *clip;

    if (!gst_pe_clips_end_doubt(self->clips, &clip))
        return false;
    send_alone(self, clip, self->carries);
    return true;
}

// What is shown now ends here.
static void
end_stretch(GstPeStream *self)
{
    gst_pe_stream_hold(self, NULL);
    gst_pe_queue_detach_pending(&self->shared->queue);
    gst_pe_stream_cut(self,
                      gst_pe_clips_finish(self->clips, GST_PE_REASON_JUMP));
}

void
gst_pe_stream_jump(GstPeStream *self)
{
    do
        end_stretch(self);
    while (end_doubt(self));
    self->next_time = 0;
}

PeOrder
gst_pe_stream_arrive(GstPeStream *self, const PeMoment *moment)
{
    PeOrder order = gst_pe_clips_check(self->clips, moment);

    if (order == PE_ORDER_NEXT && gst_pe_clips_forget_doubt(self->clips)) {
        gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_STRAY);
        GST_INFO_OBJECT(self->shared->element,
                        "the last frame had a wrong timestamp");
    }
    // There were two in a row.
    if (gst_pe_clips_has_doubt(self->clips)) {
        end_stretch(self);
        end_doubt(self);
        order = gst_pe_clips_check(self->clips, moment);
    }
    if (order != PE_ORDER_NEXT)
        GST_INFO_OBJECT(self->shared->element,
                        "time jumps to %" GST_TIME_FORMAT "%s",
                        GST_TIME_ARGS(moment->timestamp),
                        order == PE_ORDER_DOUBT ? ", as it seems" : "");
    if (order == PE_ORDER_JUMP)
        end_stretch(self);
    if (order != PE_ORDER_DOUBT)
        gst_pe_stream_hold(self, moment);
    return order;
}

// ---- Ends -----------------------------------------------------------------

// The clip that ends, unless that would hold up what is live.
static void
finish_clip(GstPeStream *self, int64_t patience)
{
    GstPeQueue *queue = &self->shared->queue;
    GstPeClip *last = gst_pe_stream_sign(
        self, gst_pe_clips_finish(self->clips, GST_PE_REASON_EOS));

    if (patience > 0) {
        int64_t deadline =
            patience == FOREVER ? 0 : g_get_monotonic_time() + patience;
        gst_pe_queue_place_pending(queue, deadline);
        queue_clip(self, last, deadline);
    } else {
        gst_pe_queue_detach_pending(queue);
        gst_pe_stream_let_go(self, last, false);
    }
}

// The stream ends, and its results come before what follows, for which they
// have so long.
static void
finish(GstPeStream *self, int64_t patience)
{
    do {
        gst_pe_stream_hold(self, NULL);
        finish_clip(self, patience);
    } while (end_doubt(self));
    self->next_time = 0;
    gst_pe_ingest_run_now(self->ingest);
}

static int64_t
get_latency_us(GstPeStream *self)
{
    return (int64_t)gst_pe_shared_get_settings(self->shared).latency * 1000;
}

// In front of another stream, live results are worth their latency; at the end
// there is nothing behind them to hold up.
void
gst_pe_stream_switch(GstPeStream *self)
{
    finish(self, !self->exact ? 0
                 : self->live ? get_latency_us(self)
                              : FOREVER);
}

void
gst_pe_stream_end(GstPeStream *self)
{
    finish(self, self->live
                     ? MAX(get_latency_us(self), GST_PE_STREAM_LAST_RESULTS_US)
                     : FOREVER);
}

void
gst_pe_stream_reset(GstPeStream *self)
{
    GstPeQueue *queue = &self->shared->queue;
    GstPeClip *clip;

    while ((clip = gst_pe_queue_take_pending(queue))) {
        gst_pe_clip_cancel(clip);
        gst_pe_clip_free(clip);
    }
    gst_pe_clips_reset(self->clips);
    gst_pe_ingest_forget(self->ingest);
    gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);
    self->next_time = 0;
}

// ---- Mode -----------------------------------------------------------------

// Of the property. A hold of results that nobody waits for is no hold.
static void
resolve_mode(GstPeStream *self, const GstPeSettings *settings)
{
    bool paced = gst_pe_shared_is_paced(self->shared);
    bool auto_exact = !self->live && !paced;

    self->exact = settings->mode == GST_PE_INFERENCE_MODE_EXACT ||
                  (settings->mode == GST_PE_INFERENCE_MODE_AUTO && auto_exact);
    self->carries = settings->hold == GST_PE_INFERENCE_HOLD_FRAMES;
    self->holds = self->exact && self->carries;
    // Without frames that wait, a live source has nothing that bounds its jobs
    // but newer ones.
    if (self->live && !self->holds)
        self->exact = false;
}

static void
update_max_held(GstPeStream *self, const GstPeSettings *settings)
{
    int held = MIN_PASSING;

    if (self->holds)
        held = MAX(GST_PE_STREAM_MIN_HELD, 2 * (int)settings->batch_size);
    // A live source does not wait, so everything that arrives while a frame
    // waits for its deadline must fit.
    if (self->holds && self->live) {
        int n = GST_VIDEO_INFO_FPS_N(&self->info);
        int d = GST_VIDEO_INFO_FPS_D(&self->info);
        double fps = n > 0 && d > 0 ? (double)n / d : UNKNOWN_FPS;
        held = MAX(held, (int)(settings->latency * fps / 1000) + 2);
    }
    gst_pe_shared_set_held(self->shared, held, self->exact ? 0 : INGESTING);
}

// The element's own LATENCY query would come too late for this.
void
gst_pe_stream_update_mode(GstPeStream *self)
{
    GstPeSettings settings = gst_pe_shared_get_settings(self->shared);

    if (!self->live_known) {
        self->live_known =
            gst_pe_pace_query_live(self->shared->sinkpad, &self->live);
        GST_INFO_OBJECT(self->shared->element, "%s source",
                        !self->live_known ? "unknown"
                        : self->live      ? "live"
                                          : "non-live");
    }
    resolve_mode(self, &settings);
    gst_pe_shared_set_whole(self->shared, self->exact && !self->live);
    update_max_held(self, &settings);
    gst_pe_stream_expect_jobs(self, &settings, 1);
}

// In latest mode a clip's worth of frames may be on its way; more would only
// make results older.
void
gst_pe_stream_expect_jobs(GstPeStream *self, const GstPeSettings *settings,
                          guint n)
{
    int frames = MAX(2, settings->sampler.clip_length);

    self->max_jobs = MAX(self->max_jobs, n);
    if (self->client)
        pe_client_set_max_queued(
            self->client, self->exact ? 0 : frames * (int)self->max_jobs);
}

// ---- Settings -------------------------------------------------------------

static void
use_regions(GstPeStream *self)
{
    GstPeRegions *regions =
        gst_pe_label_source_get_regions(&self->shared->labels);

    if (self->regions != regions) {
        self->n_looked = 0;
        self->told_outside = 0;
    }
    g_clear_pointer(&self->regions, gst_pe_regions_unref);
    self->regions = regions;
}

// Playing faster leaves frames out on purpose.
void
gst_pe_stream_configure(GstPeStream *self, const GstPeSettings *settings)
{
    PeSamplerParams params = settings->sampler;

    use_regions(self);
    params.max_gap = settings->max_gap * GST_MSECOND;
    if (self->segment.flags & GST_SEGMENT_FLAG_TRICKMODE)
        params.max_gap = G_MAXUINT64;
    GstPeClip *clip = gst_pe_clips_configure(
        self->clips, &params,
        gst_pe_region_wants_whole(settings->region, self->regions != NULL));
    if (clip)
        gst_pe_stream_cut(self, clip);
}
