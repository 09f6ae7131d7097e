// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pixels_convert.h - rows of a frame of any format to RGB, a tile of columns at
// a time. For pixels_simd.c only.
//
// The plain variant computes the formula of preprocess.h. The other one does
// the same in 16 bits: what chroma adds to luma is split into its high and its
// low half once for all pixels that share it, and so is luma times y_mul; a
// channel is the sum of the high halves, and one more where the sum of the low
// halves is carried.

#pragma once

#include "pixels_pairs.h"

#define TILE PE_PIXEL_TILE

typedef struct {
    PeYuvCoefficients yuv;
    int channels;
    uint16_t luma[TILE];
    uint16_t chroma[TILE]; // cb and cr of every two pixels
#ifdef __AVX2__
    // Of R, G and B, for each pixel: the high half of all but luma, and
    // 0x7fff - the low half.
    uint16_t high[3][TILE], rest[3][TILE];
    // Shuffles of 16 pixels' bytes, a vector each, to one channel.
    uint8_t shuffles[3][4][LANES];
#else
    uint16_t cb[TILE], cr[TILE]; // of each pixel
#endif
} Converter;

// ---- Samples --------------------------------------------------------------

// Every `step`-th byte.
INLINE void
unpack8(const uint8_t *restrict in, const int step, int n,
        uint16_t *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = in[step * i];
}

// The upper 10 of 16 bits.
INLINE void
unpack10(const uint8_t *bytes, int n, uint16_t *restrict out)
{
    const uint16_t *restrict in = (const uint16_t *)(const void *)bytes;
    for (int i = 0; i < n; i++)
        out[i] = (uint16_t)(in[i] >> 6);
}

// The next tile of a line, which begins n bytes on. A tile's rows are too short
// for the processor to notice where they lead.
INLINE void
prefetch(const uint8_t *in, int n)
{
    for (int i = n; i < 2 * n; i += 64)
        __builtin_prefetch(in + i);
}

INLINE const uint8_t *
frame_line(const PeFrame *f, int plane, int row)
{
    return f->planes[plane] + (ptrdiff_t)row * f->strides[plane];
}

// Luma of columns x..x + n - 1.
static void
unpack_luma(Converter *k, const PeFrame *f, int row, int x, int n)
{
    const uint8_t *in = frame_line(f, 0, row);
    if (f->format == PE_FORMAT_P010) {
        prefetch(in + 2 * x, 2 * TILE);
        unpack10(in + 2 * x, n, k->luma);
    } else if (f->format == PE_FORMAT_YUY2) {
        prefetch(in + 2 * x, 2 * TILE);
        unpack8(in + 2 * x, 2, n, k->luma);
    } else {
        prefetch(in + x, TILE);
        unpack8(in + x, 1, n, k->luma);
    }
}

// Two planes' or bytes' samples, side by side.
INLINE void
interleave8(const uint8_t *restrict cb, const uint8_t *restrict cr,
            const int step, int n, uint16_t *restrict out)
{
    for (int i = 0; i < n; i++) {
        out[2 * i] = cb[step * i];
        out[2 * i + 1] = cr[step * i];
    }
}

// The chroma samples that cover them; x % 2 == 0.
static void
unpack_chroma(Converter *k, const PeFrame *f, int row, int x, int n)
{
    n = (n + 1) / 2;
    if (f->format == PE_FORMAT_YUY2) {
        const uint8_t *in = frame_line(f, 0, row) + 2 * x;
        interleave8(in + 1, in + 3, 4, n, k->chroma);
        return;
    }
    const uint8_t *in = frame_line(f, 1, row / 2);
    if (f->format == PE_FORMAT_P010) {
        prefetch(in + 2 * x, 2 * TILE);
        unpack10(in + 2 * x, 2 * n, k->chroma);
    } else if (f->format == PE_FORMAT_NV12) {
        prefetch(in + x, TILE);
        unpack8(in + x, 1, 2 * n, k->chroma);
    } else
        interleave8(in + x / 2, frame_line(f, 2, row / 2) + x / 2, 1, n,
                    k->chroma);
}

// ---- Colours --------------------------------------------------------------

#ifdef __AVX2__

INLINE __m256i
load_words(const uint16_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

// One channel's ku * cb + kv * cr + rest of the 8 chroma samples at x. Factors
// may have more than 16 bits: of their upper parts, which are small, all is in
// the high half.
INLINE void
share_channel(Converter *k, int c, int x, __m256i samples, int ku, int kv,
              int rest)
{
    // The upper and the lower two of every four bytes, each twice.
    const __m256i uppers = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(2, 3, 2, 3, 6, 7, 6, 7, 10, 11, 10, 11, 14, 15, 14, 15));
    const __m256i lowers = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13));
    int16_t lu = (int16_t)ku, lv = (int16_t)kv;
    int hu = (ku - lu) / 65536, hv = (kv - lv) / 65536;
    __m256i low = _mm256_set1_epi32((uint16_t)lu | (int)((uint32_t)lv << 16));
    __m256i high = _mm256_set1_epi32((uint16_t)hu | (int)((uint32_t)hv << 16));
    __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(samples, low),
                                   _mm256_set1_epi32(rest));
    sum = _mm256_add_epi32(
        sum, _mm256_slli_epi32(_mm256_madd_epi16(samples, high), 16));
    // 0x7fff - the low half
    sum = _mm256_xor_si256(sum, _mm256_set1_epi32(0x7fff));
    _mm256_storeu_si256((__m256i *)(void *)(k->high[c] + x),
                        _mm256_shuffle_epi8(sum, uppers));
    _mm256_storeu_si256((__m256i *)(void *)(k->rest[c] + x),
                        _mm256_shuffle_epi8(sum, lowers));
}

// What all pixels of a chroma sample share, for n pixels.
static void
share_chroma(Converter *k, int n)
{
    PeYuvCoefficients c = k->yuv;
    const int luma = (1 << 15) - c.y_mul * c.y_off;
    for (int x = 0; x < n; x += 16) {
        __m256i v = load_words(k->chroma + x);
        share_channel(k, 0, x, v, 0, c.r_v, luma - c.r_v * c.c_off);
        share_channel(k, 1, x, v, c.g_u, c.g_v,
                      luma - (c.g_u + c.g_v) * c.c_off);
        share_channel(k, 2, x, v, c.b_u, 0, luma - c.b_u * c.c_off);
    }
}

// n pixels from k->luma and what share_chroma() made, rounded up to 32: out
// [C], TILE pixels each, `plane` apart
static void
combine(const Converter *k, int n, uint8_t *out, size_t plane)
{
    const __m256i low = _mm256_set1_epi16((int16_t)k->yuv.y_mul);
    const __m256i high = _mm256_set1_epi16(k->yuv.y_mul >> 16 ? -1 : 0);
    const __m256i sign = _mm256_set1_epi16(INT16_MIN);
    for (int x = 0; x < n; x += 32) {
        __m256i lo[2], hi[2];
        for (int i = 0; i < 2; i++) {
            __m256i y = load_words(k->luma + x + 16 * i);
            lo[i] = _mm256_xor_si256(_mm256_mullo_epi16(y, low), sign);
            hi[i] = _mm256_add_epi16(_mm256_mulhi_epu16(y, low),
                                     _mm256_and_si256(y, high));
        }
        for (int c = 0; c < k->channels; c++) {
            __m256i v[2];
            for (int i = 0; i < 2; i++) {
                __m256i carried = _mm256_cmpgt_epi16(
                    lo[i], load_words(k->rest[c] + x + 16 * i));
                v[i] = _mm256_sub_epi16(
                    _mm256_add_epi16(hi[i],
                                     load_words(k->high[c] + x + 16 * i)),
                    carried);
            }
            __m256i bytes = _mm256_packus_epi16(v[0], v[1]);
            _mm256_storeu_si256(
                (__m256i *)(void *)(out + (size_t)c * plane + x),
                _mm256_permute4x64_epi64(bytes, 0xd8));
        }
    }
}

#else

static void
share_chroma(Converter *k, int n)
{
    for (int i = 0; i < (n + 1) / 2; i++) {
        k->cb[2 * i] = k->cb[2 * i + 1] = k->chroma[2 * i];
        k->cr[2 * i] = k->cr[2 * i + 1] = k->chroma[2 * i + 1];
    }
}

INLINE uint8_t
saturate(int x)
{
    return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
}

// n pixels from k->luma, k->cb and k->cr: out [C], `plane` apart
static void
combine(const Converter *k, int n, uint8_t *out, size_t plane)
{
    PeYuvCoefficients c = k->yuv;
    uint8_t *restrict r = out, *restrict g = out + plane;
    uint8_t *restrict b = g + plane;
    if (k->channels == 1) {
        for (int x = 0; x < n; x++)
            r[x] =
                saturate((c.y_mul * (k->luma[x] - c.y_off) + (1 << 15)) >> 16);
        return;
    }
    for (int x = 0; x < n; x++) {
        int luma = c.y_mul * (k->luma[x] - c.y_off) + (1 << 15);
        int u = k->cb[x] - c.c_off, v = k->cr[x] - c.c_off;
        r[x] = saturate((luma + c.r_v * v) >> 16);
        g[x] = saturate((luma + c.g_u * u + c.g_v * v) >> 16);
        b[x] = saturate((luma + c.b_u * u) >> 16);
    }
}

#endif

// ---- Pixels of bytes ------------------------------------------------------

// n pixels of `step` bytes: the first three of each to out[0], [1] and [2]
INLINE void
split_pixels(const Converter *k, const uint8_t *in, const int step, int n,
             uint8_t *const out[3])
{
    int x = 0;
#ifdef __AVX2__
    for (; x + LANES <= n; x += LANES) {
        for (int c = 0; c < 3; c++) {
            __m128i v = _mm_setzero_si128();
            for (int i = 0; i < step; i++) {
                const __m128i *p = (const void *)(in + step * x + i * LANES);
                const __m128i *m = (const void *)k->shuffles[c][i];
                v = _mm_or_si128(v, _mm_shuffle_epi8(_mm_loadu_si128(p),
                                                     _mm_loadu_si128(m)));
            }
            _mm_storeu_si128((__m128i *)(void *)(out[c] + x), v);
        }
    }
#endif
    for (; x < n; x++) {
        for (int c = 0; c < 3; c++)
            out[c][x] = in[step * x + c];
    }
}

static void
split_row(const Converter *k, const PeFrame *f, int row, int x, int n,
          uint8_t *r, uint8_t *g, uint8_t *b)
{
    const uint8_t *in = frame_line(f, 0, row);
    bool swapped = f->format == PE_FORMAT_BGR || f->format == PE_FORMAT_BGRX;
    uint8_t *const out[3] = {swapped ? b : r, g, swapped ? r : b};
    if (f->format == PE_FORMAT_RGB || f->format == PE_FORMAT_BGR) {
        prefetch(in + 3 * x, 3 * TILE);
        split_pixels(k, in + 3 * x, 3, n, out);
    } else {
        prefetch(in + 4 * x, 4 * TILE);
        split_pixels(k, in + 4 * x, 4, n, out);
    }
}

// ---- Rows -----------------------------------------------------------------

static void
converter_init(Converter *k, const PeFrame *f)
{
    memset(k, 0, sizeof *k);
    // Grey has a range, but no matrix; it is luma without chroma.
    PeMatrix matrix = f->format < PE_FORMAT_NV12 ? PE_MATRIX_BT601 : f->matrix;
    k->channels = f->format == PE_FORMAT_GRAY8 ? 1 : 3;
    k->yuv = pe_yuv_coefficients(matrix, f->full_range,
                                 f->format == PE_FORMAT_P010 ? 10 : 8);
    for (int x = 0; x < TILE; x++)
        k->chroma[x] = (uint16_t)k->yuv.c_off;
    share_chroma(k, TILE);
#ifdef __AVX2__
    int step = f->format == PE_FORMAT_RGB || f->format == PE_FORMAT_BGR ? 3 : 4;
    memset(k->shuffles, 0x80, sizeof k->shuffles); // nothing from there
    for (int i = 0; i < 3 * LANES; i++) {
        int byte = i % LANES * step + i / LANES;
        k->shuffles[i / LANES][byte / LANES][i % LANES] =
            (uint8_t)(byte % LANES);
    }
#endif
}

// Columns x..x + n - 1 of n_rows rows to rows [C][16][TILE]; x is a multiple of
// TILE, n <= TILE, and `row` is even.
static void
convert_rows(Converter *k, const PeFrame *f, int row, int n_rows, int x, int n,
             uint8_t *rows)
{
    const size_t plane = (size_t)LANES * TILE;
    for (int i = 0; i < n_rows; i++, rows += TILE) {
        if (f->format < PE_FORMAT_GRAY8) {
            split_row(k, f, row + i, x, n, rows, rows + plane,
                      rows + 2 * plane);
            continue;
        }
        unpack_luma(k, f, row + i, x, n);
        // Two rows share their chroma, except in YUY2.
        if (f->format >= PE_FORMAT_NV12 &&
            (i % 2 == 0 || f->format == PE_FORMAT_YUY2)) {
            unpack_chroma(k, f, row + i, x, n);
            share_chroma(k, n);
        }
        combine(k, n, rows, plane);
    }
}
