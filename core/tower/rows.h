// SPDX-License-Identifier: LGPL-2.1-or-later
//
// rows.h - the rows of a weight, one after the other, on all cores: what the
// towers find out about weights while they load them.

#pragma once

#include "core/base/tensor.h"

// What is done with row i of a weight, f32 [k]. On several threads.
typedef void (*PeRowFunc)(void *data, int i, const float *row, int k);

// All rows of w [n, k] of any strides.
void pe_rows_run(const PeTensor *w, PeRowFunc func, void *data);

// Sum of a[i] b[i], in double.
double pe_rows_dot(const float *a, const float *b, int k);

// The gains of what rows `first` to first + n - 1 of a folded weight give to a
// narrow linear, or to the mean or the GELU before one: powers of two by the
// largest numbers that y = W (g o x) + (b + W h) can reach where the squares of
// x [k] have a mean of 1. See core/device/narrow.h.
//
//   gains  [n]
//   g, h   [k], NULL: 1 and 0        b  [rows of w], NULL: 0
void pe_rows_find_gains(float *gains, const PeTensor *w, const float *g,
                        const float *h, const float *b, int first, int n);
