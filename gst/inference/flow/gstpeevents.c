// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeevents.c - see gstpeevents.h.

#include "gst/inference/flow/gstpeevents.h"

GST_DEBUG_CATEGORY_EXTERN(pe_inference_debug);
#define GST_CAT_DEFAULT pe_inference_debug

static void
take_segment(GstPeStream *self, GstEvent *event)
{
    GstSegment segment;

    gst_event_copy_segment(event, &segment);
    if (!gst_pe_times_continue(&self->segment, &segment))
        gst_pe_stream_jump(self);
    self->segment = segment;
}

static void
take_stream_start(GstPeStream *self, GstEvent *event)
{
    const char *id;

    gst_pe_stream_switch(self);
    gst_event_parse_stream_start(event, &id);
    gst_pe_source_set_stream(&self->source, id);
    self->live_known = false;
    self->told_untimed = false;
    self->told_crowded = false;
    self->told_outside = 0;
    self->max_jobs = 0;
    gst_pe_ingest_forget(self->ingest);
    gst_pe_shared_look_for_pace(self->shared);
}

// The clip goes on across new caps: frames of any size and format are embedded.
static bool
take_caps(GstPeStream *self, GstEvent *event)
{
    GstCaps *caps;

    gst_event_parse_caps(event, &caps);
    self->cuda_caps = gst_caps_features_contains(gst_caps_get_features(caps, 0),
                                                 GST_PE_CUDA_FEATURE);
    if (gst_pe_video_info_from_caps(&self->info, caps))
        return true;
    GST_WARNING_OBJECT(self->shared->element, "cannot use %" GST_PTR_FORMAT,
                       caps);
    gst_video_info_init(&self->info);
    return false;
}

// Until then the last frame stays on screen. A gap that ends the clip does so
// when the next frame tells how long it was.
static void
take_gap(GstPeStream *self, GstEvent *event)
{
    GstClockTime start, duration;

    gst_event_parse_gap(event, &start, &duration);
    if (self->segment.format != GST_FORMAT_TIME || self->segment.rate < 0)
        return;
    if (GST_CLOCK_TIME_IS_VALID(duration))
        start += duration;
    PeMoment moment = {
        .timestamp =
            gst_segment_to_running_time(&self->segment, GST_FORMAT_TIME, start),
        .duration = 1, // it is no frame
    };
    if (gst_pe_clips_check(self->clips, &moment) == PE_ORDER_NEXT)
        gst_pe_stream_hold(self, &moment);
}

static bool
take_serialized(GstPeStream *self, GstEvent *event)
{
    bool ok = true;

    gst_pe_orientation_take_event(&self->orientation, self->shared->sinkpad,
                                  event);
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
        take_stream_start(self, event);
        break;
    case GST_EVENT_SEGMENT:
        take_segment(self, event);
        break;
    case GST_EVENT_GAP:
        take_gap(self, event);
        break;
    case GST_EVENT_SEGMENT_DONE:
    case GST_EVENT_EOS:
        gst_pe_stream_end(self);
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

gboolean
gst_pe_events_sink(GstPad *pad, GstObject *parent, GstEvent *event)
{
    GstPeStream *self = gst_pad_get_element_private(pad);
    gboolean ok;

    GST_LOG_OBJECT(pad, "%" GST_PTR_FORMAT, event);
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_FLUSH_START:
        ok = gst_pad_push_event(self->shared->srcpad, event);
        gst_pe_queue_flush_start(&self->shared->queue);
        return ok;
    case GST_EVENT_FLUSH_STOP:
        ok = gst_pad_push_event(self->shared->srcpad, event);
        gst_pe_stream_reset(self);
        gst_pe_failure_forget(&self->shared->failure);
        g_atomic_int_set(&self->shared->flushed, 1);
        gst_pe_queue_flush_stop(&self->shared->queue);
        return ok;
    default:
        if (GST_EVENT_IS_SERIALIZED(event))
            return take_serialized(self, event);
        return gst_pad_event_default(pad, parent, event);
    }
}

gboolean
gst_pe_events_src(GstPad *pad, GstObject *parent, GstEvent *event)
{
    GstPeShared *shared = gst_pad_get_element_private(pad);

    // Only a sink that keeps time sends QoS.
    if (GST_EVENT_TYPE(event) == GST_EVENT_QOS) {
        gst_pe_shared_set_paced(shared);
        if (gst_pe_shared_stops_qos(shared)) {
            gst_pe_stats_count(&shared->stats, GST_PE_COUNT_QOS);
            gst_event_unref(event);
            return TRUE;
        }
    }
    if (GST_EVENT_TYPE(event) == GST_EVENT_RECONFIGURE) {
        gst_pe_shared_look_for_pace(shared);
        gst_pe_queue_reconfigure(&shared->queue);
    }
    return gst_pad_event_default(pad, parent, event);
}
