// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pixels.h - the loops of preprocessing, compiled once per instruction set from
// pixels_simd.c. All arithmetic is in integers, so every variant gives the same
// bytes. Called by preprocess.c and by its test.

#pragma once

#include "core/device/preprocess.h"
#include "ops.h"

#define PE_PIXEL_LANES 16

// One frame on its way. Widths of lines are padded to PE_PIXEL_LANES.
typedef struct {
    const PeFrame *frame; // checked
    const PeResizeAxis *x, *y;
    uint8_t *rgb; // u8 [3, y->out_size, x->out_size], planar

    int channels;  // C: 1 for GRAY8, else 3
    int width;     // of a frame line, padded
    int out_width; // of an output line, padded
    int ring_rows;

    // Scratch memory.
    uint8_t *rows;            // [C][16][width]
    uint8_t *columns;         // [width][C][16]
    uint8_t *ring;            // [ring_rows][C][out_width]
    uint8_t *line;            // [out_width]
    uint16_t *luma, *cb, *cr; // [width], of one frame row
} PePixels;

// Fill the layout and point it into `scratch`, which may be NULL. Returns the
// bytes of scratch memory that it needs.
size_t pe_pixels_layout(PePixels *p, const PeFrame *frame,
                        const PeResizeAxis *x, const PeResizeAxis *y,
                        uint8_t *scratch);

typedef void (*PePixelsFunc)(const PePixels *p);

// The loops for a rung of the machine.
PePixelsFunc pe_pixels_func(PeRung rung);

void pe_pixels_squash_c(const PePixels *p);
void pe_pixels_squash_avx2(const PePixels *p);
void pe_pixels_squash_avx512(const PePixels *p);
