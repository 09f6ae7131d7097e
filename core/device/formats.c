// SPDX-License-Identifier: LGPL-2.1-or-later
//
// formats.c - the table of pixel formats, and the sizes of their planes.

#include "formats.h"

// Three components of one plane, and of a plane each. Arguments are offsets.
#define PACKED(step, shift, bits, a, b, c) \
    { \
        {0, a, step, shift, bits}, {0, b, step, shift, bits}, \
        { \
            0, c, step, shift, bits \
        } \
    }
#define PLANES(step, bits) \
    { \
        {0, 0, step, 0, bits}, {1, 0, step, 0, bits}, \
        { \
            2, 0, step, 0, bits \
        } \
    }
// Luma in a plane, chroma in another: NV12 and its relatives.
#define PAIRS(size, shift, bits, u, v) \
    { \
        {0, 0, size, shift, bits}, {1, u, 2 * size, shift, bits}, \
        { \
            1, v, 2 * size, shift, bits \
        } \
    }
// Two pixels share their chroma in one plane: YUY2 and its relatives.
#define TWOS(size, shift, bits, y, u, v) \
    { \
        {0, y, 2 * size, shift, bits}, {0, u, 4 * size, shift, bits}, \
        { \
            0, v, 4 * size, shift, bits \
        } \
    }
// All three in one integer, by their lowest bits.
#define BITS(size, bits, a, b, c) \
    { \
        {0, 0, size, a, bits}, {0, 0, size, b, bits}, \
        { \
            0, 0, size, c, bits \
        } \
    }

#define RGB(name, size, ...) \
    { \
        name, PE_COLOURS_RGB, size, false, false, 0, 0, __VA_ARGS__ \
    }
#define GREY(name, size, ...) \
    { \
        name, PE_COLOURS_GREY, size, false, false, 0, 0, __VA_ARGS__ \
    }
#define YUV(name, size, x_shift, y_shift, ...) \
    { \
        name, PE_COLOURS_YUV, size, false, false, x_shift, y_shift, \
            __VA_ARGS__ \
    }

static const PeLayout layouts[PE_N_FORMATS] = {
    [PE_FORMAT_RGB] = RGB("RGB", 1, PACKED(3, 0, 8, 0, 1, 2)),
    [PE_FORMAT_BGR] = RGB("BGR", 1, PACKED(3, 0, 8, 2, 1, 0)),
    [PE_FORMAT_RGBX] = RGB("RGBx", 1, PACKED(4, 0, 8, 0, 1, 2)),
    [PE_FORMAT_BGRX] = RGB("BGRx", 1, PACKED(4, 0, 8, 2, 1, 0)),
    [PE_FORMAT_GRAY8] = GREY("GRAY8", 1, {{0, 0, 1, 0, 8}}),
    [PE_FORMAT_NV12] = YUV("NV12", 1, 1, 1, PAIRS(1, 0, 8, 0, 1)),
    [PE_FORMAT_I420] = YUV("I420", 1, 1, 1, PLANES(1, 8)),
    [PE_FORMAT_YUY2] = YUV("YUY2", 1, 1, 0, TWOS(1, 0, 8, 0, 1, 3)),
    [PE_FORMAT_P010] = YUV("P010", 2, 1, 1, PAIRS(2, 6, 10, 0, 2)),

    [PE_FORMAT_XRGB] = RGB("xRGB", 1, PACKED(4, 0, 8, 1, 2, 3)),
    [PE_FORMAT_XBGR] = RGB("xBGR", 1, PACKED(4, 0, 8, 3, 2, 1)),
    [PE_FORMAT_RGB16] =
        RGB("RGB16", 2, {{0, 0, 2, 11, 5}, {0, 0, 2, 5, 6}, {0, 0, 2, 0, 5}}),
    [PE_FORMAT_BGR16] =
        RGB("BGR16", 2, {{0, 0, 2, 0, 5}, {0, 0, 2, 5, 6}, {0, 0, 2, 11, 5}}),
    [PE_FORMAT_RGB15] = RGB("RGB15", 2, BITS(2, 5, 10, 5, 0)),
    [PE_FORMAT_BGR15] = RGB("BGR15", 2, BITS(2, 5, 0, 5, 10)),
    [PE_FORMAT_RGB10] = RGB("RGB10", 4, BITS(4, 10, 0, 10, 20)),
    [PE_FORMAT_BGR10] = RGB("BGR10", 4, BITS(4, 10, 20, 10, 0)),
    [PE_FORMAT_R210] = {"r210", PE_COLOURS_RGB, 4, true, false, 0, 0,
                        BITS(4, 10, 20, 10, 0)},
    [PE_FORMAT_RGBX64] = RGB("RGBx64", 2, PACKED(8, 0, 16, 0, 2, 4)),
    [PE_FORMAT_BGRX64] = RGB("BGRx64", 2, PACKED(8, 0, 16, 4, 2, 0)),
    [PE_FORMAT_XRGB64] = RGB("xRGB64", 2, PACKED(8, 0, 16, 2, 4, 6)),
    [PE_FORMAT_XBGR64] = RGB("xBGR64", 2, PACKED(8, 0, 16, 6, 4, 2)),
    [PE_FORMAT_RGBP] = RGB("RGBP", 1, PLANES(1, 8)),
    [PE_FORMAT_RGBP_10] = RGB("RGBP_10", 2, PLANES(2, 10)),
    [PE_FORMAT_RGBP_12] = RGB("RGBP_12", 2, PLANES(2, 12)),
    [PE_FORMAT_RGBP_16] = RGB("RGBP_16", 2, PLANES(2, 16)),

    [PE_FORMAT_GRAY16] = GREY("GRAY16", 2, {{0, 0, 2, 0, 16}}),
    [PE_FORMAT_GRAY16_BE] = {"GRAY16_BE",
                             PE_COLOURS_GREY,
                             2,
                             true,
                             false,
                             0,
                             0,
                             {{0, 0, 2, 0, 16}}},
    [PE_FORMAT_GRAY10_P32] = {"GRAY10_P32",
                              PE_COLOURS_GREY,
                              4,
                              false,
                              true,
                              0,
                              0,
                              {{0, 0, 1, 0, 10}}},

    [PE_FORMAT_NV21] = YUV("NV21", 1, 1, 1, PAIRS(1, 0, 8, 1, 0)),
    [PE_FORMAT_NV16] = YUV("NV16", 1, 1, 0, PAIRS(1, 0, 8, 0, 1)),
    [PE_FORMAT_NV61] = YUV("NV61", 1, 1, 0, PAIRS(1, 0, 8, 1, 0)),
    [PE_FORMAT_NV24] = YUV("NV24", 1, 0, 0, PAIRS(1, 0, 8, 0, 1)),
    [PE_FORMAT_P012] = YUV("P012", 2, 1, 1, PAIRS(2, 4, 12, 0, 2)),
    [PE_FORMAT_P016] = YUV("P016", 2, 1, 1, PAIRS(2, 0, 16, 0, 2)),
    [PE_FORMAT_NV12_P32] = {"NV12_P32", PE_COLOURS_YUV, 4, false, true, 1, 1,
                            PAIRS(1, 0, 10, 0, 1)},
    [PE_FORMAT_NV16_P32] = {"NV16_P32", PE_COLOURS_YUV, 4, false, true, 1, 0,
                            PAIRS(1, 0, 10, 0, 1)},
    [PE_FORMAT_I410] = YUV("I410", 1, 2, 2, PLANES(1, 8)),
    [PE_FORMAT_I411] = YUV("I411", 1, 2, 0, PLANES(1, 8)),
    [PE_FORMAT_I422] = YUV("I422", 1, 1, 0, PLANES(1, 8)),
    [PE_FORMAT_I444] = YUV("I444", 1, 0, 0, PLANES(1, 8)),
    [PE_FORMAT_I420_10] = YUV("I420_10", 2, 1, 1, PLANES(2, 10)),
    [PE_FORMAT_I422_10] = YUV("I422_10", 2, 1, 0, PLANES(2, 10)),
    [PE_FORMAT_I444_10] = YUV("I444_10", 2, 0, 0, PLANES(2, 10)),
    [PE_FORMAT_I420_12] = YUV("I420_12", 2, 1, 1, PLANES(2, 12)),
    [PE_FORMAT_I422_12] = YUV("I422_12", 2, 1, 0, PLANES(2, 12)),
    [PE_FORMAT_I444_12] = YUV("I444_12", 2, 0, 0, PLANES(2, 12)),
    [PE_FORMAT_I420_16] = YUV("I420_16", 2, 1, 1, PLANES(2, 16)),
    [PE_FORMAT_I422_16] = YUV("I422_16", 2, 1, 0, PLANES(2, 16)),
    [PE_FORMAT_I444_16] = YUV("I444_16", 2, 0, 0, PLANES(2, 16)),

    [PE_FORMAT_UYVY] = YUV("UYVY", 1, 1, 0, TWOS(1, 0, 8, 1, 0, 2)),
    [PE_FORMAT_YVYU] = YUV("YVYU", 1, 1, 0, TWOS(1, 0, 8, 0, 3, 1)),
    [PE_FORMAT_VYUY] = YUV("VYUY", 1, 1, 0, TWOS(1, 0, 8, 1, 2, 0)),
    [PE_FORMAT_V216] = YUV("v216", 2, 1, 0, TWOS(2, 0, 16, 2, 0, 4)),
    [PE_FORMAT_V210] = {"v210", PE_COLOURS_YUV, 4, false, true, 1, 0,
                        TWOS(1, 0, 10, 1, 0, 2)},
    [PE_FORMAT_Y210] = YUV("Y210", 2, 1, 0, TWOS(2, 6, 10, 0, 2, 6)),
    [PE_FORMAT_Y212] = YUV("Y212", 2, 1, 0, TWOS(2, 4, 12, 0, 2, 6)),
    [PE_FORMAT_XYUV] = YUV("xYUV", 1, 0, 0, PACKED(4, 0, 8, 1, 2, 3)),
    [PE_FORMAT_VUYX] = YUV("VUYx", 1, 0, 0, PACKED(4, 0, 8, 2, 1, 0)),
    [PE_FORMAT_YUV] = YUV("YUV", 1, 0, 0, PACKED(3, 0, 8, 0, 1, 2)),
    [PE_FORMAT_UYV] = YUV("UYV", 1, 0, 0, PACKED(3, 0, 8, 1, 0, 2)),
    [PE_FORMAT_XYUV64] = YUV("xYUV64", 2, 0, 0, PACKED(8, 0, 16, 2, 4, 6)),
    [PE_FORMAT_Y410] = YUV("Y410", 4, 0, 0, BITS(4, 10, 10, 0, 20)),
    [PE_FORMAT_Y412] = YUV("Y412", 2, 0, 0, PACKED(8, 4, 12, 2, 0, 4)),
};

const PeLayout *
pe_format_layout(PeFormat format)
{
    return &layouts[format];
}

// Whether component c of plane i is subsampled.
static bool
is_chroma(const PeLayout *l, int c)
{
    return l->colours == PE_COLOURS_YUV && c > 0;
}

// Samples of 10 bits to the bytes that they begin in or take.
static size_t
count_bytes(const PeLayout *l, size_t n, bool whole)
{
    return l->packed ? (whole ? (n + 2) / 3 : n / 3) * 4 : n;
}

void
pe_frame_plane_size(const PeFrame *frame, int i, int *line, int *n_lines)
{
    const PeLayout *l = &layouts[frame->format];
    *line = *n_lines = 0;
    for (int c = 0; c < 3 && l->c[c].bits; c++) {
        if (l->c[c].plane != i)
            continue;
        int x = is_chroma(l, c) ? l->x_shift : 0;
        int y = is_chroma(l, c) && i > 0 ? l->y_shift : 0;
        int n = ((frame->width - 1) >> x) + 1;
        *line =
            MAX(*line, (int)count_bytes(l, (size_t)(n * l->c[c].step), true));
        *n_lines = ((frame->height - 1) >> y) + 1;
    }
}

size_t
pe_layout_column(const PeLayout *l, int i, int x)
{
    for (int c = 0; c < 3; c++) {
        if (l->c[c].plane == i)
            return count_bytes(
                l,
                (size_t)((x >> (is_chroma(l, c) ? l->x_shift : 0)) *
                         l->c[c].step),
                false);
    }
    return 0;
}
