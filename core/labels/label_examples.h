// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_examples.h - the vectors of what shows labels beside their prompts, or
// instead of them: pictures, and vectors that were embedded before. Private to
// core.

#pragma once

#include "label_spec.h"

// Of all labels, negatives and texts of the bank of a specification.
typedef struct PeExamples PeExamples;

// Embed every picture on the engine, or take its vector from the cache. Blocks.
// Fails with the place in the labels file when a picture cannot be read, when
// there is nobody to read one, and when vectors are of another model.
// pe_examples_free() the result.
PeExamples *pe_examples_make(PeEngine *engine, const PeLabelSpec *spec,
                             GError **error) G_GNUC_WARN_UNUSED_RESULT;
void pe_examples_free(PeExamples *examples);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PeExamples, pe_examples_free)

// What a label's examples contain, as texts (char *) of 64 hexadecimal digits:
// the SHA-256 of each picture's file, or of the vector's numbers, which are
// little-endian floats. Borrowed; NULL: the label has none.
const GPtrArray *pe_examples_get_sums(const PeExamples *examples, int index);

// Give a label's examples their weight in its vector.
//   vector  [dim], of its texts: unit, or zero when it has none; unit then
void pe_examples_add(const PeExamples *examples, int index, float *vector);
