// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pool.c - attention pooling in plain C, and the softmax of all attention.

#include "ops.h"

#include <glib.h>
#include <math.h>

void
pe_softmax2_c(float *p, int n)
{
    float max = p[0], sum = 0;
    for (int i = 1; i < n; i++)
        max = MAX(max, p[i]);
    for (int i = 0; i < n; i++) {
        p[i] = exp2f(p[i] - max);
        sum += p[i];
    }
    for (int i = 0; i < n; i++)
        p[i] /= sum;
}

// Attention of learned queries over all tokens of an image: each head has one
// query u, and keys and values are the tokens themselves.
//
//   u  [heads, d] f32     x  [B * n, d] act     y  [B, heads * d] act
//   scores  [B, heads, n] f32, scratch
//
//   y[b,h] = sum_i softmax2_i(x[b,i] u[h]) x[b,i]
//
// The model's own keys, values, query and norm are in u and in the linear layer
// that reads y. Source: pe.py, AttentionPooling.forward up to out_proj; the
// algebra is in MODEL.md.
void
pe_pool_c(PeBackend *be, void *y, float *scores, const float *u, const void *x,
          int b, int n, int heads, int d)
{
    for (int row = 0; row < b * heads; row++) {
        const float *query = u + (size_t)(row % heads) * d;
        size_t first = (size_t)(row / heads) * n * d;
        float *p = scores + (size_t)row * n;
        for (int i = 0; i < n; i++) {
            p[i] = 0;
            for (int j = 0; j < d; j++)
                p[i] += query[j] * pe_act_get(be->act, x, first + i * d + j);
        }
        pe_softmax2_c(p, n);
        for (int j = 0; j < d; j++) {
            float sum = 0;
            for (int i = 0; i < n; i++)
                sum += p[i] * pe_act_get(be->act, x, first + i * d + j);
            pe_act_set(be->act, y, (size_t)row * d + j, sum);
        }
    }
}
