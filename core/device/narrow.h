// SPDX-License-Identifier: LGPL-2.1-or-later
//
// narrow.h - linear layers of 8-bit floats (E4M3): what the towers fold into
// the weights and what every device does with them. Only layers of the blocks,
// and only where a backend's `narrow` is not its `act`.
//
//   g[j]   the gain of channel j of the layer's input, a power of two: the
//          largest with g[j] max |x[j]| <= 400, where the maximum is one that
//          follows from the weights, whatever the picture
//   p[j]   = e4m3(g[j] x[j])                  what the layer reads
//   V[i,j] = W[i,j] / g[j]                    folded by the towers
//   c      a power of two, the largest with c max |V| <= 448
//   Q[i,j] = e4m3(c V[i,j])                   by linear_new()
//   y[i]   = sum_j p[j] Q[i,j] / c + b[i]     sums in f32, b not rounded below
//                                             the type of y
//
// Floats keep their relative precision over a range of 2^15, so that neither
// outliers nor bounds that are never met cost the other channels anything. No
// data is needed, nothing saturates, and the powers of two change no other
// rounding. Who multiplies with the gains:
//
//   a norm       one gain for all channels: no channel of a normalised row is
//                larger than sqrt(d)
//   attention    mixes v with weights that sum to one: the gains are folded
//                into v's rows of the layer before
//   GELU         is never larger than its argument: multiplies by the gains
//                that linear_new() was given
//
// Rows of f32, like the stream that RESIDUAL adds to, have no gains.

#pragma once

#include <math.h>

// The largest E4M3.
#define PE_E4M3_MOST 448.0f

// What a bound may reach: the numbers that it is made of are rounded, too.
#define PE_NARROW_ROOM 400.0f

// The largest power of two that keeps `most` times it within `room`.
static inline float
pe_narrow_gain(float most, float room)
{
    float least = room * 0x1p-64f; // also when there is nothing
    return ldexpf(1, ilogbf(room / fmaxf(most, least)));
}

// That of a normalised row [d].
static inline float
pe_narrow_norm_gain(int d)
{
    return pe_narrow_gain(sqrtf((float)d), PE_NARROW_ROOM);
}
