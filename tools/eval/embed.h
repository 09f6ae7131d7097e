// SPDX-License-Identifier: LGPL-2.1-or-later
//
// embed.h - the vectors of files and texts: those that the vector file has, and
// the others from the engine. Files are decoded by several threads, each a
// client of the engine, so that batches fill while others decode.

#pragma once

#include "core/pe.h"

#include "tools/eval/vector_file.h"

typedef struct {
    PeEngine *engine;
    VectorFile *file; // NULL: nothing is kept
    int n_frames;     // of a video; 0: pictures
    // The vector of a video is the mean of its frames' unit vectors, as the
    // reference's retrieval has it, and not the unit vector of the mean of
    // their features, as its classification has it.
    bool mean_of_units;
    int n_jobs; // files decoded at a time
} Embedding;

// The vectors of the items: unit vectors, but for mean_of_units.
//   items    [n] EvalItem *; those that cannot be read get a problem, which is
//            printed as well
//   vectors  [n, dim]; of an item with a problem: zeros
// false with the error when the engine or the vector file failed: what is
// finished is in the file.
bool eval_embed_items(const Embedding *embedding, GPtrArray *items,
                      float *vectors, GError **error);

// The unit vectors of the texts.
//   texts    [n] char *
//   vectors  [n, dim]
bool eval_embed_texts(const Embedding *embedding, const PeTokenizer *tokenizer,
                      GPtrArray *texts, float *vectors, GError **error);

// Is it the fault of one file, so that the others may go on?
bool eval_is_of_file(const GError *error);
