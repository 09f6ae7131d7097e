// SPDX-License-Identifier: LGPL-2.1-or-later
//
// score_simd.c - see score_simd.h. Compiled once per instruction set, and once
// for any; PE_SCORE_LOOPS names the result.
//
// One vector is bound by memory: its tile is four rows, which are four streams
// to prefetch. Of several vectors, a tile has as many sums as fill the
// registers with its operands. Its vectors stay in the first cache while the
// rows of a group pass them, and the group in the second while all vectors do.
// They are copied there into one stream: lines that are a multiple of 4 KiB
// apart, as those of 1024 values, would push each other out.
//
// A sum has the same bits whatever tile it is of: every step is fused(), of
// whole vectors, the last one with zeros behind what is left.

#include "score_simd.h"

#include <stdint.h>
#include <string.h>

#include "core/base/vec.h"

// Rows and vectors of a tile, of 16 or 32 registers.
#ifdef __AVX512F__
#define TILE_ROWS 4
#define TILE_VECTORS 6
#else
#define TILE_ROWS 3
#define TILE_VECTORS 4
#endif
#define VD (VF / 2)   // doubles in a vector
#define ROWS_ALONE 4  // of a tile of one vector
#define GROUP_ROWS 36 // a multiple of TILE_ROWS

typedef double VecDouble __attribute__((vector_size(8 * VD)));
typedef int64_t VecLong __attribute__((vector_size(8 * VD)));

// ---- Products -------------------------------------------------------------

INLINE float
sum_in_halves(Vec v)
{
    float s[VF];
    memcpy(s, &v, sizeof s);
    for (int width = VF / 2; width > 0; width /= 2) {
        for (int i = 0; i < width; i++)
            s[i] += s[i + width];
    }
    return s[0];
}

// n_rows and n_x are constant where this is inlined, so that all sums stay in
// registers. packed: of x, by pack().
INLINE void
tile(const float *m, const int n_rows, const float *x, const float *packed,
     const int n_x, size_t dim, float *y, size_t stride)
{
    Vec sums[4][6], left[4];
    for (int r = 0; r < n_rows; r++) {
        for (int q = 0; q < n_x; q++)
            sums[r][q] = (Vec){0};
    }
    size_t k = 0;
    for (; k + VF <= dim; k += VF) {
#pragma GCC unroll 4
        for (int r = 0; r < n_rows; r++)
            left[r] = load(m + (size_t)r * dim + k);
#pragma GCC unroll 6
        for (int q = 0; q < n_x; q++) {
            Vec right = load(packed + k * (size_t)n_x + (size_t)(q * VF));
#pragma GCC unroll 4
            for (int r = 0; r < n_rows; r++)
                sums[r][q] = fused(left[r], right, sums[r][q]);
        }
    }
    for (int q = 0; q < n_x; q++) {
        Vec rest = load_n(x + (size_t)q * dim + k, dim - k);
        for (int r = 0; r < n_rows; r++) {
            if (k < dim)
                sums[r][q] = fused(load_n(m + (size_t)r * dim + k, dim - k),
                                   rest, sums[r][q]);
            y[(size_t)q * stride + (size_t)r] = sum_in_halves(sums[r][q]);
        }
    }
}

static void
multiply_one(const float *m, size_t n, const float *x, size_t dim, float *y)
{
    size_t i = 0;
    for (; i + ROWS_ALONE <= n; i += ROWS_ALONE)
        tile(m + i * dim, ROWS_ALONE, x, x, 1, dim, y + i, 0);
    for (; i < n; i++)
        tile(m + i * dim, 1, x, x, 1, dim, y + i, 0);
}

// Vectors of a tile, [dim / VF, TILE_VECTORS, VF].
static void
pack(const float *x, size_t dim, float *packed)
{
    for (size_t k = 0; k + VF <= dim; k += VF) {
        for (size_t q = 0; q < TILE_VECTORS; q++) {
            memcpy(packed, x + q * dim + k, sizeof(Vec));
            packed += VF;
        }
    }
}

// A group of rows and as many vectors as a tile has.
static void
multiply_group(const float *m, size_t n, const float *x, const float *packed,
               size_t dim, float *y, size_t stride)
{
    size_t i = 0;
    for (; i + TILE_ROWS <= n; i += TILE_ROWS)
        tile(m + i * dim, TILE_ROWS, x, packed, TILE_VECTORS, dim, y + i,
             stride);
    for (; i < n; i++)
        tile(m + i * dim, 1, x, packed, TILE_VECTORS, dim, y + i, stride);
}

// n_x is a multiple of TILE_VECTORS, and at most PE_SCORE_BLOCK.
static void
multiply_block(const float *m, size_t n, const float *x, size_t n_x, size_t dim,
               float *packed, float *y, size_t stride)
{
    for (size_t j = 0; j < n_x; j += TILE_VECTORS)
        pack(x + j * dim, dim, packed + j * dim);
    for (size_t i = 0; i < n; i += GROUP_ROWS) {
        size_t rows = n - i < GROUP_ROWS ? n - i : GROUP_ROWS;
        for (size_t j = 0; j < n_x; j += TILE_VECTORS)
            multiply_group(m + i * dim, rows, x + j * dim, packed + j * dim,
                           dim, y + j * stride + i, stride);
    }
}

static void
multiply(const float *m, size_t n, const float *x, size_t n_x, size_t dim,
         float *scratch, float *y, size_t stride)
{
    size_t n_tiled = n_x / TILE_VECTORS * TILE_VECTORS, j = 0, count;
    for (; j < n_tiled; j += count) {
        count = n_tiled - j < PE_SCORE_BLOCK ? n_tiled - j : PE_SCORE_BLOCK;
        multiply_block(m, n, x + j * dim, count, dim, scratch, y + j * stride,
                       stride);
    }
    for (; j < n_x; j++)
        multiply_one(m, n, x + j * dim, dim, y + j * stride);
}

// ---- Logits ---------------------------------------------------------------

// Without a branch that no vector could take; a NaN stays one.
static void
scale_cosines(float *cosines, size_t n, double scale, double *logits)
{
    for (size_t i = 0; i < n; i++) {
        float x = cosines[i];
        x = x > 1 ? 1 : x;
        x = x < -1 ? -1 : x;
        cosines[i] = x;
        logits[i] = scale * (double)x;
    }
}

// ---- Exponentials ---------------------------------------------------------

// x = k ln 2 + r, |r| <= ln 2 / 2, and the Taylor series of e^r up to r^13. The
// two parts of ln 2 have 33 and 53 bits, so that k times the first is exact.
INLINE VecDouble
exp_of(VecDouble x)
{
    const double shift = 0x1.8p52; // rounds to an integer
    VecDouble shifted = x * 0x1.71547652b82fep+0 + shift;
    VecDouble k = shifted - shift;
    VecDouble r = x - k * 0x1.62e42fee00000p-1;
    r -= k * 0x1.a39ef35793c76p-33;
    VecDouble p = r * (1 / 6227020800.0) + 1 / 479001600.0;
    p = p * r + 1 / 39916800.0;
    p = p * r + 1 / 3628800.0;
    p = p * r + 1 / 362880.0;
    p = p * r + 1 / 40320.0;
    p = p * r + 1 / 5040.0;
    p = p * r + 1 / 720.0;
    p = p * r + 1 / 120.0;
    p = p * r + 1 / 24.0;
    p = p * r + 1 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1;
    p = p * r + 1;
    VecLong power = ((VecLong)shifted + 1023) << 52;
    VecLong normal = x >= -708.0;
    return (VecDouble)((VecLong)(p * (VecDouble)power) & normal);
}

INLINE VecDouble
share_vector(const double *logits, double most, double *shares, size_t size)
{
    VecDouble x = (VecDouble){0} + most - 1000; // what is not there is 0
    memcpy(&x, logits, size);
    x = exp_of(x - most);
    memcpy(shares, &x, size);
    return x;
}

static double
share_out(const double *logits, size_t n, double most, double *shares)
{
    VecDouble sums = {0};
    double sum = 0;
    size_t i = 0;
    for (; i + VD <= n; i += VD)
        sums += share_vector(logits + i, most, shares + i, sizeof sums);
    if (i < n)
        sums += share_vector(logits + i, most, shares + i,
                             (n - i) * sizeof *logits);
    for (int k = 0; k < VD; k++)
        sum += sums[k];
    return sum;
}

const PeScoreLoops PE_SCORE_LOOPS = {multiply, scale_cosines, share_out};
