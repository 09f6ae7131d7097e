// SPDX-License-Identifier: LGPL-2.1-or-later
//
// events_private.h - PeEvents from within, for events.c and event_state.c.

#pragma once

#include "core/pe.h"
#include "event_history.h"
#include "event_rules.h"

// What is gathered of the results of a run or of an event.
typedef struct {
    uint32_t n_clips;
    double peak_level;
    uint64_t peak; // ns
    double p_value;
    float *sum; // [dim] of embeddings, owned; NULL: none came
} PeEventGathered;

typedef struct {
    char *name;
    double level;   // smoothed evidence
    double on;      // the threshold in use, as a logit
    double next_on; // the one that is used when nothing goes on
    PeEventMachine machine;
    PeEventGathered run, event;
    // Of the open event:
    uint64_t id, start;
    double begun_at;  // the threshold
    uint64_t told_at; // end of the result at which it was told last
} PeEventLabel;

struct PeEvents {
    PeEventParams params;
    PeEventRules rules;
    double on, off; // the thresholds as logits
    int n_labels, dim;
    PeEventLabel *labels; // [n_labels]
    bool seen;            // there has been a result, that ended at last_end
    bool smooth;          // level goes on from it
    uint64_t last_end;
    uint64_t next_id;
    bool has_history;
    PeEventHistory history;
    uint64_t unchosen; // ns of results since thresholds were chosen

    GArray *told;            // PeEvent, of the last call
    GPtrArray *told_vectors; // float *, owned: their embeddings
};
