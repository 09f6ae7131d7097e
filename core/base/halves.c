// SPDX-License-Identifier: LGPL-2.1-or-later
//
// halves.c - floats as the rows of dots.h, and back. See pesearch.h.

#include "core/pe.h"

#include "core/base/dots.h"
#include "core/base/tensor.h"

void
pe_halves_from_floats(const float *floats, size_t n, uint16_t *halves)
{
    for (size_t i = 0; i < n; i++)
        halves[i] = pe_f16_from_f32(floats[i]);
}

void
pe_halves_to_floats(const uint16_t *halves, size_t n, float *floats)
{
    size_t i = pe_dots_loops(pe_dots_best())->to_floats(halves, n, floats);
    for (; i < n; i++)
        floats[i] = pe_f16_to_f32(halves[i]);
}
