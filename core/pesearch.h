// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pesearch.h - the nearest of very many stored vectors. A part of pe.h, which
// includes it.

#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

G_BEGIN_DECLS
#pragma GCC visibility push(default)

// Unit vectors as half floats (IEEE 754 binary16), one behind the other.
typedef struct {
    const uint16_t *values; // [n, dim]
    size_t n;
    int dim;
} PeRows;

// Round n floats to the nearest half floats, and back, which is exact.
void pe_halves_from_floats(const float *floats, size_t n, uint16_t *halves);
void pe_halves_to_floats(const uint16_t *halves, size_t n, float *floats);

typedef struct {
    const float *queries; // [n_queries, dim], of unit length
    int n_queries;
    int top_k; // of each query, >= 1
    // Look at these rows only: row numbers in ascending order. NULL: at all.
    const uint64_t *selected;
    size_t n_selected;
    int n_threads; // 0: all cores
} PeSearch;

typedef struct {
    uint64_t row;
    float similarity; // cosine, [-1, 1] but for the rounding of the row
} PeHit;

// Compare every row with every query: exact, not an index that may miss some.
// The best are what sums in double precision say they are; among equals the
// lower row comes first. A row with a value that is not finite is never a hit.
//   hits    [n_queries, top_k]  best first
//   n_hits  [n_queries]  how many; fewer than top_k only when there are fewer
//           rows
void pe_search(const PeRows *rows, const PeSearch *search, PeHit *hits,
               int *n_hits);

#pragma GCC visibility pop
G_END_DECLS
