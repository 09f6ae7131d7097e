// SPDX-License-Identifier: LGPL-2.1-or-later
//
// event_history.h - what the evidence of a camera's labels usually is, and
// which thresholds would have kept a budget of events. Private to core.
//
// How often a label passes a threshold is not how many events there are: peaks
// that are near in time are one (Coles, An Introduction to Statistical Modeling
// of Extreme Values, 2001, section 5.3.2, "declustering"). Here the rules of
// events decluster: they are applied to the evidence at each of many levels,
// and every level counts its events. The counts of a label over its levels are
// the empirical distribution of its declustered peaks, to the distance of two
// levels.

#pragma once

#include "event_rules.h"

#define PE_HISTORY_LEVEL 0.25 // logits between two levels, or of a bin
#define PE_HISTORY_LOWEST (-6.0)
#define PE_HISTORY_N_LEVELS 96 // up to 18 logits
#define PE_HISTORY_N_BINS 160  // of all evidence, -20 to 20

// Of one label.
typedef struct {
    double frames[PE_HISTORY_N_BINS];   // results by smoothed evidence
    double events[PE_HISTORY_N_LEVELS]; // events that began, by threshold
    PeEventMachine machines[PE_HISTORY_N_LEVELS];
    int n_busy; // machines from here on are idle
} PeLabelHistory;

typedef struct {
    PeEventRules rules;
    int n_labels;
    PeLabelHistory *labels; // [n_labels], owned
    double seconds;         // of results, that the counts are from
} PeEventHistory;

void pe_event_history_init(PeEventHistory *h, const PeEventRules *rules,
                           int n_labels);
void pe_event_history_clear(PeEventHistory *h);

// The conformal p-value of the level of the last result that was added. It is
// one of the n + 1 that are counted here; NaN when there is none.
double pe_event_history_get_p(const PeEventHistory *h, int label, double level);

// The next result of a label, as pe_event_machine_step() takes it.
void pe_event_history_add(PeEventHistory *h, int label, double level,
                          uint64_t start, uint64_t end);
// The time that the last result of all labels spoke for. Forgets by halves.
void pe_event_history_count_time(PeEventHistory *h, uint64_t duration);
// A hole in time, or with `forget` a jump back.
void pe_event_history_cut(PeEventHistory *h, bool forget);

// Does it know enough for thresholds?
bool pe_event_history_is_ready(const PeEventHistory *h);

// The thresholds with which all labels together would have had at most
// `per_day` events a day; those that had few enough at `lowest` keep it.
//   out  [n_labels], logits
void pe_event_history_choose(const PeEventHistory *h, double per_day,
                             double lowest, double *out);
