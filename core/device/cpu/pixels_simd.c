// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pixels_simd.c - convert a frame to RGB and squash it, 16 rows at a time.
// Compiled once per instruction set; PE_PIXELS_SQUASH names the result.
//
// The horizontal pass has its 16 lanes on rows, not on columns: then every
// output is a plain sum over neighbouring columns, without gathers and without
// sums across lanes. The price is two transpositions:
//
//     frame rows -> RGB rows [C][16][w]        convert
//                -> columns  [w][C][16]        transpose
//                -> outputs  [out_w][C][16]    horizontal pass, rounds to u8
//                -> ring     [..][C][out_w]    transpose
//                -> picture  [3][out_h][out_w] vertical pass
//
// The ring keeps as many rows as the vertical pass looks back, so no full-size
// copy of the frame exists.

#include "pixels.h"

#include <string.h>

#define LANES PE_PIXEL_LANES
#define HALF (1 << 21) // of the weights' 22 fractional bits

// 16 lanes of 32 bits are PARTS vectors of the widest kind that there is.
#if defined(__AVX512BW__)
#define PARTS 1
#elif defined(__AVX2__)
#define PARTS 2
#else
#define PARTS 4
#endif
#define WIDTH (LANES / PARTS)

typedef uint8_t Bytes __attribute__((vector_size(LANES)));
typedef uint8_t U8 __attribute__((vector_size(WIDTH)));
typedef int32_t I32 __attribute__((vector_size(4 * WIDTH)));

// ---- Frame row to RGB -----------------------------------------------------

static inline uint8_t
clip(int x)
{
    return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
}

static void
convert_yuv(const PePixels *p, const PeYuvCoefficients *k, uint8_t *restrict r,
            uint8_t *restrict g, uint8_t *restrict b)
{
    const uint16_t *restrict y = p->luma;
    const uint16_t *restrict u = p->cb;
    const uint16_t *restrict v = p->cr;
    PeYuvCoefficients c = *k;
    for (int x = 0; x < p->frame->width; x++) {
        int luma = c.y_mul * (y[x] - c.y_off) + (1 << 15);
        int cu = u[x] - c.c_off, cv = v[x] - c.c_off;
        r[x] = clip((luma + c.r_v * cv) >> 16);
        g[x] = clip((luma + c.g_u * cu + c.g_v * cv) >> 16);
        b[x] = clip((luma + c.b_u * cu) >> 16);
    }
}

static void
convert_gray(const uint8_t *restrict y, int n, const PeYuvCoefficients *k,
             uint8_t *restrict out)
{
    PeYuvCoefficients c = *k;
    for (int x = 0; x < n; x++)
        out[x] = clip((c.y_mul * (y[x] - c.y_off) + (1 << 15)) >> 16);
}

static inline void
split_rgb(const uint8_t *restrict in, const int step, int n,
          uint8_t *restrict c0, uint8_t *restrict c1, uint8_t *restrict c2)
{
    for (int x = 0; x < n; x++) {
        c0[x] = in[step * x];
        c1[x] = in[step * x + 1];
        c2[x] = in[step * x + 2];
    }
}

// Every `step`-th byte, each for `repeat` pixels.
static inline void
spread8(const uint8_t *restrict in, const int step, const int repeat, int n,
        uint16_t *restrict out)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < repeat; j++)
            out[repeat * i + j] = in[step * i];
    }
}

// The same for the upper 10 of 16 bits.
static inline void
spread10(const uint8_t *bytes, const int step, const int repeat, int n,
         uint16_t *restrict out)
{
    const uint16_t *restrict in = (const uint16_t *)(const void *)bytes;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < repeat; j++)
            out[repeat * i + j] = (uint16_t)(in[step * i] >> 6);
    }
}

static inline const uint8_t *
frame_line(const PeFrame *f, int plane, int row)
{
    return f->planes[plane] + (ptrdiff_t)row * f->strides[plane];
}

static void
unpack_luma(const PePixels *p, int row)
{
    const PeFrame *f = p->frame;
    const uint8_t *in = frame_line(f, 0, row);
    if (f->format == PE_FORMAT_P010)
        spread10(in, 1, 1, f->width, p->luma);
    else if (f->format == PE_FORMAT_YUY2)
        spread8(in, 2, 1, f->width, p->luma);
    else
        spread8(in, 1, 1, f->width, p->luma);
}

// Chroma at full width.
static void
unpack_chroma(const PePixels *p, int row)
{
    const PeFrame *f = p->frame;
    int n = (f->width + 1) / 2;
    if (f->format == PE_FORMAT_YUY2) {
        const uint8_t *in = frame_line(f, 0, row);
        spread8(in + 1, 4, 2, n, p->cb);
        spread8(in + 3, 4, 2, n, p->cr);
        return;
    }
    const uint8_t *in = frame_line(f, 1, row / 2);
    if (f->format == PE_FORMAT_P010) {
        spread10(in, 2, 2, n, p->cb);
        spread10(in + 2, 2, 2, n, p->cr);
    } else if (f->format == PE_FORMAT_NV12) {
        spread8(in, 2, 2, n, p->cb);
        spread8(in + 1, 2, 2, n, p->cr);
    } else {
        spread8(in, 1, 2, n, p->cb);
        spread8(frame_line(f, 2, row / 2), 1, 2, n, p->cr);
    }
}

// Row `row` of the frame into lane `lane` of p->rows.
static void
convert_row(const PePixels *p, int row, const PeYuvCoefficients *k, int lane)
{
    const PeFrame *f = p->frame;
    const uint8_t *in = frame_line(f, 0, row);
    size_t plane = (size_t)LANES * (size_t)p->width;
    uint8_t *r = p->rows + (size_t)lane * (size_t)p->width;
    uint8_t *g = r + plane, *b = g + plane;
    switch (f->format) {
    case PE_FORMAT_RGB:
        split_rgb(in, 3, f->width, r, g, b);
        break;
    case PE_FORMAT_BGR:
        split_rgb(in, 3, f->width, b, g, r);
        break;
    case PE_FORMAT_RGBX:
        split_rgb(in, 4, f->width, r, g, b);
        break;
    case PE_FORMAT_BGRX:
        split_rgb(in, 4, f->width, b, g, r);
        break;
    case PE_FORMAT_GRAY8:
        convert_gray(in, f->width, k, r);
        break;
    default:
        unpack_luma(p, row);
        // Two rows share their chroma, except in YUY2.
        if (row % 2 == 0 || f->format == PE_FORMAT_YUY2)
            unpack_chroma(p, row);
        convert_yuv(p, k, r, g, b);
    }
}

// ---- Transposition --------------------------------------------------------

static inline Bytes
low_pairs(Bytes a, Bytes b)
{
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5,
                                   21, 6, 22, 7, 23);
}

static inline Bytes
high_pairs(Bytes a, Bytes b)
{
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28,
                                   13, 29, 14, 30, 15, 31);
}

// 16 lines of 16 bytes, `in_stride` apart, to their 16 columns. Interleaving
// line i with line i + 8, four times over, is a transposition.
static inline void
transpose(const uint8_t *in, size_t in_stride, uint8_t *out, size_t out_stride)
{
    Bytes a[LANES], b[LANES];
    for (int i = 0; i < LANES; i++)
        memcpy(&a[i], in + (size_t)i * in_stride, LANES);
    for (int pass = 0; pass < 4; pass++) {
        for (int i = 0; i < LANES / 2; i++) {
            b[2 * i] = low_pairs(a[i], a[i + LANES / 2]);
            b[2 * i + 1] = high_pairs(a[i], a[i + LANES / 2]);
        }
        memcpy(a, b, sizeof a);
    }
    for (int i = 0; i < LANES; i++)
        memcpy(out + (size_t)i * out_stride, &a[i], LANES);
}

// p->rows [C][16][width] to p->columns [width][C][16]
static void
transpose_rows(const PePixels *p)
{
    size_t width = (size_t)p->width, c = (size_t)p->channels;
    for (size_t i = 0; i < c; i++) {
        const uint8_t *in = p->rows + i * LANES * width;
        for (size_t x = 0; x < width; x += LANES)
            transpose(in + x, width, p->columns + (x * c + i) * LANES,
                      c * LANES);
    }
}

// ---- The two passes -------------------------------------------------------

// sum [LANES] = one half of the last place that is kept
static inline void
start_sum(I32 *sum)
{
    for (int i = 0; i < PARTS; i++)
        sum[i] = (I32){0} + HALF;
}

// sum [LANES] += in [LANES] * w
static inline void
add_weighted(I32 *sum, const uint8_t *in, int32_t w)
{
    for (int i = 0; i < PARTS; i++) {
        U8 v;
        memcpy(&v, in + i * WIDTH, WIDTH);
        sum[i] += __builtin_convertvector(v, I32) * w;
    }
}

// Weights are positive and their sum is 2^22 within one for each tap, so that
// the result needs no clipping.
static inline void
store_rounded(uint8_t *out, const I32 *sum)
{
    for (int i = 0; i < PARTS; i++) {
        U8 v = __builtin_convertvector(sum[i] >> 22, U8);
        memcpy(out + i * WIDTH, &v, WIDTH);
    }
}

// Output column o of C channels and 16 rows: out [C][16]
static inline void
squash_column(const PePixels *p, int o, const int channels, uint8_t *out)
{
    const PeResizeAxis *axis = p->x;
    const uint8_t *in =
        p->columns + (size_t)(axis->first[o] * channels) * LANES;
    const int32_t *w = axis->weights + (size_t)o * (size_t)axis->taps;
    I32 sum[3][PARTS];
    for (int c = 0; c < channels; c++)
        start_sum(sum[c]);
    for (int k = 0; k < axis->count[o]; k++) {
        for (int c = 0; c < channels; c++, in += LANES)
            add_weighted(sum[c], in, w[k]);
    }
    for (int c = 0; c < channels; c++)
        store_rounded(out + c * LANES, sum[c]);
}

// p->columns to frame rows row .. row + 15 of the ring.
static inline void
squash_columns(const PePixels *p, int row, const int channels)
{
    uint8_t block[LANES * 3 * LANES]; // [16 outputs][C][16 rows]
    uint8_t lines[LANES * LANES];     // [16 rows][16 outputs]
    for (int o = 0; o < p->out_width; o += LANES) {
        for (int i = 0; i < LANES && o + i < p->x->out_size; i++)
            squash_column(p, o + i, channels, block + i * channels * LANES);
        for (int c = 0; c < channels; c++) {
            transpose(block + c * LANES, (size_t)channels * LANES, lines,
                      LANES);
            for (int i = 0; i < LANES; i++) {
                size_t line = (size_t)((row + i) % p->ring_rows * channels + c);
                memcpy(p->ring + line * (size_t)p->out_width + o,
                       lines + i * LANES, LANES);
            }
        }
    }
}

// Output row o of channel c.
static void
squash_row(const PePixels *p, int o, int c, uint8_t *out)
{
    const PeResizeAxis *axis = p->y;
    const int32_t *w = axis->weights + (size_t)o * (size_t)axis->taps;
    size_t width = (size_t)p->out_width;
    for (size_t x = 0; x < width; x += LANES) {
        I32 sum[PARTS];
        start_sum(sum);
        for (int k = 0; k < axis->count[o]; k++) {
            int row = (axis->first[o] + k) % p->ring_rows;
            size_t line = (size_t)(row * p->channels + c);
            add_weighted(sum, p->ring + line * width + x, w[k]);
        }
        store_rounded(p->line + x, sum);
    }
    memcpy(out, p->line, (size_t)p->x->out_size);
}

void
PE_PIXELS_SQUASH(const PePixels *p)
{
    const PeFrame *f = p->frame;
    // Grey has a range, but no matrix.
    PeMatrix matrix = f->format < PE_FORMAT_NV12 ? PE_MATRIX_BT601 : f->matrix;
    PeYuvCoefficients k = pe_yuv_coefficients(
        matrix, f->full_range, f->format == PE_FORMAT_P010 ? 10 : 8);
    size_t out_w = (size_t)p->x->out_size;
    size_t plane = out_w * (size_t)p->y->out_size;
    int o = 0; // the next output row
    for (int row = 0; row < f->height; row += LANES) {
        int end = row + LANES < f->height ? row + LANES : f->height;
        for (int i = row; i < end; i++)
            convert_row(p, i, &k, i - row);
        transpose_rows(p);
        if (p->channels == 1)
            squash_columns(p, row, 1);
        else
            squash_columns(p, row, 3);
        while (o < p->y->out_size && p->y->first[o] + p->y->count[o] <= end) {
            for (int c = 0; c < p->channels; c++)
                squash_row(p, o, c,
                           p->rgb + (size_t)c * plane + (size_t)o * out_w);
            o++;
        }
    }
    for (int c = p->channels; c < 3; c++)
        memcpy(p->rgb + (size_t)c * plane, p->rgb, plane);
}
