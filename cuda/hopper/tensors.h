// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tensors.h - arrays of activations as Hopper's copy engine wants them
// described, and numbers for known answers.

#pragma once

#include "cuda/cuda.h"

// act [depth, rows, columns], packed, in boxes of rows whose columns, 64 or 32,
// are what a swizzle holds; zeros outside. False: the driver refuses, or is not
// there.
bool pe_hopper_describe(const PeCuda *cuda, CUtensorMap *map, const void *data,
                        int depth, int rows, int columns, int box_rows,
                        int box_columns);

// act [n] from -1 to 1, always the same ones, in host memory.
void pe_hopper_fill(PeDtype act, uint16_t *values, size_t n);
