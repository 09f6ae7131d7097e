// SPDX-License-Identifier: LGPL-2.1-or-later
//
// model_compare.h - what the tests of models and towers share: opening without
// errors, and comparing weights and results.

#pragma once

#include "core/model/model.h"

// Open a model that must open.
PeModel *model_open(const char *path);

// The same with a file of the committed data.
PeModel *model_open_data(const char *name);

// The committed checkpoint "tiny_core_cls.KIND".
PeModel *model_open_tiny(const char *kind);

// A checkpoint whose tensors can be read in place.
PeCheckpoint *checkpoint_open(const char *path);

// All values of a tensor of the model in row-major order; without a model
// (NULL) they lie in memory already. Returns, g_free().
float *model_get_values(const PeModel *model, const PeTensor *t);

// The largest difference of [n]; NaN when any is.
double max_abs_diff(const float *a, const float *b, size_t n);

// Every weight of `model` is that of `reference`, rounded to `precision`.
void model_assert_same(const PeModel *model, const PeModel *reference,
                       PePrecision precision);
