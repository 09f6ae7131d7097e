// SPDX-License-Identifier: LGPL-2.1-or-later
//
// frame.h - a frame of any format as a kernel sees it: four pixels at a time,
// in its own colours or in RGB. For preprocess.cu.
//
// A few formats, those that decoders write into a card's memory, are read in
// words where these are aligned. All others are read sample by sample, as
// formats.h describes them.

#pragma once

#include "core/device/preprocess.h"
#include "cuda/device.h"

// Stands for every format without code of its own.
#define ANY_FORMAT ((PeFormat)PE_N_FORMATS)

struct Frame {
    const uint8_t *planes[3];
    int strides[3];
    int width, height;
    int x, y; // the crop's first column and row
    PeFormat format;
    bool words; // four pixels of plane 0 are one aligned word, or more
    bool on_column, on_row; // of PeSite
    PeLayout layout;
    PeYuvCoefficients k[3]; // of R, G and B; YUV has the first
    PePlacement place;      // in each plane of the picture
    bool curved;            // by pe_transfer_table()
    uint8_t curve[256];
};

// Four neighbours, before or after their conversion.
struct Four {
    int a[4], b[4], c[4];
};

PE_DEVICE int
byte_of(uint32_t word, int i)
{
    return word >> 8 * i & 255;
}

PE_DEVICE const uint8_t *
line_of(const Frame &f, int plane, int row)
{
    return f.planes[plane] + (size_t)row * f.strides[plane];
}

// Formats with code of their own, of which the first are bytes of RGB.
PE_DEVICE bool
is_rgb_bytes(PeFormat format)
{
    return format <= PE_FORMAT_BGRX;
}

PE_DEVICE bool
is_yuv(PeFormat format)
{
    return format >= PE_FORMAT_GRAY8 && format <= PE_FORMAT_P010;
}

// ---- Luma -------------------------------------------------------------------

// Luma of pixels x..x + 3 from words, x % 4 == 0.
template <PeFormat FORMAT>
PE_DEVICE void
read_luma_words(const uint8_t *line, int x, int (&a)[4])
{
    uint2 v;
    switch (FORMAT) {
    case PE_FORMAT_YUY2:
        v = *(const uint2 *)(line + 2 * x);
        a[0] = byte_of(v.x, 0) << 8, a[1] = byte_of(v.x, 2) << 8;
        a[2] = byte_of(v.y, 0) << 8, a[3] = byte_of(v.y, 2) << 8;
        break;
    case PE_FORMAT_P010:
        v = *(const uint2 *)(line + 2 * x);
        a[0] = v.x & 0xffc0, a[1] = v.x >> 16 & 0xffc0;
        a[2] = v.y & 0xffc0, a[3] = v.y >> 16 & 0xffc0;
        break;
    default:
        v.x = *(const uint32_t *)(line + x);
        for (int j = 0; j < 4; j++)
            a[j] = byte_of(v.x, j) << 8;
    }
}

// Luma of pixels x..x + 3, and of a line's last one where there are no more.
template <PeFormat FORMAT>
PE_DEVICE void
read_luma(const uint8_t *line, int x, int last, int (&a)[4])
{
#pragma unroll
    for (int j = 0; j < 4; j++) {
        int i = x + j < last ? x + j : last;
        if (FORMAT == PE_FORMAT_P010)
            a[j] = (line[2 * i + 1] << 8 | line[2 * i]) & 0xffc0;
        else
            a[j] = line[FORMAT == PE_FORMAT_YUY2 ? 2 * i : i] << 8;
    }
}

// The same of component c of any layout.
PE_DEVICE void
read_samples(const Frame &f, int c, int x, int row, int (&a)[4])
{
    const PeComponent *p = &f.layout.c[c];
    const uint8_t *line = line_of(f, p->plane, row);
    const int last = f.width - 1;
#pragma unroll
    for (int j = 0; j < 4; j++)
        a[j] = pe_layout_read(&f.layout, p, line, x + j < last ? x + j : last);
}

// ---- Chroma -----------------------------------------------------------------

// Both components of a stored sample, in 16 bits.
template <PeFormat FORMAT>
PE_DEVICE void
read_chroma_sample(const Frame &f, int column, int row, int *u, int *v)
{
    const uint8_t *p = line_of(f, f.layout.c[1].plane, row);
    switch (FORMAT) {
    case PE_FORMAT_NV12:
        *u = p[2 * column] << 8, *v = p[2 * column + 1] << 8;
        break;
    case PE_FORMAT_YUY2:
        *u = p[4 * column + 1] << 8, *v = p[4 * column + 3] << 8;
        break;
    case PE_FORMAT_I420:
        *u = p[column] << 8, *v = line_of(f, 2, row)[column] << 8;
        break;
    case PE_FORMAT_P010:
        p += 4 * column; // at any address
        *u = (p[1] << 8 | p[0]) & 0xffc0;
        *v = (p[3] << 8 | p[2]) & 0xffc0;
        break;
    default:
        *u = pe_layout_read(&f.layout, &f.layout.c[1], p, column);
        p = line_of(f, f.layout.c[2].plane, row);
        *v = pe_layout_read(&f.layout, &f.layout.c[2], p, column);
    }
}

PE_DEVICE int
clamp_index(int i, int n)
{
    return i < 0 ? 0 : i < n ? i : n - 1;
}

// Chroma of four pixels out of four columns of samples: the one before the
// first pixel's, and those behind it. Without subsampling, of the pixels
// themselves.
PE_DEVICE void
spread_chroma(const int (&s)[4], int shift, bool on_column, int (&out)[4])
{
    if (shift == 0) {
        for (int j = 0; j < 4; j++)
            out[j] = s[j];
    } else if (shift == 1) {
        const int even = on_column ? 8 : 6, odd = on_column ? 4 : 2;
        out[0] = pe_chroma_between(s[0], s[1], even);
        out[1] = pe_chroma_between(s[1], s[2], odd);
        out[2] = pe_chroma_between(s[1], s[2], even);
        out[3] = pe_chroma_between(s[2], s[3], odd);
    } else if (on_column) {
        for (int j = 0; j < 4; j++)
            out[j] = pe_chroma_between(s[1], s[2], 2 * j);
    } else {
        out[0] = pe_chroma_between(s[0], s[1], 5);
        out[1] = pe_chroma_between(s[0], s[1], 7);
        out[2] = pe_chroma_between(s[1], s[2], 1);
        out[3] = pe_chroma_between(s[1], s[2], 3);
    }
}

// u and v of pixels x..x + 3, x % 4 == 0; as load_chroma() of the CPU does.
template <PeFormat FORMAT>
PE_DEVICE void
read_chroma(const Frame &f, int x, int row, int (&u)[4], int (&v)[4])
{
    const bool any = FORMAT == ANY_FORMAT;
    const int x_shift = any ? f.layout.x_shift : 1;
    const int y_shift = any                        ? f.layout.y_shift
                        : FORMAT == PE_FORMAT_YUY2 ? 0
                                                   : 1;
    const int columns = ((f.width - 1) >> x_shift) + 1;
    const int lines = ((f.height - 1) >> y_shift) + 1;
    const int place = pe_chroma_place(row, y_shift, f.on_row);
    const int line0 = clamp_index(place >> 3, lines);
    const int line1 = clamp_index((place >> 3) + 1, lines);
    const int first = (x >> x_shift) - (x_shift ? 1 : 0);
    int s[4], t[4];
#pragma unroll
    for (int j = 0; j < 4; j++) {
        int column = clamp_index(first + j, columns);
        int u0, v0, u1, v1;
        read_chroma_sample<FORMAT>(f, column, line0, &u0, &v0);
        read_chroma_sample<FORMAT>(f, column, line1, &u1, &v1);
        s[j] = pe_chroma_between(pe_chroma_centre(u0), pe_chroma_centre(u1),
                                 place & 7);
        t[j] = pe_chroma_between(pe_chroma_centre(v0), pe_chroma_centre(v1),
                                 place & 7);
    }
    spread_chroma(s, x_shift, f.on_column, u);
    spread_chroma(t, x_shift, f.on_column, v);
}

// ---- Colours ----------------------------------------------------------------

PE_DEVICE int
scale_luma(const PeYuvCoefficients &k, int y)
{
    return (k.y_mul * (y + k.y_low) >> 16) + k.y_add;
}

PE_DEVICE int
chroma_part(int factor, int chroma)
{
    return (factor * chroma + (1 << 14)) >> 15;
}

// Pixels of YUV to RGB in 8 bits, where they may lie outside of them.
PE_DEVICE void
to_rgb(const PeYuvCoefficients &k, Four *p)
{
#pragma unroll
    for (int j = 0; j < 4; j++) {
        int l = scale_luma(k, p->a[j]), u = p->b[j], v = p->c[j];
        p->a[j] = (l + chroma_part(k.r_v, v)) >> 6;
        p->b[j] = (l + chroma_part(k.g_u, u) + chroma_part(k.g_v, v)) >> 6;
        p->c[j] = (l + chroma_part(k.b_u, u)) >> 6;
    }
}

// Bytes of RGB, which may lie outside of them, by the curve.
PE_DEVICE void
follow_curve(const Frame &f, int (&a)[4])
{
    for (int j = 0; j < 4; j++)
        a[j] = f.curve[a[j] < 0 ? 0 : a[j] < 255 ? a[j] : 255];
}

// ---- Pixels -----------------------------------------------------------------

// Pixels of bytes in the order in which these lie in memory.
template <PeFormat FORMAT>
PE_DEVICE void
read_rgb_bytes(const Frame &f, int x, int row, bool words, Four *p)
{
    const int step = FORMAT == PE_FORMAT_RGB || FORMAT == PE_FORMAT_BGR ? 3 : 4;
    const uint8_t *line = line_of(f, 0, row);
    const int last = f.width - 1;
    uint32_t w[4] = {0, 0, 0, 0};
    if (words && step == 3) {
        for (int i = 0; i < 3; i++)
            w[i] = ((const uint32_t *)(line + 3 * x))[i];
    } else if (words) {
        uint4 pixels = *(const uint4 *)(line + 4 * x);
        w[0] = pixels.x, w[1] = pixels.y, w[2] = pixels.z, w[3] = pixels.w;
    }
#pragma unroll
    for (int j = 0; j < 4; j++) {
        const int i = step * j;
        const uint8_t *at = line + step * (x + j < last ? x + j : last);
        p->a[j] = words ? byte_of(w[i / 4], i % 4) : at[0];
        p->b[j] = words ? byte_of(w[(i + 1) / 4], (i + 1) % 4) : at[1];
        p->c[j] = words ? byte_of(w[(i + 2) / 4], (i + 2) % 4) : at[2];
    }
}

// Pixels x..x + 3, x % 4 == 0: bytes of RGB, or luma and chroma. Formats
// without code of their own are converted already.
template <PeFormat FORMAT>
PE_DEVICE void
read_pixels(const Frame &f, int x, int row, Four *p)
{
    const bool words = f.words && x + 4 <= f.width;
    if (is_rgb_bytes(FORMAT)) {
        read_rgb_bytes<FORMAT>(f, x, row, words, p);
        return;
    }
    if (FORMAT == ANY_FORMAT && f.layout.colours == PE_COLOURS_RGB) {
        read_samples(f, 0, x, row, p->a);
        read_samples(f, 1, x, row, p->b);
        read_samples(f, 2, x, row, p->c);
        for (int j = 0; j < 4; j++) {
            p->a[j] = scale_luma(f.k[0], p->a[j]) >> 6;
            p->b[j] = scale_luma(f.k[1], p->b[j]) >> 6;
            p->c[j] = scale_luma(f.k[2], p->c[j]) >> 6;
        }
        return;
    }
    if (words)
        read_luma_words<FORMAT>(line_of(f, 0, row), x, p->a);
    else if (FORMAT == ANY_FORMAT)
        read_samples(f, 0, x, row, p->a);
    else
        read_luma<FORMAT>(line_of(f, 0, row), x, f.width - 1, p->a);
    for (int j = 0; j < 4; j++)
        p->b[j] = p->c[j] = 0;
    if (FORMAT != PE_FORMAT_GRAY8 && f.layout.colours == PE_COLOURS_YUV)
        read_chroma<FORMAT>(f, x, row, p->b, p->c);
    if (FORMAT == ANY_FORMAT)
        to_rgb(f.k[0], p);
}

// ---- On the host ------------------------------------------------------------

// Whether words of four pixels may be read from plane 0.
static bool
has_aligned_words(const PeFrame *frame)
{
    static const unsigned sizes[] = {
        4,  // RGB
        4,  // BGR
        16, // RGBx
        16, // BGRx
        4,  // GRAY8
        4,  // NV12
        4,  // I420
        8,  // YUY2
        8,  // P010
    };
    if (frame->format > PE_FORMAT_P010)
        return false;
    unsigned size = sizes[frame->format];
    return ((uintptr_t)frame->planes[0] | (uintptr_t)frame->strides[0]) %
               size ==
           0;
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
    f.on_column = pe_site_on_column(frame->site);
    f.on_row = pe_site_on_row(frame->site);
    f.layout = *pe_format_layout(frame->format);
    const uint8_t *curve = pe_transfer_table(frame->transfer);
    f.curved = curve != nullptr;
    if (curve)
        memcpy(f.curve, curve, sizeof f.curve);
    for (int c = 0; c < 3; c++)
        f.k[c] = pe_frame_coefficients(frame, f.layout.c[c].bits ? c : 0);
    return f;
}
