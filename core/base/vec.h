// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vec.h - as many floats as a register holds, for loops that are compiled once
// per instruction set.

#pragma once

#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
#define VF 16 // floats in a vector
#elif defined(__AVX2__)
#define VF 8
#else
#define VF 4
#endif

#define INLINE static inline __attribute__((always_inline))

typedef float Vec __attribute__((vector_size(4 * VF)));

INLINE Vec
load(const float *p)
{
    Vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

// The first n <= VF, the rest 0.
INLINE Vec
load_n(const float *p, size_t n)
{
    Vec v = {0};
    memcpy(&v, p, n * sizeof *p);
    return v;
}

// a b + c, rounded once where there is an instruction for it. Compilers decide
// anew in every copy of a loop whether a sum of products is worth it, and then
// equal sums have other bits.
INLINE Vec
fused(Vec a, Vec b, Vec c)
{
#if defined(__AVX512F__)
    return (Vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
    return (Vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
    return a * b + c;
#endif
}

// By halves: few steps that wait for each other, and the sums of pairs are more
// exact than one after the other.
INLINE float
sum_of(Vec v)
{
#ifdef __AVX2__
#ifdef __AVX512F__
    __m256 half = (__m256)_mm512_castpd512_pd256((__m512d)v) +
                  (__m256)_mm512_extractf64x4_pd((__m512d)v, 1);
#else
    __m256 half = (__m256)v;
#endif
    __m128 s = _mm256_castps256_ps128(half) + _mm256_extractf128_ps(half, 1);
    s += _mm_movehl_ps(s, s);
    return s[0] + s[1];
#else
    float s = 0;
    for (int i = 0; i < VF; i++)
        s += v[i];
    return s;
#endif
}
