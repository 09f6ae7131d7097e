// SPDX-License-Identifier: LGPL-2.1-or-later
//
// matmul.h - matrix products through cuBLASLt.

#pragma once

#include "cuda/cuda.h"

// y [m, n] = scale x [m, k] w [n, k]^T + bias, all row-major and packed; y is
// not x.
typedef struct {
    int m, n, k;
    PeDtype in;  // of x and w
    PeDtype out; // of y and bias: `in`, or f32; bf16 or f32 where `in` is E4M3
    float scale;
    const void *x, *w;
    const void *bias; // [n], NULL: none
    void *y;
    bool residual; // y += instead, f32
    PeGelu gelu;   // of the result
    // Where GELU writes E4M3 [m, n], multiplied by gain [n]; NULL: to y. Only
    // with PE_GELU_EXACT.
    void *narrow;
    const float *gain;
} PeMatmul;

// Queued. In the first call of a recording, a product of a new shape is tried
// with several algorithms, which takes some milliseconds.
void pe_cuda_matmul(PeCuda *cuda, const PeMatmul *p);

// Seconds of the fastest algorithm, 0 when there is none.
double pe_cuda_matmul_measure(PeCuda *cuda, const PeMatmul *p);
