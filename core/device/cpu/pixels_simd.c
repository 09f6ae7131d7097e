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

// Columns x..x + n - 1 of 16 frame rows from `row` on to p->columns.
static void
load_tile(const PePixels *p, Converter *k, int row, int n_rows, int x, int n)
{
    size_t c = (size_t)p->channels;
    convert_rows(k, &p->frame, row, n_rows, x, n, p->rows);
    if (k->curve)
        curve_rows(k, n_rows, n, p->rows);
    for (size_t i = 0; i < c; i++) {
        const uint8_t *in = p->rows + i * LANES * PE_PIXEL_TILE;
        uint8_t *out = p->columns + ((size_t)x / 2 * c + i) * 2 * LANES;
        for (int j = 0; j < n; j += LANES)
            transpose(in + j, PE_PIXEL_TILE, out + (size_t)j * c * LANES,
                      c * 2 * LANES);
    }
}

// Segment i of a channel: what it adds to the output that ends with it and to
// the one that begins.
INLINE void
add_segment(const PeSegments *x, int i, const uint8_t *in, size_t step,
            Sums *ends, Sums *begins)
{
    const PePairWeights *w = x->weights + 2 * (size_t)i * (size_t)x->pairs;
    in += (size_t)x->first[i] * step;
#pragma GCC unroll 2
    for (int k = 0; k < x->pairs; k++, w += 2, in += step)
        sums_add_twice(ends, begins, in, &w[0], &w[1]);
}

// Outputs o..o + n - 1 of a channel of 16 rows: out [n], `apart`, of [16].
//   sums  has what segment o adds to output o; gets the same of output o + n
INLINE void
squash_channel(const PePixels *p, int o, int n, const uint8_t *in, size_t step,
               Sums *sums, uint8_t *out, size_t apart)
{
    Sums ends = *sums, begins;
    for (int i = o + 1; i <= o + n; i++, out += apart) {
        sums_start(&begins);
        add_segment(&p->x_segments, i, in, step, &ends, &begins);
        sums_store(&ends, out);
        ends = begins;
    }
    *sums = ends;
}

// 16 outputs of a channel, from o on, to frame rows row .. row + 15 of the
// ring; row % 2 == 0.
INLINE void
store_block(const PePixels *p, int row, int o, int c, const uint8_t *block)
{
    uint8_t lines[LANES * LANES]; // [8][16 outputs][2 rows]
    const size_t line = 2 * (size_t)p->out_width;
    int pair = row / 2 % p->ring_pairs;
    transpose(block, LANES, lines, 2 * LANES);
    for (int i = 0; i < LANES / 2; i++) {
        size_t at = (size_t)(pair * p->channels + c) * line + 2 * (size_t)o;
        memcpy(p->ring + at, lines + i * 2 * LANES, 2 * LANES);
        pair = pair + 1 < p->ring_pairs ? pair + 1 : 0;
    }
}

// p->columns to the ring.
INLINE void
squash_columns(const PePixels *p, int row, const int channels)
{
    uint8_t block[LANES * LANES] = {0}; // [16 outputs][16 rows]
    const size_t step = (size_t)channels * 2 * LANES;
    Sums sums[3];
    for (int c = 0; c < channels; c++) {
        Sums none;
        sums_start(&none);
        sums_start(&sums[c]);
        add_segment(&p->x_segments, 0, p->columns + c * 2 * LANES, step, &none,
                    &sums[c]);
    }
    for (int o = 0; o < p->out_width; o += LANES) {
        int n = p->x->out_size - o < LANES ? p->x->out_size - o : LANES;
        for (int c = 0; c < channels; c++) {
            squash_channel(p, o, n, p->columns + c * 2 * LANES, step, &sums[c],
                           block, LANES);
            store_block(p, row, o, c, block);
        }
    }
}

// Output row o of channel c, 16 outputs from x on: out [16]
INLINE void
squash_rows(const PePixels *p, int o, int c, int x, uint8_t *out)
{
    const PePairs *y = &p->y_pairs;
    const PePairWeights *w = y->weights + (size_t)o * (size_t)y->max;
    size_t line = 2 * (size_t)p->out_width, step = (size_t)p->channels * line;
    const uint8_t *in = p->ring + (size_t)c * line + 2 * (size_t)x;
    const uint8_t *ring_end = in + (size_t)p->ring_pairs * step;
    in += (size_t)(y->first[o] % p->ring_pairs) * step;
    Sums sums;
    sums_start(&sums);
    const PePairWeights *end = w + y->count[o];
    do {
        sums_add(&sums, in, w);
        in += step;
        if (in == ring_end)
            in -= (size_t)p->ring_pairs * step;
    } while (++w < end);
    sums_store(&sums, out);
}

static void
write_row(const PePixels *p, int o, int c)
{
    int width = p->x->out_size, x = 0;
    ptrdiff_t step = p->place.step_x;
    uint8_t *out = p->rgb + (size_t)(c * p->y->out_size) * (size_t)width +
                   p->place.start + o * p->place.step_y;
    for (; step == 1 && x + LANES <= width; x += LANES)
        squash_rows(p, o, c, x, out + x);
    for (; x < width; x += LANES) {
        uint8_t line[LANES];
        squash_rows(p, o, c, x, line);
        for (int i = 0; i < LANES && x + i < width; i++)
            out[(x + i) * step] = line[i];
    }
}

void
PE_PIXELS_SQUASH(const PePixels *p)
{
    const PeFrame *f = &p->frame;
    Converter k;
    converter_init(&k, f);
    const int tile = is_bytes_of_rgb(k.layout) ? RGB_TILE : TILE;
    // What is behind the crop is only there for its chroma.
    const int width = f->crop.x + f->crop.width;
    const int height = f->crop.y + f->crop.height;
    int o = 0; // the next output row
    for (int row = 0; row < height; row += LANES) {
        int end = row + LANES < height ? row + LANES : height;
        for (int x = 0; x < width; x += tile) {
            int n = width - x < tile ? width - x : tile;
            load_tile(p, &k, row, end - row, x, n);
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
