// SPDX-License-Identifier: LGPL-2.1-or-later
//
// kernels.h - the launchers of the kernels of precision=int8, beside those of
// cuda/kernels.h, whose rules are the same. core/device/int8.h has the
// equations and the letters.

#pragma once

#include "cuda/kernels.h"

// Columns of the longest rows that are rounded.
#define PE_CUDA_INT8_MAX_LENGTH 10240

#ifdef __cplusplus
extern "C" {
#endif

// rows.cu
//
// p i8 [rows, length], r f32 [rows]: x [rows, k] times s f32 [k], turned by H
// and rounded, with limit 127. `type` is that of x: act, or f32 for the rows of
// a weight. A row that is not finite has an r that is not a number. k % 16 ==
// 0.
void pe_int8_round_rows(PeCudaStream stream, PeDtype type, int8_t *p, float *r,
                        const void *x, const float *s, int rows, int k);

// linear.cu
//
// A product of rounded rows with a rounded weight, and what follows it.
typedef struct {
    int m, n, length;  // n, length % 16 == 0
    const int8_t *p;   // [m, length]
    const int8_t *q;   // [n, length]
    const float *r;    // [m]
    const float *c;    // [n]
    const float *bias; // [n], NULL: none
    bool gelu;         // of the result
    bool f32;          // y is, else act
    bool add;          // to y, which is f32
    void *y;           // [m, n]
    int tile;          // rows and columns of one: 64 or 128
} PeInt8Product;

void pe_int8_multiply(PeCudaStream stream, PeDtype act, const PeInt8Product *p);

#ifdef __cplusplus
}
#endif
