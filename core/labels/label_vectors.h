// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_vectors.h - the vector of every label and negative of a specification.
// Private to core.

#pragma once

#include "label_spec.h"

// Embed every prompt on the engine, or take its vector from the cache. Blocks.
// The engine's model has a text tower.
//   out       [n_labels + n_negatives, dim]  zero at first; unit vectors then
//   warnings  array of char *, for g_free(); gets what the user should know
bool pe_label_vectors_make(PeEngine *engine, const PeTokenizer *tokenizer,
                           const PeLabelSpec *spec, float *out,
                           GPtrArray *warnings,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;
