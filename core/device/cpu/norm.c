// SPDX-License-Identifier: LGPL-2.1-or-later
//
// norm.c - layer norm in plain C.

#include "ops.h"

#include <math.h>

static float
shifted(const float *x, const float *shift, int i)
{
    return shift ? x[i] + shift[i] : x[i];
}

// Layer norm over the last axis.
//
//   x  [rows, d] f32      y  [rows, d] of `type`; f32 y may be x
//   shift  [d] f32, or NULL for 0
//   w, b  [d] f32, or both NULL for 1 and 0
//
//   y = (z - E[z]) / sqrt(Var[z] + eps) * w + b,  z = x + shift
//   (Ba et al. 2016, eq. 4)
//
// Two passes over the row: the one-pass E[x^2] - E[x]^2 loses the variance to
// cancellation on channels with a large mean.
void
pe_layernorm_c(PeBackend *be, void *y, PeDtype type, const float *x,
               const float *shift, const float *w, const float *b, int rows,
               int d, float eps)
{
    for (int r = 0; r < rows; r++) {
        const float *row = x + (size_t)r * d;
        double sum = 0, squares = 0;
        for (int i = 0; i < d; i++)
            sum += shifted(row, shift, i);
        float mean = (float)(sum / d);
        for (int i = 0; i < d; i++) {
            float v = shifted(row, shift, i) - mean;
            squares += (double)v * v;
        }
        float scale = 1 / sqrtf((float)(squares / d) + eps);
        for (int i = 0; i < d; i++) {
            float v = (shifted(row, shift, i) - mean) * scale;
            pe_act_set(type, y, (size_t)r * d + i, w ? v * w[i] + b[i] : v);
        }
    }
}
