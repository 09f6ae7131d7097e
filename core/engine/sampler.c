// SPDX-License-Identifier: LGPL-2.1-or-later
//
// sampler.c - which frames are embedded and which of them complete a clip.
// Sees timestamps only, never pixels.
//
// Three counters follow each other. The time grid (rate) picks frames by
// timestamp, the interval thins them, and what is left gets an index within the
// stream of sampled frames. Clip w is the sampled frames w * stride ..
// w * stride + length - 1, so windows overlap when the stride is shorter than
// the clip and leave gaps when it is longer.

#include "core/pe.h"

// Containers round timestamps to milliseconds, so the frame that belongs to a
// sampling point may come this much early.
#define MAX_EARLY_NS 1000000

struct PeSampler {
    PeSamplerParams params; // clip_stride resolved
    uint64_t last;          // timestamp of the last frame, or PE_TIME_NONE
    uint64_t anchor;        // of the time grid, or PE_TIME_NONE
    unsigned __int128 next_point; // the first that has no frame yet
    int n_skip;                   // frames to leave out because of the interval
    uint64_t n_sampled;           // since the last restart
};

static PeSamplerParams
resolve(const PeSamplerParams *params)
{
    PeSamplerParams p = *params;
    if (p.clip_stride == 0)
        p.clip_stride = p.clip_length;
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
    if (p.rate_n != old->rate_n || p.rate_d != old->rate_d)
        sampler->anchor = PE_TIME_NONE;
    sampler->n_skip = MIN(sampler->n_skip, p.interval - 1);
    sampler->params = p;
}

// Is the frame the first at or after a sampling point? The points lie at
// anchor + k * rate_d / rate_n seconds; the division is exact, so that the grid
// does not drift however long the stream is.
static bool
is_on_grid(PeSampler *s, uint64_t timestamp)
{
    uint64_t n = (uint64_t)s->params.rate_n;
    uint64_t d = (uint64_t)s->params.rate_d * 1000000000;
    if (n == 0 || timestamp == PE_TIME_NONE)
        return true;
    if (s->anchor == PE_TIME_NONE) {
        s->anchor = timestamp;
        s->next_point = 0;
    }
    uint64_t early = MIN(MAX_EARLY_NS, d / n / 4);
    unsigned __int128 elapsed = (timestamp - s->anchor) + early;
    unsigned __int128 point = elapsed * n / d;
    if (point < s->next_point)
        return false;
    s->next_point = point + 1;
    return true;
}

PeSample
pe_sampler_push(PeSampler *sampler, uint64_t timestamp)
{
    g_return_val_if_fail(sampler, PE_SAMPLE_SKIP);
    PeSampler *s = sampler;
    if (timestamp != PE_TIME_NONE) {
        if (s->last != PE_TIME_NONE && timestamp < s->last)
            pe_sampler_reset(s);
        s->last = timestamp;
    }
    if (!is_on_grid(s, timestamp))
        return PE_SAMPLE_SKIP;
    if (s->n_skip > 0) {
        s->n_skip--;
        return PE_SAMPLE_SKIP;
    }
    s->n_skip = s->params.interval - 1;

    uint64_t length = (uint64_t)s->params.clip_length;
    uint64_t stride = (uint64_t)s->params.clip_stride;
    uint64_t index = s->n_sampled++;
    if (index % stride >= length)
        return PE_SAMPLE_SKIP;
    bool ends = index + 1 >= length && (index + 1 - length) % stride == 0;
    return ends ? PE_SAMPLE_CLIP : PE_SAMPLE_FRAME;
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
