// SPDX-License-Identifier: LGPL-2.1-or-later
//
// search.h - a search with one of the inner loops. Private to this folder and
// its tests.

#pragma once

#include "core/base/dots.h"
#include "core/pe.h"

// pe_search() with this inner loop.
void pe_search_with(PeDotsFunc dots, const PeRows *rows, const PeSearch *search,
                    PeHit *hits, int *n_hits);
