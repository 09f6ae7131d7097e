// SPDX-License-Identifier: LGPL-2.1-or-later
//
// event_rules.h - when an event begins and ends: one label at one threshold,
// fed with smoothed evidence. The rules are those of core/peevents.h. Knows
// neither embeddings nor who is told. Private to core.

#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    double band; // logit(threshold_on) - logit(threshold_off), at least 0
    uint64_t min_duration, merge_gap, cooldown;
} PeEventRules;

// Zeros are a label that has had no event.
typedef struct {
    bool open;    // an event has begun and is not known to be over
    bool on;      // the last result belongs to its last segment
    bool running; // the last result belongs to a run that is still too short
    bool had;     // there has been an event, the open one or one before
    uint64_t run_start;
    uint64_t end; // of that event, so far
} PeEventMachine;

// What a result has done, in this order.
enum {
    PE_EVENT_STEP_OVER = 1,   // the open event is over
    PE_EVENT_STEP_RUN = 2,    // a run began with this result
    PE_EVENT_STEP_BEGUN = 4,  // the run has become an event
    PE_EVENT_STEP_JOINED = 8, // the run has become part of the open event
};

// The next result.
//   level       smoothed evidence
//   on          logit of the threshold
//   start, end  the time that the result speaks for
// Returns a set of PE_EVENT_STEP_*.
int pe_event_machine_step(PeEventMachine *m, const PeEventRules *rules,
                          double level, double on, uint64_t start,
                          uint64_t end);

// Nothing that comes belongs to what was: a hole in time. The cooldown goes on.
// Returns whether an event was open.
bool pe_event_machine_cut(PeEventMachine *m);

// Is there nothing that a result below the threshold would change?
bool pe_event_machine_is_idle(const PeEventMachine *m);
