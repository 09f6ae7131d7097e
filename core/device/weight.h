// SPDX-License-Identifier: LGPL-2.1-or-later
//
// weight.h - the weight of a linear layer as numbers. For backends only.

#pragma once

#include "core/device/backend.h"

// Rows first..first+n-1 of the weight times both scales, padded; out f32
// [n, k_padded]. Any thread.
void pe_weight_rows(const PeLinearParams *params, int first, int n, float *out);
