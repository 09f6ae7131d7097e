// SPDX-License-Identifier: LGPL-2.1-or-later
//
// hits.h - the best so far of a search. Private to this folder.

#pragma once

#include <stdbool.h>
#include <stdint.h>

// Compared as they were summed, in double precision.
typedef struct {
    uint64_t row;
    double similarity;
} PeCandidate;

// A heap whose top is the worst of the best.
typedef struct {
    PeCandidate *items; // [size], borrowed
    int n, size;
} PeBest;

// What a row must reach to be looked at; -infinity while there is room.
double pe_best_get_limit(const PeBest *best);
// Keep it if it is one of the best.
void pe_best_add(PeBest *best, PeCandidate item);
// Best first; the heap is one no longer.
void pe_best_sort(PeBest *best);
