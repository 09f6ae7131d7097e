// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pixels_simd.c - convert a frame to RGB and squash it, 16 rows at a time.
// Compiled once per instruction set; PE_PIXELS_SQUASH names the result.
//
// Both passes multiply and add pairs of neighbouring bytes, in 16 lanes that
// have the same weights: rows in the horizontal pass, outputs in the vertical
// one. Then no pass needs gathers or sums across lanes. The price is two
// transpositions of pairs:
//
//     frame rows -> RGB rows [C][16][tile]         convert
//                -> columns  [w / 2][C][16][2]     transpose
//                -> outputs  [out_w][C][16]        horizontal pass, to u8
//                -> ring     [..][C][out_w][2]     transpose
//                -> picture  [3][out_h][out_w]     vertical pass, to u8
//
// The ring keeps as many rows as the vertical pass looks back, so no full-size
// copy of the frame exists.

#include "pixels.h"

#include "pixels_convert.h"
#include "pixels_pairs.h"

// Columns x..x + n - 1 of 16 frame rows from `row` on to p->columns.
static void
load_tile(const PePixels *p, Converter *k, int row, int n_rows, int x, int n)
{
    size_t c = (size_t)p->channels;
    convert_rows(k, &p->frame, row, n_rows, x, n, p->rows);
    for (size_t i = 0; i < c; i++) {
        const uint8_t *in = p->rows + i * LANES * PE_PIXEL_TILE;
        uint8_t *out = p->columns + ((size_t)x / 2 * c + i) * 2 * LANES;
        for (int j = 0; j < n; j += LANES)
            transpose(in + j, PE_PIXEL_TILE, out + (size_t)j * c * LANES,
                      c * 2 * LANES);
    }
}

// Output column o of C channels and 16 rows: out [C][16]
INLINE void
squash_column(const PePixels *p, int o, const int channels, uint8_t *out)
{
    const PePairs *x = &p->x_pairs;
    const uint8_t *in =
        p->columns + (size_t)(x->first[o] * channels) * 2 * LANES;
    const PePairWeights *w = x->weights + (size_t)o * (size_t)x->max;
    // No array, and no loop that may not run: gcc would keep some in memory.
    Sums r, g, b;
    sums_start(&r);
    sums_start(&g);
    sums_start(&b);
    const PePairWeights *end = w + x->count[o];
    do {
        sums_add(&r, in, w);
        if (channels > 1) {
            sums_add(&g, in + 2 * LANES, w);
            sums_add(&b, in + 4 * LANES, w);
        }
        in += channels * 2 * LANES;
    } while (++w < end);
    sums_store(&r, out);
    if (channels == 1)
        return;
    sums_store(&g, out + LANES);
    sums_store(&b, out + 2 * LANES);
}

// p->columns to frame rows row .. row + 15 of the ring; row % 2 == 0.
INLINE void
squash_columns(const PePixels *p, int row, const int channels)
{
    uint8_t block[LANES * 3 * LANES] = {0}; // [16 outputs][C][16 rows]
    uint8_t lines[LANES * LANES];           // [8][16 outputs][2 rows]
    size_t line = 2 * (size_t)p->out_width;
    for (int o = 0; o < p->out_width; o += LANES) {
        for (int i = 0; i < LANES && o + i < p->x->out_size; i++)
            squash_column(p, o + i, channels, block + i * channels * LANES);
        for (int c = 0; c < channels; c++) {
            transpose(block + c * LANES, (size_t)channels * LANES, lines,
                      2 * LANES);
            for (int i = 0; i < LANES / 2; i++) {
                int n = (row / 2 + i) % p->ring_pairs * channels + c;
                memcpy(p->ring + (size_t)n * line + 2 * (size_t)o,
                       lines + i * 2 * LANES, 2 * LANES);
            }
        }
    }
}

// Output row o of channel c, 16 outputs from x on: out [16]
INLINE void
squash_rows(const PePixels *p, int o, int c, int x, uint8_t *out)
{
    const PePairs *y = &p->y_pairs;
    const PePairWeights *w = y->weights + (size_t)o * (size_t)y->max;
    size_t line = 2 * (size_t)p->out_width;
    int pair = y->first[o] % p->ring_pairs;
    Sums sums;
    sums_start(&sums);
    const PePairWeights *end = w + y->count[o];
    do {
        int n = pair * p->channels + c;
        sums_add(&sums, p->ring + (size_t)n * line + 2 * (size_t)x, w);
        pair = pair + 1 < p->ring_pairs ? pair + 1 : 0;
    } while (++w < end);
    sums_store(&sums, out);
}

static void
write_row(const PePixels *p, int o, int c)
{
    int width = p->x->out_size, x = 0;
    uint8_t *out = p->rgb + (size_t)(c * p->y->out_size + o) * (size_t)width;
    for (; x + LANES <= width; x += LANES)
        squash_rows(p, o, c, x, out + x);
    if (x < width) {
        uint8_t last[LANES];
        squash_rows(p, o, c, x, last);
        memcpy(out + x, last, (size_t)(width - x));
    }
}

void
PE_PIXELS_SQUASH(const PePixels *p)
{
    const PeFrame *f = &p->frame;
    Converter k;
    converter_init(&k, f);
    int o = 0; // the next output row
    for (int row = 0; row < f->height; row += LANES) {
        int end = row + LANES < f->height ? row + LANES : f->height;
        for (int x = 0; x < f->width; x += PE_PIXEL_TILE) {
            int n = f->width - x;
            load_tile(p, &k, row, end - row, x,
                      n < PE_PIXEL_TILE ? n : PE_PIXEL_TILE);
        }
        if (p->channels == 1)
            squash_columns(p, row, 1);
        else
            squash_columns(p, row, 3);
        while (o < p->y->out_size &&
               f->crop.y + p->y->first[o] + p->y->count[o] <= end) {
            for (int c = 0; c < p->channels; c++)
                write_row(p, o, c);
            o++;
        }
    }
    size_t plane = (size_t)p->x->out_size * (size_t)p->y->out_size;
    for (int c = p->channels; c < 3; c++)
        memcpy(p->rgb + (size_t)c * plane, p->rgb, plane);
}
