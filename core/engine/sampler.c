// SPDX-License-Identifier: LGPL-2.1-or-later
//
// sampler.c - which frames are embedded and which of them complete a clip.
// Sees timestamps only, never pixels.
//
// The grid of points in time (rate and interval) says when somebody looks at
// the screen, and each look is a sample with an index. Clip w is the samples
// w * stride .. w * stride + length - 1, so windows overlap when the stride is
// shorter than the clip and leave gaps when it is longer. Without a rate, or
// without timestamps, each frame is looked at once.
//
// A frame must be chosen when it comes, because nobody keeps its picture. What
// its duration promises is therefore believed for its first point. How long it
// really stayed is known when the next frame comes; then it gets the points
// that are left.

#include "core/pe.h"

#define SECOND_NS 1000000000u
// Containers round timestamps to milliseconds, so the frame that belongs to a
// sampling point may come this much late.
#define MAX_LATE_NS 1000000u
#define MAX_RATE 1000
// The least max_gap that is chosen here.
#define MIN_GAP_NS SECOND_NS
// How many times longer a gap may be in front of the second frame, when it is
// not known how far apart frames are.
#define UNKNOWN_GAPS 10
// A frame that is shown for more points than these is one that never ends.
#define MAX_HELD 65536
// Of steps back that are none.
#define MAX_STEP_NS (SECOND_NS / 2)

struct PeSampler {
    PeSamplerParams params; // clip_stride and the rate resolved

    // The frame on screen.
    uint64_t last;     // since when; PE_TIME_NONE: there was none
    uint64_t end;      // until when, as far as is known; >= last
    uint64_t declared; // what its duration says, or PE_TIME_NONE
    uint64_t spacing;  // from the one before, or PE_TIME_NONE
    uint64_t sampled;  // since when the last one was that has been sampled
    bool overlong;     // a frame was replaced in less than half its duration

    uint64_t anchor;     // of the grid, or PE_TIME_NONE
    uint64_t next_point; // the first that has no sample yet
    int n_skip;          // frames to leave out because of the interval
    uint64_t n_sampled;  // since the last restart
};

static PeSamplerParams
resolve(const PeSamplerParams *params)
{
    PeSamplerParams p = *params;
    if (p.clip_stride == 0)
        p.clip_stride = p.clip_length;
    if (p.rate_n / p.rate_d >= MAX_RATE) {
        p.rate_n = MAX_RATE;
        p.rate_d = 1;
    }
    return p;
}

static bool
params_are_valid(const PeSamplerParams *p)
{
    return p && p->rate_n >= 0 && p->rate_d > 0 && p->interval >= 1 &&
           p->clip_length >= 1 && p->clip_stride >= 0;
}

PeSampler *
pe_sampler_new(const PeSamplerParams *params)
{
    g_return_val_if_fail(params_are_valid(params), NULL);
    PeSampler *s = g_new0(PeSampler, 1);
    s->params = resolve(params);
    pe_sampler_reset(s);
    return s;
}

void
pe_sampler_free(PeSampler *sampler)
{
    g_free(sampler);
}

void
pe_sampler_reset(PeSampler *sampler)
{
    g_return_if_fail(sampler);
    sampler->last = PE_TIME_NONE;
    sampler->declared = PE_TIME_NONE;
    sampler->spacing = PE_TIME_NONE;
    sampler->overlong = false;
    sampler->anchor = PE_TIME_NONE;
    sampler->n_skip = 0;
    sampler->n_sampled = 0;
}

void
pe_sampler_set(PeSampler *sampler, const PeSamplerParams *params)
{
    g_return_if_fail(sampler && params_are_valid(params));
    PeSamplerParams p = resolve(params);
    const PeSamplerParams *old = &sampler->params;
    if (p.clip_length != old->clip_length || p.clip_stride != old->clip_stride)
        sampler->n_sampled = 0;
    if (p.rate_n != old->rate_n || p.rate_d != old->rate_d ||
        p.interval != old->interval)
        sampler->anchor = PE_TIME_NONE;
    sampler->n_skip = MIN(sampler->n_skip, p.interval - 1);
    sampler->params = p;
}

// ---- Time -----------------------------------------------------------------

// These three stay in their range.
static uint64_t
add(uint64_t time, uint64_t length)
{
    return length < PE_TIME_NONE - 1 - time ? time + length : PE_TIME_NONE - 1;
}

static uint64_t
multiply(uint64_t length, int n)
{
    return MIN(length, (PE_TIME_NONE - 1) / (unsigned)n) * (unsigned)n;
}

static uint64_t
subtract(uint64_t time, uint64_t length)
{
    return time - MIN(time, length);
}

// The distance of two points, times rate_n.
static unsigned __int128
get_distance(const PeSampler *s)
{
    const PeSamplerParams *p = &s->params;
    return (unsigned __int128)p->rate_d * (unsigned)p->interval * SECOND_NS;
}

// Point k lies k * interval * rate_d / rate_n seconds behind the anchor. The
// division is exact, so that the grid does not drift however long the stream
// is.
static uint64_t
get_length(const PeSampler *s, uint64_t n_periods)
{
    unsigned __int128 length =
        n_periods * get_distance(s) / (unsigned)s->params.rate_n;
    return length < PE_TIME_NONE ? (uint64_t)length : PE_TIME_NONE - 1;
}

static uint64_t
get_point_time(const PeSampler *s)
{
    return add(s->anchor, get_length(s, s->next_point));
}

static uint64_t
get_late(const PeSampler *s)
{
    return MIN(MAX_LATE_NS, get_length(s, 1) / 4);
}

// How long a frame will be shown that says it is `duration`. 0: not known.
static uint64_t
expect(const PeSampler *s, uint64_t duration)
{
    if (duration == 0 || duration == PE_TIME_NONE ||
        (s->overlong && s->spacing < duration))
        duration = s->spacing;
    return duration == PE_TIME_NONE ? 0 : duration;
}

static uint64_t
get_max_gap(const PeSampler *s)
{
    uint64_t frame = s->end - s->last;
    if (s->params.max_gap > 0)
        return s->params.max_gap;
    uint64_t period = s->params.rate_n > 0
                          ? get_length(s, 1)
                          : multiply(frame, s->params.interval);
    uint64_t gap = MAX(MIN_GAP_NS, multiply(period, 2));
    return frame > 0 ? gap : multiply(gap, UNKNOWN_GAPS);
}

// Half of the shorter one of two frames; that of 0 is not known.
static uint64_t
get_half(uint64_t a, uint64_t b)
{
    return (a == 0 || b == 0 ? MAX(a, b) : MIN(a, b)) / 2;
}

PeOrder
pe_sampler_check(const PeSampler *sampler, const PeMoment *moment)
{
    g_return_val_if_fail(sampler && moment, PE_ORDER_NEXT);
    const PeSampler *s = sampler;
    uint64_t t = moment->timestamp;
    if (t == PE_TIME_NONE || s->last == PE_TIME_NONE)
        return PE_ORDER_NEXT;
    uint64_t half = get_half(expect(s, moment->duration), s->end - s->last);
    uint64_t step = CLAMP(half, MAX_LATE_NS, MAX_STEP_NS);
    bool back = add(t, step) < s->last;
    bool ahead = t > add(s->end, get_max_gap(s));
    if (s->params.rate_n > 0)
        ahead |= t > add(s->last, get_length(s, MAX_HELD));
    if (!back && !ahead)
        return PE_ORDER_NEXT;
    // A clip of one sample has nothing that a wrong timestamp could spoil.
    return moment->jumps || s->params.clip_length == 1 ? PE_ORDER_JUMP
                                                       : PE_ORDER_DOUBT;
}

// ---- Samples --------------------------------------------------------------

static PeSample
count_sample(PeSampler *s)
{
    uint64_t length = (uint64_t)s->params.clip_length;
    uint64_t stride = (uint64_t)s->params.clip_stride;
    uint64_t index = s->n_sampled++;
    if (index % stride >= length)
        return PE_SAMPLE_SKIP;
    bool ends = index + 1 >= length && (index + 1 - length) % stride == 0;
    return ends ? PE_SAMPLE_CLIP : PE_SAMPLE_FRAME;
}

static PeSample
count_frame(PeSampler *s)
{
    if (s->n_skip > 0) {
        s->n_skip--;
        return PE_SAMPLE_SKIP;
    }
    s->n_skip = s->params.interval - 1;
    return count_sample(s);
}

// No frame has points from here on.
static uint64_t
get_horizon(const PeSampler *s)
{
    return add(s->last, get_length(s, MAX_HELD));
}

// Count the next point. false: no clip has it.
static bool
take_point(PeSampler *s, PePoint *point)
{
    uint64_t t = get_point_time(s);
    s->next_point++;
    *point = (PePoint){count_sample(s), t, add(t, get_length(s, 1))};
    return point->sample != PE_SAMPLE_SKIP;
}

// How much of the time before the next frame is its own. Where the last frame's
// time is over, a point goes to the frame that is nearer; but one that is there
// already, and was sampled, need not give away more than half a frame.
static uint64_t
get_reach(const PeSampler *s, const PeMoment *next)
{
    uint64_t late = get_late(s), period = get_length(s, 1);
    if (!next || get_point_time(s) < subtract(s->end, late))
        return late;
    uint64_t frame = s->sampled == s->last
                         ? MIN(expect(s, next->duration), period)
                         : subtract(next->timestamp, s->sampled);
    return MAX(late, MIN(frame / 2, subtract(period, 1)));
}

bool
pe_sampler_hold(PeSampler *sampler, const PeMoment *next, PePoint *point)
{
    g_return_val_if_fail(sampler && point, false);
    PeSampler *s = sampler;
    if (s->params.rate_n == 0 || s->anchor == PE_TIME_NONE ||
        s->last == PE_TIME_NONE || (next && next->timestamp == PE_TIME_NONE))
        return false;
    uint64_t until = next ? MAX(next->timestamp, s->last) : s->end;
    until = MIN(until, get_horizon(s));
    while (get_point_time(s) < subtract(until, get_reach(s, next))) {
        if (take_point(s, point)) {
            point->end = MIN(point->end, until);
            return true;
        }
    }
    return false;
}

// The frame is on screen.
static void
show(PeSampler *s, uint64_t t, uint64_t duration)
{
    if (s->last != PE_TIME_NONE) {
        t = MAX(t, s->last);
        if (t > s->last)
            s->spacing = t - s->last;
        s->overlong = s->declared != PE_TIME_NONE &&
                      s->declared - s->last > 2 * (t - s->last) + MAX_LATE_NS;
    }
    s->last = t;
    s->end = add(t, expect(s, duration));
    s->declared = duration == PE_TIME_NONE ? PE_TIME_NONE : add(t, duration);
}

// Who does not ask for points that are held does not get them.
static void
catch_up(PeSampler *s)
{
    unsigned __int128 elapsed = s->last - s->anchor;
    uint64_t k =
        (uint64_t)(elapsed * (unsigned)s->params.rate_n / get_distance(s));
    s->next_point = MAX(s->next_point, k);
}

// The first point from s->last on that has no sample, if it is the frame's.
static PePoint
claim(PeSampler *s, uint64_t timestamp)
{
    PePoint point = {PE_SAMPLE_SKIP, timestamp, PE_TIME_NONE};
    if (s->anchor == PE_TIME_NONE) {
        s->anchor = s->last;
        s->next_point = 0;
    }
    catch_up(s);
    uint64_t late = get_late(s), period = get_length(s, 1);
    uint64_t limit = MAX(subtract(s->end, late), add(s->last, late));
    limit = MIN(limit, get_horizon(s));
    while (get_point_time(s) < limit) {
        uint64_t t = get_point_time(s);
        if (!take_point(s, &point))
            continue;
        s->sampled = s->last;
        point.start = subtract(t, s->last) < period ? timestamp : t;
        point.end = s->declared;
        if (point.end != PE_TIME_NONE)
            point.end = MIN(point.end, add(MAX(t, s->last), period));
        return point;
    }
    return (PePoint){PE_SAMPLE_SKIP, timestamp, PE_TIME_NONE};
}

PePoint
pe_sampler_push(PeSampler *sampler, const PeMoment *moment)
{
    PePoint point = {PE_SAMPLE_SKIP, PE_TIME_NONE, PE_TIME_NONE};
    g_return_val_if_fail(sampler && moment, point);
    PeSampler *s = sampler;
    point.start = moment->timestamp;
    if (moment->timestamp != PE_TIME_NONE)
        show(s, moment->timestamp, moment->duration);
    if (moment->timestamp != PE_TIME_NONE && s->params.rate_n > 0)
        return claim(s, moment->timestamp);
    point.sample = count_frame(s);
    return point;
}

int
pe_sampler_pending(const PeSampler *sampler)
{
    g_return_val_if_fail(sampler, 0);
    uint64_t length = (uint64_t)sampler->params.clip_length;
    uint64_t stride = (uint64_t)sampler->params.clip_stride;
    uint64_t n = sampler->n_sampled;
    if (n < length)
        return (int)n;
    uint64_t n_clips = (n - length) / stride + 1;
    uint64_t start = n_clips * stride; // of the next clip
    bool ended = (n - length) % stride == 0;
    return ended || start >= n ? 0 : (int)(n - start);
}
