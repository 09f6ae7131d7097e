// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pixels_pairs.h - sums of 16 lanes over pairs of bytes, and the transposition
// that makes such pairs of lines. For pixels_simd.c only.

#pragma once

#include "pixels.h"

#include <string.h>

#define LANES PE_PIXEL_LANES
#define HALF (1 << 21) // of the weights' 22 fractional bits

#define INLINE static inline __attribute__((always_inline))

#ifdef __AVX2__

#include <immintrin.h>

// Lanes 0-3 and 8-11 in `a`, the others in `b`; all of the high parts of
// weights, of 16 bits, in `high`.
typedef struct {
    __m256i a, b, high;
} Sums;

INLINE void
sums_start(Sums *s)
{
    s->a = s->b = _mm256_set1_epi32(HALF);
    s->high = _mm256_setzero_si256();
}

INLINE __m256i
spread_word(const void *p)
{
    int word;
    memcpy(&word, p, sizeof word);
    return _mm256_set1_epi32(word);
}

// in [LANES][2]
INLINE void
sums_add(Sums *s, const uint8_t *in, const PePairWeights *w)
{
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)in);
    __m256i low = spread_word(w->low), zero = _mm256_setzero_si256();
    s->high = _mm256_add_epi16(s->high,
                               _mm256_maddubs_epi16(v, spread_word(w->high)));
    s->a = _mm256_add_epi32(
        s->a, _mm256_madd_epi16(_mm256_unpacklo_epi8(v, zero), low));
    s->b = _mm256_add_epi32(
        s->b, _mm256_madd_epi16(_mm256_unpackhi_epi8(v, zero), low));
}

// The same to two sums, with weights of each.
INLINE void
sums_add_twice(Sums *s, Sums *t, const uint8_t *in, const PePairWeights *w,
               const PePairWeights *x)
{
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)in);
    __m256i zero = _mm256_setzero_si256();
    __m256i a = _mm256_unpacklo_epi8(v, zero);
    __m256i b = _mm256_unpackhi_epi8(v, zero);
    __m256i low = spread_word(w->low);
    s->high = _mm256_add_epi16(s->high,
                               _mm256_maddubs_epi16(v, spread_word(w->high)));
    s->a = _mm256_add_epi32(s->a, _mm256_madd_epi16(a, low));
    s->b = _mm256_add_epi32(s->b, _mm256_madd_epi16(b, low));
    low = spread_word(x->low);
    t->high = _mm256_add_epi16(t->high,
                               _mm256_maddubs_epi16(v, spread_word(x->high)));
    t->a = _mm256_add_epi32(t->a, _mm256_madd_epi16(a, low));
    t->b = _mm256_add_epi32(t->b, _mm256_madd_epi16(b, low));
}

// out [LANES]
INLINE void
sums_store(const Sums *s, uint8_t *out)
{
    __m256i zero = _mm256_setzero_si256();
    __m256i a = _mm256_add_epi32(s->a, _mm256_unpacklo_epi16(zero, s->high));
    __m256i b = _mm256_add_epi32(s->b, _mm256_unpackhi_epi16(zero, s->high));
    __m256i v =
        _mm256_packs_epi32(_mm256_srli_epi32(a, 22), _mm256_srli_epi32(b, 22));
    __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(v),
                                     _mm256_extracti128_si256(v, 1));
    _mm_storeu_si128((__m128i *)(void *)out, bytes);
}

INLINE __m256i
load_lines(const uint8_t *in, size_t stride)
{
    const __m128i *a = (const void *)in;
    const __m128i *b = (const void *)(in + LANES / 2 * stride);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(a)),
                                   _mm_loadu_si128(b), 1);
}

// 16 lines of 8 pairs, `in_stride` apart, to 8 lines of 16 pairs. Interleaving
// line i with line i + 4 of eight, three times over, is a transposition; lines
// 8 to 15 are in the upper halves.
INLINE void
transpose(const uint8_t *in, size_t in_stride, uint8_t *out, size_t out_stride)
{
    __m256i a[8], b[8];
    for (size_t i = 0; i < 8; i++)
        a[i] = load_lines(in + i * in_stride, in_stride);
    for (int pass = 0; pass < 3; pass++) {
        for (int i = 0; i < 4; i++) {
            b[2 * i] = _mm256_unpacklo_epi16(a[i], a[i + 4]);
            b[2 * i + 1] = _mm256_unpackhi_epi16(a[i], a[i + 4]);
        }
        memcpy(a, b, sizeof a);
    }
    for (size_t i = 0; i < 8; i++)
        _mm256_storeu_si256((__m256i *)(void *)(out + i * out_stride), a[i]);
}

#else

typedef struct {
    int32_t lanes[LANES];
} Sums;

INLINE void
sums_start(Sums *s)
{
    for (int i = 0; i < LANES; i++)
        s->lanes[i] = HALF;
}

INLINE void
sums_add(Sums *s, const uint8_t *in, const PePairWeights *w)
{
    int32_t w0 = w->high[0] * 65536 + w->low[0];
    int32_t w1 = w->high[1] * 65536 + w->low[1];
    for (int i = 0; i < LANES; i++)
        s->lanes[i] += in[2 * i] * w0 + in[2 * i + 1] * w1;
}

INLINE void
sums_add_twice(Sums *s, Sums *t, const uint8_t *in, const PePairWeights *w,
               const PePairWeights *x)
{
    sums_add(s, in, w);
    sums_add(t, in, x);
}

// Weights are positive and their sum is 2^22 within one for each tap, so that
// the result needs no clamping.
INLINE void
sums_store(const Sums *s, uint8_t *out)
{
    for (int i = 0; i < LANES; i++)
        out[i] = (uint8_t)(s->lanes[i] >> 22);
}

INLINE void
transpose(const uint8_t *in, size_t in_stride, uint8_t *out, size_t out_stride)
{
    for (size_t i = 0; i < LANES; i++) {
        for (size_t j = 0; j < LANES / 2; j++)
            memcpy(out + j * out_stride + 2 * i, in + i * in_stride + 2 * j, 2);
    }
}

#endif
