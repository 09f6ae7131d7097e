// SPDX-License-Identifier: LGPL-2.1-or-later
//
// int8.h - linear layers with weights of 8 bits, for cpu.c and this folder
// only. Everything else of precision=int8 is as with fp32.
//
//   s[j] = sum_i |W[i,j]| / sum_l |W[i,l]|   the weight of a column, for which
//   V[i,j] = W[i,j] / s[j]                   each row counts the same
//   c[i] = max_j |V[i,j]| / 127
//   Q[i,j] = round(V[i,j] / c[i])
//
// and of every row x, at run time,
//
//   r = max_j |x[j] s[j]| / limit(k)
//   p[j] = round(x[j] s[j] / r)
//   y[i] = r c[i] sum_j p[j] Q[i,j] + b[i]
//
// so that neither a column nor a row that is larger than the others costs them
// their precision. The columns with the largest s have a second byte, of 1 /
// 254 of the first's worth, as if they were columns behind the others: where a
// few columns make up most of a sum, it is as exact as of many. The sum is of
// integers, in 32 bits, and exact: rows have as many bits, up to 16, as never
// overflow it. No data is needed to find the scales.
//
// Layers outside of the blocks stay as they are: the patches' before the first
// one, and the pool's, the head's and the projection's after the last.

#pragma once

#include <math.h>
#include <string.h>

#include "core/device/cpu/ops.h"

#define PE_INT8_DIGIT 254

// How many columns have a second byte.
static inline int
pe_int8_n_finer(int k)
{
    return k / 32;
}

// Columns with them.
static inline int
pe_int8_length(int k)
{
    return k + pe_int8_n_finer(k);
}

// Steps of a row's largest value.
static inline float
pe_int8_limit(int k)
{
    int steps = INT32_MAX / 127 / pe_int8_length(k);
    return (float)(steps < INT16_MAX ? steps : INT16_MAX);
}

// A number that, added to one within 2^22 of 0, leaves an integer in the low
// bits: PE_INT8_ZERO + p.
#define PE_INT8_MAGIC 12582912.0f // 1.5 * 2^23
#define PE_INT8_ZERO 0x4b400000

static inline int16_t
pe_int8_round(float v)
{
    int32_t bits;
    v += PE_INT8_MAGIC;
    memcpy(&bits, &v, sizeof bits);
    return (int16_t)(bits - PE_INT8_ZERO);
}

// Smaller rows are zeros: their scale would not be a number.
#define PE_INT8_LEAST 1e-30f

// One step of a row with these numbers, and its inverse; NAN when the row is
// not finite.
static inline float
pe_int8_step(float most, bool finite, int k, float *inverse)
{
    *inverse = most < PE_INT8_LEAST ? 0 : pe_int8_limit(k) / most;
    if (!finite)
        return NAN;
    return most < PE_INT8_LEAST ? 0 : most / pe_int8_limit(k);
}

// Panels have `columns` columns: byte j % 2 of word j / 2 of column c is at
// ((j / 2) * columns + c) * 2 + j % 2.
//   returns  bytes of one
static inline size_t
pe_int8_panel_size(int columns, int k)
{
    return (size_t)((pe_int8_length(k) + 1) / 2) * 2 * (size_t)columns;
}

// Puts linear layers of that kind into the table: those of the instruction set,
// which *_simd.c have named, or plain C.
void pe_int8_init(PeCpu *cpu);
void pe_int8_clear(PeCpu *cpu);
