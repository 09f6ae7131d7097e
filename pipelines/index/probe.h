// SPDX-License-Identifier: LGPL-2.1-or-later
//
// probe.h - what a model says to questions that are always the same: whether
// two models are one, whatever files they are from.

#pragma once

#include "core/pe.h"

// Embed a built-in picture and, when the model has a text tower and a
// tokenizer is given, built-in texts.
//   n_probes  gets how many vectors
// Returns [n_probes, dim] unit vectors, the picture's first, g_free(); NULL
// with the error.
float *probe_embed(PeEngine *engine, const PeTokenizer *tokenizer,
                   int *n_probes, GError **error);
