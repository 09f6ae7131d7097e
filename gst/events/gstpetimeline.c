// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetimeline.c - see gstpetimeline.h. A video that is played through is one
// piece; each seek, jump and change of speed makes another.

#include "gst/events/gstpetimeline.h"

#include <math.h>
#include <stdbool.h>

#define MAX_PIECES 256 // the oldest are forgotten
// Clips that are so far from where the piece leads begin another one.
#define TOLERANCE (2 * GST_MSECOND)

typedef struct {
    GstClockTime start, end; // running time
    GstClockTime other;      // at the start
    GstClockTime other_end;  // at the end
} Piece;

// Also beyond its end.
static GstClockTime
follow(const Piece *p, GstClockTime time)
{
    double rate = 1;

    if (p->end > p->start)
        rate = ((double)p->other_end - (double)p->other) /
               (double)(p->end - p->start);
    double other =
        (double)p->other_end + rate * ((double)time - (double)p->end);
    // Exact where the clocks go alike.
    if (p->other_end - p->other == p->end - p->start)
        return time >= p->start || p->start - time <= p->other
                   ? p->other + (time - p->start)
                   : 0;
    return other > 0 ? (GstClockTime)(other + .5) : 0;
}

static bool
is_near(GstClockTime a, GstClockTime b)
{
    return (a > b ? a - b : b - a) <= TOLERANCE;
}

void
gst_pe_timeline_clear(GstPeTimeline *timeline)
{
    g_clear_pointer(&timeline->pieces, g_array_unref);
}

void
gst_pe_timeline_add(GstPeTimeline *timeline, GstClockTime start,
                    GstClockTime end, GstClockTime other_start,
                    GstClockTime other_end)
{
    if (!GST_CLOCK_TIME_IS_VALID(other_start) ||
        !GST_CLOCK_TIME_IS_VALID(other_end))
        return;
    if (!timeline->pieces)
        timeline->pieces = g_array_new(FALSE, FALSE, sizeof(Piece));
    GArray *pieces = timeline->pieces;
    Piece *last =
        pieces->len > 0 ? &g_array_index(pieces, Piece, pieces->len - 1) : NULL;
    if (last && start >= last->start &&
        is_near(follow(last, start), other_start) &&
        is_near(follow(last, end), other_end)) {
        if (end > last->end) {
            last->end = end;
            last->other_end = other_end;
        }
        return;
    }
    Piece piece = {start, end, other_start, other_end};
    g_array_append_val(pieces, piece);
    if (pieces->len > MAX_PIECES)
        g_array_remove_index(pieces, 0);
}

// The newest piece that has the time, else the newest that began before it.
GstClockTime
gst_pe_timeline_convert(const GstPeTimeline *timeline, GstClockTime time)
{
    const Piece *best = NULL;

    for (guint i = 0; timeline->pieces && i < timeline->pieces->len; i++) {
        const Piece *p = &g_array_index(timeline->pieces, Piece, i);
        bool has = p->start <= time && time <= p->end;
        if (!best || has || (p->start <= time && time > best->end))
            best = p;
    }
    return best ? follow(best, time) : GST_CLOCK_TIME_NONE;
}

// Played backwards, what began earlier is later in the stream.
static void
put_in_order(GstClockTime *start, GstClockTime *end)
{
    if (*start > *end) {
        GstClockTime swapped = *start;
        *start = *end;
        *end = swapped;
    }
}

GstPeLabelEvent
gst_pe_timeline_convert_event(const PeEvent *event, const GstPeTimeline *stream,
                              const GstPeTimeline *wall)
{
    GstPeLabelEvent converted = {
        .phase = (GstPeEventPhase)event->phase,
        .id = event->id,
        .label = event->name,
        .start = event->start,
        .end = event->end,
        .peak = event->peak,
        .stream_start = gst_pe_timeline_convert(stream, event->start),
        .stream_end = gst_pe_timeline_convert(stream, event->end),
        .stream_peak = gst_pe_timeline_convert(stream, event->peak),
        .wall_start = gst_pe_timeline_convert(wall, event->start),
        .wall_end = gst_pe_timeline_convert(wall, event->end),
        .wall_peak = gst_pe_timeline_convert(wall, event->peak),
        .peak_score = event->peak_score,
        .threshold = event->threshold,
        .p_value = event->p_value,
        .n_clips = event->n_clips,
    };

    put_in_order(&converted.stream_start, &converted.stream_end);
    put_in_order(&converted.wall_start, &converted.wall_end);
    return converted;
}
