// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_spec.h - what a label specification holds, for the code that embeds it.
// Private to core.

#pragma once

#include "calibration.h"
#include "core/pe.h"

#define PE_MAX_IMAGE_WEIGHT 0.25

typedef struct {
    char *name;
    char *where;        // it was read, for messages: "labels.txt:7"
    GPtrArray *prompts; // of char *, used as they are; NULL: the templates
    // Examples, which show it; a vector or pictures, never both.
    GArray *vector;     // of float, finite and not all 0; NULL: none
    GPtrArray *images;  // of char *, paths; NULL: none
    float image_weight; // of examples in its vector: 0 without them, at most
                        // PE_MAX_IMAGE_WEIGHT with texts, 1 without texts
    // To be reported, at least this:
    float threshold;             // score, [0, 1]
    float probability_threshold; // [0, 1]
    float similarity_threshold;  // [-1, 1]
    float offset;                // of the log-odds of this label
} PeLabel;

struct PeLabelSpec {
    char *name;           // of the set; NULL: none was given
    GPtrArray *labels;    // of PeLabel *
    GPtrArray *negatives; // of PeLabel *
    bool has_negatives;   // the user gave some, or said that there are none
    GPtrArray *defaults;  // of PeLabel *: the negatives otherwise
    GPtrArray *bank;      // of PeLabel *, each its own prompt
    char *bank_path;      // that JSON names, until it is read; NULL: none
    char *vectors_model;  // fingerprint of the model of labels' vectors, NULL
    char *vectors_where;  // it was read, for messages
    PePictureReader read_picture; // NULL: nobody reads pictures
    GPtrArray *templates;         // of char *, each with a "{}"
    PeLabelsMode mode;
    PeCalibration *calibration; // NULL: none was given
};

// The negatives that count: the user's, or the default ones. Borrowed.
const GPtrArray *pe_label_spec_get_negatives(const PeLabelSpec *spec);

// Of labels, negatives and bank together.
int pe_label_spec_count_all(const PeLabelSpec *spec);
// The label or, behind the labels, the negative or, behind those, the text of
// the bank with that number. Borrowed.
const PeLabel *pe_label_spec_get(const PeLabelSpec *spec, int index);

// Add a message (char *) for every label whose name, also as a negative, is
// there already.
void pe_label_spec_warn(const PeLabelSpec *spec, GPtrArray *warnings);

// The texts to embed for a label, none for one of examples alone. Returns an
// array of char *, unref it.
GPtrArray *pe_label_spec_list_prompts(const PeLabelSpec *spec,
                                      const PeLabel *label);
