// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeinput.c - see gstpeinput.h. The functions of both pads are here, because
// most of what they do is up to this half; those of the source pad touch the
// queue alone.

#include "gst/inference/flow/gstpeinput.h"

#include "gst/video/gstpeframe.h"

GST_DEBUG_CATEGORY_EXTERN(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

// Frames that may be held while a clip is computed: enough to fill a usual
// batch, few enough that decoders can lend them.
#define MIN_HELD 16
#define UNKNOWN_FPS 60

struct _GstPeInput {
    GstPeShared *shared; // borrowed
    PeEngine *engine;    // borrowed, while started
    PeClient *client;    // borrowed, while started
    GstSegment segment;
    GstVideoInfo info;
    bool cuda_caps; // which promise CUDA memory
    GstPeClips *clips;
    GstClockTime last_running_time;
    bool live_known;
    bool live;
    bool exact; // what mode has become
};

// ---- Where clips go -------------------------------------------------------

// Takes the clip; NULL does nothing. Its result goes downstream alone, behind
// what is queued, because all its frames may have been sent.
static void
queue_clip(GstPeInput *self, GstPeClip *clip)
{
    if (clip)
        gst_pe_queue_push(&self->shared->queue, &(GstPeItem){.clip = clip});
}

// The stream ends or jumps here.
static void
finish_stream(GstPeInput *self)
{
    GstPeQueue *queue = &self->shared->queue;
    GstPeClip *clip;

    while ((clip = gst_pe_queue_take_pending(queue, false)))
        queue_clip(self, clip);
    queue_clip(self, gst_pe_clips_finish(self->clips));
    self->last_running_time = GST_CLOCK_TIME_NONE;
}

// Forget the stream.
static void
reset(GstPeInput *self)
{
    GstPeQueue *queue = &self->shared->queue;
    GstPeClip *clip;

    while ((clip = gst_pe_queue_take_pending(queue, false))) {
        gst_pe_clip_cancel(clip);
        gst_pe_clip_free(clip);
    }
    gst_pe_clips_reset(self->clips);
    gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);
    self->last_running_time = GST_CLOCK_TIME_NONE;
}

// ---- Frames ---------------------------------------------------------------

static bool
query_live(GstPeInput *self)
{
    g_autoptr(GstQuery) query = gst_query_new_latency();
    gboolean live = FALSE;

    if (gst_pad_peer_query(self->shared->sinkpad, query))
        gst_query_parse_latency(query, &live, NULL, NULL);
    return live;
}

// How many frames may wait, for this half and for the answer to ALLOCATION
// queries.
static void
update_max_held(GstPeInput *self, const GstPeSettings *settings)
{
    int held = MAX(MIN_HELD, 2 * (int)settings->batch_size);

    // A live source does not wait, so everything that arrives while a frame
    // waits for its deadline must fit.
    if (self->exact && self->live) {
        int n = GST_VIDEO_INFO_FPS_N(&self->info);
        int d = GST_VIDEO_INFO_FPS_D(&self->info);
        double fps = n > 0 && d > 0 ? (double)n / d : UNKNOWN_FPS;
        held = MAX(held, (int)(settings->latency * fps / 1000) + 2);
    }
    gst_pe_shared_set_max_held(self->shared, held);
}

// Whether frames wait is decided before the first of them: the element's own
// LATENCY query comes too late for that.
void
gst_pe_input_update_mode(GstPeInput *self)
{
    GstPeSettings settings = gst_pe_shared_get_settings(self->shared);
    GstPeInferenceMode mode = settings.mode;

    if (!self->live_known) {
        self->live = query_live(self);
        self->live_known = true;
        GST_INFO_OBJECT(self->shared->element, "%s source",
                        self->live ? "live" : "non-live");
    }
    self->exact = mode == GST_PE_INFERENCE_MODE_EXACT ||
                  (mode == GST_PE_INFERENCE_MODE_AUTO && !self->live);
    update_max_held(self, &settings);
}

// Which way a frame went that has been embedded.
static void
count_memory(GstPeInput *self, const PeFrame *frame, GstBuffer *buffer)
{
    bool on_device = !pe_engine_is_host(self->engine);

    if (frame->memory == PE_MEMORY_CUDA) {
        bool ours =
            frame->context == pe_engine_get_device_context(self->engine);
        gst_pe_stats_count(&self->shared->stats,
                           ours ? GST_PE_COUNT_IN_PLACE
                                : GST_PE_COUNT_DEVICE_COPIED);
    } else if (on_device) {
        gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_UPLOADED);
    } else if (gst_pe_cuda_has_memory(buffer)) {
        gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_DOWNLOADED);
    }
}

// What the caps promise and the kernels rely on. false after an error was
// posted.
static bool
check_memory(GstPeInput *self, GstBuffer *buffer)
{
    if (!self->cuda_caps || gst_pe_cuda_has_memory(buffer))
        return true;
    GstMemory *memory = gst_buffer_n_memory(buffer) > 0
                            ? gst_buffer_peek_memory(buffer, 0)
                            : NULL;
    GST_ELEMENT_ERROR(
        self->shared->element, STREAM, FORMAT,
        ("The caps announce frames in " GST_PE_CUDA_FEATURE
         ", but a buffer has %u piece(s) of memory of type %s",
         gst_buffer_n_memory(buffer),
         memory && memory->allocator ? memory->allocator->mem_type : "none"),
        (NULL));
    return false;
}

// Preprocess and queue the frame. NULL after an error was posted.
static PeJob *
submit(GstPeInput *self, GstBuffer *buffer)
{
    int64_t start = g_get_monotonic_time();
    g_autoptr(GError) error = NULL;
    GstVideoFrame map;
    PeFrame frame;

    if (!check_memory(self, buffer))
        return NULL;
    if (!gst_pe_frame_map(&map, &frame, &self->info, buffer,
                          !pe_engine_is_host(self->engine), &error)) {
        GST_ELEMENT_ERROR(self->shared->element, STREAM, FORMAT,
                          ("%s", error->message), (NULL));
        return NULL;
    }
    PeJob *job = NULL;
    bool ok = pe_client_submit(self->client, &(PeSubmit){.frame = &frame}, &job,
                               &error);
    gst_video_frame_unmap(&map);
    gst_pe_stats_time(&self->shared->stats, GST_PE_STAGE_PREPROCESS, start);
    if (ok)
        count_memory(self, &frame, buffer);
    else
        gst_pe_shared_post_error(self->shared, error);
    return job;
}

// In latest mode a clip's worth of frames may be on its way; more would only
// make results older.
static bool
is_overloaded(GstPeInput *self, const GstPeSettings *settings)
{
    return !self->exact && gst_pe_clips_count_busy(self->clips) >=
                               MAX(2, settings->sampler.clip_length);
}

// The clip that ends with this item's frame; takes it.
static void
assign_clip(GstPeInput *self, GstPeItem *item, GstPeClip *clip,
            const GstPeSettings *settings)
{
    if (!self->exact) {
        gst_pe_queue_add_pending(&self->shared->queue, clip);
        return;
    }
    item->clip = clip;
    if (self->live)
        item->deadline = item->arrival + (int64_t)settings->latency * 1000;
}

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
        finish_stream(self);
    }
    self->last_running_time = running_time;
}

// Decide about the item's frame and embed it when it was chosen. false after an
// error was posted.
static bool
sample(GstPeInput *self, GstPeItem *item, const GstPeSettings *settings)
{
    GstBuffer *buffer = GST_BUFFER_CAST(item->object);
    GstPeTimes times = gst_pe_times_get(&self->segment, buffer);

    item->running_time = times.running_time;
    gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_FRAMES);
    if (!GST_CLOCK_TIME_IS_VALID(times.pts))
        gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_NO_PTS);
    queue_clip(self, gst_pe_clips_configure(self->clips, &settings->sampler));
    if (!is_content(&self->segment, buffer, &times))
        return true;
    check_order(self, times.running_time);

    PeSample decision = gst_pe_clips_decide(self->clips, times.running_time);
    if (decision == PE_SAMPLE_SKIP)
        return true;
    gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_SAMPLED);

    PeJob *job = NULL;
    if (is_overloaded(self, settings))
        gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_SKIPPED);
    else if (!(job = submit(self, buffer)))
        return false;
    GstPeClip *clip = gst_pe_clips_add(self->clips, job, &times, decision);
    if (clip)
        assign_clip(self, item, clip, settings);
    return true;
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
        int max_held = gst_pe_shared_get_max_held(self->shared);
        // Nothing more comes from here while this waits.
        if (!gst_pe_queue_has_room(&self->shared->queue, max_held))
            gst_pe_shared_run_now(self->shared);
        flow = gst_pe_queue_wait_room(&self->shared->queue, max_held);
    }
    if (flow == GST_FLOW_OK) {
        item.arrival = g_get_monotonic_time();
        item.repeat = !self->exact;
        flow = sample(self, &item, &settings) ? GST_FLOW_OK : GST_FLOW_ERROR;
    }
    if (flow == GST_FLOW_OK)
        return gst_pe_queue_push(&self->shared->queue, &item);
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
        finish_stream(self);
    self->segment = segment;
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
        finish_stream(self);
        self->live_known = false;
        break;
    case GST_EVENT_SEGMENT:
        take_segment(self, event);
        break;
    case GST_EVENT_SEGMENT_DONE:
    case GST_EVENT_EOS:
        finish_stream(self);
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
    gst_pe_shared_run_now(self->shared);
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
    if (GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE)
        gst_pe_queue_reconfigure(
            &((GstPeShared *)gst_pad_get_element_private(pad))->queue);
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
    gst_pe_clips_free(self->clips);
    g_free(self);
}

GstPeShared *
gst_pe_input_get_shared(GstPeInput *self)
{
    return self->shared;
}

void
gst_pe_input_start(GstPeInput *self, PeEngine *engine, PeClient *client)
{
    self->engine = engine;
    self->client = client;
}

void
gst_pe_input_stop(GstPeInput *self)
{
    reset(self);
    self->engine = NULL;
    self->client = NULL;
    self->live_known = false;
    gst_video_info_init(&self->info);
}
