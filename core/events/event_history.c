// SPDX-License-Identifier: LGPL-2.1-or-later
//
// event_history.c - see event_history.h.

#include "event_history.h"

#include <glib.h>
#include <math.h>
#include <string.h>

#include "core/pe.h"

#define DAY 86400.0 // seconds
#define MIN_SECONDS DAY
#define MAX_SECONDS (28 * DAY)
// A label's own level is one that so many events tell of; what is rarer is
// found for the labels together.
#define MIN_EVENTS 5

void
pe_event_history_init(PeEventHistory *h, const PeEventRules *rules,
                      int n_labels)
{
    *h = (PeEventHistory){.rules = *rules, .n_labels = n_labels};
    h->labels = g_new0(PeLabelHistory, n_labels);
}

void
pe_event_history_clear(PeEventHistory *h)
{
    g_clear_pointer(&h->labels, g_free);
}

static int
find_bin(double level)
{
    double bin = (level + PE_EVENT_MAX_EVIDENCE) / PE_HISTORY_LEVEL;

    return CLAMP((int)floor(bin), 0, PE_HISTORY_N_BINS - 1);
}

static double
get_level(int index)
{
    return PE_HISTORY_LOWEST + PE_HISTORY_LEVEL * index;
}

double
pe_event_history_get_p(const PeEventHistory *h, int label, double level)
{
    const double *frames = h->labels[label].frames;
    int bin = find_bin(level);
    double n = 0, above = 0;

    for (int i = 0; i < PE_HISTORY_N_BINS; i++) {
        n += frames[i];
        above += i >= bin ? frames[i] : 0;
    }
    return n > 0 ? above / n : NAN;
}

void
pe_event_history_add(PeEventHistory *h, int label, double level, uint64_t start,
                     uint64_t end)
{
    PeLabelHistory *l = &h->labels[label];
    int n_busy = 0;

    l->frames[find_bin(level)]++;
    for (int i = 0; i < PE_HISTORY_N_LEVELS; i++) {
        if (i >= l->n_busy && get_level(i) > level)
            break;
        PeEventMachine *m = &l->machines[i];
        if (pe_event_machine_step(m, &h->rules, level, get_level(i), start,
                                  end) &
            PE_EVENT_STEP_BEGUN)
            l->events[i]++;
        if (!pe_event_machine_is_idle(m))
            n_busy = i + 1;
    }
    l->n_busy = n_busy;
}

void
pe_event_history_count_time(PeEventHistory *h, uint64_t duration)
{
    h->seconds += (double)duration / 1e9;
    if (h->seconds < MAX_SECONDS)
        return;
    h->seconds /= 2;
    for (int k = 0; k < h->n_labels; k++) {
        for (int i = 0; i < PE_HISTORY_N_BINS; i++)
            h->labels[k].frames[i] /= 2;
        for (int i = 0; i < PE_HISTORY_N_LEVELS; i++)
            h->labels[k].events[i] /= 2;
    }
}

void
pe_event_history_cut(PeEventHistory *h, bool forget)
{
    for (int k = 0; k < h->n_labels; k++) {
        PeLabelHistory *l = &h->labels[k];
        l->n_busy = 0;
        for (int i = 0; i < PE_HISTORY_N_LEVELS; i++) {
            if (forget)
                l->machines[i] = (PeEventMachine){0};
            else
                pe_event_machine_cut(&l->machines[i]);
        }
    }
}

bool
pe_event_history_is_ready(const PeEventHistory *h)
{
    return h->seconds >= MIN_SECONDS;
}

// ---- Thresholds -----------------------------------------------------------

// [PE_HISTORY_N_LEVELS] for a label: how many events it had at most at a level
// or at a higher one. Not at the level alone: a low one sees a label that is
// always there as one long event, although its peaks are many.
typedef double Most[PE_HISTORY_N_LEVELS];

static Most *
count_most(const PeEventHistory *h)
{
    Most *most = g_new(Most, h->n_labels);

    for (int k = 0; k < h->n_labels; k++) {
        double n = 0;
        for (int i = PE_HISTORY_N_LEVELS - 1; i >= 0; i--) {
            n = MAX(n, h->labels[k].events[i]);
            most[k][i] = n;
        }
    }
    return most;
}

// The lowest level from `first` on with at most `limit` events; N_LEVELS: none.
static int
find_level(const Most most, int first, double limit)
{
    int i = first;

    while (i < PE_HISTORY_N_LEVELS && most[i] > limit)
        i++;
    return i;
}

static double
get_most(const Most most, int level)
{
    return level < PE_HISTORY_N_LEVELS ? most[level] : 0;
}

// How many events all labels together had when none may have more than `limit`.
static double
count_limited(Most *most, int n, int first, double limit)
{
    double sum = 0;

    for (int k = 0; k < n; k++)
        sum += MIN(get_most(most[k], first), limit);
    return sum;
}

// The limit for each label with which all of them together have `total`: who
// has less leaves the rest to the others.
static double
find_limit(Most *most, int n, int first, double total)
{
    double low = 0, high = total;

    for (int i = 0; i < 40; i++) {
        double middle = (low + high) / 2;
        if (count_limited(most, n, first, middle) > total)
            high = middle;
        else
            low = middle;
    }
    return low;
}

// Raise the levels of noisy labels together, until all labels had few enough.
// After n events in the history, the next period of its length has n + 1 on
// average that are as rare, or rarer; hence one less than `total`.
static void
raise_levels(Most *most, const bool *noisy, int n, double total, int *levels)
{
    for (int i = 0; i < PE_HISTORY_N_LEVELS; i++) {
        double sum = 0;
        for (int k = 0; k < n; k++)
            sum += get_most(most[k], levels[k]);
        if (sum <= total - 1)
            return;
        for (int k = 0; k < n; k++)
            levels[k] += noisy[k];
    }
}

void
pe_event_history_choose(const PeEventHistory *h, double per_day, double lowest,
                        double *out)
{
    int n = h->n_labels;
    int first = (int)ceil((lowest - PE_HISTORY_LOWEST) / PE_HISTORY_LEVEL);
    double total = per_day * h->seconds / DAY;
    g_autofree Most *most = count_most(h);
    g_autofree int *levels = g_new(int, n);
    g_autofree bool *noisy = g_new0(bool, n);

    first = CLAMP(first, 0, PE_HISTORY_N_LEVELS);
    for (int k = 0; k < n; k++)
        out[k] = lowest;
    if (count_limited(most, n, first, INFINITY) <= total)
        return;
    double limit = find_limit(most, n, first, total);
    for (int k = 0; k < n; k++) {
        noisy[k] = get_most(most[k], first) > limit;
        levels[k] = find_level(most[k], first, MAX(limit, MIN_EVENTS));
    }
    raise_levels(most, noisy, n, total, levels);
    for (int k = 0; k < n; k++) {
        if (noisy[k])
            out[k] = MAX(lowest, get_level(levels[k]));
    }
}
