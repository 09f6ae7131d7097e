// SPDX-License-Identifier: LGPL-2.1-or-later
//
// labels_private.h - a label set from within, for the files that read it.

#pragma once

#include "core/pe.h"

// What a label asks for beyond what all of them do.
typedef struct {
    float threshold, probability_threshold, similarity_threshold;
    float offset; // of its log-odds
} PeLabelRule;

struct PeLabels {
    int ref_count;
    int n_labels; // reported
    int n;        // labels, then negatives, then the bank
    int dim;
    float logit_scale;
    PeLabelsMode mode;
    float slope, offset;     // from log-odds to the logit of the score
    const char *calibration; // where these are from
    bool default_negatives;
    char **names;       // [n_labels]
    PeLabelRule *rules; // [n_labels]
    float most_offset;  // of a rule
    float *vectors;     // [n, dim], unit
    uint16_t *halves;   // [n, dim], a copy of many; NULL: none
    char *set_name;     // "": the user gave it none
    char *fingerprint;
    char **warnings, **notes; // NULL-terminated
    PeTokenizer *tokenizer;   // kept, so that the next set need not parse it
};
