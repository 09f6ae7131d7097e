// SPDX-License-Identifier: LGPL-2.1-or-later
//
// skips.c - see skips.h. For video.c.
//
// The sampler takes the frame that is on screen at a point of its grid, which
// begins at the first frame (core/engine/sampler.c). What a frame away from all
// points shows is never looked at; but frames next to a point stay, because how
// far apart frames are has a say in whose a point is. A stream whose times are
// not those of a steady rate, or that jumps, is decoded whole from there on:
// then the sampler goes by more than this file knows.

#include "skips.h"

#include "coded.h"

#define TOLERANCE GST_MSECOND // that containers round times by
#define N_TIMES 64            // more than any decoder keeps back

typedef struct {
    Taps *taps;
    int rate_n, rate_d;
    CodedStream stream;
    GstClockTime frame; // how long one lasts; GST_CLOCK_TIME_NONE: not known
    GstSegment segment;
    bool is_off;                 // for ever
    GstClockTime times[N_TIMES]; // of the last frames, as they are coded
    guint n_times;               // that have come
    GstClockTime anchor;         // of the grid; GST_CLOCK_TIME_NONE: not yet
} Skips;

// ---- Steady? --------------------------------------------------------------

static bool
has_come(const Skips *skips, GstClockTime time)
{
    for (guint i = 0; i < MIN(skips->n_times, N_TIMES); i++)
        if (skips->times[i] == time)
            return true;
    return false;
}

// As far from all that came last as frames are?
static bool
is_apart(const Skips *skips, GstClockTime time)
{
    for (guint i = 0; i < MIN(skips->n_times, N_TIMES); i++) {
        GstClockTimeDiff apart = GST_CLOCK_DIFF(time, skips->times[i]);
        if (ABS(apart) < (gint64)(skips->frame / 2 + TOLERANCE))
            return false;
    }
    return true;
}

// Has a frame come before it that is shown after it, as is so with B frames?
// Where parsers must guess times, they count on in the order of coding.
static bool
is_overtaken(const Skips *skips, GstClockTime time)
{
    for (guint i = 0; i < MIN(skips->n_times, N_TIMES); i++)
        if (skips->times[i] > time)
            return true;
    return false;
}

static bool
is_steady(Skips *skips, GstBuffer *buffer)
{
    GstClockTime duration = GST_BUFFER_DURATION(buffer);
    bool is_first = skips->n_times == 0;
    return GST_BUFFER_PTS_IS_VALID(buffer) &&
           GST_BUFFER_DURATION_IS_VALID(buffer) &&
           GST_CLOCK_TIME_IS_VALID(skips->frame) &&
           ABS(GST_CLOCK_DIFF(duration, skips->frame)) <= (gint64)TOLERANCE &&
           (is_first ||
            !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT)) &&
           !GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_CORRUPTED) &&
           is_apart(skips, GST_BUFFER_PTS(buffer));
}

// ---- Points ---------------------------------------------------------------

// The first frame has come out of the decoder, by the time it went in with?
static bool
has_anchor(Skips *skips)
{
    if (GST_CLOCK_TIME_IS_VALID(skips->anchor))
        return true;
    GstClockTime first = taps_get_first(skips->taps);
    if (!GST_CLOCK_TIME_IS_VALID(first))
        return false;
    if (!has_come(skips, first))
        skips->is_off = true;
    skips->anchor = first;
    return !skips->is_off;
}

// Is a point less than two frames away from when the frame is on screen?
static bool
is_near_point(const Skips *skips, GstClockTime time)
{
    GstClockTime slack = 2 * skips->frame + TOLERANCE;
    if (time < skips->anchor + slack)
        return true;
    guint64 rate_n = (guint64)skips->rate_n, rate_d = (guint64)skips->rate_d;
    GstClockTime until = time - skips->anchor + skips->frame + slack;
    guint64 point = gst_util_uint64_scale(until, rate_n, rate_d * GST_SECOND);
    return gst_util_uint64_scale(point, rate_d * GST_SECOND, rate_n) + slack >=
           time - skips->anchor;
}

// ---- Probe ----------------------------------------------------------------

static void
take_event(Skips *skips, GstEvent *event)
{
    GstCaps *caps;
    GstSegment segment;
    int n, d;
    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_CAPS:
        gst_event_parse_caps(event, &caps);
        skips->stream = coded_stream_new(caps);
        skips->frame = GST_CLOCK_TIME_NONE;
        if (gst_structure_get_fraction(gst_caps_get_structure(caps, 0),
                                       "framerate", &n, &d) &&
            n > 0 && d > 0)
            skips->frame = gst_util_uint64_scale_int(GST_SECOND, d, n);
        break;
    case GST_EVENT_SEGMENT:
        gst_event_copy_segment(event, &segment);
        skips->is_off |= segment.format != GST_FORMAT_TIME ||
                         segment.rate != 1 ||
                         (skips->n_times > 0 &&
                          !gst_segment_is_equal(&segment, &skips->segment));
        skips->segment = segment;
        break;
    case GST_EVENT_FLUSH_STOP:
    case GST_EVENT_GAP:
        skips->is_off = true;
        break;
    default:
        break;
    }
}

// What is left out has been read, as far as progress and the end are concerned.
static void
tell(const Skips *skips, GstBuffer *buffer)
{
    guint64 time = gst_segment_to_stream_time(&skips->segment, GST_FORMAT_TIME,
                                              GST_BUFFER_PTS(buffer));
    if (GST_CLOCK_TIME_IS_VALID(time))
        taps_move(skips->taps, (gint64)(time + GST_BUFFER_DURATION(buffer)));
}

static GstPadProbeReturn
on_coded(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    Skips *skips = data;
    if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) {
        take_event(skips, GST_PAD_PROBE_INFO_EVENT(info));
        return GST_PAD_PROBE_OK;
    }
    GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER(info);
    if (skips->is_off)
        return GST_PAD_PROBE_OK;
    bool can_skip = coded_stream_can_skip(&skips->stream, buffer);
    if (!is_steady(skips, buffer)) {
        skips->is_off = true;
        return GST_PAD_PROBE_OK;
    }
    skips->times[skips->n_times++ % N_TIMES] = GST_BUFFER_PTS(buffer);
    if (!has_anchor(skips) || !can_skip ||
        !is_overtaken(skips, GST_BUFFER_PTS(buffer)) ||
        is_near_point(skips, GST_BUFFER_PTS(buffer)))
        return GST_PAD_PROBE_OK;
    tell(skips, buffer);
    return GST_PAD_PROBE_DROP;
}

void
skips_watch(GstElement *decoder, Taps *taps, int rate_n, int rate_d)
{
    g_autoptr(GstPad) pad = gst_element_get_static_pad(decoder, "sink");
    if (!pad)
        return;
    Skips *skips = g_new0(Skips, 1);
    skips->taps = taps;
    skips->rate_n = rate_n;
    skips->rate_d = rate_d;
    skips->frame = skips->anchor = GST_CLOCK_TIME_NONE;
    gst_segment_init(&skips->segment, GST_FORMAT_UNDEFINED);
    gst_pad_add_probe(pad,
                      GST_PAD_PROBE_TYPE_BUFFER |
                          GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM |
                          GST_PAD_PROBE_TYPE_EVENT_FLUSH,
                      on_coded, skips, g_free);
}
