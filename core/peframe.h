// SPDX-License-Identifier: LGPL-2.1-or-later
//
// peframe.h - decoded frames as the library sees them. A part of pe.h, which
// includes it.

#pragma once

#include <stdbool.h>
#include <stdint.h>

// How the samples of a frame lie in memory. Names list a pixel's bytes in the
// order of their addresses, X for one that is not looked at, alpha too. A
// number behind the name says how many bits a sample has where it is not 8;
// samples of more than 8 bits are 16 bits, little endian, with those bits at
// the lower end, where nothing else is said. All formats of three planes have
// them in the order Y, U, V or R, G, B.
typedef enum {
    PE_FORMAT_RGB,
    PE_FORMAT_BGR,
    PE_FORMAT_RGBX,
    PE_FORMAT_BGRX,
    PE_FORMAT_GRAY8,
    PE_FORMAT_NV12, // Y and UV
    PE_FORMAT_I420, // Y, U and V
    PE_FORMAT_YUY2, // YUYV
    PE_FORMAT_P010, // NV12 of 10 bits in the upper bits of 16

    PE_FORMAT_XRGB,
    PE_FORMAT_XBGR,
    PE_FORMAT_RGB16, // 5, 6 and 5 bits of 16, red uppermost
    PE_FORMAT_BGR16,
    PE_FORMAT_RGB15, // 5 bits each, the uppermost of 16 is not looked at
    PE_FORMAT_BGR15,
    PE_FORMAT_RGB10, // 10 bits each of 32, red lowest
    PE_FORMAT_BGR10,
    PE_FORMAT_R210,   // 10 bits each of 32, big endian, blue lowest
    PE_FORMAT_RGBX64, // 16 bits each
    PE_FORMAT_BGRX64,
    PE_FORMAT_XRGB64,
    PE_FORMAT_XBGR64,
    PE_FORMAT_RGBP, // three planes
    PE_FORMAT_RGBP_10,
    PE_FORMAT_RGBP_12,
    PE_FORMAT_RGBP_16,

    PE_FORMAT_GRAY16,
    PE_FORMAT_GRAY16_BE,  // big endian
    PE_FORMAT_GRAY10_P32, // three samples in 32 bits, the first lowest

    PE_FORMAT_NV21, // NV12 with VU
    PE_FORMAT_NV16, // 4:2:2
    PE_FORMAT_NV61,
    PE_FORMAT_NV24, // 4:4:4
    PE_FORMAT_P012,
    PE_FORMAT_P016,
    PE_FORMAT_NV12_P32, // 10 bits, three samples in 32 bits, the first lowest
    PE_FORMAT_NV16_P32,
    PE_FORMAT_I410, // chroma of a quarter of the width and the height
    PE_FORMAT_I411, // of a quarter of the width
    PE_FORMAT_I422,
    PE_FORMAT_I444,
    PE_FORMAT_I420_10,
    PE_FORMAT_I422_10,
    PE_FORMAT_I444_10,
    PE_FORMAT_I420_12,
    PE_FORMAT_I422_12,
    PE_FORMAT_I444_12,
    PE_FORMAT_I420_16,
    PE_FORMAT_I422_16,
    PE_FORMAT_I444_16,

    PE_FORMAT_UYVY,
    PE_FORMAT_YVYU,
    PE_FORMAT_VYUY,
    PE_FORMAT_V216, // UYVY of 16 bits
    PE_FORMAT_V210, // UYVY of 10 bits, three samples in 32 bits
    PE_FORMAT_Y210, // YUY2 of 10 bits in the upper bits of 16
    PE_FORMAT_Y212, // of 12 bits
    PE_FORMAT_XYUV,
    PE_FORMAT_VUYX,
    PE_FORMAT_YUV,
    PE_FORMAT_UYV,
    PE_FORMAT_XYUV64, // 16 bits each
    PE_FORMAT_Y410,   // U, Y and V of 10 bits of 32, U lowest
    PE_FORMAT_Y412,   // U, Y, V, X of 12 bits in the upper bits of 16
} PeFormat;

typedef enum {
    PE_MATRIX_BT601,
    PE_MATRIX_BT709,
    PE_MATRIX_BT2020,
} PeMatrix;

// Where the chroma samples of a subsampled format lie. LEFT is what MPEG-2 and
// its successors do, CENTER what JPEG does.
typedef enum {
    PE_SITE_LEFT,   // on the first of the columns, between the rows
    PE_SITE_CENTER, // between the columns, between the rows
    PE_SITE_TOP_LEFT,
    PE_SITE_TOP, // between the columns, on the first of the rows
} PeSite;

// What the values of R, G and B stand for. The model saw pictures of SDR. HLG
// looks like one; PQ does not, so that it is mapped to SDR.
typedef enum {
    PE_TRANSFER_SDR, // and HLG
    PE_TRANSFER_PQ,  // SMPTE ST 2084
} PeTransfer;

typedef enum {
    PE_MEMORY_HOST,
    PE_MEMORY_CUDA,
} PeMemory;

// How the stored lines of a frame become the picture that a person sees: the
// values of the EXIF tag Orientation, less one. Turns are clockwise.
typedef enum {
    PE_ORIENTATION_NORMAL,
    PE_ORIENTATION_FLIP_X, // left and right change places
    PE_ORIENTATION_ROTATE_180,
    PE_ORIENTATION_FLIP_Y,    // top and bottom change places
    PE_ORIENTATION_TRANSPOSE, // lines become columns
    PE_ORIENTATION_ROTATE_90,
    PE_ORIENTATION_TRANSVERSE, // the same about the other diagonal
    PE_ORIENTATION_ROTATE_270,
} PeOrientation;

// A rectangle of a frame in pixels; all zero: the whole frame.
typedef struct {
    int x, y, width, height;
} PeRect;

// A view of one decoded frame. Never owns the pixels.
typedef struct {
    PeMemory memory;
    PeFormat format;
    PeMatrix matrix; // YUV only
    PeSite site;     // YUV with subsampled chroma only
    bool full_range; // YUV and grey
    PeTransfer transfer;
    int width; // pixels
    int height;
    PeRect crop; // only this part is embedded, as if it had been cut out of the
                 // frame after its conversion to RGB; any sides, also odd ones
    PeOrientation orientation; // in which the crop is embedded; width, height
                               // and crop are those of the stored lines
    const uint8_t *planes[3];
    int strides[3]; // bytes
    void *stream;   // CUDA: the stream that writes the planes; NULL: written
    void *context;  // CUDA: the CUcontext of the planes and the stream; NULL:
                    // the engine's own
} PeFrame;
