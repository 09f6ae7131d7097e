// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pixels.h - the loops of preprocessing, compiled once per instruction set from
// pixels_simd.c. All arithmetic is in integers, so every variant gives the same
// bytes. Called by preprocess.c and by its test.

#pragma once

#include "core/device/preprocess.h"
#include "ops.h"

#define PE_PIXEL_LANES 16
// Columns of a frame that are converted at a time, so that they stay in the
// first cache.
#define PE_PIXEL_TILE 256

// What two neighbouring inputs are multiplied with: (high << 16) + low each.
// The high parts of an output's weights add up to 128 at the most, so that sums
// of bytes times them fit into 16 bits.
typedef struct {
    int16_t low[2];
    int8_t high[4]; // of both, and of both again
} PePairWeights;

// An axis in pairs of neighbouring inputs. A pair begins at an even row or
// column of the trimmed frame; inputs that an output does not read weigh 0.
typedef struct {
    int max;                // pairs of one output, the most of any
    int *first;             // [out_size]
    int *count;             // [out_size]
    PePairWeights *weights; // [out_size, max]
} PePairs;

// One frame on its way. Widths of lines are padded to PE_PIXEL_LANES.
typedef struct {
    PeFrame frame; // trimmed
    const PeResizeAxis *x, *y;
    uint8_t *rgb; // u8 [3, y->out_size, x->out_size], planar

    int channels;  // C: 1 for GRAY8, else 3
    int width;     // of a frame line, padded
    int out_width; // of an output line, padded
    int ring_pairs;

    // Scratch memory.
    uint8_t *rows;    // [C][16][PE_PIXEL_TILE]
    uint8_t *columns; // [width / 2][C][16][2]
    uint8_t *ring;    // [ring_pairs][C][out_width][2]
    PePairs x_pairs, y_pairs;
} PePixels;

// Fill the layout for a frame that has been checked and point it into
// `scratch`, which may be NULL. The axes are of the frame's crop. Returns the
// bytes of scratch memory that it needs.
size_t pe_pixels_layout(PePixels *p, const PeFrame *frame,
                        const PeResizeAxis *x, const PeResizeAxis *y,
                        uint8_t *scratch);

typedef void (*PePixelsFunc)(const PePixels *p);

// The loops for an instruction set of the machine.
PePixelsFunc pe_pixels_func(PeIsa isa);

void pe_pixels_squash_c(const PePixels *p);
void pe_pixels_squash_avx2(const PePixels *p);
void pe_pixels_squash_avx512(const PePixels *p);
