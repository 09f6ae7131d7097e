// SPDX-License-Identifier: LGPL-2.1-or-later
//
// search.h - a search with the inner loops of one instruction set. Private to
// this folder and its tests.

#pragma once

#include "core/base/dots.h"
#include "core/pe.h"

// pe_search() with these inner loops.
void pe_search_with(const PeDotsLoops *loops, const PeRows *rows,
                    const PeSearch *search, PeHit *hits, int *n_hits);
