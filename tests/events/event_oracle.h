// SPDX-License-Identifier: LGPL-2.1-or-later
//
// event_oracle.h - what should be told of a sequence of results, worked out
// slowly and with hindsight: all results are known before the first is looked
// at. Follows the words of core/peevents.h, and shares no code with events.c.

#pragma once

#include "core/pe.h"

// A result, or without one the end of the stream.
typedef struct {
    bool is_end;
    uint64_t start, end;
    const float *evidence;  // [n_labels]
    const float *embedding; // [dim], or NULL
} OracleStep;

// What is told by the step with that number.
typedef struct {
    int step;
    int order; // among what is told by the step
    PeEvent event;
    float *embedding; // owned; event.embedding
} OracleTold;

// Returns an array of OracleTold in order.
GArray *oracle_tell(const PeEventParams *params, int n_labels, int dim,
                    const OracleStep *steps, int n);
