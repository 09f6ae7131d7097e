// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_spec.h - what a label specification holds, for the code that embeds it.
// Private to core.

#pragma once

#include "core/pe.h"

typedef struct {
    char *name;
    char *where;        // it was read, for messages: "labels.txt:7"
    GPtrArray *prompts; // of char *, used as they are; NULL: the templates
    float threshold;    // least score to be reported, [0, 1]
} PeLabel;

struct PeLabelSpec {
    char *name;           // of the set; NULL: none was given
    GPtrArray *labels;    // of PeLabel *
    GPtrArray *negatives; // of PeLabel *
    GPtrArray *templates; // of char *, each with a "{}"
};

// Add a message (char *) for every label whose name, also as a negative, is
// there already.
void pe_label_spec_warn(const PeLabelSpec *spec, GPtrArray *warnings);

// The texts to embed for a label. Returns an array of char *, unref it.
GPtrArray *pe_label_spec_list_prompts(const PeLabelSpec *spec,
                                      const PeLabel *label);
