// SPDX-License-Identifier: LGPL-2.1-or-later
//
// taps.c - see taps.h. For video.c.

#include "taps.h"

#include "gst/meta/gstpemeta.h"

#define TOLERANCE GST_MSECOND // that containers round times by

// A frame that may be a sample.
typedef struct {
    gint64 time; // stream time, ns
    GdkPixbuf *picture;
} Picture;

static void
free_picture(gpointer data)
{
    Picture *picture = data;
    g_object_unref(picture->picture);
    g_free(picture);
}

// ---- Frames ---------------------------------------------------------------

// Is the frame the first one at or after a point of the sampling grid, or still
// on screen at one?
static bool
is_at_point(Taps *taps, gint64 time, gint64 end)
{
    if (taps->period == 0)
        return true;
    gint64 shown = MAX(end - (gint64)TOLERANCE, time) - taps->first;
    gint64 last = shown / taps->period;
    if (last <= taps->last_point)
        return false;
    taps->last_point = last;
    return true;
}

static void
take_picture(Taps *taps, gint64 time, GstBuffer *buffer)
{
    GdkPixbuf *small =
        thumbnailer_shrink(taps->thumbnailer, taps->caps, buffer,
                           gst_pe_orientation_get(&taps->orientation, -1));
    if (!small)
        return;
    Picture *picture = g_new(Picture, 1);
    *picture = (Picture){time, small};
    g_queue_push_tail(&taps->pictures, picture);
}

static void
take_frame(Taps *taps, GstBuffer *buffer)
{
    GstClockTime start = gst_segment_to_stream_time(
        &taps->segment, GST_FORMAT_TIME, GST_BUFFER_PTS(buffer));
    taps->progress.n_frames++;
    if (!GST_CLOCK_TIME_IS_VALID(start) || !taps->caps)
        return;
    gint64 time = (gint64)start;
    if (!GST_CLOCK_TIME_IS_VALID(taps->first_pts)) {
        taps->first_pts = GST_BUFFER_PTS(buffer);
        taps->first = time;
    }
    gint64 duration = GST_BUFFER_DURATION_IS_VALID(buffer)
                          ? (gint64)GST_BUFFER_DURATION(buffer)
                          : 0;
    taps->progress.position = MAX(taps->progress.position, time + duration);
    if (taps->with_pictures && is_at_point(taps, time, time + duration))
        take_picture(taps, time, buffer);
}

static void
take_caps(Taps *taps, GstCaps *caps)
{
    const GstStructure *s = gst_caps_get_structure(caps, 0);
    gst_caps_replace(&taps->caps, caps);
    gst_structure_get_int(s, "width", &taps->width);
    gst_structure_get_int(s, "height", &taps->height);
}

static GstPadProbeReturn
on_input(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    Taps *taps = data;
    GstEvent *event =
        GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM
            ? GST_PAD_PROBE_INFO_EVENT(info)
            : NULL;
    g_mutex_lock(&taps->lock);
    if (!event) {
        take_frame(taps, GST_PAD_PROBE_INFO_BUFFER(info));
    } else if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
        GstCaps *caps;
        gst_event_parse_caps(event, &caps);
        take_caps(taps, caps);
    } else if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT) {
        gst_event_copy_segment(event, &taps->segment);
    } else {
        gst_pe_orientation_take_event(&taps->orientation, pad, event);
    }
    g_mutex_unlock(&taps->lock);
    return GST_PAD_PROBE_OK;
}

// ---- Results --------------------------------------------------------------

// The newest picture that is not behind `time`. It stays, because a frame may
// be several samples. Returns a reference or NULL.
static GdkPixbuf *
find_picture(Taps *taps, gint64 time)
{
    g_mutex_lock(&taps->lock);
    for (;;) {
        const Picture *next = g_queue_peek_nth(&taps->pictures, 1);
        if (!next || next->time > time + (gint64)TOLERANCE)
            break;
        free_picture(g_queue_pop_head(&taps->pictures));
    }
    Picture *picture = g_queue_peek_head(&taps->pictures);
    GdkPixbuf *found = picture ? g_object_ref(picture->picture) : NULL;
    g_mutex_unlock(&taps->lock);
    return found;
}

static void
take_result(Taps *taps, const GstPeResult *result)
{
    gint64 start = (gint64)gst_pe_result_get_clip_stream_start(result);
    gint64 end = (gint64)gst_pe_result_get_clip_stream_end(result);
    gsize n;
    GstPeVectors *vectors = gst_pe_result_get_embedding(result);
    g_autofree float *embedding =
        vectors ? gst_pe_vectors_to_floats(vectors, &n) : NULL;
    if (!embedding || start < 0)
        return;
    bool stored = collector_add(taps->collector, start, end, embedding);
    g_autoptr(GdkPixbuf) picture = find_picture(taps, start);
    GBytes *jpeg = stored && picture ? thumbnail_encode(picture) : NULL;
    if (jpeg)
        collector_set_picture(taps->collector, jpeg);
}

static GstPadProbeReturn
on_result(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    Taps *taps = data;
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
    GstPeResult *result = gst_event_get_pe_result(event);
    if (result)
        take_result(taps, result);
    g_mutex_lock(&taps->lock);
    taps->progress.n_results += result != NULL;
    taps->progress.has_ended |= GST_EVENT_TYPE(event) == GST_EVENT_EOS;
    g_mutex_unlock(&taps->lock);
    return GST_PAD_PROBE_OK;
}

// ---- Taps -----------------------------------------------------------------

void
taps_init(Taps *taps, Collector *collector, gint64 period, bool with_pictures,
          GstPad *sinkpad, GstPad *resultpad)
{
    *taps = (Taps){.collector = collector,
                   .period = period,
                   .with_pictures = with_pictures,
                   .first_pts = GST_CLOCK_TIME_NONE,
                   .last_point = -1};
    g_mutex_init(&taps->lock);
    g_queue_init(&taps->pictures);
    gst_segment_init(&taps->segment, GST_FORMAT_TIME);
    taps->thumbnailer = thumbnailer_new();
    gst_pad_add_probe(sinkpad,
                      GST_PAD_PROBE_TYPE_BUFFER |
                          GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
                      on_input, taps, NULL);
    gst_pad_add_probe(resultpad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_result,
                      taps, NULL);
}

void
taps_clear(Taps *taps)
{
    g_queue_clear_full(&taps->pictures, free_picture);
    thumbnailer_free(taps->thumbnailer);
    gst_clear_caps(&taps->caps);
    g_mutex_clear(&taps->lock);
}

TapsProgress
taps_get_progress(Taps *taps)
{
    g_mutex_lock(&taps->lock);
    TapsProgress progress = taps->progress;
    g_mutex_unlock(&taps->lock);
    return progress;
}

GstClockTime
taps_get_first(Taps *taps)
{
    g_mutex_lock(&taps->lock);
    GstClockTime first = taps->first_pts;
    g_mutex_unlock(&taps->lock);
    return first;
}

void
taps_move(Taps *taps, gint64 position)
{
    g_mutex_lock(&taps->lock);
    taps->progress.position = MAX(taps->progress.position, position);
    g_mutex_unlock(&taps->lock);
}
