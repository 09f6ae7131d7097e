// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pixels_convert.h - rows of a frame of any format to RGB, a tile of columns at
// a time. For pixels_simd.c only.
//
// Every layout is read into the same arrays: luma in 16 bits and, for every
// pixel, chroma in 15 bits, which pixels_chroma.h interpolates. From there on
// all formats are one, and the formula of preprocess.h needs no more than 16
// bits. Bytes of RGB are only sorted.

#pragma once

#include "pixels_chroma.h"

// ---- Tiles of a row -------------------------------------------------------

// Component c of n columns, from x on, to k->luma.
static void
load_luma(Converter *k, const PeFrame *f, int c, int row, int x, int n)
{
    const PeComponent *p = &k->layout->c[c];
    const uint8_t *line = frame_line(f, p->plane, row);
    if (!k->layout->packed)
        prefetch(f, p->plane, row + LANES, f->height, p->step * x,
                 p->step * TILE);
    read_samples(k->layout, p, line, x, n, k->coefficients[c].y_low, k->luma);
}

// Chroma of columns x..x + n - 1: to k->line where two of them share a sample,
// else to k->chroma. Of as many of n_rows rows, one or two, as share lines;
// returns that.
static int
load_chroma(Converter *k, const PeFrame *f, int row, int n_rows, int x, int n)
{
    int rows = n_rows > 1 && shares_lines(k, row) ? 2 : 1;
    if (k->layout->x_shift == 0)
        mix_lines(k, f, row, rows, x, n, k->chroma[0][0]);
    else
        load_line(k, f, row, rows, x, n);
    for (int i = 0; k->layout->x_shift > 1 && i < rows; i++)
        spread_line(k, i, n);
    return rows;
}

// ---- Colours --------------------------------------------------------------

#ifdef __AVX2__

// 32 pixels are two vectors: of pixels 0-7 and 16-23, and of the others. That
// is how bytes become words, words become bytes, and a line of chroma is
// doubled.
typedef struct {
    __m256i a, b;
} Words;

INLINE Words
load_pixels(const void *p)
{
    __m256i a = load_words(p), b = load_words((const uint16_t *)p + 16);
    return (Words){_mm256_permute2x128_si256(a, b, 0x20),
                   _mm256_permute2x128_si256(a, b, 0x31)};
}

INLINE void
store_pixels(uint8_t *out, __m256i a, __m256i b)
{
    __m256i bytes =
        _mm256_packus_epi16(_mm256_srai_epi16(a, 6), _mm256_srai_epi16(b, 6));
    _mm256_storeu_si256((__m256i *)(void *)out, bytes);
}

INLINE __m256i
scale_luma(__m256i y, __m256i mul, __m256i add)
{
    return _mm256_add_epi16(_mm256_mulhi_epu16(y, mul), add);
}

// n samples of luma alone, rounded up to 32: out [TILE]
static void
combine_luma(const PeYuvCoefficients *k, const uint16_t *luma, int n,
             uint8_t *out)
{
    const __m256i mul = _mm256_set1_epi16((int16_t)k->y_mul);
    const __m256i add = _mm256_set1_epi16((int16_t)k->y_add);
    for (int x = 0; x < n; x += 32) {
        Words y = load_pixels(luma + x);
        store_pixels(out + x, scale_luma(y.a, mul, add),
                     scale_luma(y.b, mul, add));
    }
}

// line[0] is the sample before that of the first two pixels.
INLINE Words
double_line(const int16_t *line, bool on_column)
{
    __m256i a = load_words(line), b = load_words(line + 1);
    __m256i c = load_words(line + 2);
    a = on_column ? b : mix_words(a, b, _mm256_set1_epi16(6 << 12));
    b = mix_words(b, c, _mm256_set1_epi16((on_column ? 4 : 2) << 12));
    return (Words){_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)};
}

// 32 samples of luma of `size` bytes, of which the bits in `mask` count, with
// `low` added; of size 0, as they are.
INLINE Words
load_luma_words(const void *in, const int size, __m256i mask, __m256i low)
{
    if (size == 1) {
        __m256i v = load_words(in);
        return (Words){_mm256_unpacklo_epi8(low, v),
                       _mm256_unpackhi_epi8(low, v)};
    }
    Words y = load_pixels(in);
    if (size == 2) {
        y.a = _mm256_or_si256(_mm256_and_si256(y.a, mask), low);
        y.b = _mm256_or_si256(_mm256_and_si256(y.b, mask), low);
    }
    return y;
}

// n pixels, rounded up to 32, of row i of those whose chroma is loaded: out
// [3], `plane` apart.
//   in, size  their luma, as load_luma_words() reads it
//   doubled   their chroma is in k->line, a sample for two; else in k->chroma
//
// b_u has 17 bits, but 16 without 2^15, by which a sample is multiplied when it
// is added.
INLINE void
combine_words(const Converter *k, int i, const void *in, const int size,
              const bool doubled, const bool on_column, int n, uint8_t *out,
              size_t plane)
{
    const PeYuvCoefficients *c = &k->coefficients[0];
    const __m256i mask =
        _mm256_set1_epi16((int16_t)(0xffff << k->layout->c[0].shift));
    const __m256i low = size == 1 ? _mm256_set1_epi8((char)c->y_low)
                                  : _mm256_set1_epi16((int16_t)c->y_low);
    const __m256i mul = _mm256_set1_epi16((int16_t)c->y_mul);
    const __m256i add = _mm256_set1_epi16((int16_t)c->y_add);
    const __m256i r_v = _mm256_set1_epi16((int16_t)c->r_v);
    const __m256i g_u = _mm256_set1_epi16((int16_t)c->g_u);
    const __m256i g_v = _mm256_set1_epi16((int16_t)c->g_v);
    const __m256i b_u = _mm256_set1_epi16((int16_t)(c->b_u - 32768));
    const int16_t(*chroma)[CHROMA] = doubled ? k->line[i] : k->chroma[i];
    // Pixels 2 x to 2 x + 31: so every address is a multiple of x.
    for (size_t x = 0; 2 * x < (size_t)n; x += 16) {
        const uint8_t *luma = (const uint8_t *)in + (size == 1 ? 2 : 4) * x;
        Words y = load_luma_words(luma, size, mask, low), uv[2];
        for (int j = 0; j < 2; j++)
            uv[j] = doubled ? double_line(chroma[j] + x, on_column)
                            : load_pixels(chroma[j] + 2 * x);
        __m256i rgb[3][2];
        for (int j = 0; j < 2; j++) {
            __m256i l = scale_luma(j ? y.b : y.a, mul, add);
            __m256i u = j ? uv[0].b : uv[0].a, v = j ? uv[1].b : uv[1].a;
            __m256i green = _mm256_add_epi16(_mm256_mulhrs_epi16(u, g_u),
                                             _mm256_mulhrs_epi16(v, g_v));
            __m256i blue = _mm256_add_epi16(u, _mm256_mulhrs_epi16(u, b_u));
            rgb[0][j] = _mm256_adds_epi16(l, _mm256_mulhrs_epi16(v, r_v));
            rgb[1][j] = _mm256_adds_epi16(l, green);
            rgb[2][j] = _mm256_adds_epi16(l, blue);
        }
        for (size_t j = 0; j < 3; j++)
            store_pixels(out + j * plane + 2 * x, rgb[j][0], rgb[j][1]);
    }
}

INLINE void
combine_layout(const Converter *k, int i, const void *in, const int size, int n,
               uint8_t *out, size_t plane)
{
    if (k->layout->x_shift != 1)
        combine_words(k, i, in, size, false, false, n, out, plane);
    else if (k->on_column)
        combine_words(k, i, in, size, true, true, n, out, plane);
    else
        combine_words(k, i, in, size, true, false, n, out, plane);
}

// Row `row` of a tile, row i of those whose chroma is loaded: out [3], `plane`
// apart.
static void
combine_row(Converter *k, const PeFrame *f, int row, int i, int x, int n,
            uint8_t *out, size_t plane)
{
    const PeLayout *l = k->layout;
    const PeComponent *p = &l->c[0];
    // Nothing behind the end of a line may be read.
    bool whole = n % 32 == 0 && p->step == l->size && !l->big_endian;
    const uint8_t *in = frame_line(f, 0, row) + l->size * x;
    if (whole && l->size == 1) {
        prefetch(f, 0, row + LANES, f->height, x, TILE);
        combine_layout(k, i, in, 1, n, out, plane);
    } else if (whole && l->size == 2 && p->shift + p->bits == 16) {
        prefetch(f, 0, row + LANES, f->height, 2 * x, 2 * TILE);
        combine_layout(k, i, in, 2, n, out, plane);
    } else {
        load_luma(k, f, 0, row, x, n);
        combine_layout(k, i, k->luma, 0, n, out, plane);
    }
}

#else

INLINE uint8_t
saturate(int x)
{
    return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
}

INLINE int
scale_luma(const PeYuvCoefficients *k, unsigned y)
{
    return (int)(y * (unsigned)k->y_mul >> 16) + k->y_add;
}

INLINE int
part(int factor, int chroma)
{
    return (factor * chroma + (1 << 14)) >> 15;
}

static void
combine_luma(const PeYuvCoefficients *k, const uint16_t *luma, int n,
             uint8_t *restrict out)
{
    for (int x = 0; x < n; x++)
        out[x] = saturate(scale_luma(k, luma[x]) >> 6);
}

static void
combine_row(Converter *k, const PeFrame *f, int row, int i, int x0, int n,
            uint8_t *out, size_t plane)
{
    const PeYuvCoefficients c = k->coefficients[0];
    uint8_t *restrict r = out, *restrict g = out + plane;
    uint8_t *restrict b = g + plane;
    load_luma(k, f, 0, row, x0, n);
    if (k->layout->x_shift == 1)
        spread_line(k, i, n);
    for (int x = 0; x < n; x++) {
        int l = scale_luma(&c, k->luma[x]);
        int u = k->chroma[i][0][x], v = k->chroma[i][1][x];
        r[x] = saturate((l + part(c.r_v, v)) >> 6);
        g[x] = saturate((l + part(c.g_u, u) + part(c.g_v, v)) >> 6);
        b[x] = saturate((l + part(c.b_u, u)) >> 6);
    }
}

#endif

// ---- Pixels of bytes ------------------------------------------------------

// They fill the cache sooner.
#define RGB_TILE 256

// Are its pixels bytes of RGB, side by side?
INLINE bool
is_bytes_of_rgb(const PeLayout *l)
{
    return l->colours == PE_COLOURS_RGB && l->size == 1 && l->c[0].step > 1;
}

// n pixels of `step` bytes: R, G and B of each to out [3], `plane` apart
INLINE void
split_pixels(const Converter *k, const uint8_t *in, const int step, int n,
             uint8_t *out, size_t plane)
{
    int x = 0;
#ifdef __AVX2__
    for (; x + LANES <= n; x += LANES) {
        for (size_t c = 0; c < 3; c++) {
            __m128i v = _mm_setzero_si128();
            for (int i = 0; i < step; i++) {
                const __m128i *p = (const void *)(in + step * x + i * LANES);
                const __m128i *m = (const void *)k->shuffles[c][i];
                v = _mm_or_si128(v, _mm_shuffle_epi8(_mm_loadu_si128(p),
                                                     _mm_loadu_si128(m)));
            }
            _mm_storeu_si128((__m128i *)(void *)(out + c * plane) + x / LANES,
                             v);
        }
    }
#endif
    for (; x < n; x++) {
        for (size_t c = 0; c < 3; c++)
            out[c * plane + (size_t)x] = in[step * x + k->layout->c[c].offset];
    }
}

static void
split_row(const Converter *k, const PeFrame *f, int row, int x, int n,
          uint8_t *out, size_t plane)
{
    const uint8_t *in = frame_line(f, 0, row);
    if (k->layout->c[0].step == 3) {
        prefetch(f, 0, row + LANES, f->height, 3 * x, 3 * RGB_TILE);
        split_pixels(k, in + 3 * x, 3, n, out, plane);
    } else {
        prefetch(f, 0, row + LANES, f->height, 4 * x, 4 * RGB_TILE);
        split_pixels(k, in + 4 * x, 4, n, out, plane);
    }
}

// ---- Rows -----------------------------------------------------------------

static void
converter_init(Converter *k, const PeFrame *f)
{
    memset(k, 0, sizeof *k);
    const PeLayout *l = k->layout = pe_format_layout(f->format);
    k->curve = pe_transfer_table(f->transfer);
    k->on_column = pe_site_on_column(f->site);
    k->on_row = pe_site_on_row(f->site);
    for (int c = 0; c < 3; c++)
        k->coefficients[c] = pe_frame_coefficients(f, l->c[c].bits ? c : 0);
#ifdef __AVX2__
    memset(k->shuffles, 0x80, sizeof k->shuffles); // nothing from there
    for (int i = 0; is_bytes_of_rgb(l) && i < 3 * LANES; i++) {
        const PeComponent *c = &l->c[i / LANES];
        int byte = i % LANES * c->step + c->offset;
        k->shuffles[i / LANES][byte / LANES][i % LANES] =
            (uint8_t)(byte % LANES);
    }
#endif
}

// A row of a tile that has no chroma to out [C], `plane` apart.
static void
convert_row(Converter *k, const PeFrame *f, int row, int x, int n, uint8_t *out,
            size_t plane)
{
    const PeLayout *l = k->layout;
    if (is_bytes_of_rgb(l)) {
        split_row(k, f, row, x, n, out, plane);
        return;
    }
    int parts = l->colours == PE_COLOURS_RGB ? 3 : 1;
    for (int c = 0; c < parts; c++) {
        load_luma(k, f, c, row, x, n);
        combine_luma(&k->coefficients[c], k->luma, n, out + (size_t)c * plane);
    }
}

// Columns x..x + n - 1 of n_rows rows to rows [C][16][TILE]; x is a multiple of
// 16, n <= TILE.
static void
convert_rows(Converter *k, const PeFrame *f, int row, int n_rows, int x, int n,
             uint8_t *rows)
{
    const size_t plane = (size_t)LANES * TILE;
    const bool yuv = k->layout->colours == PE_COLOURS_YUV;
    for (int i = 0, end; i < n_rows; i = end) {
        end = i + (yuv ? load_chroma(k, f, row + i, n_rows - i, x, n) : 1);
        for (int j = i; j < end; j++) {
            uint8_t *out = rows + (size_t)j * TILE;
            if (yuv)
                combine_row(k, f, row + j, j - i, x, n, out, plane);
            else
                convert_row(k, f, row + j, x, n, out, plane);
        }
    }
}

// Rows [C][16][TILE] through the curve.
static void
curve_rows(const Converter *k, int n_rows, int n, uint8_t *rows)
{
    const int channels = k->layout->colours == PE_COLOURS_GREY ? 1 : 3;
    for (int i = 0; i < channels * LANES; i++, rows += TILE)
        for (int x = 0; i % LANES < n_rows && x < n; x++)
            rows[x] = k->curve[rows[x]];
}
