// SPDX-License-Identifier: LGPL-2.1-or-later
//
// attention.c - self attention in plain C.

#include "ops.h"

#include <glib.h>

// One query of one head against n keys.
//
//   q  [hd] f32                y  [hd] act, from element `out`
//   kv act; key i begins at element k + i * stride, value i at v + i * stride
//   p  [n] scratch
static void
attend(PeDtype act, void *y, size_t out, const float *q, const void *kv,
       size_t k, size_t v, size_t stride, int n, int hd, float *p)
{
    for (int i = 0; i < n; i++) {
        p[i] = 0;
        for (int j = 0; j < hd; j++)
            p[i] += q[j] * pe_act_get(act, kv, k + i * stride + j);
    }
    pe_softmax2_c(p, n);
    for (int j = 0; j < hd; j++) {
        float sum = 0;
        for (int i = 0; i < n; i++)
            sum += p[i] * pe_act_get(act, kv, v + i * stride + j);
        pe_act_set(act, y, out + j, sum);
    }
}

// Self attention.
//
//   qkv  [R, 3 * D] act      y  [R, D] act, not qkv
//   sequence s is rows offsets[s]..offsets[s + 1] - 1, or n rows each
//
//   y = softmax2(q k^T) v    for each head; causal: keys <= query
//
// softmax2 is of powers of two, see pe_softmax2_c(): whoever makes q multiplies
// it by log2(e) / sqrt(hd). Scores and probabilities stay f32. Source: rope.py,
// SelfAttention.forward.
void
pe_attention_c(PeBackend *be, void *y, const void *qkv, const int *offsets,
               int b, int n, int heads, int head_dim, bool causal)
{
    size_t d = (size_t)heads * (size_t)head_dim, stride = 3 * d;
    g_autofree float *p = g_new(float, n);
    g_autofree float *q = g_new(float, head_dim);
    for (int s = 0; s < b; s++) {
        size_t first = offsets ? (size_t)offsets[s] : (size_t)s * (size_t)n;
        int len = offsets ? offsets[s + 1] - offsets[s] : n;
        for (int r = 0; r < len; r++) {
            for (size_t at = 0; at < d; at += (size_t)head_dim) {
                size_t k = first * stride + d + at;
                for (int j = 0; j < head_dim; j++)
                    q[j] = pe_act_get(be->act, qkv, k - d + r * stride + j);
                attend(be->act, y, (first + r) * d + at, q, qkv, k, k + d,
                       stride, causal ? r + 1 : len, head_dim, p);
            }
        }
    }
}
