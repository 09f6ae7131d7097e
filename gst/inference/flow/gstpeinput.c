// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeinput.c - see gstpeinput.h. The functions of both pads are here, because
// most of what they do is up to this half; those of the source pad touch what
// is shared alone.

#include "gst/inference/flow/gstpeinput.h"

#include "gst/inference/flow/gstpeingest.h"
#include "gst/inference/flow/gstpepace.h"
#include "gst/result/gstpesource.h"

GST_DEBUG_CATEGORY_EXTERN(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

// Frames that may be held while a clip is computed: enough to fill a usual
// batch, few enough that decoders can lend them.
#define MIN_HELD 16
// Frames that may be between both threads when none waits for its clip.
#define MIN_PASSING 2
// Frames that are waiting for preprocessing and being preprocessed.
#define INGESTING 2
#define UNKNOWN_FPS 60
// How long the end of a live stream waits for the last results, and for how
// long a late result is still wanted.
#define LAST_RESULTS_US (2 * G_USEC_PER_SEC)
#define FOREVER INT64_MAX

struct _GstPeInput {
    GstPeShared *shared; // borrowed
    PeEngine *engine;    // borrowed, while started
    PeClient *client;    // borrowed, while started
    GstPeIngest *ingest;
    GstPeSource source;
    GstSegment segment;
    GstVideoInfo info;
    bool cuda_caps; // which promise CUDA memory
    GstPeClips *clips;
    GstClockTime last_running_time;
    bool live_known;
    bool live;
    bool exact; // every sampled frame is embedded
    bool holds; // and the last of a clip waits for the result
};

// ---- Where clips go -------------------------------------------------------

// Takes the clip; NULL does nothing. `for_frames`: frames behind it may carry
// its result.
static void
let_go(GstPeInput *self, GstPeClip *clip, bool for_frames)
{
    if (!clip)
        return;
    clip->for_frames = for_frames;
    gst_pe_queue_add_pending(&self->shared->queue, clip);
}

// Takes the clip; NULL does nothing. Its result goes downstream alone, behind
// what is queued. What comes after it waits for so long, in us.
static void
queue_clip(GstPeInput *self, GstPeClip *clip, int64_t patience)
{
    if (!clip)
        return;
    clip->for_frames = false;
    GstPeItem item = {.clip = clip};
    if (patience != FOREVER)
        item.deadline = g_get_monotonic_time() + patience;
    gst_pe_queue_push(&self->shared->queue, &item);
}

// Whose result it will be. Takes and returns the clip, which may be NULL.
static GstPeClip *
sign(GstPeInput *self, GstPeClip *clip)
{
    if (clip) {
        g_autofree char *given = gst_pe_shared_dup_source_id(self->shared);
        clip->source = g_strdup(
            gst_pe_source_get(&self->source, given, self->shared->sinkpad));
        clip->stream_id = g_strdup(self->source.stream_id);
    }
    return clip;
}

// The clip that ends here without a frame of its own. What is live, or must not
// stop, does not wait for it.
static void
cut(GstPeInput *self, GstPeClip *clip)
{
    if (self->live || !self->exact)
        let_go(self, sign(self, clip), false);
    else
        queue_clip(self, sign(self, clip), FOREVER);
    gst_pe_ingest_run_now(self->ingest);
}

// The stream goes on at another time.
static void
jump(GstPeInput *self)
{
    gst_pe_queue_detach_pending(&self->shared->queue);
    cut(self, gst_pe_clips_finish(self->clips, GST_PE_REASON_JUMP));
    self->last_running_time = GST_CLOCK_TIME_NONE;
}

// The stream ends, and its results come before what follows, unless that would
// hold up what is live.
static void
finish_stream(GstPeInput *self, int64_t patience)
{
    GstPeQueue *queue = &self->shared->queue;
    GstPeClip *last =
        sign(self, gst_pe_clips_finish(self->clips, GST_PE_REASON_EOS));
    GstPeClip *clip;

    if (patience > 0) {
        while ((clip = gst_pe_queue_take_pending(queue)))
            queue_clip(self, clip, patience);
        queue_clip(self, last, patience);
    } else {
        gst_pe_queue_detach_pending(queue);
        let_go(self, last, false);
    }
    self->last_running_time = GST_CLOCK_TIME_NONE;
    gst_pe_ingest_run_now(self->ingest);
}

static int64_t
get_latency_us(GstPeInput *self)
{
    return (int64_t)gst_pe_shared_get_settings(self->shared).latency * 1000;
}

// In front of another stream.
static int64_t
get_patience_between(GstPeInput *self)
{
    if (!self->exact)
        return 0;
    return self->live ? get_latency_us(self) : FOREVER;
}

// At the end, behind which there is nothing to hold up.
static int64_t
get_patience_at_end(GstPeInput *self)
{
    return self->live ? MAX(get_latency_us(self), LAST_RESULTS_US) : FOREVER;
}

// Forget the stream.
static void
reset(GstPeInput *self)
{
    GstPeQueue *queue = &self->shared->queue;
    GstPeClip *clip;

    while ((clip = gst_pe_queue_take_pending(queue))) {
        gst_pe_clip_cancel(clip);
        gst_pe_clip_free(clip);
    }
    gst_pe_clips_reset(self->clips);
    gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);
    self->last_running_time = GST_CLOCK_TIME_NONE;
}

// ---- Mode -----------------------------------------------------------------

// Of the property. A hold of results that nobody waits for is no hold.
static void
resolve_mode(GstPeInput *self, const GstPeSettings *settings)
{
    bool paced = gst_pe_shared_is_paced(self->shared);
    bool auto_exact = !self->live && !paced;

    self->exact = settings->mode == GST_PE_INFERENCE_MODE_EXACT ||
                  (settings->mode == GST_PE_INFERENCE_MODE_AUTO && auto_exact);
    self->holds = self->exact && settings->hold == GST_PE_INFERENCE_HOLD_FRAMES;
    // Without frames that wait, a live source has nothing that bounds its jobs
    // but newer ones.
    if (self->live && !self->holds)
        self->exact = false;
}

static void
update_max_held(GstPeInput *self, const GstPeSettings *settings)
{
    int held = MIN_PASSING;

    if (self->holds)
        held = MAX(MIN_HELD, 2 * (int)settings->batch_size);
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

// Whether frames wait is decided before the first of them: the element's own
// LATENCY query comes too late for that.
void
gst_pe_input_update_mode(GstPeInput *self)
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
    update_max_held(self, &settings);
    // In latest mode a clip's worth of frames may be on its way; more would
    // only make results older.
    int max_queued = self->exact ? 0 : MAX(2, settings.sampler.clip_length);
    if (self->client)
        pe_client_set_max_queued(self->client, max_queued);
}

// ---- Frames ---------------------------------------------------------------

// Frames outside of the segment will not be shown, and those of a gap have no
// content.
static bool
is_content(const GstSegment *segment, GstBuffer *buffer,
           const GstPeTimes *times)
{
    bool outside = segment->format == GST_FORMAT_TIME &&
                   GST_CLOCK_TIME_IS_VALID(times->pts) &&
                   !GST_CLOCK_TIME_IS_VALID(times->running_time);
    return !outside && !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP);
}

// A timestamp that runs backwards ends the clip; a hole does not.
static void
check_order(GstPeInput *self, GstClockTime running_time)
{
    if (!GST_CLOCK_TIME_IS_VALID(running_time))
        return;
    if (GST_CLOCK_TIME_IS_VALID(self->last_running_time) &&
        running_time < self->last_running_time) {
        GST_DEBUG_OBJECT(self->shared->element,
                         "timestamp goes back from %" GST_TIME_FORMAT
                         " to %" GST_TIME_FORMAT,
                         GST_TIME_ARGS(self->last_running_time),
                         GST_TIME_ARGS(running_time));
        jump(self);
    }
    self->last_running_time = running_time;
}

// Embed the item's frame, now or on another thread. false after an error was
// posted.
static bool
ingest(GstPeInput *self, const GstPeItem *item, GstPeTicket *ticket,
       const GstPeSettings *settings)
{
    int64_t latency = (int64_t)settings->latency * 1000;
    GstPeShot shot = {
        .buffer = GST_BUFFER_CAST(item->object),
        .info = &self->info,
        .cuda_caps = self->cuda_caps,
        .deadline = INT64_MAX,
        .expire = INT64_MAX,
    };
    if (self->live)
        shot.deadline = item->arrival + latency;
    if (self->live && self->exact)
        shot.expire = shot.deadline + MAX(latency, LAST_RESULTS_US);
    if (self->exact)
        return gst_pe_ingest_now(self->ingest, &shot, ticket);
    gst_pe_ingest_later(self->ingest, &shot, ticket);
    return true;
}

// The clip that ends with this item's frame; takes it.
static void
assign_clip(GstPeInput *self, GstPeItem *item, GstPeClip *clip,
            const GstPeSettings *settings)
{
    if (!self->holds) {
        let_go(self, sign(self, clip), item->repeat);
        return;
    }
    item->clip = sign(self, clip);
    if (self->live)
        item->deadline = item->arrival + (int64_t)settings->latency * 1000;
}

// Decide about the item's frame and embed it when it was chosen. false after an
// error was posted.
static bool
sample(GstPeInput *self, GstPeItem *item, const GstPeSettings *settings)
{
    GstPeStats *stats = &self->shared->stats;
    GstBuffer *buffer = GST_BUFFER_CAST(item->object);
    GstPeTimes times = gst_pe_times_get(&self->segment, buffer);

    item->running_time = times.running_time;
    gst_pe_stats_count(stats, GST_PE_COUNT_FRAMES);
    if (!GST_CLOCK_TIME_IS_VALID(times.pts))
        gst_pe_stats_count(stats, GST_PE_COUNT_NO_PTS);
    GstPeClip *clip = gst_pe_clips_configure(self->clips, &settings->sampler);
    if (clip)
        cut(self, clip);
    if (!is_content(&self->segment, buffer, &times))
        return true;
    check_order(self, times.running_time);

    PeSample decision = gst_pe_clips_decide(self->clips, times.running_time);
    if (decision == PE_SAMPLE_SKIP)
        return true;
    gst_pe_stats_count(stats, GST_PE_COUNT_SAMPLED);

    GstPeTicket *ticket = gst_pe_ticket_new();
    bool ok = ingest(self, item, ticket, settings);
    clip = gst_pe_clips_add(self->clips, ticket, &times, decision);
    if (clip)
        assign_clip(self, item, clip, settings);
    return ok;
}

// Until the frame may come in.
static GstFlowReturn
wait_turn(GstPeInput *self, const GstPeSettings *settings)
{
    GstPeQueue *queue = &self->shared->queue;
    int max_held = gst_pe_shared_get_max_held(self->shared);

    // Nothing more comes from here while this waits.
    if (self->holds && !gst_pe_queue_has_room(queue, max_held))
        gst_pe_ingest_run_now(self->ingest);
    GstFlowReturn flow = gst_pe_queue_wait_room(queue, max_held);
    if (flow != GST_FLOW_OK || !self->exact || self->holds)
        return flow;

    // No frame is held that could keep upstream from filling the memory with
    // preprocessed ones.
    int max_busy = MAX(MIN_HELD, 2 * (int)settings->batch_size);
    if (gst_pe_clips_count_busy(self->clips) >= max_busy)
        gst_pe_ingest_run_now(self->ingest);
    return gst_pe_queue_wait_busy(queue, self->clips, max_busy);
}

static GstFlowReturn
chain(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
    GstPeInput *self = gst_pad_get_element_private(pad);
    GstPeSettings settings = gst_pe_shared_get_settings(self->shared);
    GstFlowReturn flow = GST_FLOW_NOT_NEGOTIATED;
    GstPeItem item = {.object = GST_MINI_OBJECT_CAST(buffer)};

    if (GST_VIDEO_INFO_FORMAT(&self->info) != GST_VIDEO_FORMAT_UNKNOWN) {
        gst_pe_input_update_mode(self);
        flow = wait_turn(self, &settings);
    }
    if (flow == GST_FLOW_OK) {
        item.arrival = g_get_monotonic_time();
        item.repeat =
            !self->exact && settings.hold == GST_PE_INFERENCE_HOLD_FRAMES;
        flow = sample(self, &item, &settings) ? GST_FLOW_OK : GST_FLOW_ERROR;
    }
    if (flow == GST_FLOW_OK)
        return gst_pe_queue_push(&self->shared->queue, &item);
    if (item.clip)
        gst_pe_clip_free(item.clip);
    gst_buffer_unref(buffer);
    return flow;
}

// ---- Events ---------------------------------------------------------------

// Whether timestamps mean the same after the new segment.
static bool
segment_continues(const GstSegment *old, const GstSegment *segment)
{
    GstSegment copy = *segment;

    copy.flags = old->flags;
    copy.stop = old->stop;
    copy.duration = old->duration;
    copy.position = old->position;
    copy.offset = old->offset;
    return gst_segment_is_equal(old, &copy);
}

static void
take_segment(GstPeInput *self, GstEvent *event)
{
    GstSegment segment;

    gst_event_copy_segment(event, &segment);
    if (!segment_continues(&self->segment, &segment))
        jump(self);
    self->segment = segment;
}

static void
take_stream_start(GstPeInput *self, GstEvent *event)
{
    const char *id;

    finish_stream(self, get_patience_between(self));
    gst_event_parse_stream_start(event, &id);
    gst_pe_source_set_stream(&self->source, id);
    self->live_known = false;
    gst_pe_shared_look_for_pace(self->shared);
}

// The clip goes on across new caps: frames of any size and format are embedded.
static bool
take_caps(GstPeInput *self, GstEvent *event)
{
    GstCaps *caps;

    gst_event_parse_caps(event, &caps);
    self->cuda_caps = gst_caps_features_contains(gst_caps_get_features(caps, 0),
                                                 GST_PE_CUDA_FEATURE);
    if (gst_video_info_from_caps(&self->info, caps))
        return true;
    GST_WARNING_OBJECT(self->shared->element, "cannot use %" GST_PTR_FORMAT,
                       caps);
    gst_video_info_init(&self->info);
    return false;
}

static bool
take_serialized(GstPeInput *self, GstEvent *event)
{
    bool ok = true;

    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
        take_stream_start(self, event);
        break;
    case GST_EVENT_SEGMENT:
        take_segment(self, event);
        break;
    case GST_EVENT_SEGMENT_DONE:
    case GST_EVENT_EOS:
        finish_stream(self, get_patience_at_end(self));
        break;
    case GST_EVENT_CAPS:
        ok = take_caps(self, event);
        break;
    default:
        break;
    }
    if (!ok) {
        gst_event_unref(event);
        return false;
    }
    gst_pe_ingest_run_now(self->ingest);
    return gst_pe_queue_push_event(&self->shared->queue, event);
}

static gboolean
sink_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    GstPeInput *self = gst_pad_get_element_private(pad);
    gboolean ok;

    GST_LOG_OBJECT(pad, "%" GST_PTR_FORMAT, event);
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START:
        ok = gst_pad_push_event(self->shared->srcpad, event);
        gst_pe_queue_flush_start(&self->shared->queue);
        return ok;
    case GST_EVENT_FLUSH_STOP:
        ok = gst_pad_push_event(self->shared->srcpad, event);
        reset(self);
        gst_pe_shared_forget_failure(self->shared);
        gst_pe_queue_flush_stop(&self->shared->queue);
        return ok;
    default:
        if (GST_EVENT_IS_SERIALIZED(event))
            return take_serialized(self, event);
        return gst_pad_event_default(pad, parent, event);
    }
}

static gboolean
src_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    GstPeShared *shared = gst_pad_get_element_private(pad);

    // Only a sink that keeps time sends QoS.
    if (GST_EVENT_TYPE(event) == GST_EVENT_QOS)
        gst_pe_shared_set_paced(shared);
    if (GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE) {
        gst_pe_shared_look_for_pace(shared);
        gst_pe_queue_reconfigure(&shared->queue);
    }
    return gst_pad_event_default(pad, parent, event);
}

// ---- Activation -----------------------------------------------------------

static gboolean
src_activate(GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active)
{
    GstPeShared *shared = gst_pad_get_element_private(pad);

    if (mode != GST_PAD_MODE_PUSH)
        return FALSE;
    return active ? gst_pe_queue_start(&shared->queue)
                  : gst_pe_queue_stop(&shared->queue);
}

// ---- Object ---------------------------------------------------------------

GstPeInput *
gst_pe_input_new(GstPeShared *shared)
{
    GstPeInput *self = g_new0(GstPeInput, 1);

    self->shared = shared;
    self->clips = gst_pe_clips_new();
    self->ingest = gst_pe_ingest_new(shared);
    gst_video_info_init(&self->info);
    gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);
    self->last_running_time = GST_CLOCK_TIME_NONE;

    GstPad *sinkpad = shared->sinkpad, *srcpad = shared->srcpad;
    gst_pad_set_element_private(sinkpad, self);
    gst_pad_set_element_private(srcpad, shared);
    gst_pad_set_chain_function(sinkpad, chain);
    gst_pad_set_event_function(sinkpad, sink_event);
    gst_pad_set_event_function(srcpad, src_event);
    gst_pad_set_activatemode_function(srcpad, src_activate);
    GST_PAD_SET_PROXY_CAPS(sinkpad);
    GST_PAD_SET_PROXY_CAPS(srcpad);
    return self;
}

void
gst_pe_input_free(GstPeInput *self)
{
    gst_pe_source_set_stream(&self->source, NULL);
    gst_pe_ingest_free(self->ingest);
    gst_pe_clips_free(self->clips);
    g_free(self);
}

GstPeShared *
gst_pe_input_get_shared(GstPeInput *self)
{
    return self->shared;
}

// A serialized query comes in under the pad's stream lock, even if the pad is
// not active, and asks what these two change.
void
gst_pe_input_start(GstPeInput *self, PeEngine *engine, PeClient *client)
{
    GST_PAD_STREAM_LOCK(self->shared->sinkpad);
    self->engine = engine;
    self->client = client;
    gst_pe_ingest_start(self->ingest, engine, client);
    GST_PAD_STREAM_UNLOCK(self->shared->sinkpad);
    gst_pe_shared_look_for_pace(self->shared);
}

void
gst_pe_input_stop(GstPeInput *self)
{
    GST_PAD_STREAM_LOCK(self->shared->sinkpad);
    gst_pe_ingest_stop(self->ingest);
    reset(self);
    self->engine = NULL;
    self->client = NULL;
    self->live_known = false;
    gst_pe_source_set_stream(&self->source, NULL);
    gst_video_info_init(&self->info);
    GST_PAD_STREAM_UNLOCK(self->shared->sinkpad);
}
