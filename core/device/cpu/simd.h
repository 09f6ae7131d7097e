// SPDX-License-Identifier: LGPL-2.1-or-later
//
// simd.h - vectors of one instruction set, for the *_simd.c files only. Those
// are compiled once per instruction set, with its compiler flags and with
// PE_ISA set to its name, and are written in the compiler's vector types;
// intrinsics appear here alone.
//
// Matrix products work on words of four bytes: one f32, two bf16 or i16, or
// four bytes, of neighbouring k. dot() adds the products of one word pair, so
// that all types share every loop.

#pragma once

#include "ops.h"

#include "core/base/vec.h"

#include <immintrin.h>
#include <math.h>

#ifdef __AVX512F__
#define TILE_ROWS 12
#else
#define TILE_ROWS 6
#endif
// Columns of a tile and of a packed panel: two vectors, so that a tile's sums
// and operands fill the 32 (16) registers.
#define TILE_COLS (2 * VF)

#define PE_CONCAT2(a, b) a##_##b
#define PE_CONCAT(a, b) PE_CONCAT2(a, b)
#define PE_SIMD(name) PE_CONCAT(name, PE_ISA)

typedef uint32_t VecWord __attribute__((vector_size(4 * VF)));
typedef int32_t VecInt __attribute__((vector_size(4 * VF)));
typedef uint16_t VecHalf __attribute__((vector_size(2 * VF)));

INLINE void
store(float *p, Vec v)
{
    memcpy(p, &v, sizeof v);
}

INLINE Vec
splat(float x)
{
#ifdef __AVX512F__
    return (Vec)_mm512_set1_ps(x);
#else
    return (Vec)_mm256_set1_ps(x);
#endif
}

INLINE VecWord
splat_word(uint32_t x)
{
#ifdef __AVX512F__
    return (VecWord)_mm512_set1_epi32((int)x);
#else
    return (VecWord)_mm256_set1_epi32((int)x);
#endif
}

INLINE Vec
vmax(Vec a, Vec b)
{
#ifdef __AVX512F__
    return (Vec)_mm512_max_ps((__m512)a, (__m512)b);
#else
    return (Vec)_mm256_max_ps((__m256)a, (__m256)b);
#endif
}

INLINE Vec
vmin(Vec a, Vec b)
{
#ifdef __AVX512F__
    return (Vec)_mm512_min_ps((__m512)a, (__m512)b);
#else
    return (Vec)_mm256_min_ps((__m256)a, (__m256)b);
#endif
}

INLINE float
max_of(Vec v)
{
    __m256 half;
#ifdef __AVX512F__
    half = _mm256_max_ps(_mm512_castps512_ps256((__m512)v),
                         (__m256)_mm512_extractf64x4_pd((__m512d)v, 1));
#else
    half = (__m256)v;
#endif
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(half),
                          _mm256_extractf128_ps(half, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return m[0] > m[1] ? m[0] : m[1];
}

// Both halves of words as f32.
INLINE Vec
low_half(VecWord w)
{
    return (Vec)(w << 16);
}

INLINE Vec
high_half(VecWord w)
{
    return (Vec)(w & 0xffff0000u);
}

INLINE Vec
load_bf16(const uint16_t *p)
{
    VecHalf h;
    memcpy(&h, p, sizeof h);
    return (Vec)(__builtin_convertvector(h, VecWord) << 16);
}

// bf16 in the low halves of words; nearest, ties to even, NaN stays NaN.
INLINE VecWord
round_bf16(Vec v)
{
    VecWord u = (VecWord)v;
    VecWord rounded = (u + 0x7fff + ((u >> 16) & 1)) >> 16;
    VecWord nan = (VecWord)(v != v);
    return (rounded & ~nan) | (((u >> 16) | 0x40) & nan);
}

INLINE void
store_bf16(uint16_t *p, Vec v)
{
#ifdef __AVX512BF16__
    __m256bh h = _mm512_cvtneps_pbh((__m512)v);
#else
    VecHalf h = __builtin_convertvector(round_bf16(v), VecHalf);
#endif
    memcpy(p, &h, sizeof h);
}

INLINE Vec
load_act(PeDtype type, const void *p, size_t i)
{
    return type == PE_DTYPE_BF16 ? load_bf16((const uint16_t *)p + i)
                                 : load((const float *)p + i);
}

INLINE void
store_act(PeDtype type, void *p, size_t i, Vec v)
{
    if (type == PE_DTYPE_BF16)
        store_bf16((uint16_t *)p + i, v);
    else
        store((float *)p + i, v);
}

// The first n < VF elements, the rest 0.
INLINE Vec
load_act_n(PeDtype type, const void *p, size_t i, int n)
{
    if (type == PE_DTYPE_F32)
        return load_n((const float *)p + i, (size_t)n);
    uint16_t x[VF] = {0};
    memcpy(x, (const uint16_t *)p + i, (size_t)n * sizeof *x);
    return load_bf16(x);
}

// As many of `left` elements as a vector has, then zeros.
INLINE Vec
load_act_left(PeDtype type, const void *p, size_t i, int left)
{
    return left < VF ? load_act_n(type, p, i, MAX(left, 0))
                     : load_act(type, p, i);
}

INLINE Vec
load_left(const float *p, int left)
{
    return load_act_left(PE_DTYPE_F32, p, 0, left);
}

INLINE void
store_act_n(PeDtype type, void *p, size_t i, int n, Vec v)
{
    float x[VF];
    uint16_t h[VF];
    if (type == PE_DTYPE_F32) {
        store(x, v);
        memcpy((float *)p + i, x, (size_t)n * sizeof *x);
    } else {
        store_bf16(h, v);
        memcpy((uint16_t *)p + i, h, (size_t)n * sizeof *h);
    }
}

// Words at.. of a panel of product_simd.h.
INLINE VecWord
load_words(PeDtype type, const void *panel, size_t at)
{
    VecWord words;
    if (type != PE_DTYPE_I16) {
        memcpy(&words, (const uint32_t *)panel + at, sizeof words);
        return words;
    }
    const void *pairs = (const uint16_t *)panel + at;
#ifdef __AVX512F__
    return (VecWord)_mm512_cvtepi8_epi16(_mm256_loadu_si256(pairs));
#else
    return (VecWord)_mm256_cvtepi8_epi16(_mm_loadu_si128(pairs));
#endif
}

#ifdef __AVX512F__
#define PE_MM(name) _mm512_##name
#define PE_QUARTER(v, i) _mm512_extractf32x4_ps(v, i)
typedef __m512 VecMm;
typedef __m512d VecMmd;
#else
#define PE_MM(name) _mm256_##name
#define PE_QUARTER(v, i) _mm256_extractf128_ps(v, i)
typedef __m256 VecMm;
typedef __m256d VecMmd;
#endif

// Word w of each of the four rows to to[w * stride ..].
INLINE void
store_columns(uint32_t *to, size_t stride, const VecWord rows[4])
{
    VecMm a = PE_MM(unpacklo_ps)((VecMm)rows[0], (VecMm)rows[1]);
    VecMm b = PE_MM(unpackhi_ps)((VecMm)rows[0], (VecMm)rows[1]);
    VecMm c = PE_MM(unpacklo_ps)((VecMm)rows[2], (VecMm)rows[3]);
    VecMm d = PE_MM(unpackhi_ps)((VecMm)rows[2], (VecMm)rows[3]);
    VecMm columns[4] = {
        (VecMm)PE_MM(unpacklo_pd)((VecMmd)a, (VecMmd)c),
        (VecMm)PE_MM(unpackhi_pd)((VecMmd)a, (VecMmd)c),
        (VecMm)PE_MM(unpacklo_pd)((VecMmd)b, (VecMmd)d),
        (VecMm)PE_MM(unpackhi_pd)((VecMmd)b, (VecMmd)d),
    };
#define STORE(i) \
    _mm_storeu_ps((float *)(to + ((size_t)4 * (i) + j) * stride), \
                  PE_QUARTER(columns[j], i))
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        STORE(0);
        STORE(1);
#ifdef __AVX512F__
        STORE(2);
        STORE(3);
#endif
    }
#undef STORE
}
#undef PE_MM
#undef PE_QUARTER

// sum + a b for words of two i16, and sums that are i32.
INLINE Vec
dot_i16(Vec sum, VecWord a, VecWord b)
{
#ifdef __AVX512VNNI__
    return (Vec)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
#elif defined(__AVX512F__)
    return (Vec)_mm512_add_epi32((__m512i)sum,
                                 _mm512_madd_epi16((__m512i)a, (__m512i)b));
#else
    // As intrinsics, GCC 12 first makes all products of a tile and then has no
    // registers left for them.
    VecWord products;
    __asm__("vpmaddwd %3, %2, %0\n\tvpaddd %0, %1, %1"
            : "=&x"(products), "+x"(sum)
            : "x"(a), "x"(b));
    return sum;
#endif
}

#ifdef __AVX512VNNI__
// sum + a b for words of four unsigned and four signed bytes, and sums that are
// i32.
INLINE Vec
dot_u8(Vec sum, VecWord a, VecWord b)
{
    return (Vec)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
}
#endif

// sum + the products of the word pair.
INLINE Vec
dot(PeDtype type, Vec sum, VecWord a, VecWord b)
{
    if (type == PE_DTYPE_F32)
        return fused((Vec)a, (Vec)b, sum);
    if (type == PE_DTYPE_I16)
        return dot_i16(sum, a, b);
#ifdef __AVX512VNNI__
    if (type == PE_DTYPE_U8)
        return dot_u8(sum, a, b);
#endif
#ifdef __AVX512BF16__
    return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
    sum = fused(low_half(a), low_half(b), sum);
    return fused(high_half(a), high_half(b), sum);
#endif
}

// 2^x for x < 128; exactly 0 below -126, where f32 ends: x = i + r, |r| <= 1/2,
// and the Taylor series of 2^r up to r^7, relative error 1e-7. For what becomes
// bf16, which is rounded by 2e-3, up to r^4: 5e-5.
INLINE Vec
exp2_of(PeDtype type, Vec x)
{
    Vec i = x + 12582912.0f; // 1.5 * 2^23 rounds to an integer
    VecInt bits = ((VecInt)i - 0x4b400000 + 127) << 23;
    Vec r = x - (i - 12582912.0f);
    Vec p = splat(9.61812911e-3f);
    if (type != PE_DTYPE_BF16) {
        p = r * 1.52527338e-5f + 1.54035304e-4f;
        p = p * r + 1.33335581e-3f;
        p = p * r + 9.61812911e-3f;
    }
    p = p * r + 5.55041087e-2f;
    p = p * r + 0.240226507f;
    p = p * r + 0.693147181f;
    p = p * r + 1.0f;
    VecInt finite = x >= -126.0f;
    return (Vec)((VecInt)(p * (Vec)bits) & finite);
}

// e^x for x <= 88; exactly 0 below -87. The error of x log2(e) counts |x|-fold.
INLINE Vec
exp_of(Vec x)
{
    return exp2_of(PE_DTYPE_F32, x * 1.44269504f);
}

INLINE int
round_up(int n, int multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

// Scores [n] to unnormalised probabilities 2^(p - max p) of type `type` in
// place, zeros up to n_padded; returns 1 / their sum. Every read is ahead of
// the write that lands on it.
INLINE float
softmax2_row(PeDtype type, float *row, int n, int n_padded)
{
    for (int i = n; i < round_up(n, VF); i++)
        row[i] = -INFINITY;
    Vec max = load(row);
    for (int i = VF; i < n; i += VF)
        max = vmax(max, load(row + i));
    Vec top = splat(max_of(max)), sum = splat(0);
    int i = 0;
    for (; i < n; i += VF) {
        Vec e = exp2_of(type, load(row + i) - top);
        sum += e;
        store_act(type, row, i, e);
    }
    size_t element = type == PE_DTYPE_BF16 ? 2 : 4;
    memset((char *)row + i * element, 0, (size_t)(n_padded - i) * element);
    return 1 / sum_of(sum);
}
