// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_stand_in.h - what labels need of an engine and a model, without either:
// a text that is a list of numbers is embedded as those numbers, any other as
// noise that depends on the text; a frame as the floats that it points to.
// Compiled into the tests of labels, where it
// takes the place of the library's functions.

#pragma once

#include "core/pe.h"

#define MAX_DIM 1024

typedef struct {
    int dim;
    int n_texts; // embedded since it was last set to 0
    int n_pictures;
    bool broken; // pe_engine_embed_texts() fails
    const PeTextConfig *text;
    const char *fingerprint;
    char *model_path; // "" at first
    PeTokenizer *tokenizer;
    char *folder;        // for files; the cache is below it
    GPtrArray *warnings; // of char *
} StandIn;

extern StandIn stand_in;
extern PeEngine *const stand_in_engine;

// What main() of a program with these tests does.
int stand_in_run(int argc, char **argv, void (*add_tests)(void));

// Begin a test with a model of this name; each has its own cache file.
void stand_in_use(const char *fingerprint, int dim);

//   out  [dim]
void stand_in_embed(const char *text, float *out);

// Make labels of a specification (taken), which may fail.
PeLabels *make_labels_of(PeLabelSpec *spec, GError **error);

// The labels of a list, which must be good. Without negatives there are none,
// not even the default ones. Returns a reference.
PeLabels *make_labels(const char *text, const char *negatives,
                      const char *templates);
