// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gelu.h - GELU in its erf form, for a pass of its own and for epilogues.

#pragma once

#include "cuda/device.h"

// x * Phi(x).
//
// With v = |x|: max(x, 0) - v * Phi(-v), where log2 Phi(-v) is a polynomial of
// degree 5 fitted to make the result right within 6.3e-7: nine instructions
// instead of erff's thirty. Larger v underflow to 0 by themselves.
PE_DEVICE float
gelu(float x)
{
    float v = fabsf(x);
    float p = -4.733127047e-4f;
    p = p * v + 0.007084580658f;
    p = p * v - 0.05182744041f;
    p = p * v - 0.4599923780f;
    p = p * v - 1.150787879f;
    p = p * v - 1.000037619f;
    return fmaxf(x, 0.0f) - v * pe_exp2(p);
}
