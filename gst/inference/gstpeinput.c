// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeinput.c - the sink pad's half of the data flow: which frames become
// jobs, which clips they make, and where streams begin and end. Runs on the
// streaming thread, flushes excepted.

#include "gst/inference/gstpeinference.h"
#include "gst/video/gstpeframe.h"

GST_DEBUG_CATEGORY_EXTERN(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

// Frames that may be held while a clip is computed: enough to fill a usual
// batch, few enough that decoders can lend them.
#define MIN_HELD 16
#define UNKNOWN_FPS 60

// ---- Where clips go -------------------------------------------------------

void
gst_pe_inference_add_pending(GstPeInference *self, GstPeClip *clip)
{
    g_mutex_lock(&self->queue.lock);
    g_queue_push_tail(&self->pending, clip);
    g_mutex_unlock(&self->queue.lock);
}

GstPeClip *
gst_pe_inference_take_pending(GstPeInference *self, bool done)
{
    g_mutex_lock(&self->queue.lock);
    GstPeClip *clip = g_queue_peek_head(&self->pending);
    if (clip && done && !gst_pe_clip_is_done(clip))
        clip = NULL;
    if (clip)
        g_queue_pop_head(&self->pending);
    g_mutex_unlock(&self->queue.lock);
    return clip;
}

// Takes the clip; NULL does nothing. Its result goes downstream alone, behind
// what is queued, because all its frames may have been sent.
static void
queue_clip(GstPeInference *self, GstPeClip *clip)
{
    if (clip)
        gst_pe_queue_push(&self->queue, &(GstPeItem){.clip = clip});
}

// The stream ends or jumps here.
static void
finish_stream(GstPeInference *self)
{
    GstPeClip *clip;

    while ((clip = gst_pe_inference_take_pending(self, false)))
        queue_clip(self, clip);
    queue_clip(self, gst_pe_clips_finish(self->clips));
    self->last_running_time = GST_CLOCK_TIME_NONE;
}

void
gst_pe_input_reset(GstPeInference *self)
{
    GstPeClip *clip;

    while ((clip = gst_pe_inference_take_pending(self, false))) {
        gst_pe_clip_cancel(clip);
        gst_pe_clip_free(clip);
    }
    gst_pe_clips_reset(self->clips);
    gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);
    self->last_running_time = GST_CLOCK_TIME_NONE;
    g_clear_pointer(&self->latest, gst_pe_result_unref);
}

// ---- Frames ---------------------------------------------------------------

static bool
query_live(GstPeInference *self)
{
    g_autoptr(GstQuery) query = gst_query_new_latency();
    gboolean live = FALSE;

    if (gst_pad_peer_query(self->sinkpad, query))
        gst_query_parse_latency(query, &live, NULL, NULL);
    return live;
}

// Whether frames wait is decided before the first of them: the element's own
// LATENCY query comes too late for that.
void
gst_pe_input_update_mode(GstPeInference *self)
{
    GstPeInferenceMode mode = gst_pe_inference_get_settings(self).mode;

    if (!self->live_known) {
        self->live = query_live(self);
        self->live_known = true;
        GST_INFO_OBJECT(self, "%s source", self->live ? "live" : "non-live");
    }
    self->exact = mode == GST_PE_INFERENCE_MODE_EXACT ||
                  (mode == GST_PE_INFERENCE_MODE_AUTO && !self->live);
}

// Which way a frame went that has been embedded.
static void
count_memory(GstPeInference *self, const PeFrame *frame, GstBuffer *buffer)
{
    bool on_device = gst_pe_engine_is_on_device(self->engine);

    if (frame->memory == PE_MEMORY_CUDA) {
        bool ours =
            frame->context == pe_engine_get_device_context(self->engine);
        gst_pe_stats_count(&self->stats, ours ? GST_PE_COUNT_IN_PLACE
                                              : GST_PE_COUNT_DEVICE_COPIED);
    } else if (on_device) {
        gst_pe_stats_count(&self->stats, GST_PE_COUNT_UPLOADED);
    } else if (gst_pe_cuda_has_memory(buffer)) {
        gst_pe_stats_count(&self->stats, GST_PE_COUNT_DOWNLOADED);
    }
}

// What the caps promise and the kernels rely on. false after an error was
// posted.
static bool
check_memory(GstPeInference *self, GstBuffer *buffer)
{
    if (!self->cuda_caps || gst_pe_cuda_has_memory(buffer))
        return true;
    GstMemory *memory = gst_buffer_n_memory(buffer) > 0
                            ? gst_buffer_peek_memory(buffer, 0)
                            : NULL;
    GST_ELEMENT_ERROR(
        self, STREAM, FORMAT,
        ("The caps announce frames in " GST_PE_CUDA_FEATURE
         ", but a buffer has %u piece(s) of memory of type %s",
         gst_buffer_n_memory(buffer),
         memory && memory->allocator ? memory->allocator->mem_type : "none"),
        (NULL));
    return false;
}

// Preprocess and queue the frame. NULL after an error was posted.
static PeJob *
submit(GstPeInference *self, GstBuffer *buffer)
{
    int64_t start = g_get_monotonic_time();
    g_autoptr(GError) error = NULL;
    GstVideoFrame map;
    PeFrame frame;

    if (!check_memory(self, buffer))
        return NULL;
    if (!gst_pe_frame_map(&map, &frame, &self->info, buffer,
                          gst_pe_engine_is_on_device(self->engine), &error)) {
        GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("%s", error->message), (NULL));
        return NULL;
    }
    PeJob *job = pe_client_submit(self->client, &frame, &error);
    gst_video_frame_unmap(&map);
    gst_pe_stats_time(&self->stats, GST_PE_STAGE_PREPROCESS, start);
    if (job)
        count_memory(self, &frame, buffer);
    else
        gst_pe_inference_post_error(self, error);
    return job;
}

// In latest mode a clip's worth of frames may be on its way; more would only
// make results older.
static bool
is_overloaded(GstPeInference *self, const GstPeSettings *settings)
{
    return !self->exact && gst_pe_clips_count_busy(self->clips) >=
                               MAX(2, settings->sampler.clip_length);
}

// The clip that ends with this item's frame; takes it.
static void
assign_clip(GstPeInference *self, GstPeItem *item, GstPeClip *clip,
            const GstPeSettings *settings)
{
    if (!self->exact) {
        gst_pe_inference_add_pending(self, clip);
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
check_order(GstPeInference *self, GstClockTime running_time)
{
    if (!GST_CLOCK_TIME_IS_VALID(running_time))
        return;
    if (GST_CLOCK_TIME_IS_VALID(self->last_running_time) &&
        running_time < self->last_running_time) {
        GST_DEBUG_OBJECT(self,
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
sample(GstPeInference *self, GstPeItem *item, const GstPeSettings *settings)
{
    GstBuffer *buffer = GST_BUFFER_CAST(item->object);
    GstPeTimes times = gst_pe_times_get(&self->segment, buffer);

    item->running_time = times.running_time;
    gst_pe_stats_count(&self->stats, GST_PE_COUNT_FRAMES);
    if (!GST_CLOCK_TIME_IS_VALID(times.pts))
        gst_pe_stats_count(&self->stats, GST_PE_COUNT_NO_PTS);
    queue_clip(self, gst_pe_clips_configure(self->clips, &settings->sampler));
    if (!is_content(&self->segment, buffer, &times))
        return true;
    check_order(self, times.running_time);

    PeSample decision = gst_pe_clips_decide(self->clips, times.running_time);
    if (decision == PE_SAMPLE_SKIP)
        return true;
    gst_pe_stats_count(&self->stats, GST_PE_COUNT_SAMPLED);

    PeJob *job = NULL;
    if (is_overloaded(self, settings))
        gst_pe_stats_count(&self->stats, GST_PE_COUNT_SKIPPED);
    else if (!(job = submit(self, buffer)))
        return false;
    GstPeClip *clip = gst_pe_clips_add(self->clips, job, &times, decision);
    if (clip)
        assign_clip(self, item, clip, settings);
    return true;
}

int
gst_pe_input_get_max_held(GstPeInference *self)
{
    GstPeSettings settings = gst_pe_inference_get_settings(self);
    int held = MAX(MIN_HELD, 2 * (int)settings.batch_size);

    // A live source does not wait, so everything that arrives while a frame
    // waits for its deadline must fit.
    if (self->exact && self->live) {
        int n = GST_VIDEO_INFO_FPS_N(&self->info);
        int d = GST_VIDEO_INFO_FPS_D(&self->info);
        double fps = n > 0 && d > 0 ? (double)n / d : UNKNOWN_FPS;
        held = MAX(held, (int)(settings.latency * fps / 1000) + 2);
    }
    return held;
}

static GstFlowReturn
chain(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
    GstPeInference *self = GST_PE_INFERENCE(parent);
    GstPeSettings settings = gst_pe_inference_get_settings(self);
    GstFlowReturn flow = GST_FLOW_NOT_NEGOTIATED;
    GstPeItem item = {.object = GST_MINI_OBJECT_CAST(buffer)};

    if (GST_VIDEO_INFO_FORMAT(&self->info) != GST_VIDEO_FORMAT_UNKNOWN) {
        gst_pe_input_update_mode(self);
        int max_held = gst_pe_input_get_max_held(self);
        // Nothing more comes from here while this waits.
        if (!gst_pe_queue_has_room(&self->queue, max_held))
            pe_client_hurry(self->client);
        flow = gst_pe_queue_wait_room(&self->queue, max_held);
    }
    if (flow == GST_FLOW_OK) {
        item.arrival = g_get_monotonic_time();
        item.repeat = !self->exact;
        flow = sample(self, &item, &settings) ? GST_FLOW_OK : GST_FLOW_ERROR;
    }
    if (flow == GST_FLOW_OK)
        return gst_pe_queue_push(&self->queue, &item);
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
take_segment(GstPeInference *self, GstEvent *event)
{
    GstSegment segment;

    gst_event_copy_segment(event, &segment);
    if (!segment_continues(&self->segment, &segment))
        finish_stream(self);
    self->segment = segment;
}

// The clip goes on across new caps: frames of any size and format are embedded.
static bool
take_caps(GstPeInference *self, GstEvent *event)
{
    GstCaps *caps;

    gst_event_parse_caps(event, &caps);
    self->cuda_caps = gst_caps_features_contains(gst_caps_get_features(caps, 0),
                                                 GST_PE_CUDA_FEATURE);
    if (gst_video_info_from_caps(&self->info, caps))
        return true;
    GST_WARNING_OBJECT(self, "cannot use %" GST_PTR_FORMAT, caps);
    gst_video_info_init(&self->info);
    return false;
}

static bool
take_serialized(GstPeInference *self, GstEvent *event)
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
    pe_client_hurry(self->client);
    return gst_pe_queue_push_event(&self->queue, event);
}

static gboolean
sink_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    GstPeInference *self = GST_PE_INFERENCE(parent);
    gboolean ok;

    GST_LOG_OBJECT(pad, "%" GST_PTR_FORMAT, event);
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START:
        ok = gst_pad_push_event(self->srcpad, event);
        gst_pe_queue_flush_start(&self->queue);
        return ok;
    case GST_EVENT_FLUSH_STOP:
        ok = gst_pad_push_event(self->srcpad, event);
        gst_pe_input_reset(self);
        gst_pe_queue_flush_stop(&self->queue);
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
        gst_pe_queue_reconfigure(&GST_PE_INFERENCE(parent)->queue);
    return gst_pad_event_default(pad, parent, event);
}

// ---- Activation -----------------------------------------------------------

static gboolean
src_activate(GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active)
{
    GstPeInference *self = GST_PE_INFERENCE(parent);

    if (mode != GST_PAD_MODE_PUSH)
        return FALSE;
    return active ? gst_pe_queue_start(&self->queue)
                  : gst_pe_queue_stop(&self->queue);
}

void
gst_pe_input_init(GstPeInference *self)
{
    gst_pad_set_chain_function(self->sinkpad, chain);
    gst_pad_set_event_function(self->sinkpad, sink_event);
    gst_pad_set_event_function(self->srcpad, src_event);
    gst_pad_set_activatemode_function(self->srcpad, src_activate);
    GST_PAD_SET_PROXY_CAPS(self->sinkpad);
    GST_PAD_SET_PROXY_CAPS(self->srcpad);
    gst_video_info_init(&self->info);
    gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);
    self->last_running_time = GST_CLOCK_TIME_NONE;
    g_queue_init(&self->pending);
}
