// SPDX-License-Identifier: LGPL-2.1-or-later
//
// frame.h - a frame of any format as a kernel sees it: its pixels, alone or
// four at a time, in its own colours or in RGB. For preprocess.cu.

#pragma once

#include "core/device/preprocess.h"
#include "cuda/device.h"

struct Frame {
    const uint8_t *planes[3];
    int strides[3];
    int width, height;
    int x, y; // the crop's first column and row
    PeFormat format;
    bool words; // four pixels of any plane are one aligned word
    PeYuvCoefficients yuv;
    int offsets[3]; // of R, G and B: all that does not depend on the pixel
};

PE_DEVICE int
byte_of(uint32_t word, int i)
{
    return word >> 8 * i & 255;
}

PE_DEVICE bool
is_yuv(PeFormat format)
{
    return format >= PE_FORMAT_GRAY8;
}

PE_DEVICE const uint8_t *
line_of(const Frame &f, int plane, int row)
{
    return f.planes[plane] + (size_t)row * f.strides[plane];
}

// One pixel at column `x` of a row, anywhere in memory.
template <PeFormat FORMAT>
PE_DEVICE void
read_pixel(const Frame &f, int x, int row, int *a, int *b, int *c)
{
    const uint8_t *p = line_of(f, 0, row);
    const uint8_t *q;
    *b = *c = f.yuv.c_off;
    switch (FORMAT) {
    case PE_FORMAT_RGB:
    case PE_FORMAT_BGR:
        *a = p[3 * x], *b = p[3 * x + 1], *c = p[3 * x + 2];
        break;
    case PE_FORMAT_RGBX:
    case PE_FORMAT_BGRX:
        *a = p[4 * x], *b = p[4 * x + 1], *c = p[4 * x + 2];
        break;
    case PE_FORMAT_GRAY8:
        *a = p[x];
        break;
    case PE_FORMAT_NV12:
        q = line_of(f, 1, row / 2) + x / 2 * 2;
        *a = p[x], *b = q[0], *c = q[1];
        break;
    case PE_FORMAT_I420:
        *a = p[x];
        *b = line_of(f, 1, row / 2)[x / 2];
        *c = line_of(f, 2, row / 2)[x / 2];
        break;
    case PE_FORMAT_YUY2:
        *a = p[2 * x], *b = p[x / 2 * 4 + 1], *c = p[x / 2 * 4 + 3];
        break;
    case PE_FORMAT_P010:
        q = line_of(f, 1, row / 2) + x / 2 * 4;
        *a = ((const uint16_t *)p)[x] >> 6;
        *b = ((const uint16_t *)q)[0] >> 6;
        *c = ((const uint16_t *)q)[1] >> 6;
        break;
    }
}

// The words w with four pixels from column `x` on, x % 4 == 0, in a frame with
// f.words. Planes that a format lacks leave theirs alone.
template <PeFormat FORMAT>
PE_DEVICE void
read_words(const Frame &f, int x, int row, uint32_t (&w)[4])
{
    const uint8_t *p = line_of(f, 0, row);
    uint2 v;
    switch (FORMAT) {
    case PE_FORMAT_RGB:
    case PE_FORMAT_BGR:
        for (int i = 0; i < 3; i++)
            w[i] = ((const uint32_t *)(p + 3 * x))[i];
        break;
    case PE_FORMAT_RGBX:
    case PE_FORMAT_BGRX: {
        uint4 pixels = *(const uint4 *)(p + 4 * x);
        w[0] = pixels.x, w[1] = pixels.y, w[2] = pixels.z, w[3] = pixels.w;
        break;
    }
    case PE_FORMAT_GRAY8:
        w[0] = *(const uint32_t *)(p + x);
        break;
    case PE_FORMAT_NV12:
        w[0] = *(const uint32_t *)(p + x);
        w[1] = *(const uint32_t *)(line_of(f, 1, row / 2) + x);
        break;
    case PE_FORMAT_I420:
        w[0] = *(const uint32_t *)(p + x);
        w[1] = *(const uint16_t *)(line_of(f, 1, row / 2) + x / 2);
        w[2] = *(const uint16_t *)(line_of(f, 2, row / 2) + x / 2);
        break;
    case PE_FORMAT_YUY2:
        v = *(const uint2 *)(p + 2 * x);
        w[0] = v.x, w[1] = v.y;
        break;
    case PE_FORMAT_P010:
        v = *(const uint2 *)(p + 2 * x);
        w[0] = v.x, w[1] = v.y;
        v = *(const uint2 *)(line_of(f, 1, row / 2) + 2 * x);
        w[2] = v.x, w[3] = v.y;
        break;
    }
}

// Pixel i, a constant, of those words.
template <PeFormat FORMAT>
PE_DEVICE void
split_words(const Frame &f, const uint32_t (&w)[4], int i, int *a, int *b,
            int *c)
{
    *a = byte_of(w[0], i);
    *b = *c = f.yuv.c_off;
    switch (FORMAT) {
    case PE_FORMAT_RGB:
    case PE_FORMAT_BGR:
        *a = byte_of(w[3 * i / 4], 3 * i % 4);
        *b = byte_of(w[(3 * i + 1) / 4], (3 * i + 1) % 4);
        *c = byte_of(w[(3 * i + 2) / 4], (3 * i + 2) % 4);
        break;
    case PE_FORMAT_RGBX:
    case PE_FORMAT_BGRX:
        *a = byte_of(w[i], 0), *b = byte_of(w[i], 1), *c = byte_of(w[i], 2);
        break;
    case PE_FORMAT_GRAY8:
        break;
    case PE_FORMAT_NV12:
        *b = byte_of(w[1], i / 2 * 2), *c = byte_of(w[1], i / 2 * 2 + 1);
        break;
    case PE_FORMAT_I420:
        *b = byte_of(w[1], i / 2), *c = byte_of(w[2], i / 2);
        break;
    case PE_FORMAT_YUY2:
        *a = byte_of(w[i / 2], i % 2 * 2);
        *b = byte_of(w[i / 2], 1), *c = byte_of(w[i / 2], 3);
        break;
    case PE_FORMAT_P010:
        *a = (w[i / 2] >> i % 2 * 16 & 0xffff) >> 6;
        *b = (w[2 + i / 2] & 0xffff) >> 6, *c = w[2 + i / 2] >> 22;
        break;
    }
}

// A pixel of the frame to RGB in 8 bits, where it may lie outside of them.
template <PeFormat FORMAT>
PE_DEVICE void
to_rgb(const Frame &f, int *a, int *b, int *c)
{
    const PeYuvCoefficients &k = f.yuv;
    if (!is_yuv(FORMAT))
        return;
    int luma = k.y_mul * *a, u = *b, v = *c;
    *a = (luma + (k.r_v * v + f.offsets[0])) >> 16;
    *b = (luma + (k.g_u * u + k.g_v * v + f.offsets[1])) >> 16;
    *c = (luma + (k.b_u * u + f.offsets[2])) >> 16;
}

// ---- On the host ------------------------------------------------------------

// Whether read_words() may be used.
static bool
has_aligned_words(const PeFrame *frame)
{
    static const unsigned sizes[][3] = {
        {4},       // RGB
        {4},       // BGR
        {16},      // RGBx
        {16},      // BGRx
        {4},       // GRAY8
        {4, 4},    // NV12
        {4, 2, 2}, // I420
        {8},       // YUY2
        {8, 8},    // P010
    };
    for (int i = 0; i < 3; i++) {
        unsigned size = sizes[frame->format][i];
        if (size &&
            (((uintptr_t)frame->planes[i] | (uintptr_t)frame->strides[i]) %
             size))
            return false;
    }
    return true;
}

static Frame
describe_frame(const PeFrame *whole)
{
    const PeFrame part = pe_frame_trim(whole), *frame = &part;
    Frame f = {};
    for (int i = 0; i < 3; i++) {
        f.planes[i] = frame->planes[i];
        f.strides[i] = frame->strides[i];
    }
    f.width = frame->width;
    f.height = frame->height;
    f.x = frame->crop.x;
    f.y = frame->crop.y;
    f.format = frame->format;
    f.words = has_aligned_words(frame);
    // Grey has a range, but no matrix.
    f.yuv = pe_yuv_coefficients(
        frame->format < PE_FORMAT_NV12 ? PE_MATRIX_BT601 : frame->matrix,
        frame->full_range, frame->format == PE_FORMAT_P010 ? 10 : 8);
    const PeYuvCoefficients &k = f.yuv;
    const int luma = (1 << 15) - k.y_mul * k.y_off;
    f.offsets[0] = luma - k.r_v * k.c_off;
    f.offsets[1] = luma - (k.g_u + k.g_v) * k.c_off;
    f.offsets[2] = luma - k.b_u * k.c_off;
    return f;
}
