// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpehappenings.c - see gstpehappenings.h.

#include "gst/labels/gstpehappenings.h"

#include <math.h>

// ---- A clip ---------------------------------------------------------------

// Played backwards, the first frame is the last one of the stream, and begins
// with its end.
static void
put_other_times(GstPeTracked *clip, const GstPeTimes *first,
                const GstPeTimes *last)
{
    bool backwards = first->backwards;

    clip->stream_start = backwards ? first->stream_end : first->stream_time;
    clip->stream_end = backwards ? last->stream_time : last->stream_end;
    clip->wall_start = backwards ? first->wall_end : first->wall_clock;
    clip->wall_end = backwards ? last->wall_clock : last->wall_end;
}

static void
remember(GstPeHappenings *h, const GstPeFinding *finding)
{
    if (g_strcmp0(h->source, finding->source) != 0) {
        g_free(h->source);
        h->source = g_strdup(finding->source);
    }
    if (g_strcmp0(h->stream_id, finding->stream_id) != 0) {
        g_free(h->stream_id);
        h->stream_id = g_strdup(finding->stream_id);
    }
    g_clear_pointer(&h->region, gst_pe_region_free);
    if (finding->region)
        h->region = gst_pe_region_copy(finding->region);
    h->first = finding->first;
    h->last = finding->last;
}

// [n_found], valid until the next call. NULL without a history.
static const double *
get_p_values(GstPeHappenings *h, const GstPeScores *scores)
{
    guint n = scores->n_found;

    if (n == 0 || isnan(gst_pe_tracker_get_p_value(h->tracker, 0)))
        return NULL;
    g_free(h->p_values);
    h->p_values = g_new(double, n);
    for (guint i = 0; i < n; i++)
        h->p_values[i] =
            gst_pe_tracker_get_p_value(h->tracker, scores->found[i].index);
    return h->p_values;
}

void
gst_pe_happenings_follow(GstPeHappenings *h, const GstPeEventSettings *settings,
                         GstClockTime step, GstPeFinding *finding)
{
    const GstPeTimes *first = &finding->first, *last = &finding->last;
    GstPeTracked clip = {
        .start = MIN(first->running_time, last->running_time),
        .end = last->running_end,
        .step = step,
        .evidence = finding->scores->evidence,
        .embedding = finding->embedding,
        .dim = pe_engine_get_dim(finding->engine),
    };

    remember(h, finding);
    if (h->ended)
        return;
    put_other_times(&clip, first, last);
    if (gst_pe_tracker_push(h->tracker, settings, finding->labels, &clip))
        finding->p_values = get_p_values(h, finding->scores);
    finding->events = gst_pe_tracker_take(h->tracker, &finding->n_events);
}

bool
gst_pe_happenings_differ(const GstPeHappenings *h, PeLabels *labels)
{
    return gst_pe_tracker_get_labels(h->tracker) &&
           !gst_pe_tracker_goes_on(h->tracker, labels);
}

// ---- Ends -----------------------------------------------------------------

bool
gst_pe_happenings_tell(GstPeHappenings *h, GstPeReason reason,
                       GstPeFinding *finding)
{
    guint n;

    if (!h->in_segment)
        return false;
    const GstPeLabelEvent *events = gst_pe_tracker_take(h->tracker, &n);
    *finding = (GstPeFinding){
        .source = h->source,
        .stream_id = h->stream_id,
        .first = h->first,
        .last = h->last,
        .reason = reason,
        .region = h->region,
        .labels = gst_pe_tracker_get_labels(h->tracker),
        .events = events,
        .n_events = n,
    };
    return n > 0;
}

bool
gst_pe_happenings_end(GstPeHappenings *h, GstPeReason reason,
                      GstPeFinding *finding)
{
    gst_pe_tracker_end(h->tracker);
    return gst_pe_happenings_tell(h, reason, finding);
}

void
gst_pe_happenings_flushed(GstPeHappenings *h)
{
    gst_pe_tracker_end(h->tracker);
    h->in_segment = false;
    h->ended = false;
}

void
gst_pe_happenings_passed(GstPeHappenings *h, GstEventType type)
{
    if (type == GST_EVENT_SEGMENT)
        h->in_segment = true;
    if (type == GST_EVENT_SEGMENT || type == GST_EVENT_STREAM_START)
        h->ended = false;
    if (type == GST_EVENT_EOS)
        h->ended = true;
}

// ---- Life -----------------------------------------------------------------

void
gst_pe_happenings_init(GstPeHappenings *h, GstElement *element,
                       guint64 *next_id)
{
    *h = (GstPeHappenings){.element = element};
    h->tracker = gst_pe_tracker_new(element, next_id);
}

void
gst_pe_happenings_clear(GstPeHappenings *h)
{
    gst_pe_tracker_free(h->tracker);
    g_free(h->p_values);
    g_free(h->source);
    g_free(h->stream_id);
    g_clear_pointer(&h->region, gst_pe_region_free);
}

void
gst_pe_happenings_start(GstPeHappenings *h, const char *path)
{
    gst_pe_tracker_set_file(h->tracker, path);
    h->in_segment = h->ended = false;
}

void
gst_pe_happenings_stop(GstPeHappenings *h, bool wait)
{
    gst_pe_tracker_stop(h->tracker, wait);
}
