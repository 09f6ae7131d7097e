// SPDX-License-Identifier: LGPL-2.1-or-later
//
// int8.h - linear layers with weights of 8 bits, for cpu.c and this folder
// only. Everything else of precision=int8 is as with the act of the backend.
//
//   w[j] = sum_i |W[i,j]| / sum_l |W[i,l]|   the weight of a column, for which
//                                            each row counts the same
//   s[j] = +-sqrt(w[j] / size[j])            with signs that look random, and
//                                            in_size of PeLinearParams
//   H                 a Walsh-Hadamard transform of each block of columns, the
//                     last one made whole by zeros: H H^T = block
//   V = (W / s) H^T / block, u = H (x s)     hence V u = W x
//   c[i] = max_j |V[i,j]| / 127
//   Q[i,j] = round(V[i,j] / c[i])
//
// and of every row, at run time,
//
//   r = max_j |u[j]| / limit
//   p[j] = round(u[j] / r)
//   y[i] = r c[i] sum_j p[j] Q[i,j] + b[i]
//
// so that a column of the weight or a channel of the rows that is larger than
// the others is shared between both, and then among all columns of a block, and
// costs the others little of their precision. The sum is of integers, in 32
// bits, and exact. Rows have 8 bits where there are instructions for products
// of bytes, else as many, up to 16, as never overflow it. No data is needed.
// Sources: Xiao et al., SmoothQuant, 2022, for the square root, and Ashkboos et
// al., QuaRot, 2024, for the rotation.
//
// Layers outside of the blocks stay as they are: the patches' before the first
// one, and the pool's, the head's and the projection's after the last.

#pragma once

#include <math.h>
#include <string.h>

#include "core/device/cpu/ops.h"

// Longer rows are left to wide linears: sums of bytes could overflow.
#define PE_INT8_MAX_LENGTH 65536

// Columns of a block: as many as cost the rows few zeros.
static inline int
pe_int8_block(int k)
{
    int block = 256;
    while (block > 1 && (block - k % block) % block > k / 32)
        block /= 2;
    return block;
}

// Columns with the zeros behind them.
static inline int
pe_int8_length(int k)
{
    int block = pe_int8_block(k);
    return (k + block - 1) / block * block;
}

// Steps of a row's largest value.
static inline float
pe_int8_limit(const PeCpu *cpu, int k)
{
    int steps = INT32_MAX / 127 / pe_int8_length(k);
    int most = cpu->int8_row_bytes == 1 ? INT8_MAX : INT16_MAX;
    return (float)(steps < most ? steps : most);
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

// Rows of bytes are unsigned, and so much larger.
#define PE_INT8_OFFSET 128

// Smaller rows are zeros: their scale would not be a number.
#define PE_INT8_LEAST 1e-30f

// One step of a row with these numbers, and its inverse; NAN when the row is
// not finite.
static inline float
pe_int8_step(float most, bool finite, float limit, float *inverse)
{
    *inverse = most < PE_INT8_LEAST ? 0 : limit / most;
    if (!finite)
        return NAN;
    return most < PE_INT8_LEAST ? 0 : most / limit;
}

// Columns of a word: rows have words of four bytes.
static inline int
pe_int8_per_word(const PeCpu *cpu)
{
    return 4 / cpu->int8_row_bytes;
}

// Panels have `int8_columns` columns: with n columns of W a word, byte j % n of
// word j / n of column c is at ((j / n) * int8_columns + c) * n + j % n.
//   returns  bytes of one
static inline size_t
pe_int8_panel_size(const PeCpu *cpu, int k)
{
    int n = pe_int8_per_word(cpu);
    int n_words = (pe_int8_length(k) + n - 1) / n;
    return (size_t)n_words * (size_t)n * (size_t)cpu->int8_columns;
}

// int8_turn of PeCpu in plain C, for any block.
void pe_int8_turn_c(float *row, int length, int block);

// Puts linear layers of that kind into the table: those of the instruction set,
// which *_simd.c have named, or plain C.
void pe_int8_init(PeCpu *cpu);
