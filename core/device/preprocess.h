// SPDX-License-Identifier: LGPL-2.1-or-later
//
// preprocess.h - the arithmetic of preprocessing, shared by all backends as
// tables: Pillow's antialiased bilinear resize in its own fixed point, and the
// conversion from YUV to RGB. The loops over pixels belong to the backends.

#pragma once

#include "core/device/formats.h"

#include <stddef.h>

G_BEGIN_DECLS

// One axis of a resize. Output o is
//   clamp((2^21 + sum_k weights[o * taps + k] * in[first[o] + k]) >> 22, 0,
//   255)
// for k < count[o]; unused weights are 0.
// Source: Pillow src/libImaging/Resample.c, precompute_coeffs, bilinear filter.
typedef struct {
    int in_size, out_size;
    int taps;         // weights of one output, the most of any
    int *first;       // [out_size]
    int *count;       // [out_size]
    int32_t *weights; // [out_size, taps], 22 fractional bits
} PeResizeAxis;

PeResizeAxis *pe_resize_axis_new(int in_size, int out_size);
void pe_resize_axis_free(PeResizeAxis *axis);

// 8-bit RGB from YUV, grey or RGB of any depth, in units of 1/64 of a level.
// Samples have 16 bits, y as pe_layout_read() reads it, u and v between -2^14
// and 2^14:
//   l = (y_mul * (y + y_low) >> 16) + y_add
//   r = clamp((l + part(r_v, v)) >> 6)
//   g = clamp((l + part(g_u, u) + part(g_v, v)) >> 6)
//   b = clamp((l + part(b_u, u)) >> 6)
//   part(k, c) = (k * c + 2^14) >> 15
// A grey picture is the luma alone, and so is a component of RGB.
typedef struct {
    int y_mul; // below 2^16
    int y_add;
    int y_low;              // less than a sample's lowest bit
    int r_v, g_u, g_v, b_u; // the first three of 16 bits
} PeYuvCoefficients;

// `bits` of a sample: 1 to 16.
PeYuvCoefficients pe_yuv_coefficients(PeMatrix matrix, bool full_range,
                                      int bits);

// Those of component c of a frame: of Y when it has YUV.
PeYuvCoefficients pe_frame_coefficients(const PeFrame *frame, int c);

// From bytes of R, G and B of that transfer function to those of SDR; NULL when
// they are SDR.
const uint8_t *pe_transfer_table(PeTransfer transfer); // [256]

// (2 v - 255) / 256 for every byte: the model's pixel values in [-1, 1], times
// PE_PIXEL_SCALE of backend.h.
const float *pe_pixel_table(void); // [256]

#define PE_MAX_FRAME_SIZE 16384 // pixels of a side

// Checks plane pointers, strides, sizes and the crop; false with
// PE_ERROR_FORMAT. All that follows is for frames that have been checked.
bool pe_frame_check(const PeFrame *frame, GError **error);

// What is embedded: the crop, or all of the frame when there is none.
PeRect pe_frame_get_crop(const PeFrame *frame);

// The frame without the lines and columns that its crop has no need of. Only
// pointers move: to a multiple of four columns (of 12 where three samples share
// a word), so that aligned words of four pixels stay aligned, and of as many
// lines as have a line of chroma in common, so that chroma stays with its
// pixels. The samples of chroma around the crop, which are interpolated with
// its own, stay too. To trim a trimmed frame changes nothing.
PeFrame pe_frame_trim(const PeFrame *frame);

// ---- Orientation ----

// Frames are squashed as they are stored and turned when the squashed pixels
// are written: pixel (x, y) of them is byte
//   start + x * step_x + y * step_y
// of each plane of the picture.
typedef struct {
    ptrdiff_t start, step_x, step_y;
} PePlacement;

// In a picture of width x height pixels.
PePlacement pe_placement(PeOrientation orientation, int width, int height);

// Are the frame's lines columns of the picture? Then lines are squashed to the
// picture's height, and columns to its width.
bool pe_orientation_swaps_axes(PeOrientation orientation);

G_END_DECLS
