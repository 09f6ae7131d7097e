// SPDX-License-Identifier: LGPL-2.1-or-later
//
// events.c - the labels of a stream over time: smooths their evidence, asks
// event_rules.c when they are there, and keeps what is told of an event.
// core/peevents.h says what that is; event_history.c chooses thresholds.

#include "events_private.h"

#include <math.h>

#include "core/base/failure.h"
#include "core/labels/logistic.h"

#define CHOOSE_EVERY (600 * G_GUINT64_CONSTANT(1000000000)) // ns of results
#define MAX_HOLE 3                                          // steps

typedef struct {
    uint64_t start, end;
    uint64_t new_start; // of the time that no earlier one has spoken for
    const float *embedding;
} Clip;

// ---- What is gathered of some results -------------------------------------

static double
get_p_value(const PeEvents *events, int k)
{
    return events->has_history ? pe_event_history_get_p(&events->history, k,
                                                        events->labels[k].level)
                               : NAN;
}

// g: of the label's run or event
static void
add_clip(const PeEvents *events, int k, PeEventGathered *g, const Clip *clip)
{
    double level = events->labels[k].level;

    if (g->n_clips == 0 || level > g->peak_level) {
        g->peak_level = level;
        g->peak = clip->start + (clip->end - clip->start) / 2;
        g->p_value = get_p_value(events, k);
    }
    g->n_clips++;
    if (!clip->embedding)
        return;
    if (!g->sum)
        g->sum = g_new0(float, events->dim);
    for (int i = 0; i < events->dim; i++)
        g->sum[i] += clip->embedding[i];
}

static void
clear_gathered(PeEventGathered *g)
{
    g_free(g->sum);
    *g = (PeEventGathered){0};
}

// Moves `from` into `to`; of equal peaks the earlier one stays.
static void
merge_gathered(PeEventGathered *to, PeEventGathered *from, int dim)
{
    if (to->n_clips == 0 || from->peak_level > to->peak_level) {
        to->peak_level = from->peak_level;
        to->peak = from->peak;
        to->p_value = from->p_value;
    }
    to->n_clips += from->n_clips;
    if (!to->sum) {
        to->sum = g_steal_pointer(&from->sum);
    } else if (from->sum) {
        for (int i = 0; i < dim; i++)
            to->sum[i] += from->sum[i];
    }
    clear_gathered(from);
}

// ---- Telling --------------------------------------------------------------

static double
logit(double p)
{
    return log(p / (1 - p));
}

// end: of the event, so far.
static void
tell(PeEvents *events, int k, PeEventPhase phase, uint64_t end)
{
    PeEventLabel *l = &events->labels[k];
    const PeEventGathered *g = &l->event;
    float *vector = NULL;

    if (g->sum) {
        vector = g_memdup2(g->sum, (size_t)events->dim * sizeof(float));
        pe_embedding_normalize(vector, events->dim);
        g_ptr_array_add(events->told_vectors, vector);
    }
    PeEvent event = {
        .phase = phase,
        .id = l->id,
        .label = k,
        .name = l->name,
        .start = l->start,
        .end = end,
        .peak = g->peak,
        .peak_score = (float)pe_logistic(g->peak_level),
        .threshold = (float)pe_logistic(l->begun_at),
        .p_value = g->p_value,
        .embedding = vector,
        .n_clips = g->n_clips,
    };
    g_array_append_val(events->told, event);
    l->told_at = events->last_end;
    if (phase == PE_EVENT_END)
        clear_gathered(&l->event);
}

static void
forget_told(PeEvents *events)
{
    g_array_set_size(events->told, 0);
    g_ptr_array_set_size(events->told_vectors, 0);
}

static int
get_told(PeEvents *events, const PeEvent **told)
{
    *told = (const PeEvent *)events->told->data;
    return (int)events->told->len;
}

// Whatever is open ends where it is. forget: times begin anew, too.
static void
cut(PeEvents *events, bool forget)
{
    for (int k = 0; k < events->n_labels; k++) {
        PeEventLabel *l = &events->labels[k];
        if (pe_event_machine_cut(&l->machine))
            tell(events, k, PE_EVENT_END, l->machine.end);
        clear_gathered(&l->run);
        if (forget)
            l->machine = (PeEventMachine){0};
    }
    if (events->has_history)
        pe_event_history_cut(&events->history, forget);
    events->smooth = false;
    events->seen &= !forget;
}

// ---- One result -----------------------------------------------------------

static double
clamp_evidence(float evidence)
{
    if (isnan(evidence))
        return -PE_EVENT_MAX_EVIDENCE;
    return CLAMP((double)evidence, -PE_EVENT_MAX_EVIDENCE,
                 PE_EVENT_MAX_EVIDENCE);
}

static bool
is_hole(const PeEvents *events, uint64_t duration)
{
    uint64_t step = events->params.step;

    return step > 0 && step <= G_MAXUINT64 / MAX_HOLE &&
           duration > step * MAX_HOLE;
}

// Of evidence that comes `dt` after what there was.
static double
get_weight(const PeEvents *events, uint64_t dt)
{
    uint64_t tau = events->params.smoothing;

    if (!events->smooth || tau == 0)
        return 1;
    return -expm1(-(double)dt / (double)tau);
}

static void
smooth(PeEventLabel *l, double evidence, double weight)
{
    // Not by the formula, which could miss the evidence by rounding.
    if (weight == 1)
        l->level = evidence;
    else
        l->level += weight * (evidence - l->level);
}

static void
begin_event(PeEvents *events, int k)
{
    PeEventLabel *l = &events->labels[k];

    l->id = events->next_id++;
    l->start = l->machine.run_start;
    l->begun_at = l->on;
    tell(events, k, PE_EVENT_START, l->machine.end);
}

static void
decide(PeEvents *events, int k, const Clip *clip)
{
    PeEventLabel *l = &events->labels[k];
    PeEventMachine *m = &l->machine;
    uint64_t update = events->params.update_interval;
    uint64_t old_end = m->end;

    if (pe_event_machine_is_idle(m))
        l->on = l->next_on;
    int done = pe_event_machine_step(m, &events->rules, l->level, l->on,
                                     clip->new_start, clip->end);
    bool run_over = done & (PE_EVENT_STEP_BEGUN | PE_EVENT_STEP_JOINED);
    if (done & PE_EVENT_STEP_OVER)
        tell(events, k, PE_EVENT_END, old_end);
    if (m->running || run_over)
        add_clip(events, k, &l->run, clip);
    else if (m->on)
        add_clip(events, k, &l->event, clip);
    if (run_over)
        merge_gathered(&l->event, &l->run, events->dim);
    else if (!m->running)
        clear_gathered(&l->run);
    if (done & PE_EVENT_STEP_BEGUN)
        begin_event(events, k);
    else if (m->on && update > 0 && clip->end - l->told_at >= update)
        tell(events, k, PE_EVENT_UPDATE, m->end);
}

// Thresholds are chosen seldom: that looks at every level of every label.
static void
choose_thresholds(PeEvents *events, uint64_t duration)
{
    double per_day = events->params.alarms_per_day;

    if (!events->has_history)
        return;
    pe_event_history_count_time(&events->history, duration);
    events->unchosen += duration;
    if (events->unchosen < CHOOSE_EVERY || per_day <= 0 ||
        !pe_event_history_is_ready(&events->history))
        return;
    events->unchosen = 0;
    g_autofree double *chosen = g_new(double, events->n_labels);
    pe_event_history_choose(&events->history, per_day, events->on, chosen);
    for (int k = 0; k < events->n_labels; k++)
        events->labels[k].next_on = chosen[k];
}

int
pe_events_push(PeEvents *events, uint64_t start, uint64_t end,
               const float *evidence, const float *embedding,
               const PeEvent **told)
{
    Clip clip = {start, end, start, embedding};
    uint64_t dt = 0;

    g_return_val_if_fail(events && told && start <= end, 0);
    g_return_val_if_fail(evidence || events->n_labels == 0, 0);
    forget_told(events);
    if (events->seen && end < events->last_end) {
        cut(events, true);
    } else if (events->seen) {
        clip.new_start = MAX(start, events->last_end);
        dt = end - events->last_end;
        if (is_hole(events, clip.new_start - events->last_end))
            cut(events, false);
    }
    double weight = get_weight(events, dt);
    events->seen = events->smooth = true;
    events->last_end = end;
    choose_thresholds(events, end - clip.new_start);
    for (int k = 0; k < events->n_labels; k++) {
        PeEventLabel *l = &events->labels[k];
        smooth(l, clamp_evidence(evidence[k]), weight);
        if (events->has_history)
            pe_event_history_add(&events->history, k, l->level, clip.new_start,
                                 clip.end);
        decide(events, k, &clip);
    }
    return get_told(events, told);
}

int
pe_events_end(PeEvents *events, const PeEvent **told)
{
    g_return_val_if_fail(events && told, 0);
    forget_told(events);
    cut(events, true);
    return get_told(events, told);
}

// ---- What it is now -------------------------------------------------------

double
pe_events_get_threshold(const PeEvents *events, int label)
{
    g_return_val_if_fail(label >= 0 && label < events->n_labels, NAN);
    const PeEventLabel *l = &events->labels[label];
    return pe_logistic(pe_event_machine_is_idle(&l->machine) ? l->next_on
                                                             : l->on);
}

double
pe_events_get_p_value(const PeEvents *events, int label)
{
    g_return_val_if_fail(label >= 0 && label < events->n_labels, NAN);
    return events->smooth ? get_p_value(events, label) : NAN;
}

double
pe_events_get_history_hours(const PeEvents *events)
{
    return events->has_history ? events->history.seconds / 3600 : 0;
}

// ---- Life -----------------------------------------------------------------

static bool
check_params(const PeEventParams *p, GError **error)
{
    if (!(p->threshold_on > 0 && p->threshold_on < 1))
        return pe_fail(error, PE_ERROR_SHAPE, "events",
                       "a threshold of %g, which must be a score above 0 and "
                       "below 1",
                       p->threshold_on);
    if (!(p->threshold_off > 0 && p->threshold_off <= p->threshold_on))
        return pe_fail(error, PE_ERROR_SHAPE, "events",
                       "end at a score of %g, which must be above 0 and at "
                       "most the %g at which they begin",
                       p->threshold_off, p->threshold_on);
    if (!(p->alarms_per_day >= 0 && isfinite(p->alarms_per_day)))
        return pe_fail(error, PE_ERROR_SHAPE, "events",
                       "%g alarms a day, which must be 0 or more",
                       p->alarms_per_day);
    return true;
}

static bool
same_rules(const PeEvents *events, const PeEventRules *rules,
           uint64_t smoothing)
{
    const PeEventRules *old = &events->rules;

    return old->band == rules->band &&
           old->min_duration == rules->min_duration &&
           old->merge_gap == rules->merge_gap &&
           old->cooldown == rules->cooldown &&
           events->params.smoothing == smoothing;
}

bool
pe_events_set_params(PeEvents *events, const PeEventParams *params,
                     GError **error)
{
    if (!check_params(params, error))
        return false;
    double on = logit(params->threshold_on);
    PeEventRules rules = {
        .band = on - logit(params->threshold_off),
        .min_duration = params->min_duration,
        .merge_gap = params->merge_gap,
        .cooldown = params->cooldown,
    };
    bool wanted = params->history || params->alarms_per_day > 0;
    if (events->has_history &&
        (!wanted || !same_rules(events, &rules, params->smoothing)))
        pe_event_history_clear(&events->history);
    if (wanted && !events->history.labels)
        pe_event_history_init(&events->history, &rules, events->n_labels);
    events->has_history = wanted;
    events->params = *params;
    events->rules = rules;
    events->on = on;
    for (int k = 0; k < events->n_labels; k++)
        events->labels[k].next_on = on;
    events->unchosen = CHOOSE_EVERY; // by the next result
    return true;
}

PeEvents *
pe_events_new(const PeEventParams *params, const char *const *names,
              int n_labels, int dim, GError **error)
{
    g_return_val_if_fail(params && n_labels >= 0 && dim >= 0, NULL);
    g_return_val_if_fail(names || n_labels == 0, NULL);
    PeEvents *events = g_new0(PeEvents, 1);

    events->n_labels = n_labels;
    events->dim = dim;
    events->labels = g_new0(PeEventLabel, n_labels);
    for (int k = 0; k < n_labels; k++)
        events->labels[k].name = g_strdup(names[k]);
    events->told = g_array_new(FALSE, FALSE, sizeof(PeEvent));
    events->told_vectors = g_ptr_array_new_with_free_func(g_free);
    if (!pe_events_set_params(events, params, error))
        g_clear_pointer(&events, pe_events_free);
    return events;
}

void
pe_events_free(PeEvents *events)
{
    if (!events)
        return;
    for (int k = 0; k < events->n_labels; k++) {
        g_free(events->labels[k].name);
        clear_gathered(&events->labels[k].run);
        clear_gathered(&events->labels[k].event);
    }
    pe_event_history_clear(&events->history);
    g_array_unref(events->told);
    g_ptr_array_unref(events->told_vectors);
    g_free(events->labels);
    g_free(events);
}
