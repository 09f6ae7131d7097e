// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_texts.h - what a labels file says in words: names, prompts, negatives,
// templates and the bank. Knows no model. For pe-labels.

#pragma once

#include "core/pe.h"

typedef struct {
    char *name;
    GPtrArray *prompts; // char *, its own; NULL: the templates
    char *examples;     // of pictures or a vector, as members of JSON; or NULL
    bool wordless;      // they alone are the label
    bool has_threshold; // of its own, of whatever kind
} LabelText;

typedef struct {
    GPtrArray *labels;    // LabelText *
    GPtrArray *negatives; // LabelText *; the default ones without any
    GPtrArray *bank;      // LabelText *
    GPtrArray *templates; // char *
    char *model;          // fingerprint that vectors are of; NULL: not said
    bool default_negatives;
} LabelTexts;

// Read a labels file, of lines or in JSON, that pe_label_spec_load() has
// accepted, and its bank. Returns, label_texts_free(). NULL with the error.
LabelTexts *label_texts_read(const char *path, GError **error);
void label_texts_free(LabelTexts *texts);

// The texts of a label: its own prompts, or its name in each template. Returns
// an array of char *, g_ptr_array_unref().
GPtrArray *label_text_list(const LabelText *label, const GPtrArray *templates);

// A label whose only prompt is its name. Returns, label_text_free().
LabelText *label_text_new(const char *name);
void label_text_free(LabelText *label);
