// SPDX-License-Identifier: LGPL-2.1-or-later
//
// model_compare.h - what the tests of models share: opening without errors and
// comparing every weight.

#pragma once

#include "core/model.h"

// Open a model that must open.
PeModel *model_open(const char *path);

// The committed checkpoint "tiny_core_cls.KIND".
PeModel *model_open_tiny(const char *kind);

// All values in row-major order. Returns, g_free().
float *model_get_values(const PeTensor *t);

// Every weight of `model` is that of `reference`, rounded to `precision`.
void model_assert_same(const PeModel *model, const PeModel *reference,
                       PePrecision precision);
