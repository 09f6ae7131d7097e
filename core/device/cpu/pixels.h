// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pixels.h - the loops of preprocessing, compiled once per instruction set from
// pixels_simd.c. All arithmetic is in integers, so every variant gives the same
// bytes. Called by preprocess.c and by its test.

#pragma once

#include "core/device/preprocess.h"
#include "ops.h"

#define PE_PIXEL_LANES 16
// Columns of a frame that are converted at a time, at the most, so that they
// stay in the first cache. 16 rows of them are no multiple of 4 KiB, which
// would put all channels into the same few lines of the cache.
#define PE_PIXEL_TILE 384

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

// An axis in segments: where an output's inputs begin, the one before it is in
// the middle of its own, so that every input adds to two outputs at the most.
// All segments are equally long, because a processor mispredicts the end of
// loops that differ; what they have too much weighs 0.
typedef struct {
    int pairs;              // of a segment
    int *first;             // [out_size + 1] pair
    PePairWeights *weights; // [out_size + 1, pairs, 2] for the output that
                            // ends, i - 1, and the one that begins, i
} PeSegments;

// One frame on its way. Widths of lines are padded to PE_PIXEL_LANES.
typedef struct {
    PeFrame frame; // trimmed
    const PeResizeAxis *x, *y;
    uint8_t *rgb;      // u8 [3, height, width] of the picture, planar
    PePlacement place; // in each plane of rgb

    int channels;  // C: 1 for grey, else 3
    int width;     // of a frame line up to the crop's end, padded
    int out_width; // of an output line, padded
    int ring_pairs;

    // Scratch memory.
    uint8_t *rows;    // [C][16][PE_PIXEL_TILE]
    uint8_t *columns; // [width / 2 + x_segments.pairs][C][16][2]
    uint8_t *ring;    // [ring_pairs][C][out_width][2]
    PeSegments x_segments;
    PePairs y_pairs;
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
