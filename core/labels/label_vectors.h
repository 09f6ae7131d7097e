// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_vectors.h - the vector of the texts of every label and negative, and of
// every text of the bank of a specification. Private to core.

#pragma once

#include "label_spec.h"

// Embed every prompt on the engine, or take its vector from the cache. Blocks.
// The engine's model has a text tower.
//   out       [n, dim] with n = pe_label_spec_count_all(spec); zero at first,
//             unit vectors then, but zero for a label without texts
//   twins     [n]  the first of all whose texts become the same tokens, when
//             neither has examples: the model cannot tell the two apart
//   warnings  array of char *, for g_free(); gets what the user should know
bool pe_label_vectors_make(PeEngine *engine, const PeTokenizer *tokenizer,
                           const PeLabelSpec *spec, float *out, int *twins,
                           GPtrArray *warnings,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
