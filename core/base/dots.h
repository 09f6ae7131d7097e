// SPDX-License-Identifier: LGPL-2.1-or-later
//
// dots.h - rows of half floats times queries: the inner loop of a search, and
// of scores among very many labels. Private to core.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PE_DOTS_ROWS 128 // most rows of one call

// out [n_queries, PE_DOTS_ROWS]: the dot products of n_rows rows [dim] with
// queries [n_queries, dim], summed in single precision in any order.
typedef void (*PeDotsFunc)(const uint16_t *const *rows, int n_rows,
                           const float *queries, int n_queries, int dim,
                           float *out);

typedef enum { PE_DOTS_C, PE_DOTS_AVX2, PE_DOTS_AVX512, PE_DOTS_N } PeDots;

// NULL when this machine or this build cannot run it.
PeDotsFunc pe_dots_func(PeDots variant);
// The fastest one.
PeDots pe_dots_best(void);

// floats[i] = halves[i] for whole vectors of the n. Returns how many that are.
typedef size_t (*PeHalvesFunc)(const uint16_t *halves, size_t n, float *floats);

// NULL when this machine or this build has no such instructions.
PeHalvesFunc pe_halves_func(PeDots variant);

// The definition: one dot product in double precision. NaN when a value of the
// row is not finite.
double pe_dot_exact(const uint16_t *row, const float *query, int dim);

// Compiled from dots_simd.c, where the processor's family has them.
void pe_dots_avx2(const uint16_t *const *rows, int n_rows, const float *queries,
                  int n_queries, int dim, float *out);
void pe_dots_avx512(const uint16_t *const *rows, int n_rows,
                    const float *queries, int n_queries, int dim, float *out);
size_t pe_halves_avx2(const uint16_t *halves, size_t n, float *floats);
size_t pe_halves_avx512(const uint16_t *halves, size_t n, float *floats);
