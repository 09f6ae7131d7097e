// SPDX-License-Identifier: LGPL-2.1-or-later
//
// event_oracle.c - see event_oracle.h.

#include "event_oracle.h"

#include <math.h>
#include <string.h>

// A result of one label.
typedef struct {
    int step;            // its number
    uint64_t begin, end; // the time that it speaks for
    uint64_t middle;     // of the clip
    double level;        // L
    const float *embedding;
} Result;

// Results first to last are a segment; `sure` is the one with which it has
// lasted for min_duration.
typedef struct {
    int first, sure, last;
} Segment;

// One label in a stretch of time without holes.
typedef struct {
    const PeEventParams *params;
    int label, dim;
    double on, off;
    GArray *results;  // Result
    GArray *segments; // Segment, of the open event; empty: none
    GArray *failed;   // Segment: runs that were too short, while it was open
    int cut_step;     // that ends the stretch
    uint64_t told_at;
    bool had; // an event, since times began anew, that ended at:
    uint64_t had_end;
    GArray *out;
} Stretch;

static const Result *
get(const Stretch *s, int i)
{
    return &g_array_index(s->results, Result, i);
}

static double
get_logit(double p)
{
    return log(p) - log(1 - p);
}

// ---- What is told ---------------------------------------------------------

// Of the open event, as far as result `until`.
static void
tell(Stretch *s, PeEventPhase phase, int step, int order, int until)
{
    OracleTold told = {.step = step, .order = order};
    PeEvent *e = &told.event;
    double best = -INFINITY;
    float *sum = NULL;

    e->phase = phase;
    e->label = s->label;
    e->start = get(s, g_array_index(s->segments, Segment, 0).first)->begin;
    for (guint k = 0; k < s->segments->len; k++) {
        const Segment *segment = &g_array_index(s->segments, Segment, k);
        for (int i = segment->first; i <= MIN(segment->last, until); i++) {
            const Result *r = get(s, i);
            e->end = r->end;
            e->n_clips++;
            if (r->level > best) {
                best = r->level;
                e->peak = r->middle;
            }
            for (int d = 0; r->embedding && d < s->dim; d++) {
                if (!sum)
                    sum = g_new0(float, s->dim);
                sum[d] += r->embedding[d];
            }
        }
    }
    e->peak_score = (float)(1 / (1 + exp(-best)));
    e->threshold = (float)s->params->threshold_on;
    if (sum)
        pe_embedding_normalize(sum, s->dim);
    told.embedding = sum;
    e->embedding = sum;
    g_array_append_val(s->out, told);
}

// Is result i, behind the event, in a run that was still hoped to join it?
static bool
is_undecided(const Stretch *s, int i, uint64_t event_end)
{
    for (guint k = 0; k < s->failed->len; k++) {
        const Segment *run = &g_array_index(s->failed, Segment, k);
        if (run->first <= i && i <= run->last &&
            get(s, run->first)->begin - event_end < s->params->merge_gap)
            return true;
    }
    return false;
}

static void
tell_updates(Stretch *s)
{
    uint64_t interval = s->params->update_interval;

    for (guint k = 0; k < s->segments->len; k++) {
        const Segment *segment = &g_array_index(s->segments, Segment, k);
        for (int i = segment->sure; i <= segment->last; i++) {
            const Result *r = get(s, i);
            if (k == 0 && i == segment->sure) {
                tell(s, PE_EVENT_START, r->step, 1000 + 10 * s->label + 5, i);
                s->told_at = r->end;
            } else if (interval > 0 && r->end - s->told_at >= interval) {
                tell(s, PE_EVENT_UPDATE, r->step, 1000 + 10 * s->label + 5, i);
                s->told_at = r->end;
            }
        }
    }
}

// Tell everything of the open event, and that it is over.
static void
finish_event(Stretch *s)
{
    if (s->segments->len == 0)
        return;
    int last = g_array_index(s->segments, Segment, s->segments->len - 1).last;
    uint64_t end = get(s, last)->end;
    int over = last + 1;

    tell_updates(s);
    while (over < (int)s->results->len &&
           (get(s, over)->end - end < s->params->merge_gap ||
            is_undecided(s, over, end)))
        over++;
    if (over < (int)s->results->len)
        tell(s, PE_EVENT_END, get(s, over)->step, 1000 + 10 * s->label, last);
    else if (s->cut_step >= 0)
        tell(s, PE_EVENT_END, s->cut_step, s->label, last);
    s->had = true;
    s->had_end = end;
    g_array_set_size(s->segments, 0);
    g_array_set_size(s->failed, 0);
}

// ---- Segments -------------------------------------------------------------

static bool
is_near(const Stretch *s, int i)
{
    if (s->segments->len == 0)
        return false;
    int last = g_array_index(s->segments, Segment, s->segments->len - 1).last;
    return get(s, i)->begin - get(s, last)->end < s->params->merge_gap;
}

static bool
may_begin(const Stretch *s, int i)
{
    uint64_t end = s->had_end;

    if (is_near(s, i))
        return true;
    if (s->segments->len > 0)
        end =
            get(s,
                g_array_index(s->segments, Segment, s->segments->len - 1).last)
                ->end;
    else if (!s->had)
        return true;
    return get(s, i)->begin - end >= s->params->cooldown;
}

static void
find_segments(Stretch *s)
{
    int n = (int)s->results->len, i = 0;

    while (i < n) {
        if (get(s, i)->level < s->on || !may_begin(s, i)) {
            i++;
            continue;
        }
        Segment segment = {i, i, i};
        int j = i;
        while (j < n && get(s, j)->level >= s->on &&
               get(s, j)->end - get(s, i)->begin < s->params->min_duration)
            j++;
        if (j == n || get(s, j)->level < s->on) {
            segment.last = j - 1;
            g_array_append_val(s->failed, segment);
            i = j;
            continue;
        }
        segment.sure = segment.last = j;
        while (segment.last + 1 < n && get(s, segment.last + 1)->level > s->off)
            segment.last++;
        if (!is_near(s, i))
            finish_event(s);
        g_array_append_val(s->segments, segment);
        i = segment.last + 1;
    }
    finish_event(s);
}

// ---- Sequences ------------------------------------------------------------

static double
get_evidence(float l)
{
    if (isnan(l) || l < -20)
        return -20;
    return l > 20 ? 20 : l;
}

static void
end_stretch(Stretch *s, int step, bool anew)
{
    s->cut_step = step;
    find_segments(s);
    g_array_set_size(s->results, 0);
    g_array_set_size(s->failed, 0);
    s->had &= !anew;
}

static void
follow_label(Stretch *s, const OracleStep *steps, int n)
{
    bool known = false;
    uint64_t last_end = 0;

    for (int i = 0; i < n; i++) {
        const OracleStep *step = &steps[i];
        if (step->is_end || (known && step->end < last_end)) {
            end_stretch(s, i, true);
            known = false;
        }
        if (step->is_end)
            continue;
        uint64_t begin = known ? MAX(step->start, last_end) : step->start;
        if (known && s->params->step > 0 &&
            begin - last_end > 3 * s->params->step)
            end_stretch(s, i, false);
        double l = get_evidence(step->evidence[s->label]);
        if (s->results->len > 0 && s->params->smoothing > 0) {
            double old = get(s, (int)s->results->len - 1)->level;
            double dt = (double)(step->end - last_end);
            double weight = -expm1(-dt / (double)s->params->smoothing);
            if (weight < 1)
                l = old + weight * (l - old);
        }
        Result r = {i,         begin,
                    step->end, step->start + (step->end - step->start) / 2,
                    l,         step->embedding};
        g_array_append_val(s->results, r);
        known = true;
        last_end = step->end;
    }
    end_stretch(s, -1, true);
}

static int
compare(const void *a, const void *b)
{
    const OracleTold *x = a, *y = b;

    return x->step != y->step ? x->step - y->step : x->order - y->order;
}

static void
clear_told(void *told)
{
    g_free(((OracleTold *)told)->embedding);
}

// Ids count the starts, in the order in which they are told.
static void
number(GArray *out, int n_labels)
{
    g_autofree uint64_t *ids = g_new0(uint64_t, n_labels);
    uint64_t next = 0;

    for (guint i = 0; i < out->len; i++) {
        PeEvent *e = &g_array_index(out, OracleTold, i).event;
        if (e->phase == PE_EVENT_START)
            ids[e->label] = next++;
        e->id = ids[e->label];
    }
}

GArray *
oracle_tell(const PeEventParams *params, int n_labels, int dim,
            const OracleStep *steps, int n)
{
    GArray *out = g_array_new(FALSE, TRUE, sizeof(OracleTold));

    g_array_set_clear_func(out, clear_told);
    for (int k = 0; k < n_labels; k++) {
        Stretch s = {
            .params = params,
            .label = k,
            .dim = dim,
            .on = get_logit(params->threshold_on),
            .off = get_logit(params->threshold_off),
            .results = g_array_new(FALSE, TRUE, sizeof(Result)),
            .segments = g_array_new(FALSE, TRUE, sizeof(Segment)),
            .failed = g_array_new(FALSE, TRUE, sizeof(Segment)),
            .out = out,
        };
        follow_label(&s, steps, n);
        g_array_unref(s.results);
        g_array_unref(s.segments);
        g_array_unref(s.failed);
    }
    g_array_sort(out, compare);
    number(out, n_labels);
    return out;
}
