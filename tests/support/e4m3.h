// SPDX-License-Identifier: LGPL-2.1-or-later
//
// e4m3.h - the value of an 8-bit float by the definition of the format: all
// codes in order, and none taken apart as conversions do it. For C and C++.

#pragma once

static inline float
value_of_e4m3(int code)
{
    float v = 0, step = 0x1p-9f;
    for (int i = 0; i < (code & 0x7f); i++) {
        if (i >= 16 && i % 8 == 0)
            step *= 2;
        v += step;
    }
    return code & 0x80 ? -v : v;
}
