// SPDX-License-Identifier: LGPL-2.1-or-later
//
// dots.h - inner loops that no device has to do with: rows of half floats times
// queries, for searches and for scores among very many labels, and products of
// weights while a model is loaded. Private to core.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PE_PANEL 16      // columns
#define PE_DOTS_ROWS 120 // most rows of one call
#define PE_DOTS_AHEAD 12 // most rows that are fetched for the next one

// The inner loops of one instruction set.
typedef struct {
    // out [n_queries, PE_DOTS_ROWS]: the dot products of n_rows rows [dim] with
    // queries [n_queries, dim], summed in single precision in any order.
    // Another n_ahead rows follow in `rows`, which the next call begins with.
    void (*dots)(const uint16_t *const *rows, int n_rows, int n_ahead,
                 const float *queries, int n_queries, int dim, float *out);
    // One dot product in double precision: the same bits in every set. Not
    // finite when a value of the row is not.
    double (*dot_exact)(const uint16_t *row, const float *query, int dim);
    // floats[i] = halves[i] for whole vectors of the n. Returns how many that
    // are.
    size_t (*to_floats)(const uint16_t *halves, size_t n, float *floats);
    // out [m, PE_PANEL] = a [m, k], whose rows are a_row values apart, times
    // panel [k, PE_PANEL], summed in single precision in any order.
    void (*multiply_panel)(const float *a, size_t a_row, int m,
                           const float *panel, int k, float *out);
} PeDotsLoops;

typedef enum { PE_DOTS_C, PE_DOTS_AVX2, PE_DOTS_AVX512, PE_DOTS_N } PeDots;

// NULL when this machine or this build cannot run it.
const PeDotsLoops *pe_dots_loops(PeDots variant);
// The fastest one.
PeDots pe_dots_best(void);

// The definition in plain C, and what is compiled from dots_simd.c where the
// processor's family has it.
extern const PeDotsLoops pe_dots_loops_c, pe_dots_loops_avx2,
    pe_dots_loops_avx512;
