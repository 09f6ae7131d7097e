// SPDX-License-Identifier: LGPL-2.1-or-later
//
// dots_simd.c - see dots.h. Compiled once per instruction set; PE_LOOPS
// names the result.
//
// One query is bound by memory. Rows that follow each other are read one by
// one, which the processor foresees; others STREAMS at once, so that it waits
// for all of them together. With several queries a row is converted once for
// four of them. Rows go in blocks, which stay in a cache for the next four
// queries, and every pass over a block fetches its share of the next one beside
// the arithmetic, so that no pass waits for memory and none leaves it idle.

#include "dots.h"

#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#include "vec.h"

// HIGH rows and four queries: their sums, the rows and a query fill the 32 (16)
// registers.
#ifdef __AVX512F__
#define HIGH 6
#else
#define HIGH 2
#endif
#define PANEL_ROWS (HIGH + 2) // whose sums fill the registers, too
#define STREAMS 8             // rows that are read at once
#define BLOCK PE_DOTS_AHEAD   // rows, a multiple of HIGH
#define LINE 32               // half floats of a cache line
#define L2 2                  // where they wait: the first cache has no room

INLINE Vec
load_half(const uint16_t *p)
{
#ifdef __AVX512F__
    return (Vec)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
#else
    return (Vec)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
#endif
}

// What is behind the last whole vector.
static float
sum_rest(const uint16_t *row, const float *query, int from, int dim)
{
    uint16_t h[VF] = {0};
    size_t n = (size_t)(dim - from);
    memcpy(h, row + from, n * sizeof *h);
    return sum_of(load_half(h) * load_n(query + from, n));
}

// Two sums, so that neither waits for itself.
static float
dot(const uint16_t *row, const float *query, int dim)
{
    Vec even = {0}, odd = {0};
    int i = 0;
    for (; i + 2 * VF <= dim; i += 2 * VF) {
        even = fused(load_half(row + i), load(query + i), even);
        odd = fused(load_half(row + i + VF), load(query + i + VF), odd);
    }
    if (i + VF <= dim) {
        even = fused(load_half(row + i), load(query + i), even);
        i += VF;
    }
    return sum_of(even + odd) + (i < dim ? sum_rest(row, query, i, dim) : 0);
}

// Column i and those in the same vector. n_rows and n_queries are constant
// where this is inlined, so that all sums stay in registers.
INLINE void
add_products(Vec sums[][4], const uint16_t *const *rows, const int n_rows,
             const float *queries, const int n_queries, int dim, int i)
{
#pragma GCC unroll 8
    for (int r = 0; r < n_rows; r++) {
        Vec x = load_half(rows[r] + i);
#pragma GCC unroll 4
        for (int q = 0; q < n_queries; q++)
            sums[r][q] = fused(x, load(queries + (size_t)q * (size_t)dim + i),
                               sums[r][q]);
    }
}

// The n_next rows of `next` are fetched.
INLINE void
tile(const uint16_t *const *rows, const int n_rows, const uint16_t *const *next,
     int n_next, const float *queries, const int n_queries, int dim, float *out)
{
    Vec sums[STREAMS][4];
    int i = 0, whole = dim / VF * VF;
    for (int r = 0; r < n_rows; r++) {
        for (int q = 0; q < n_queries; q++)
            sums[r][q] = (Vec){0};
    }
    for (; i + LINE <= whole; i += LINE) {
        for (int k = 0; k < n_next; k++)
            __builtin_prefetch(next[k] + i, 0, L2);
#pragma GCC unroll 4
        for (int k = i; k < i + LINE; k += VF)
            add_products(sums, rows, n_rows, queries, n_queries, dim, k);
    }
    for (; i < whole; i += VF)
        add_products(sums, rows, n_rows, queries, n_queries, dim, i);
    for (int r = 0; r < n_rows; r++) {
        for (int q = 0; q < n_queries; q++) {
            const float *query = queries + (size_t)q * (size_t)dim;
            float rest = whole < dim ? sum_rest(rows[r], query, whole, dim) : 0;
            out[q * PE_DOTS_ROWS + r] = sum_of(sums[r][q]) + rest;
        }
    }
}

// Four queries and the rows of a block.
static void
pass(const uint16_t *const *rows, int n_rows, const uint16_t *const *next,
     int n_next, const float *queries, int dim, float *out)
{
    int r = 0, n_tiles = n_rows / HIGH;
    for (int t = 0; t < n_tiles; t++, r += HIGH) {
        int from = n_next * t / n_tiles, end = n_next * (t + 1) / n_tiles;
        tile(rows + r, HIGH, next + from, end - from, queries, 4, dim, out + r);
    }
    for (; r < n_rows; r++)
        tile(rows + r, 1, NULL, 0, queries, 4, dim, out + r);
}

static bool
follow_each_other(const uint16_t *const *rows, int n_rows, int dim)
{
    for (int r = 1; r < n_rows; r++) {
        if (rows[r] != rows[r - 1] + dim)
            return false;
    }
    return true;
}

static void
one_query(const uint16_t *const *rows, int n_rows, int n_ahead,
          const float *query, int dim, float *out)
{
    for (int b = 0; b < n_rows; b += STREAMS) {
        int left = n_rows - b, n = left < STREAMS ? left : STREAMS;
        int n_next = left + n_ahead - n;
        n_next = n_next < STREAMS ? n_next : STREAMS;
        if (n == STREAMS && !follow_each_other(rows + b, n, dim)) {
            tile(rows + b, STREAMS, rows + b + n, n_next, query, 1, dim,
                 out + b);
            continue;
        }
        for (int r = b; r < b + n; r++)
            out[r] = dot(rows[r], query, dim);
    }
}

static void
dots(const uint16_t *const *rows, int n_rows, int n_ahead, const float *queries,
     int n_queries, int dim, float *out)
{
    const int n_passes = n_queries / 4;
    for (int b = 0; b < n_rows; b += BLOCK) {
        int n = n_rows - b < BLOCK ? n_rows - b : BLOCK;
        int left = n_rows + n_ahead - b - n;
        int n_next = left < BLOCK ? left : BLOCK;
        for (int i = 0; i < n_passes; i++) {
            int from = n_next * i / n_passes, end = n_next * (i + 1) / n_passes;
            pass(rows + b, n, rows + b + n + from, end - from,
                 queries + 4 * (size_t)i * (size_t)dim, dim,
                 out + 4 * i * PE_DOTS_ROWS + b);
        }
    }
    for (int q = 4 * n_passes; q < n_queries; q++)
        one_query(rows, n_rows, n_ahead, queries + (size_t)q * (size_t)dim, dim,
                  out + q * PE_DOTS_ROWS);
}

// Products of a half and a single are exact in double precision, and the sums
// are those of dots.c in its order.
static double
dot_exact(const uint16_t *row, const float *query, int dim)
{
    typedef double Doubles __attribute__((vector_size(64)));
    Doubles sums = {0};
    double sum = 0;
    int i = 0;
    for (; i + 8 <= dim; i += 8) {
        __m256 r = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(row + i)));
        __m256 q = _mm256_loadu_ps(query + i);
        sums += __builtin_convertvector(r, Doubles) *
                __builtin_convertvector(q, Doubles);
    }
    for (; i < dim; i++)
        sum += (double)_cvtsh_ss(row[i]) * (double)query[i];
    for (int k = 0; k < 8; k++)
        sum += sums[k];
    return sum;
}

static size_t
to_floats(const uint16_t *halves, size_t n, float *floats)
{
    size_t i = 0;
    for (; i + VF <= n; i += VF) {
        Vec v = load_half(halves + i);
        memcpy(floats + i, &v, sizeof v);
    }
    return i;
}

// n_rows is constant where this is inlined.
INLINE void
multiply_rows(const float *a, size_t a_row, const int n_rows,
              const float *panel, int k, float *out)
{
    enum { WIDTH = PE_PANEL / VF };
    Vec sums[PANEL_ROWS][WIDTH];
    for (int r = 0; r < n_rows; r++) {
        for (int c = 0; c < WIDTH; c++)
            sums[r][c] = (Vec){0};
    }
    for (int j = 0; j < k; j++) {
#pragma GCC unroll 8
        for (int r = 0; r < n_rows; r++) {
            Vec x = a[(size_t)r * a_row + (size_t)j] - (Vec){0};
#pragma GCC unroll 2
            for (int c = 0; c < WIDTH; c++)
                sums[r][c] =
                    fused(x, load(panel + j * PE_PANEL + c * VF), sums[r][c]);
        }
    }
    memcpy(out, sums, (size_t)n_rows * sizeof sums[0]);
}

static void
multiply_panel(const float *a, size_t a_row, int m, const float *panel, int k,
               float *out)
{
    int r = 0;
    for (; r + PANEL_ROWS <= m; r += PANEL_ROWS)
        multiply_rows(a + (size_t)r * a_row, a_row, PANEL_ROWS, panel, k,
                      out + (size_t)r * PE_PANEL);
    for (; r < m; r++)
        multiply_rows(a + (size_t)r * a_row, a_row, 1, panel, k,
                      out + (size_t)r * PE_PANEL);
}

const PeDotsLoops PE_LOOPS = {dots, dot_exact, to_floats, multiply_panel};
