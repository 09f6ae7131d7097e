// SPDX-License-Identifier: LGPL-2.1-or-later
//
// products.h - a matrix of label vectors times the vector of a clip. Private to
// core.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// y[i] = sum_k m[i, k] x[k], in float32.
//   m  [n, dim]   x  [dim]   y  [n]
void pe_products(const float *m, size_t n, size_t dim, const float *x,
                 float *y);

// A matrix that is worth a copy in half floats, which is read in half the time.
bool pe_products_are_many(size_t n, size_t dim);

// The same of such a copy of unit vectors: what it rounds is off by 2^-11 at
// the most and 10^-5 as a rule.
void pe_products_of_halves(const uint16_t *halves, size_t n, size_t dim,
                           const float *x, float *y);
