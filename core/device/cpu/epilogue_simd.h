// SPDX-License-Identifier: LGPL-2.1-or-later
//
// epilogue_simd.h - what happens to a product on its way from a tile to memory:
// bias, GELU, rotation, residual, rounding. For linear_simd.c only; see
// linear.c for the definitions.

#pragma once

#include "simd.h"

// x Phi(x), with erf to 1.5e-7. Source: Abramowitz and Stegun, 7.1.26.
INLINE Vec
gelu(Vec x)
{
    Vec z = vmax(x, -x) * 0.70710678f;
    Vec t = 1.0f / (1.0f + 0.3275911f * z);
    Vec p = t * 1.061405429f - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    Vec tail = 0.5f * p * t * exp_of(-z * z); // Phi(-|x|)
    Vec positive = vmax(x, splat(0));
    return positive - vmax(x, -x) * tail;
}

// The same for what becomes bf16: Phi(x) - 1/2 = x q(x^2) for |x| <= 4.25, with
// the q that makes the largest error of the result least. That is 2e-5, and
// less than bf16 rounds by wherever the result is above 0.005.
INLINE Vec
gelu_short(Vec x)
{
    // Of NaN and a number, both instructions give what comes second.
    x = vmax(splat(-4.25f), x);
    Vec t = vmin(splat(4.25f), x), u = t * t, u2 = u * u, u4 = u2 * u2;
    // In pairs, so that few steps wait for each other.
    Vec a = fused(splat(-6.61902577e-2f), u, splat(0.398819208f));
    Vec b = fused(splat(-1.07907283e-3f), u, splat(9.71876271e-3f));
    Vec c = fused(splat(-5.14741623e-6f), u, splat(8.84882102e-5f));
    Vec d = fused(splat(-4.51511317e-9f), u, splat(1.98609996e-7f));
    Vec low = fused(b, u2, a), high = fused(d, u2, c);
    Vec q = fused(fused(splat(4.54681813e-11f), u4, high), u4, low);
    return x * fused(t, q, splat(0.5f));
}

// Pairs (a, b) of neighbours turned by their (cos, sin) in cs.
INLINE Vec
rotate(Vec v, Vec cs)
{
#ifdef __AVX512F__
    Vec cos = (Vec)_mm512_moveldup_ps((__m512)cs);
    Vec sin = (Vec)_mm512_movehdup_ps((__m512)cs);
    __m512 swapped = _mm512_permute_ps((__m512)v, 0xb1);
    return (Vec)_mm512_fmaddsub_ps((__m512)v, (__m512)cos,
                                   _mm512_mul_ps(swapped, (__m512)sin));
#else
    Vec cos = (Vec)_mm256_moveldup_ps((__m256)cs);
    Vec sin = (Vec)_mm256_movehdup_ps((__m256)cs);
    __m256 swapped = _mm256_permute_ps((__m256)v, 0xb1);
    return (Vec)_mm256_fmaddsub_ps((__m256)v, (__m256)cos,
                                   _mm256_mul_ps(swapped, (__m256)sin));
#endif
}

// Elements at.. of q or k, of type `type`, which are channels c.. of a head
// whose row of the table is cs.
INLINE void
rotate_at(PeDtype type, void *y, size_t at, const float *cs, int c)
{
    store_act(type, y, at, rotate(load_act(type, y, at), load(cs + c)));
}

// Where the columns of a tile go.
typedef struct {
    PeDtype act;
    PeEpilogue epilogue; // ROPE only where a vector lies within a head
    void *y;             // [rows, n] act, or f32: see PeEpilogue
    int n;
    const float *bias; // [n]; NULL: none
    const PeRope *rope;
} Output;

// n <= VF columns from element `at` of y on; cs is where rotate_at() finds
// their angles, NULL: they are not turned.
INLINE void
finish_vector(PeDtype act, PeEpilogue epilogue, void *y, size_t at, int n,
              Vec v, const float *cs)
{
    PeDtype type = act;
    if (epilogue == PE_EPILOGUE_F32 || epilogue == PE_EPILOGUE_RESIDUAL)
        type = PE_DTYPE_F32;
    if (epilogue == PE_EPILOGUE_GELU)
        v = act == PE_DTYPE_BF16 ? gelu_short(v) : gelu(v);
    if (epilogue == PE_EPILOGUE_RESIDUAL)
        v += load_act_left(type, y, at, n);
    if (n < VF)
        store_act_n(type, y, at, n, v);
    else if (epilogue != PE_EPILOGUE_ROPE || !cs)
        store_act(type, y, at, v);
    else if (type == PE_DTYPE_F32)
        store_act(type, y, at, rotate(v, load(cs)));
    else // rounded before it is turned, as rope.py has it
        store_act(type, y, at, rotate((Vec)(round_bf16(v) << 16), load(cs)));
}

// A tile of rows r.. and n <= TILE_COLS columns col.. .
INLINE void
finish_rows(PeDtype act, PeEpilogue epilogue, const Output *o, const float *c,
            int r, int rows, int col, int n)
{
    Vec bias[2] = {splat(0), splat(0)};
    const float *cs[2] = {NULL, NULL};
    bool turns = epilogue == PE_EPILOGUE_ROPE;
    for (int j = 0; j < 2; j++) {
        int at = col + j * VF, left = n - j * VF;
        if (o->bias && left > 0)
            bias[j] = load_left(o->bias + at, left);
        if (turns && at < o->n / 3 * 2)
            cs[j] = o->rope->cos_sin + at % o->rope->head_dim;
    }
    int token = turns ? r % o->rope->n_tokens : 0;
    for (int i = 0; i < rows; i++) {
        size_t at = (size_t)(r + i) * (size_t)o->n + (size_t)col;
        size_t angle = turns ? (size_t)token * (size_t)o->rope->head_dim : 0;
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            if (n - j * VF > 0)
                finish_vector(act, epilogue, o->y, at + j * VF,
                              MIN(VF, n - j * VF),
                              load(c + i * TILE_COLS + j * VF) + bias[j],
                              cs[j] ? cs[j] + angle : NULL);
        }
        if (turns && ++token == o->rope->n_tokens)
            token = 0;
    }
}

INLINE void
finish_tile(PeDtype act, const Output *o, const float *c, int r, int rows,
            int col)
{
    int n = MIN(TILE_COLS, o->n - col);
#define CASE(e) \
    case e: \
        if (n == TILE_COLS) \
            finish_rows(act, e, o, c, r, rows, col, TILE_COLS); \
        else \
            finish_rows(act, e, o, c, r, rows, col, n); \
        break;
    switch (o->epilogue) {
        CASE(PE_EPILOGUE_NONE)
        CASE(PE_EPILOGUE_GELU)
        CASE(PE_EPILOGUE_ROPE)
        CASE(PE_EPILOGUE_RESIDUAL)
        CASE(PE_EPILOGUE_F32)
    }
#undef CASE
}
