// SPDX-License-Identifier: LGPL-2.1-or-later
//
// linear.c - the linear layer in plain C, and the preparation of its weights
// that all variants share.

#include "ops.h"

#include <glib.h>
#include <math.h>

#include "core/device/weight.h"

#define LANES 16
#define ROWS 8

PeLinear *
pe_linear_new_unpacked(const PeLinearParams *params)
{
    const PeTensor *w = &params->weight;
    g_assert(w->n_dims == 2 && params->k_padded >= w->shape[1]);
    PeLinear *l = g_new0(PeLinear, 1);
    l->n = (int)w->shape[0];
    l->k = params->k_padded;
    if (!params->bias)
        return l;
    l->bias = pe_block_alloc((size_t)l->n * sizeof(float));
    if (!l->bias) {
        g_free(l);
        return NULL;
    }
    memcpy(l->bias, params->bias, (size_t)l->n * sizeof(float));
    return l;
}

// Weights are kept as [n, k] f32, rounded to what `act` can hold, so that the
// definition has no second type.
PeLinear *
pe_linear_new_c(PeBackend *be, const PeLinearParams *params)
{
    PeLinear *l = pe_linear_new_unpacked(params);
    if (!l)
        return NULL;
    size_t size = (size_t)l->n * (size_t)l->k;
    float *w = l->weight = pe_block_alloc(size * sizeof(float));
    if (!w) {
        pe_linear_free_c(be, l);
        return NULL;
    }
    pe_weight_rows(params, 0, l->n, w);
    if (be->act == PE_DTYPE_BF16) {
        for (size_t i = 0; i < size; i++)
            w[i] = pe_bf16_to_f32(pe_bf16_from_f32(w[i]));
    }
    return l;
}

void
pe_linear_free_c(PeBackend *be, PeLinear *l)
{
    if (!l)
        return;
    pe_block_free(l->bias);
    pe_block_free(l->weight);
    pe_block_free(l->col_scales);
    pe_block_free(l->in_scales);
    pe_block_free(l->col_offsets);
    g_free(l);
}

// Several partial sums, because one chain of k additions both rounds worse and
// is too slow for the known-answer check of big models.
static float
dot(const float *a, const float *b, int k)
{
    float sums[LANES] = {0};
    int i = 0;
    for (; i + LANES <= k; i += LANES) {
        for (int j = 0; j < LANES; j++)
            sums[j] += a[i + j] * b[i + j];
    }
    for (; i < k; i++)
        sums[i % LANES] += a[i] * b[i];
    float sum = 0;
    for (int j = 0; j < LANES; j++)
        sum += sums[j];
    return sum;
}

// Gaussian error linear unit, x * Phi(x), in its exact form.
static float
gelu(float x)
{
    return 0.5f * x * (1 + erff(x * (float)G_SQRT2 * 0.5f));
}

void
pe_linear_finish_c(PeDtype act, PeEpilogue epilogue, void *y, size_t i, float v)
{
    switch (epilogue) {
    case PE_EPILOGUE_RESIDUAL:
        ((float *)y)[i] += v;
        break;
    case PE_EPILOGUE_F32:
        ((float *)y)[i] = v;
        break;
    case PE_EPILOGUE_GELU:
        pe_act_set(act, y, i, gelu(v));
        break;
    case PE_EPILOGUE_NONE:
    case PE_EPILOGUE_ROPE:
        pe_act_set(act, y, i, v);
        break;
    }
}

// Linear layer with epilogue.
//
//   x  [rows, k] act      y  [rows, n] act or f32, see PeEpilogue; not x
//
//   y[r,i] = epilogue(sum_j x[r,j] W[i,j] + b[i])
//
// Sums are f32 whatever the type of x. With RESIDUAL, y is read and written.
void
pe_linear_c(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
            const PeRope *rope, void *y, const void *x, int rows)
{
    size_t n = (size_t)l->n, k = (size_t)l->k;
    g_autofree float *block = g_new(float, ROWS *k);
    for (int first = 0; first < rows; first += ROWS) {
        int n_rows = MIN(ROWS, rows - first);
        for (size_t i = 0; i < (size_t)n_rows * k; i++)
            block[i] = pe_act_get(be->act, x, (size_t)first * k + i);
        for (size_t i = 0; i < n; i++) {
            const float *w = (const float *)l->weight + i * k;
            float bias = l->bias ? l->bias[i] : 0;
            for (int r = 0; r < n_rows; r++)
                pe_linear_finish_c(be->act, epilogue, y,
                                   (size_t)(first + r) * n + i,
                                   dot(block + (size_t)r * k, w, l->k) + bias);
        }
    }
    if (epilogue == PE_EPILOGUE_ROPE)
        pe_rope_c(be, y, rope, rows, l->n / 3);
}

// Rotary position embedding of q and k, in place.
//
//   y  [rows, 3 * d] act: q, k and v of each token; v is left alone
//
//   (a, b) -> (a cos - b sin, b cos + a sin) for channels 2p, 2p + 1 of a head
//
// The products are f32 and rounded once; q and k arrive already rounded, as
// they do in the model's own code. Source: rope.py, apply_rotary_emb.
void
pe_rope_c(PeBackend *be, void *y, const PeRope *rope, int rows, int d)
{
    int hd = rope->head_dim;
    for (int r = 0; r < rows; r++) {
        const float *cs = rope->cos_sin + (size_t)(r % rope->n_tokens) * hd;
        size_t row = (size_t)r * 3 * (size_t)d;
        for (int i = 0; i < 2 * d; i += 2) {
            float c = cs[i % hd], s = cs[i % hd + 1];
            float a = pe_act_get(be->act, y, row + i);
            float b = pe_act_get(be->act, y, row + i + 1);
            pe_act_set(be->act, y, row + i, a * c - b * s);
            pe_act_set(be->act, y, row + i + 1, b * c + a * s);
        }
    }
}
