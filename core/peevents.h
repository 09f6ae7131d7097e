// SPDX-License-Identifier: LGPL-2.1-or-later
//
// peevents.h - when the labels of a stream are there, as events with a start
// and an end. A part of pe.h, which includes it.
//
//     PeEvents  the labels of one stream over time  one owner

#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS
#pragma GCC visibility push(default)

// ---- Events ---------------------------------------------------------------
//
// Each result speaks for the part of the time that no earlier one has spoken
// for: from its clip's start, or from the end of the result before it where
// clips overlap, to its clip's end. With l the evidence of a label (the logit
// of its score):
//
//     smoothed  L += (1 - exp(-dt / smoothing)) (l - L), where dt is the time
//               from the end of the result before; the first L is l itself
//     run       results in a row with L >= logit(threshold_on)
//     segment   begins with a run that lasts for min_duration, and at the run's
//               start; goes on as long as L > logit(threshold_off), and ends
//               with the end of the last such result
//     event     a segment, together with those that begin less than merge_gap
//               after the end of what there is of the event
//
// A run may also begin only once cooldown has passed since the end of the
// label's last event, unless it begins within that event's merge_gap. What
// comes sooner is not looked at; a label that stays beyond has its event from
// then on.
//
// An event is told three times or more, each with what is known by then:
// START as soon as its first segment has lasted for min_duration; UPDATE while
// its label is there and update_interval has passed since it was told last; END
// as soon as nothing that may come could still belong to it.
//
// Time without a result of more than three steps ends all events where the
// last result ended, and everything begins anew but the cooldown. A result
// that ends before the one before it does the same and ends the cooldown too.

// Evidence is clamped to this on both sides; NaN counts as the lower end.
#define PE_EVENT_MAX_EVIDENCE 20.0

typedef struct {
    double threshold_on;      // score, above 0 and below 1
    double threshold_off;     // score, above 0, at most threshold_on
    uint64_t step;            // ns between two results; 0: not known
    uint64_t smoothing;       // ns; 0: none
    uint64_t min_duration;    // ns
    uint64_t merge_gap;       // ns
    uint64_t cooldown;        // ns
    uint64_t update_interval; // ns; 0: no updates
    // Events in a day, of all labels together, that somebody wants to look at.
    // Labels that would have more get a threshold_on of their own, see
    // pe_events_get_threshold(). 0: as many as there are.
    double alarms_per_day;
    bool history; // keep one even without alarms_per_day, for p_value
} PeEventParams;

typedef enum {
    PE_EVENT_START,
    PE_EVENT_UPDATE,
    PE_EVENT_END,
} PeEventPhase;

typedef struct {
    PeEventPhase phase;
    uint64_t id; // counts the events of a PeEvents
    int label;   // its index
    const char *name;
    uint64_t start, end; // ns; the end so far
    uint64_t peak;       // the middle of the clip with the highest L
    float peak_score;    // sigmoid of that L
    float threshold;     // score at which the label's event began
    // How unusual the peak is on this camera, in (0, 1]: the conformal p-value
    // (1 + #{h >= L}) / (n + 1) among the n values that its history had then.
    // Results within 0.25 below L count as above it, so that p_value is never
    // too low. NaN without a history.
    double p_value;
    const float *embedding; // [dim], unit: the mean over its clips, or NULL
    uint32_t n_clips;       // results in its segments
} PeEvent;

typedef struct PeEvents PeEvents;

// names  [n_labels], borrows; equal names are told apart by their order
// dim    of the embeddings
// Fails for parameters that make no sense.
PeEvents *pe_events_new(const PeEventParams *params, const char *const *names,
                        int n_labels, int dim,
                        GError **error) G_GNUC_WARN_UNUSED_RESULT;
void pe_events_free(PeEvents *events);

// Other parameters from here on; events have been ended by pe_events_end(). The
// history goes on unless the distance of the thresholds (as logits), smoothing
// or one of the durations of its rules changes. Fails as pe_events_new() does,
// and leaves everything as it was.
bool pe_events_set_params(PeEvents *events, const PeEventParams *params,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

// The next result.
//   start, end  of its clip, ns; start <= end
//   evidence    [n_labels], borrows
//   embedding   [dim], unit, borrows; may be NULL
//   told        gets what this result makes known, in the order in which it
//               should be told; valid until the next call for these events
// Returns how many.
int pe_events_push(PeEvents *events, uint64_t start, uint64_t end,
                   const float *evidence, const float *embedding,
                   const PeEvent **told);

// The stream ends, or goes on with other times, as after a flush: ends every
// event where the last result ended. `told` and the return value are as above.
int pe_events_end(PeEvents *events, const PeEvent **told);

// The score from which on the label is there: threshold_on, or what the budget
// has made of it. It is chosen anew every ten minutes of results, once the
// history has 24 hours of them, and never while an event or a run of the label
// goes on.
double pe_events_get_threshold(const PeEvents *events, int label);

// Of the last result, as in PeEvent; NaN without a history or a result.
double pe_events_get_p_value(const PeEvents *events, int label);

// Hours of results that the history has; it forgets by halves, and has the last
// 14 to 28 days.
double pe_events_get_history_hours(const PeEvents *events);

// The history as text for a file; NULL without one. Returns, g_free().
// identity  whose evidence it is: the fingerprint of a label set
char *pe_events_dump_history(const PeEvents *events, const char *identity);

// Write what pe_events_dump_history() returned. The file is there whole or as
// it was before, also after a crash or a loss of power. Waits for the disk; any
// thread.
bool pe_events_save_history(const char *path, const char *dump,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

// Take up the history of a file; one that does not exist is an empty one.
// Before the first result. False, and nothing is taken up, for a file that is
// damaged, or that has another identity or was kept by other rules: another
// distance of the thresholds, another smoothing or duration.
bool pe_events_load_history(PeEvents *events, const char *path,
                            const char *identity,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

#pragma GCC visibility pop
G_END_DECLS
