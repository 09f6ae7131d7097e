// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeinput.c - see gstpeinput.h.

#include "gst/inference/flow/gstpeinput.h"

#include "gst/inference/flow/gstpeevents.h"

GST_DEBUG_CATEGORY_EXTERN(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

// ---- Frames ---------------------------------------------------------------

// Frames outside of the segment will not be shown. The flag GAP alone means
// nothing: videorate sets it on pictures that it repeats.
static bool
is_content(const GstSegment *segment, GstBuffer *buffer,
           const GstPeTimes *times)
{
    bool outside = segment->format == GST_FORMAT_TIME &&
                   GST_CLOCK_TIME_IS_VALID(times->pts) &&
                   !GST_CLOCK_TIME_IS_VALID(times->running_time);
    bool empty = GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP) &&
                 gst_buffer_get_size(buffer) == 0;
    return !outside && !empty;
}

// Of a picture that the decoder could not read whole.
static bool
is_corrupted(GstPeStream *self, GstBuffer *buffer,
             const GstPeSettings *settings)
{
    if (!GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_CORRUPTED))
        return false;
    gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_CORRUPTED);
    return settings->skip_corrupted;
}

// Said once for a stream.
static void
tell_untimed(GstPeStream *self, const GstPeSettings *settings)
{
    const PeSamplerParams *p = &settings->sampler;

    if (self->told_untimed || p->rate_n == 0)
        return;
    self->told_untimed = true;
    GST_ELEMENT_WARNING(self->shared->element, STREAM, FORMAT,
                        ("frame-rate=%d/%d has no effect: frames have no "
                         "timestamps, and their caps no frame rate, so each "
                         "frame is a sample",
                         p->rate_n, p->rate_d),
                        (NULL));
}

// When the sampler sees the frame. Frames without a timestamp follow each other
// at the rate of the caps.
static PeMoment
get_moment(GstPeStream *self, GstBuffer *buffer, const GstPeTimes *times,
           const GstPeSettings *settings)
{
    int n = GST_VIDEO_INFO_FPS_N(&self->info);
    int d = GST_VIDEO_INFO_FPS_D(&self->info);
    PeMoment m = {.timestamp = times->running_time,
                  .duration = PE_TIME_NONE,
                  .jumps =
                      GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT)};

    if (n > 0 && d > 0)
        m.duration =
            (uint64_t)((double)gst_util_uint64_scale_int(GST_SECOND, d, n) /
                       ABS(self->segment.rate));
    if (times->running_end > times->running_time)
        m.duration = times->running_end - times->running_time;
    if (!GST_CLOCK_TIME_IS_VALID(times->running_time)) {
        m.jumps = false;
        if (m.duration != PE_TIME_NONE)
            m.timestamp = self->next_time;
        else
            tell_untimed(self, settings);
    }
    if (m.timestamp != PE_TIME_NONE)
        self->next_time =
            m.timestamp + (m.duration == PE_TIME_NONE ? 0 : m.duration);
    return m;
}

// Monotonic us by which a live frame's result is wanted. In latest mode that is
// when the next sample comes: a newer one is worth more from then on.
static int64_t
get_deadline(const GstPeStream *self, const GstPeItem *item,
             const GstPeSettings *settings)
{
    int n = settings->sampler.rate_n, d = settings->sampler.rate_d;

    if (n <= 0) {
        n = GST_VIDEO_INFO_FPS_N(&self->info);
        d = GST_VIDEO_INFO_FPS_D(&self->info);
    }
    if (self->exact || n <= 0)
        return item->arrival + (int64_t)settings->latency * 1000;
    return item->arrival +
           (int64_t)G_USEC_PER_SEC * d * settings->sampler.interval / n;
}

// Embed parts of the item's frame, now or on another thread. false after an
// error was posted.
static bool
ingest(GstPeStream *self, const GstPeItem *item, GstPeParts *parts,
       const GstPeSettings *settings)
{
    int64_t latency = (int64_t)settings->latency * 1000;
    GstPeShot shot = {
        .buffer = GST_BUFFER_CAST(item->object),
        .info = &self->info,
        .cuda_caps = self->cuda_caps,
        .orientation = gst_pe_orientation_get(&self->orientation,
                                              (int)settings->orientation),
        .hdr = settings->hdr,
        .reclassify_interval = settings->reclassify_interval,
        .arrival = item->arrival,
        .deadline = INT64_MAX,
        .expire = INT64_MAX,
    };
    if (self->live || !self->exact)
        shot.deadline = get_deadline(self, item, settings);
    if (self->live && self->exact)
        shot.expire =
            shot.deadline + MAX(latency, GST_PE_STREAM_LAST_RESULTS_US);
    if (self->exact)
        return gst_pe_ingest_now(self->ingest, &shot, parts);
    gst_pe_ingest_later(self->ingest, &shot, parts);
    return true;
}

// The clip that ends with this item's frame; takes it.
static void
assign_clip(GstPeStream *self, GstPeItem *item, GstPeClip *clip,
            const GstPeSettings *settings)
{
    if (!self->holds) {
        gst_pe_stream_let_go(self, gst_pe_stream_sign(self, clip),
                             item->repeat);
        return;
    }
    item->clip = gst_pe_stream_sign(self, clip);
    if (self->live)
        item->deadline = item->arrival + (int64_t)settings->latency * 1000;
}

// Said once for a stream.
static void
tell_crowded(GstPeStream *self, guint n_over)
{
    if (n_over == 0 || self->told_crowded)
        return;
    self->told_crowded = true;
    GST_ELEMENT_WARNING(
        self->shared->element, STREAM, FAILED,
        ("a frame has %u objects, of which the first %d are embedded; choose "
         "some with object-class or min-roi-size",
         n_over + GST_PE_PARTS_MAX_OBJECTS, GST_PE_PARTS_MAX_OBJECTS),
        (NULL));
}

// Said once for a stream and region: it has no result as long as this is so.
static void
tell_outside(GstPeStream *self, const GstPeLeftOut *left_out)
{
    uint32_t new = left_out->named & ~self->told_outside;

    self->told_outside |= new;
    for (guint i = 0; new >> i; i++) {
        if (!(new >> i & 1))
            continue;
        const GstPeNamedRegion *r = &self->regions->regions[i];
        const char *unit[4];
        for (int k = 0; k < 4; k++)
            unit[k] = r->percent[k] ? "%" : "";
        GST_ELEMENT_WARNING(
            self->shared->element, STREAM, FAILED,
            ("region %s (left %g%s, top %g%s, width %g%s, height %g%s) lies "
             "outside the picture of %d x %d pixels, so it has no results; "
             "change regions",
             r->name, r->rectangle[0], unit[0], r->rectangle[1], unit[1],
             r->rectangle[2], unit[2], r->rectangle[3], unit[3],
             left_out->picture.width, left_out->picture.height),
            (NULL));
    }
}

// What of the frame is to be looked at. Returns a reference.
static GstPeParts *
find_parts(GstPeStream *self, GstBuffer *buffer, const GstPeSettings *settings)
{
    GstPeStats *stats = &self->shared->stats;
    bool objects = settings->region == GST_PE_INFERENCE_REGION_ROI_LIST;
    g_autofree char *classes =
        objects ? gst_pe_shared_dup_object_class(self->shared) : NULL;
    GstPeSought sought = {
        .whole =
            gst_pe_region_wants_whole(settings->region, self->regions != NULL),
        .objects = objects,
        .object_class = classes,
        .min_size = settings->min_roi_size,
        .regions = self->regions,
        .sample = self->n_looked++,
        .owed = g_atomic_int_and(&self->shared->owed, 0),
    };
    GstPeLeftOut left_out;

    GstPeParts *parts =
        gst_pe_parts_find(buffer, &self->info, &sought, &left_out);
    gst_pe_stats_add(stats, GST_PE_COUNT_REGIONS, parts->parts->len);
    gst_pe_stats_add(stats, GST_PE_COUNT_OUTSIDE, left_out.n_outside);
    gst_pe_stats_add(stats, GST_PE_COUNT_SMALL, left_out.n_small);
    gst_pe_stats_add(stats, GST_PE_COUNT_OVER, left_out.n_over);
    tell_crowded(self, left_out.n_over);
    tell_outside(self, &left_out);
    gst_pe_stream_expect_jobs(self, settings, gst_pe_parts_count(parts));
    return parts;
}

// Embed the item's frame, as this sample or in doubt. false after an error was
// posted.
static bool
embed(GstPeStream *self, GstPeItem *item, const GstPeTimes *times,
      const PePoint *point, const PeMoment *doubted,
      const GstPeSettings *settings)
{
    GstPeParts *parts =
        find_parts(self, GST_BUFFER_CAST(item->object), settings);
    bool ok = ingest(self, item, parts, settings);

    gst_pe_stats_count(&self->shared->stats, GST_PE_COUNT_SAMPLED);
    if (doubted) {
        gst_pe_clips_doubt(self->clips, parts, times, &self->segment, doubted);
        return ok;
    }
    GstPeClip *clip =
        gst_pe_clips_add(self->clips, parts, times, &self->segment, point);
    if (clip)
        assign_clip(self, item, clip, settings);
    return ok;
}

// Decide about the item's frame and embed it when it was chosen. false after an
// error was posted.
static bool
sample(GstPeStream *self, GstPeItem *item, const GstPeSettings *settings)
{
    GstPeStats *stats = &self->shared->stats;
    GstBuffer *buffer = GST_BUFFER_CAST(item->object);
    GstPeTimes times = gst_pe_times_get(&self->segment, buffer);

    item->running_end = times.running_end;
    gst_pe_stats_count(stats, GST_PE_COUNT_FRAMES);
    if (!GST_CLOCK_TIME_IS_VALID(times.pts))
        gst_pe_stats_count(stats, GST_PE_COUNT_NO_PTS);
    gst_pe_stream_configure(self, settings);
    if (!is_content(&self->segment, buffer, &times))
        return true;
    PeMoment moment = get_moment(self, buffer, &times, settings);
    if (is_corrupted(self, buffer, settings))
        return true;

    if (gst_pe_stream_arrive(self, &moment) == PE_ORDER_DOUBT)
        return embed(self, item, &times, NULL, &moment, settings);
    PePoint point = gst_pe_clips_decide(self->clips, &moment);
    return point.sample == PE_SAMPLE_SKIP ||
           embed(self, item, &times, &point, NULL, settings);
}

// Until the frame may come in.
static GstFlowReturn
wait_turn(GstPeStream *self, const GstPeSettings *settings)
{
    GstPeQueue *queue = &self->shared->queue;
    int max_held = gst_pe_shared_get_max_held(self->shared);

    // Nothing more comes from here while this waits.
    if (self->holds && !gst_pe_queue_has_room(queue, max_held))
        gst_pe_ingest_run_now(self->ingest);
    GstFlowReturn flow = gst_pe_queue_wait_room(queue, max_held);
    bool bounded = self->holds && (self->max_jobs <= 1 || self->live);
    if (flow != GST_FLOW_OK || !self->exact || bounded)
        return flow;

    // No frame is held that could keep upstream from filling the memory with
    // preprocessed ones, or each that is held has many parts.
    int max_busy = MAX(GST_PE_STREAM_MIN_HELD, 2 * (int)settings->batch_size);
    if (gst_pe_clips_count_busy(self->clips) >= max_busy)
        gst_pe_ingest_run_now(self->ingest);
    return gst_pe_queue_wait_busy(queue, self->clips, max_busy);
}

static GstFlowReturn
chain(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
    GstPeStream *self = gst_pad_get_element_private(pad);
    GstPeSettings settings = gst_pe_shared_get_settings(self->shared);
    GstFlowReturn flow = GST_FLOW_NOT_NEGOTIATED;
    GstPeItem item = {.object = GST_MINI_OBJECT_CAST(buffer)};

    if (GST_VIDEO_INFO_FORMAT(&self->info) != GST_VIDEO_FORMAT_UNKNOWN) {
        gst_pe_stream_update_mode(self);
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

GstPeStream *
gst_pe_input_new(GstPeShared *shared)
{
    GstPeStream *self = g_new0(GstPeStream, 1);

    self->shared = shared;
    self->clips = gst_pe_clips_new();
    self->ingest = gst_pe_ingest_new(shared);
    gst_video_info_init(&self->info);
    gst_segment_init(&self->segment, GST_FORMAT_UNDEFINED);

    GstPad *sinkpad = shared->sinkpad, *srcpad = shared->srcpad;
    gst_pad_set_element_private(sinkpad, self);
    gst_pad_set_element_private(srcpad, shared);
    gst_pad_set_chain_function(sinkpad, chain);
    gst_pad_set_event_function(sinkpad, gst_pe_events_sink);
    gst_pad_set_event_function(srcpad, gst_pe_events_src);
    gst_pad_set_activatemode_function(srcpad, src_activate);
    GST_PAD_SET_PROXY_CAPS(sinkpad);
    GST_PAD_SET_PROXY_CAPS(srcpad);
    return self;
}

void
gst_pe_input_free(GstPeStream *self)
{
    gst_pe_source_set_stream(&self->source, NULL);
    g_clear_pointer(&self->regions, gst_pe_regions_unref);
    gst_pe_ingest_free(self->ingest);
    gst_pe_clips_free(self->clips);
    g_free(self);
}

// A serialized query comes in under the pad's stream lock, even if the pad is
// not active, and asks what these two change.
void
gst_pe_input_start(GstPeStream *self, PeEngine *engine, PeClient *client)
{
    GST_PAD_STREAM_LOCK(self->shared->sinkpad);
    self->engine = engine;
    self->client = client;
    gst_pe_ingest_start(self->ingest, engine, client);
    GST_PAD_STREAM_UNLOCK(self->shared->sinkpad);
    gst_pe_shared_look_for_pace(self->shared);
}

void
gst_pe_input_stop(GstPeStream *self)
{
    GST_PAD_STREAM_LOCK(self->shared->sinkpad);
    gst_pe_ingest_stop(self->ingest);
    gst_pe_stream_reset(self);
    self->engine = NULL;
    self->client = NULL;
    self->live_known = false;
    self->max_jobs = 0;
    g_clear_pointer(&self->regions, gst_pe_regions_unref);
    gst_pe_source_set_stream(&self->source, NULL);
    self->orientation = (GstPeOrientation){0};
    gst_video_info_init(&self->info);
    GST_PAD_STREAM_UNLOCK(self->shared->sinkpad);
}
