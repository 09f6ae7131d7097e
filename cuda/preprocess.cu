// SPDX-License-Identifier: LGPL-2.1-or-later
//
// preprocess.cu - from a decoded frame to a picture of the model's size.

#include "cuda/device.h"
#include "cuda/kernels.h"

// ---- Frames -----------------------------------------------------------------

// A tile of outputs; a thread owns one of them. 1080p to 336 takes 7 x 42
// tiles, each from about 286 columns of 31 rows.
#define TILE_WIDTH 48
#define TILE_HEIGHT 8
#define THREADS (TILE_WIDTH * TILE_HEIGHT)
#define WARPS (THREADS / 32)
// Blocks on an SM together, for the compiler; Turing has room for two.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define BLOCKS_PER_SM 2
#else
#define BLOCKS_PER_SM 3
#endif
// Frame rows in shared memory at a time, a lane of a warp each. Odd pitches
// (in words) let the lanes of a warp read a column without bank conflicts.
#define ROWS 32
#define MAX_PITCH 289
#define TILE_PITCH (TILE_WIDTH + 1)

#define HALF (1u << 21) // of the weights' 22 fractional bits

struct Frame {
    const uint8_t *planes[3];
    int strides[3];
    int width, height;
    PeFormat format;
    bool words; // four pixels of any plane are one aligned word
    PeYuvCoefficients yuv;
};

// Three channels of a pixel in a word, the first lowest. The exact mode keeps
// 8-bit RGB; the fast one keeps the frame's own colours in 10 bits, so that
// rounding between the passes costs nothing that shows.
template <bool EXACT> struct Packed {
    static const int bits = EXACT ? 8 : 10;
    static const uint32_t mask = (1u << bits) - 1;
};

PE_DEVICE int
clip(int v)
{
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

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

template <bool EXACT>
PE_DEVICE uint32_t
pack(uint32_t a, uint32_t b, uint32_t c)
{
    return a | b << Packed<EXACT>::bits | c << 2 * Packed<EXACT>::bits;
}

// What is resized: see Packed. a, b, c are a pixel's channels in the frame.
template <bool EXACT, PeFormat FORMAT>
PE_DEVICE uint32_t
pack_pixel(const Frame &f, int a, int b, int c)
{
    const PeYuvCoefficients &k = f.yuv;
    if (!EXACT) {
        int shift = FORMAT == PE_FORMAT_P010 ? 0 : 2;
        return pack<EXACT>(a << shift, b << shift, c << shift);
    }
    if (is_yuv(FORMAT)) {
        int luma = k.y_mul * (a - k.y_off) + (1 << 15);
        int u = b - k.c_off, v = c - k.c_off;
        a = clip((luma + k.r_v * v) >> 16);
        b = clip((luma + k.g_u * u + k.g_v * v) >> 16);
        c = clip((luma + k.b_u * u) >> 16);
    }
    return pack<EXACT>(a, b, c);
}

// Rows row0.., columns column0..column1 - 1 of the frame to shared memory.
//
//   source   [rows, pitch] packed, column0 % 4 == 0
//
// A warp takes 32 columns of 4 rows, a thread 4 pixels of them: reads fill
// whole sectors, and with an odd pitch the writes meet no bank twice.
template <bool EXACT, PeFormat FORMAT>
PE_DEVICE void
stage_rows(uint32_t *source, const Frame &f, int row0, int rows, int column0,
           int column1, int pitch)
{
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int across = (column1 - column0 + 31) / 32;
    int row4 = 0; // the first of the warp's rows
    for (int i = warp;; i += WARPS) {
        for (; i >= across; i -= across)
            row4 += 4;
        if (row4 >= rows)
            break;
        int row = row4 + lane / 8, x = column0 + i * 32 + lane % 8 * 4;
        if (row >= rows || x >= column1)
            continue;
        const bool words = f.words && x + 4 <= f.width;
        uint32_t w[4] = {0, 0, 0, 0};
        if (words)
            read_words<FORMAT>(f, x, row0 + row, w);
        uint32_t *out = source + row * pitch + x - column0;
#pragma unroll
        for (int j = 0; j < 4; j++) {
            int a, b, c, last = f.width - 1;
            if (words)
                split_words<FORMAT>(f, w, j, &a, &b, &c);
            else
                read_pixel<FORMAT>(f, x + j < last ? x + j : last, row0 + row,
                                   &a, &b, &c);
            out[j] = pack_pixel<EXACT, FORMAT>(f, a, b, c);
        }
    }
}

template <bool EXACT>
PE_DEVICE void
stage_frame(uint32_t *source, const Frame &f, int row0, int rows, int column0,
            int column1, int pitch)
{
#define STAGE(format) \
    case format: \
        stage_rows<EXACT, format>(source, f, row0, rows, column0, column1, \
                                  pitch); \
        break
    switch (f.format) {
        STAGE(PE_FORMAT_RGB);
        STAGE(PE_FORMAT_BGR);
        STAGE(PE_FORMAT_RGBX);
        STAGE(PE_FORMAT_BGRX);
        STAGE(PE_FORMAT_GRAY8);
        STAGE(PE_FORMAT_NV12);
        STAGE(PE_FORMAT_I420);
        STAGE(PE_FORMAT_YUY2);
        STAGE(PE_FORMAT_P010);
    }
#undef STAGE
}

// Weighted sums of three channels. A sum of 10-bit values fills 32 bits
// without a sign.
struct Sums {
    uint32_t a, b, c;
};

template <bool EXACT>
PE_DEVICE void
add_weighted(Sums *sums, uint32_t pixel, uint32_t w)
{
    const int bits = Packed<EXACT>::bits;
    sums->a += (pixel & Packed<EXACT>::mask) * w;
    sums->b += (pixel >> bits & Packed<EXACT>::mask) * w;
    sums->c += (pixel >> 2 * bits & Packed<EXACT>::mask) * w;
}

// The horizontal pass over the rows in shared memory, to output columns
// x0..x1 - 1. A lane takes a row, so that a warp shares its weights.
//
//   squashed  [rows, TILE_PITCH] packed      source  [rows, pitch] packed
template <bool EXACT>
PE_DEVICE void
squash_columns(uint32_t *squashed, const uint32_t *source, int rows, int pitch,
               int column0, int x0, int x1, const PeCudaAxis &axis)
{
    const int lane = threadIdx.x % 32;
    if (lane >= rows)
        return;
    for (int x = x0 + threadIdx.x / 32; x < x1; x += WARPS) {
        const uint32_t *in = source + lane * pitch + axis.first[x] - column0;
        const int32_t *w = axis.weights + (size_t)x * axis.taps;
        Sums sums = {HALF, HALF, HALF};
        for (int k = 0; k < axis.count[x]; k++)
            add_weighted<EXACT>(&sums, in[k], w[k]);
        squashed[lane * TILE_PITCH + x - x0] =
            pack<EXACT>(sums.a >> 22, sums.b >> 22, sums.c >> 22);
    }
}

PE_DEVICE uint8_t
round_level(float v)
{
    return (uint8_t)(fminf(fmaxf(v, 0.0f), 255.0f) + 0.5f);
}

// The sums of an output to its three bytes, `plane` apart.
template <bool EXACT>
PE_DEVICE void
store_output(uint8_t *out, size_t plane, const Frame &f, const Sums &sums)
{
    uint8_t rgb[3] = {(uint8_t)(sums.a >> 22), (uint8_t)(sums.b >> 22),
                      (uint8_t)(sums.c >> 22)};
    if (!EXACT) {
        const PeYuvCoefficients &k = f.yuv;
        // To the frame's own scale.
        float unit = f.format == PE_FORMAT_P010 ? 0x1p-22f : 0x1p-24f;
        float a = (float)(sums.a - HALF) * unit;
        float b = (float)(sums.b - HALF) * unit;
        float c = (float)(sums.c - HALF) * unit;
        if (is_yuv(f.format)) {
            float luma = k.y_mul * (a - k.y_off);
            float u = b - k.c_off, v = c - k.c_off;
            a = (luma + k.r_v * v) * 0x1p-16f;
            b = (luma + k.g_u * u + k.g_v * v) * 0x1p-16f;
            c = (luma + k.b_u * u) * 0x1p-16f;
        }
        rgb[0] = round_level(a);
        rgb[1] = round_level(b);
        rgb[2] = round_level(c);
    }
    bool swapped = f.format == PE_FORMAT_BGR || f.format == PE_FORMAT_BGRX;
    out[0] = swapped ? rgb[2] : rgb[0];
    out[plane] = rgb[1];
    out[2 * plane] = swapped ? rgb[0] : rgb[2];
}

// A frame to a picture: colours, then the horizontal pass, then the vertical
// one, with Pillow's rounding after each; pe_pixels_squash_c does the same.
//
//   rgb  u8 [3, y_axis.out_size, x_axis.out_size]
//
//   grid    (ceil(out_width / tile_width), ceil(out_height / TILE_HEIGHT))
//   block   THREADS
//   shared  [n_rows, pitch] the frame's rows, [n_rows, TILE_PITCH] the same
//           after the horizontal pass, both packed
//   moves   the frame once, and a quarter of it again where tiles overlap,
//           from L2
//
// Rows come in chunks of n_rows; the sums of the vertical pass stay in
// registers, so that no scale needs more memory than another.
template <bool EXACT>
__global__ void
__launch_bounds__(THREADS, BLOCKS_PER_SM)
    preprocess_kernel(uint8_t *rgb, Frame frame, PeCudaAxis x_axis,
                      PeCudaAxis y_axis, int tile_width, int n_rows, int pitch)
{
    PE_SHARED(uint32_t, source);
    uint32_t *squashed = source + n_rows * pitch;
    const int width = x_axis.out_size, height = y_axis.out_size;
    const int x0 = blockIdx.x * tile_width, y0 = blockIdx.y * TILE_HEIGHT;
    const int x1 = x0 + tile_width < width ? x0 + tile_width : width;
    const int y1 = y0 + TILE_HEIGHT < height ? y0 + TILE_HEIGHT : height;
    const int column0 = x_axis.first[x0] & ~3;
    const int column1 = x_axis.first[x1 - 1] + x_axis.count[x1 - 1];
    const int row1 = y_axis.first[y1 - 1] + y_axis.count[y1 - 1];

    const int x = threadIdx.x % TILE_WIDTH, y = y0 + threadIdx.x / TILE_WIDTH;
    const bool mine = x0 + x < x1 && y < y1;
    const int first = mine ? y_axis.first[y] : 0;
    const int end = mine ? first + y_axis.count[y] : 0;
    const int32_t *w = y_axis.weights + (size_t)(mine ? y : 0) * y_axis.taps;
    Sums sums = {HALF, HALF, HALF};

    for (int row0 = y_axis.first[y0]; row0 < row1; row0 += n_rows) {
        const int rows = row1 - row0 < n_rows ? row1 - row0 : n_rows;
        stage_frame<EXACT>(source, frame, row0, rows, column0, column1, pitch);
        __syncthreads();
        squash_columns<EXACT>(squashed, source, rows, pitch, column0, x0, x1,
                              x_axis);
        __syncthreads();
        const int from = first > row0 ? first : row0;
        const int to = end < row0 + rows ? end : row0 + rows;
        for (int row = from; row < to; row++)
            add_weighted<EXACT>(&sums, squashed[(row - row0) * TILE_PITCH + x],
                                w[row - first]);
    }
    if (mine)
        store_output<EXACT>(rgb + (size_t)y * width + x0 + x,
                            (size_t)width * height, frame, sums);
}

// Columns of the frame that `outputs` neighbouring outputs need at the most.
static int
count_columns(const PeCudaAxis *axis, int outputs)
{
    double scale = (double)axis->in_size / axis->out_size;
    double support = scale > 1 ? scale : 1;
    // Both ends are rounded, and the first is moved to a multiple of four.
    double n = (outputs - 1) * scale + 2 * support + 2 + 3;
    return n < axis->in_size ? (int)n : axis->in_size + 3;
}

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

extern "C" void
pe_cuda_preprocess(void *stream, const PeFrame *frame, const PeCudaAxis *x,
                   const PeCudaAxis *y, bool exact, uint8_t *rgb)
{
    Frame f = {};
    for (int i = 0; i < 3; i++) {
        f.planes[i] = frame->planes[i];
        f.strides[i] = frame->strides[i];
    }
    f.width = frame->width;
    f.height = frame->height;
    f.format = frame->format;
    f.words = has_aligned_words(frame);
    // Grey has a range, but no matrix.
    f.yuv = pe_yuv_coefficients(
        frame->format < PE_FORMAT_NV12 ? PE_MATRIX_BT601 : frame->matrix,
        frame->full_range, frame->format == PE_FORMAT_P010 ? 10 : 8);

    int tile_width = TILE_WIDTH;
    while (tile_width > 1 && count_columns(x, tile_width) > MAX_PITCH)
        tile_width--;
    int pitch = (count_columns(x, tile_width) + 3) | 1;
    int rows = ROWS;
    // Of frames that are squashed beyond all measure.
    if (pitch > MAX_PITCH + 4)
        rows = ROWS * MAX_PITCH / pitch > 0 ? ROWS * MAX_PITCH / pitch : 1;
    dim3 grid((x->out_size + tile_width - 1) / tile_width,
              (y->out_size + TILE_HEIGHT - 1) / TILE_HEIGHT);
    size_t shared = (size_t)rows * (pitch + TILE_PITCH) * sizeof(uint32_t);
    if (exact)
        PE_LAUNCH(preprocess_kernel<true>, grid, THREADS, shared, stream, rgb,
                  f, *x, *y, tile_width, rows, pitch);
    else
        PE_LAUNCH(preprocess_kernel<false>, grid, THREADS, shared, stream, rgb,
                  f, *x, *y, tile_width, rows, pitch);
}
