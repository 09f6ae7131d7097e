// SPDX-License-Identifier: LGPL-2.1-or-later
//
// product_simd.h - the one inner loop of all matrix products: a few rows times
// one packed panel of TILE_COLS columns. Linear layers, scores and sums of
// values are made of it.
//
// A panel is [n_words, TILE_COLS] words: word w of column c holds elements
// k = 2w, 2w + 1 (bf16) or k = w (f32) of that column.

#pragma once

#include "simd.h"

// c [rows, TILE_COLS] = a x panel, rows <= TILE_ROWS and constant where this is
// inlined, so that all sums stay in registers.
INLINE void
tile(PeDtype type, int rows, float *c, size_t c_stride, const char *a,
     size_t a_stride, const uint32_t *panel, int n_words)
{
    Vec left[TILE_ROWS], right[TILE_ROWS];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++)
        left[i] = right[i] = splat(0);
    for (int w = 0; w < n_words; w++) {
        VecWord b0, b1;
        memcpy(&b0, panel + (size_t)w * TILE_COLS, sizeof b0);
        memcpy(&b1, panel + (size_t)w * TILE_COLS + VF, sizeof b1);
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++) {
            uint32_t word;
            memcpy(&word, a + i * a_stride + (size_t)w * 4, sizeof word);
            VecWord x = splat_word(word);
            left[i] = dot(type, left[i], x, b0);
            right[i] = dot(type, right[i], x, b1);
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
        store(c + i * c_stride, left[i]);
        store(c + i * c_stride + VF, right[i]);
    }
}

// c [rows, TILE_COLS] f32 = a x panel for any number of rows. a_stride counts
// bytes, c_stride elements.
INLINE void
multiply_panel(PeDtype type, int rows, float *c, size_t c_stride, const char *a,
               size_t a_stride, const uint32_t *panel, int n_words)
{
    int i = 0;
    for (; i + TILE_ROWS <= rows; i += TILE_ROWS)
        tile(type, TILE_ROWS, c + i * c_stride, c_stride, a + i * a_stride,
             a_stride, panel, n_words);
    for (; i + 4 <= rows; i += 4)
        tile(type, 4, c + i * c_stride, c_stride, a + i * a_stride, a_stride,
             panel, n_words);
    for (; i < rows; i++)
        tile(type, 1, c + i * c_stride, c_stride, a + i * a_stride, a_stride,
             panel, n_words);
}

// Words of k elements.
INLINE int
words_of(PeDtype type, int k)
{
    return type == PE_DTYPE_BF16 ? (k + 1) / 2 : k;
}
