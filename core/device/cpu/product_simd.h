// SPDX-License-Identifier: LGPL-2.1-or-later
//
// product_simd.h - the one inner loop of all matrix products: a few rows times
// one packed panel of TILE_COLS columns. Linear layers, scores and sums of
// values are made of it.
//
// A panel is [n_words, TILE_COLS] words: word w of column c holds elements
// k = 2w, 2w + 1 (bf16) or k = w (f32) of that column. With type i16 a panel
// has pairs of signed bytes instead, which become words of two i16 when they
// are loaded, the rows have words of two i16, and sums are i32 in the place of
// f32. With u8, which only VNNI has, words have four signed bytes in a panel
// and four unsigned ones in a row.

#pragma once

#include "simd.h"

// What is multiplied with panels: word w of row i is at i * row + w * word
// bytes.
typedef struct {
    const char *at;
    size_t row, word;
} Left;

// c [rows, TILE_COLS] = add + a x panel. `add` NULL: 0.
// rows <= TILE_ROWS and constant where this is inlined, so that all sums stay
// in registers.
INLINE void
tile(PeDtype type, int rows, const float *add, size_t add_stride, float *c,
     size_t c_stride, Left a, const void *panel, int n_words)
{
    Vec left[TILE_ROWS], right[TILE_ROWS];
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
        left[i] = add ? load(add + i * add_stride) : splat(0);
        right[i] = add ? load(add + i * add_stride + VF) : splat(0);
    }
#pragma GCC unroll 4
    for (int w = 0; w < n_words; w++) {
        VecWord b0 = load_words(type, panel, (size_t)w * TILE_COLS);
        VecWord b1 = load_words(type, panel, (size_t)w * TILE_COLS + VF);
#pragma GCC unroll 12
        for (int i = 0; i < rows; i++) {
            uint32_t word;
            memcpy(&word, a.at + i * a.row + (size_t)w * a.word, sizeof word);
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

// The same for any rows <= TILE_ROWS.
INLINE void
tile_of(PeDtype type, int rows, const float *add, size_t add_stride, float *c,
        size_t c_stride, Left a, const void *panel, int n_words)
{
#define CASE(n) \
    case n: \
        tile(type, n, add, add_stride, c, c_stride, a, panel, n_words); \
        break;
    switch (rows) {
        CASE(1)
        CASE(2)
        CASE(3)
        CASE(4)
        CASE(5)
        CASE(6)
#if TILE_ROWS > 6
        CASE(7)
        CASE(8)
        CASE(9)
        CASE(10)
        CASE(11)
        CASE(12)
#endif
    }
#undef CASE
}

// c [rows, TILE_COLS] f32 = a x panel for any number of rows of words that are
// beside each other, a_row bytes from row to row. c_stride counts elements. A
// function that is called, because each copy of all cases above takes the
// compiler seconds.
#define MULTIPLY_PANEL(name, type) \
    static __attribute__((noinline, unused)) void name( \
        int rows, float *c, size_t c_stride, const char *a, size_t a_row, \
        const uint32_t *panel, int n_words) \
    { \
        for (int i = 0; i < rows; i += TILE_ROWS) \
            tile_of(type, MIN(TILE_ROWS, rows - i), NULL, 0, c + i * c_stride, \
                    c_stride, (Left){a + (size_t)i * a_row, a_row, 4}, panel, \
                    n_words); \
    }

MULTIPLY_PANEL(multiply_panel_f32, PE_DTYPE_F32)
MULTIPLY_PANEL(multiply_panel_bf16, PE_DTYPE_BF16)
#undef MULTIPLY_PANEL

INLINE void
multiply_panel(PeDtype type, int rows, float *c, size_t c_stride, const char *a,
               size_t a_row, const uint32_t *panel, int n_words)
{
    if (type == PE_DTYPE_BF16)
        multiply_panel_bf16(rows, c, c_stride, a, a_row, panel, n_words);
    else
        multiply_panel_f32(rows, c, c_stride, a, a_row, panel, n_words);
}

// Words of k elements.
INLINE int
words_of(PeDtype type, int k)
{
    if (type == PE_DTYPE_U8)
        return (k + 3) / 4;
    return type == PE_DTYPE_F32 ? k : (k + 1) / 2;
}

// Four rows of words, `row` bytes from one to the next, become columns: word w
// of all is at to + w * stride.
INLINE void
pack_four(const char *from, size_t row, int n_words, uint32_t *to,
          size_t stride)
{
    int w = 0;
    for (; w + VF <= n_words; w += VF) {
        VecWord words[4];
        for (int r = 0; r < 4; r++)
            memcpy(words + r, from + (size_t)r * row + (size_t)w * 4,
                   sizeof *words);
        store_columns(to + (size_t)w * stride, stride, words);
    }
    for (; w < n_words; w++) {
        for (int r = 0; r < 4; r++)
            memcpy(to + (size_t)w * stride + r,
                   from + (size_t)r * row + (size_t)w * 4, 4);
    }
}

// n <= TILE_ROWS rows of words, `row` bytes from one to the next, to the
// columns of a packed tile.
INLINE void
pack_rows(const char *from, size_t row, int n, int n_words, uint32_t *to)
{
    int r = 0;
    for (; r + 4 <= n; r += 4)
        pack_four(from + (size_t)r * row, row, n_words, to + r, TILE_ROWS);
    for (; r < n; r++) {
        for (int w = 0; w < n_words; w++)
            memcpy(to + (size_t)w * TILE_ROWS + r,
                   from + (size_t)r * row + (size_t)w * 4, 4);
    }
}
