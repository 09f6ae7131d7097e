// SPDX-License-Identifier: LGPL-2.1-or-later
//
// linear.h - what the module keeps of a linear layer. For linear.c and what
// does a whole block.

#pragma once

#include "cuda/cuda.h"

struct PeLinear {
    int n, k; // k includes the padding
    // The library wants a bias in the type of the result. [n] each, one
    // allocation; NULL: none.
    float *bias_f32;
    void *bias_act;
    PeDtype in;   // of its input and its weight
    void *weight; // [n, k], 1 / scale times what it stands for
    float scale;
    float *gain; // [n] behind a narrow GELU, NULL: none
    // [n], the sums of the weight's rows as they were rounded, where Hopper's
    // products may take a norm behind them; else NULL.
    float *columns;
    // Of a layer in bytes, else NULL: `weight` is i8 [n, pe_int8_length(k)],
    // `in_scales` s [k] and `column_scales` c [n] of core/device/int8.h.
    float *in_scales, *column_scales;
};
