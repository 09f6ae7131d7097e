// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check.h - what the checks of pe-labels look at: a labels file, its vectors,
// and clips to try it on.

#pragma once

#include "core/pe.h"

#include "tools/labels/finding.h"
#include "tools/labels/label_texts.h"

// A label, or a negative, hardly differs from another one above this cosine:
// the same bounds as those of the library's own warnings.
#define LOOK_ALIKE .95
#define TOO_NEAR .9

typedef struct {
    PeEngine *engine;
    PeTokenizer *tokenizer;
    LabelTexts *texts;
    PeLabels *labels;
    int dim;
    double threshold; // of the score, for labels that have none of their own
    GPtrArray *findings;
    float *label_vectors;    // [labels, dim], unit
    float *negative_vectors; // [negatives, dim], unit
    GArray *clips;           // float: [n_clips, dim], unit; may be empty
} Check;

int check_count_clips(const Check *check);
const float *check_get_clip(const Check *check, int index);

// Read the file and make its vectors. false with the error.
//   vocab  of the model; NULL: it is found
bool check_open(Check *check, const char *path, const char *vocab,
                GError **error);
void check_clear(Check *check);

// The unit vectors of label texts, as a label set makes them.
//   labels  [n] LabelText *   templates  char *
//   out     [n, dim]
bool check_embed(const Check *check, const GPtrArray *labels,
                 const GPtrArray *templates, float *out, GError **error);

// Of two unit vectors.
double check_cosine(const Check *check, const float *a, const float *b);

// Labels and negatives that become the same tokens, and texts that are cut.
void check_tokens(Check *check);

// Look-alikes, and negatives and texts of the bank that are near a label.
bool check_neighbours(Check *check, GError **error);
