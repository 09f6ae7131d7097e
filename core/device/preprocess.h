// SPDX-License-Identifier: LGPL-2.1-or-later
//
// preprocess.h - the arithmetic of preprocessing, shared by all backends as
// tables: Pillow's antialiased bilinear resize in its own fixed point, and the
// conversion from YUV to RGB. The loops over pixels belong to the backends.

#pragma once

#include "core/pe.h"

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

// 8-bit RGB from YUV of any depth, in fixed point with 16 fractional bits:
//   l = y_mul * (y - y_off) + 2^15
//   r = clamp((l + r_v * (v - c_off)) >> 16)
//   g = clamp((l + g_u * (u - c_off) + g_v * (v - c_off)) >> 16)
//   b = clamp((l + b_u * (u - c_off)) >> 16)
// A grey picture is the luma alone. Chroma of a subsampled format is taken from
// the sample that covers the pixel.
typedef struct {
    int y_off, c_off;
    int y_mul, r_v, g_u, g_v, b_u;
} PeYuvCoefficients;

// `bits` of a sample: 8, or 10 for P010.
PeYuvCoefficients pe_yuv_coefficients(PeMatrix matrix, bool full_range,
                                      int bits);

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
// pointers move: to a multiple of four columns, so that aligned words of four
// pixels stay aligned, and of two lines, so that chroma stays with its pixels.
// Of the result crop.x is 0 to 3 and crop.y 0 or 1, and the crop ends where the
// frame ends.
PeFrame pe_frame_trim(const PeFrame *frame);

// Bytes of a line, and lines, of plane `i`; no lines when there is no such
// plane.
void pe_frame_plane_size(const PeFrame *frame, int i, int *line, int *n_lines);
G_END_DECLS
