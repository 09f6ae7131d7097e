// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pixels_chroma.h - samples of a tile of columns out of any layout, and chroma
// of every pixel out of the samples around it: first between lines, then
// between columns. For pixels_simd.c only.

#pragma once

#include "pixels_pairs.h"

#define TILE PE_PIXEL_TILE
// Samples of chroma of a tile, one before and one behind it, rounded up.
#define CHROMA (TILE + 32)

typedef struct {
    const PeLayout *layout;
    const uint8_t *curve;              // of pe_transfer_table()
    PeYuvCoefficients coefficients[3]; // of R, G and B; YUV has the first
    bool on_column, on_row;            // of PeSite
    uint16_t luma[TILE];
    int16_t chroma[2][2][CHROMA];          // of each pixel of one or two rows
    int16_t line[2][2][CHROMA];            // as they are stored, of the same
    uint16_t above[CHROMA], below[CHROMA]; // a component of two lines
#ifdef __AVX2__
    // Shuffles of 16 pixels' bytes, a vector each, to one channel.
    uint8_t shuffles[3][4][LANES];
#endif
} Converter;

// ---- Samples --------------------------------------------------------------

INLINE const uint8_t *
frame_line(const PeFrame *f, int plane, int row)
{
    return f->planes[plane] + (ptrdiff_t)row * f->strides[plane];
}

// n bytes of line `line` or, where a plane ends before, of its last one. A
// tile's rows are too short for the processor to notice where they lead, so a
// tile prefetches the one below it, which is due when the rest of its rows have
// been converted.
INLINE void
prefetch(const PeFrame *f, int plane, int line, int n_lines, int at,
         const int n)
{
    const uint8_t *in = frame_line(f, plane, MIN(line, n_lines - 1)) + at;
    for (int i = 0; i < n; i += 64)
        __builtin_prefetch(in + i);
}

INLINE void
read_bytes(const uint8_t *restrict in, const int step, int n, int low,
           uint16_t *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = (uint16_t)(in[step * i] << 8 | low);
}

// `step` in bytes. Little endian.
INLINE void
read_words(const uint8_t *restrict in, const int step, int n, int right,
           int left, int low, uint16_t *restrict out)
{
    for (int i = 0; i < n; i++) {
        uint16_t v;
        memcpy(&v, in + step * i, sizeof v);
        v = GUINT16_FROM_LE(v);
        out[i] = (uint16_t)((v >> right << left) | low);
    }
}

// Samples x..x + n - 1 of a component; all of them with `low` added.
static void
read_samples(const PeLayout *l, const PeComponent *c, const uint8_t *line,
             int x, int n, int low, uint16_t *out)
{
    const uint8_t *in = line + c->offset + c->step * x;
    bool bytes = l->size == 1, words = l->size == 2 && !l->big_endian;
    int left = 16 - c->bits;
    if (bytes && c->step == 1)
        read_bytes(in, 1, n, low, out);
    else if (bytes && c->step == 2)
        read_bytes(in, 2, n, low, out);
    else if (bytes && c->step == 4)
        read_bytes(in, 4, n, low, out);
    else if (words && c->step == 2)
        read_words(in, 2, n, c->shift, left, low, out);
    else if (words && c->step == 4)
        read_words(in, 4, n, c->shift, left, low, out);
    else
        for (int i = 0; i < n; i++)
            out[i] =
                (uint16_t)(pe_layout_read(l, c, line, x + i) | (unsigned)low);
}

// ---- Between lines --------------------------------------------------------

// (8 - w) a + w b in eighths, of bytes. Exactly what pe_chroma_between() makes
// of them.
INLINE void
mix_bytes(const uint8_t *restrict a, const uint8_t *restrict b, const int step,
          int n, int w, int16_t *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = (int16_t)((a[step * i] * (8 - w) + b[step * i] * w) * 16 -
                           (1 << 14));
}

#ifdef __AVX2__

INLINE __m256i
load_words(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

INLINE void
store_words(int16_t *out, __m256i v)
{
    _mm256_storeu_si256((__m256i *)(void *)out, v);
}

INLINE __m256i
mix_words(__m256i a, __m256i b, __m256i w)
{
    return _mm256_add_epi16(a, _mm256_mulhrs_epi16(_mm256_sub_epi16(b, a), w));
}

// 16 samples of two components that lie side by side, for each of `rows` rows
// with a weight in w: to u and v of the first row.
INLINE void
mix_byte_vectors(const uint8_t *a, const uint8_t *b, const int *w,
                 const int rows, int16_t *u, int16_t *v)
{
    const __m256i sort = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15));
    // Samples without their centre are signed, and weights of 16 times as much
    // are bytes without a sign: 128 * 2^7 is 2^14.
    const __m256i centre = _mm256_set1_epi8(-128);
    __m256i x = _mm256_shuffle_epi8(load_words(a), sort);
    __m256i y = _mm256_shuffle_epi8(load_words(b), sort);
    x = _mm256_xor_si256(x, centre);
    y = _mm256_xor_si256(y, centre);
    __m256i first = _mm256_unpacklo_epi8(x, y);
    __m256i second = _mm256_unpackhi_epi8(x, y);
    for (int i = 0; i < rows; i++, u += 2 * CHROMA, v += 2 * CHROMA) {
        __m256i weights =
            _mm256_set1_epi16((int16_t)(16 * (8 - w[i]) + 256 * 16 * w[i]));
        store_words(u, _mm256_maddubs_epi16(weights, first));
        store_words(v, _mm256_maddubs_epi16(weights, second));
    }
}

// The same of 16-bit words, which have their bits at the upper end.
INLINE void
mix_word_vectors(const uint8_t *a, const uint8_t *b, const int *w,
                 const int rows, int right, int16_t *u, int16_t *v)
{
    const __m256i sort = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
    const __m256i mask = _mm256_set1_epi16((int16_t)(0xffff << right));
    const __m256i centre = _mm256_set1_epi16(1 << 14);
    __m256i x[2], y[2];
    for (int i = 0; i < 2; i++) {
        x[i] = _mm256_and_si256(load_words(a + 32 * i), mask);
        y[i] = _mm256_and_si256(load_words(b + 32 * i), mask);
        x[i] = _mm256_sub_epi16(_mm256_srli_epi16(x[i], 1), centre);
        y[i] = _mm256_sub_epi16(_mm256_srli_epi16(y[i], 1), centre);
    }
    for (int i = 0; i < rows; i++, u += 2 * CHROMA, v += 2 * CHROMA) {
        __m256i weight = _mm256_set1_epi16((int16_t)(w[i] << 12)), mixed[2];
        for (int j = 0; j < 2; j++)
            mixed[j] = _mm256_shuffle_epi8(mix_words(x[j], y[j], weight), sort);
        __m256i first = _mm256_unpacklo_epi64(mixed[0], mixed[1]);
        __m256i second = _mm256_unpackhi_epi64(mixed[0], mixed[1]);
        store_words(u, _mm256_permute4x64_epi64(first, 0xd8));
        store_words(v, _mm256_permute4x64_epi64(second, 0xd8));
    }
}

#endif

INLINE int
word_to_chroma(const uint8_t *p, int right, int left)
{
    uint16_t v;
    memcpy(&v, p, sizeof v);
    v = (uint16_t)(GUINT16_FROM_LE(v) >> right << left);
    return pe_chroma_centre(v);
}

// As mix_bytes(), of 16-bit words, of which `step` bytes hold one of a
// component.
INLINE void
mix_word_lines(const uint8_t *a, const uint8_t *b, const int step, int n, int w,
               int right, int left, int16_t *restrict out)
{
    for (int i = 0; i < n; i++, a += step, b += step)
        out[i] = (int16_t)pe_chroma_between(word_to_chroma(a, right, left),
                                            word_to_chroma(b, right, left), w);
}

static void
mix_samples(const uint16_t *restrict a, const uint16_t *restrict b, int n,
            int w, int16_t *restrict out)
{
    for (int i = 0; i < n; i++)
        out[i] = (int16_t)pe_chroma_between(pe_chroma_centre(a[i]),
                                            pe_chroma_centre(b[i]), w);
}

INLINE int
clamp_index(int i, int n)
{
    return i < 0 ? 0 : i < n ? i : n - 1;
}

// Component c of two lines.
static void
mix_component(Converter *k, int c, const uint8_t *a, const uint8_t *b,
              int first, int n, int w, int16_t *out)
{
    const PeLayout *l = k->layout;
    const PeComponent *p = &l->c[c];
    int at = p->offset + p->step * first, left = 16 - p->bits;
    if (l->size == 1 && p->step == 1)
        mix_bytes(a + at, b + at, 1, n, w, out);
    else if (l->size == 1 && p->step == 4)
        mix_bytes(a + at, b + at, 4, n, w, out);
    else if (l->size == 2 && p->step == 2)
        mix_word_lines(a + at, b + at, 2, n, w, p->shift, left, out);
    else {
        read_samples(l, p, a, first, n, 0, k->above);
        read_samples(l, p, b, first, n, 0, k->below);
        mix_samples(k->above, k->below, n, w, out);
    }
}

// n samples of two components that lie side by side in lines a and b, for each
// of `rows` rows with a weight in w: out [rows][2][CHROMA]
INLINE void
mix_pairs(const PeLayout *l, const uint8_t *a, const uint8_t *b, int n,
          const int *w, const int size, const int rows, int16_t *out)
{
    const int right = l->c[1].shift;
    int16_t *u = out + (l->c[1].offset ? CHROMA : 0);
    int16_t *v = out + (l->c[1].offset ? 0 : CHROMA);
#ifdef __AVX2__
    // The last vector begins where it ends with the line.
    for (int i = 0; n >= 16 && i < n; i += 16) {
        int x = MIN(i, n - 16);
        const uint8_t *p = a + 2 * size * x, *q = b + 2 * size * x;
        if (size == 1)
            mix_byte_vectors(p, q, w, rows, u + x, v + x);
        else
            mix_word_vectors(p, q, w, rows, right, u + x, v + x);
    }
    if (n >= 16)
        return;
#endif
    for (int i = 0; i < rows; i++, u += 2 * CHROMA, v += 2 * CHROMA) {
        if (size == 1) {
            mix_bytes(a, b, 2, n, w[i], u);
            mix_bytes(a + 1, b + 1, 2, n, w[i], v);
        } else {
            mix_word_lines(a, b, 4, n, w[i], right, right, u);
            mix_word_lines(a + 2, b + 2, 4, n, w[i], right, right, v);
        }
    }
}

// The place of a row between lines of chroma, as pe_chroma_place().
INLINE int
place_of_row(const Converter *k, int row)
{
    return pe_chroma_place(row, k->layout->y_shift, k->on_row);
}

// Is the row behind this one between the same lines of chroma?
INLINE bool
shares_lines(const Converter *k, int row)
{
    return place_of_row(k, row) >> 3 == place_of_row(k, row + 1) >> 3;
}

// Samples first..first + n - 1 of both components of chroma, for a row of the
// frame or two that share lines: out [rows][2][CHROMA]
static void
mix_lines(Converter *k, const PeFrame *f, int row, int rows, int first, int n,
          int16_t *out)
{
    const PeLayout *l = k->layout;
    int place = place_of_row(k, row);
    int w[2] = {place & 7, place_of_row(k, row + 1) & 7};
    int n_lines = ((f->height - 1) >> l->y_shift) + 1;
    int i = clamp_index(place >> 3, n_lines);
    int j = clamp_index((place >> 3) + 1, n_lines);
    if (l->c[1].plane == 1 && l->c[2].plane == 1 && !l->packed) {
        int at = l->c[1].step * first, below = j + (LANES >> l->y_shift);
        prefetch(f, 1, below, n_lines, at, l->c[1].step * TILE / 2);
        const uint8_t *a = frame_line(f, 1, i) + at;
        const uint8_t *b = frame_line(f, 1, j) + at;
        if (l->size == 1 && rows == 2)
            mix_pairs(l, a, b, n, w, 1, 2, out);
        else if (l->size == 1)
            mix_pairs(l, a, b, n, w, 1, 1, out);
        else if (rows == 2)
            mix_pairs(l, a, b, n, w, 2, 2, out);
        else
            mix_pairs(l, a, b, n, w, 2, 1, out);
        return;
    }
    for (int c = 0; c < 2 * rows; c++, out += CHROMA) {
        int plane = l->c[1 + c % 2].plane;
        mix_component(k, 1 + c % 2, frame_line(f, plane, i),
                      frame_line(f, plane, j), first, n, w[c / 2], out);
    }
}

// ---- Between columns ------------------------------------------------------

// Both components of columns x..x + n - 1 to k->line, with one more on either
// side; x is a multiple of 4.
static void
load_line(Converter *k, const PeFrame *f, int row, int rows, int x, int n)
{
    const int shift = k->layout->x_shift;
    int before = (x >> shift) - 1, last = ((x + n - 1) >> shift) + 1;
    int from = MAX(before, 0), to = MIN(last, (f->width - 1) >> shift);
    mix_lines(k, f, row, rows, from, to - from + 1,
              k->line[0][0] + (from - before));
    for (int c = 0; c < 2 * rows; c++) {
        int16_t *line = k->line[c / 2][c % 2];
        if (from > before)
            line[0] = line[1];
        if (to < last)
            line[last - before] = line[to - before];
    }
}

// k->line[i] to n pixels, of which 2 or 4 share a sample.
static void
spread_line(Converter *k, int i, int n)
{
    const int shift = k->layout->x_shift;
    for (int c = 0; c < 2; c++) {
        for (int x = 0; x < n; x++) {
            int place = pe_chroma_place(x, shift, k->on_column);
            const int16_t *p = k->line[i][c] + (place >> 3) + 1;
            k->chroma[i][c][x] =
                (int16_t)pe_chroma_between(p[0], p[1], place & 7);
        }
    }
}
