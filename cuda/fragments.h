// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fragments.h - from the fragments of the matrix units to rows in memory.

#pragma once

#include "cuda/device.h"

// What two lanes have of two fragments side by side, 8 columns each, becomes
// four neighbours of the first fragment in one lane and four of the second in
// the other. Returns how far behind this lane's columns of the first fragment
// they begin.
PE_DEVICE int
trade_fragments(float (&v)[4], const float (&a)[2], const float (&b)[2])
{
    const bool odd = threadIdx.x & 1;
#pragma unroll
    for (int j = 0; j < 2; j++) {
        const float other = pe_shuffle_xor(odd ? a[j] : b[j], 1);
        v[j] = odd ? other : a[j];
        v[2 + j] = odd ? b[j] : other;
    }
    return odd ? 6 : 0;
}

// `y` is where this lane's columns of the first fragment begin.
template <typename T>
PE_DEVICE void
store_fragments(T *y, bool ok, const float (&a)[2], const float (&b)[2])
{
    float v[4];
    const int at = trade_fragments(v, a, b);
    if (ok)
        pe_store4(y + at, v[0], v[1], v[2], v[3]);
}
