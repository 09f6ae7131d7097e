// SPDX-License-Identifier: LGPL-2.1-or-later
//
// score_simd.h - the inner loops of scores: products of vectors, and
// what becomes of them. Private to this folder and its tests.

#pragma once

#include <stddef.h>

#include "core/base/dots.h"

// Vectors of one call of products() for all of which it reads `m` but once.
#define PE_SCORE_BLOCK 48

typedef struct {
    // y[j, i] = sum_k m[i, k] x[j, k], in float32. A sum has the same bits
    // whatever else is summed in the same call.
    //   m  [n, dim]   x  [n_x, dim]   y  [n_x, n], a row every `stride`
    //   scratch  [min(n_x, PE_SCORE_BLOCK), dim]; NULL when n_x is 1
    void (*products)(const float *m, size_t n, const float *x, size_t n_x,
                     size_t dim, float *scratch, float *y, size_t stride);
    // logits[i] = scale * cosines[i], which are clamped to [-1, 1] before.
    void (*logits)(float *cosines, size_t n, double scale, double *logits);
    // shares[i] = exp(logits[i] - most), which is 0 below the least normal
    // number, with a relative error of 10^-15. No logit is above `most`.
    // Returns their sum.
    double (*shares)(const double *logits, size_t n, double most,
                     double *shares);
} PeScoreLoops;

// NULL when this machine or this build cannot run it. PE_DOTS_C is there
// always.
const PeScoreLoops *pe_score_loops(PeDots variant);

// Compiled from score_simd.c.
extern const PeScoreLoops pe_score_loops_c, pe_score_loops_avx2,
    pe_score_loops_avx512;
