// SPDX-License-Identifier: LGPL-2.1-or-later
//
// int8.h - linear layers with weights of 8 bits: the description that all
// backends share. For backends only.
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
// bits, and exact. No data is needed. Sources: Xiao et al., SmoothQuant, 2022,
// for the square root, and Ashkboos et al., QuaRot, 2024, for the rotation.
//
// Layers outside of the blocks stay as they are: the patches' before the first
// one, and the pool's, the head's and the projection's after the last.

#pragma once

#include <math.h>

#include "core/device/backend.h"

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

// Is it one of a block, whose rows are not too long for the backend?
static inline bool
pe_int8_takes(const PeLinearParams *params, int max_length)
{
    return pe_int8_length(params->k_padded) <= max_length &&
           (params->epilogue == PE_EPILOGUE_ROPE ||
            params->epilogue == PE_EPILOGUE_GELU ||
            params->epilogue == PE_EPILOGUE_RESIDUAL);
}

// Adds a row of the weight to w [k] of its columns.
static inline void
pe_int8_add_row(const float *row, int k, float *w)
{
    float total = 0;
    for (int j = 0; j < k; j++)
        total += fabsf(row[j]);
    for (int j = 0; total > 0 && j < k; j++)
        w[j] += fabsf(row[j]) / total;
}

// s of a column, whose sign is the finalizer of MurmurHash3. 0 behind the last.
static inline float
pe_int8_scale(const PeLinearParams *params, int column, float weight)
{
    if (column >= params->weight.shape[1])
        return 0;
    uint32_t h = (uint32_t)column + 1;
    h = (h ^ h >> 16) * 0x85ebca6b;
    h = (h ^ h >> 13) * 0xc2b2ae35;
    float sign = (h ^ h >> 16) & 1 ? -1 : 1;
    return sqrtf(params->in_size ? weight / params->in_size[column] : weight) *
           sign;
}

// A number that, added to one within 2^22 of 0, leaves an integer in the low
// bits: PE_INT8_ZERO + p.
#define PE_INT8_MAGIC 12582912.0f // 1.5 * 2^23
#define PE_INT8_ZERO 0x4b400000

// Smaller rows are zeros: their scale would not be a number.
#define PE_INT8_LEAST 1e-30f
