// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bench_labels.h - what scoring a clip costs, as pe-bench measures it.

#pragma once

#include "core/pe.h"

typedef struct BenchLabels BenchLabels;

// Labels of the engine's model, `text` is how many of them and of negatives:
// "400" or "400,300". A few texts are embedded; what they are costs nothing.
BenchLabels *bench_labels_new(PeEngine *engine, const PeTokenizer *tokenizer,
                              const char *text, GError **error);
void bench_labels_free(BenchLabels *b);

// Score many clips. Returns microseconds of one.
double bench_labels_run(BenchLabels *b);
