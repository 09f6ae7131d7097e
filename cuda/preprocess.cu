// SPDX-License-Identifier: LGPL-2.1-or-later
//
// preprocess.cu - from a decoded frame to a picture of the model's size.

#include "cuda/device.h"
#include "cuda/frame.h"
#include "cuda/kernels.h"

// A tile of outputs at the most; a thread owns one of them. 1080p to 336 takes
// 8 x 42 tiles of 42 x 8, each from about 252 columns of 31 rows.
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
// Reading any layout takes more registers than three of them have.
#define BLOCKS_OF_ANY 2
// Frame rows in shared memory at a time, a lane of a warp each. Odd pitches
// (in words) let the lanes of a warp read a column without bank conflicts.
//
// The exact mode has three planes of bytes, four neighbours a word, because a
// byte product takes four of them at once. The fast mode has packed pixels.
#define ROWS 32
#define MAX_PITCH 289
#define TILE_PITCH (TILE_WIDTH + 1)

#define HALF (1u << 21) // of the weights' 22 fractional bits

// Three channels of a pixel in a word, the first lowest. The exact mode keeps
// 8-bit RGB; the fast one keeps the frame's own colours in 10 bits, so that
// rounding between the passes costs nothing that shows.
template <bool EXACT> struct Packed {
    static const int bits = EXACT ? 8 : 10;
    static const uint32_t mask = (1u << bits) - 1;
};

template <bool EXACT>
PE_DEVICE uint32_t
pack(uint32_t a, uint32_t b, uint32_t c)
{
    return a | b << Packed<EXACT>::bits | c << 2 * Packed<EXACT>::bits;
}

// A value of 8 bits in the fast mode's 10.
PE_DEVICE int
widen(int v)
{
    return (v < 0 ? 0 : v < 255 ? v : 255) << 2;
}

// Four neighbours, at column `x` of a row in shared memory.
template <bool EXACT, PeFormat FORMAT>
PE_DEVICE void
store_pixels(uint32_t *row, int plane, int x, const Four &p)
{
    if (EXACT) {
        row[x / 4] = pe_pack_bytes(p.a[0], p.a[1], p.a[2], p.a[3]);
        row[plane + x / 4] = pe_pack_bytes(p.b[0], p.b[1], p.b[2], p.b[3]);
        row[2 * plane + x / 4] = pe_pack_bytes(p.c[0], p.c[1], p.c[2], p.c[3]);
    } else {
        for (int j = 0; j < 4; j++)
            row[x + j] =
                is_yuv(FORMAT)
                    ? pack<EXACT>(p.a[j] >> 6, (p.b[j] + (1 << 14)) >> 5,
                                  (p.c[j] + (1 << 14)) >> 5)
                    : pack<EXACT>(widen(p.a[j]), widen(p.b[j]), widen(p.c[j]));
    }
}

// Rows row0.., columns column0..column1 - 1 of the frame to shared memory.
//
//   source   [rows, pitch], of the exact mode three of them `plane` words
//            apart; column0 % 4 == 0
//
// A warp takes 32 columns of 4 rows, a thread 4 pixels of them: reads fill
// whole sectors.
template <bool EXACT, PeFormat FORMAT>
PE_DEVICE void
stage_rows(uint32_t *source, const Frame &f, int row0, int rows, int column0,
           int column1, int pitch, int plane)
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
        Four p;
        read_pixels<FORMAT>(f, x, row0 + row, &p);
        if (EXACT && is_yuv(FORMAT))
            to_rgb(f.k[0], &p);
        if (EXACT && f.curved) {
            follow_curve(f, p.a);
            follow_curve(f, p.b);
            follow_curve(f, p.c);
        }
        store_pixels<EXACT, FORMAT>(source + row * pitch, plane, x - column0,
                                    p);
    }
}

// ANY: one of the formats without code of their own.
template <bool EXACT, bool ANY>
PE_DEVICE void
stage_frame(uint32_t *source, const Frame &f, int row0, int rows, int column0,
            int column1, int pitch, int plane)
{
#define STAGE(format) \
    case format: \
        stage_rows<EXACT, format>(source, f, row0, rows, column0, column1, \
                                  pitch, plane); \
        break
    if (ANY) {
        stage_rows<EXACT, ANY_FORMAT>(source, f, row0, rows, column0, column1,
                                      pitch, plane);
        return;
    }
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
    default:
        break;
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

// What four neighbouring bytes are multiplied with: the low, middle and high
// bytes of their weights, in x, y and z.
typedef uint4 Weights;

// The weights of outputs x0..x1 - 1, for whole words of a row.
//
//   table   [x1 - x0, words], zeros around an output's own columns
//   starts  [x1 - x0] an output's first word, and << 16 how many it has
PE_DEVICE void
spread_weights(Weights *table, uint32_t *starts, int words, int origin, int x0,
               int x1, const PeCudaAxis &axis)
{
    for (int i = threadIdx.x; i < (x1 - x0) * words; i += THREADS) {
        const int x = i / words, word = i % words;
        const int first = axis.first[x0 + x] - origin;
        const int count = axis.count[x0 + x];
        const int32_t *w = axis.weights + (size_t)(x0 + x) * axis.taps;
        uint32_t bytes[3] = {0, 0, 0};
        for (int j = 0; j < 4; j++) {
            int k = word * 4 + j - first % 4;
            uint32_t v = k >= 0 && k < count ? w[k] : 0;
            for (int b = 0; b < 3; b++)
                bytes[b] |= byte_of(v, b) << 8 * j;
        }
        table[i] = make_uint4(bytes[0], bytes[1], bytes[2], 0);
        if (word == 0)
            starts[x] = first / 4 | (first % 4 + count + 3) / 4 << 16;
    }
}

// The horizontal pass over the rows in shared memory, to `outputs` columns. A
// lane takes a row, so that a warp shares its weights.
//
//   squashed  [rows, TILE_PITCH] packed
//   source    three times [rows, pitch], `plane` words apart
PE_DEVICE void
squash_words(uint32_t *squashed, const uint32_t *source, const Weights *table,
             const uint32_t *starts, int words, int rows, int outputs,
             int pitch, int plane)
{
    const int lane = threadIdx.x % 32;
    if (lane >= rows)
        return;
    for (int x = threadIdx.x / 32; x < outputs; x += WARPS) {
        const uint32_t *in = source + lane * pitch + (starts[x] & 0xffff);
        const Weights *w = table + x * words;
        const int n = starts[x] >> 16;
        uint32_t sums[3][3] = {};
        for (int k = 0; k < n; k++) {
#pragma unroll
            for (int c = 0; c < 3; c++) {
                uint32_t v = in[c * plane + k];
                sums[c][0] = pe_dot4(v, w[k].x, sums[c][0]);
                sums[c][1] = pe_dot4(v, w[k].y, sums[c][1]);
                sums[c][2] = pe_dot4(v, w[k].z, sums[c][2]);
            }
        }
        uint32_t rgb[3];
        for (int c = 0; c < 3; c++)
            rgb[c] =
                (HALF + sums[c][0] + (sums[c][1] << 8) + (sums[c][2] << 16)) >>
                22;
        squashed[lane * TILE_PITCH + x] = pack<true>(rgb[0], rgb[1], rgb[2]);
    }
}

// The same in the fast mode, to output columns x0..x1 - 1.
//
//   squashed  [rows, TILE_PITCH] packed      source  [rows, pitch] packed
PE_DEVICE void
squash_pixels(uint32_t *squashed, const uint32_t *source, int rows, int pitch,
              int origin, int x0, int x1, const PeCudaAxis &axis)
{
    const int lane = threadIdx.x % 32;
    if (lane >= rows)
        return;
    for (int x = x0 + threadIdx.x / 32; x < x1; x += WARPS) {
        const uint32_t *in = source + lane * pitch + axis.first[x] - origin;
        const int32_t *w = axis.weights + (size_t)x * axis.taps;
        Sums sums = {HALF, HALF, HALF};
        for (int k = 0; k < axis.count[x]; k++)
            add_weighted<false>(&sums, in[k], w[k]);
        squashed[lane * TILE_PITCH + x - x0] =
            pack<false>(sums.a >> 22, sums.b >> 22, sums.c >> 22);
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
        const PeYuvCoefficients &k = f.k[0];
        float a = (float)(sums.a - HALF) * 0x1p-22f;
        float b = (float)(sums.b - HALF) * 0x1p-22f;
        float c = (float)(sums.c - HALF) * 0x1p-22f;
        if (is_yuv(f.format)) {
            // In 1/64 of a level, without its half.
            float l = k.y_mul * (64 * a + k.y_low) * 0x1p-16f + k.y_add - 32;
            float u = 32 * b - (1 << 14), v = 32 * c - (1 << 14);
            a = (l + k.r_v * v * 0x1p-15f) * 0x1p-4f;
            b = (l + (k.g_u * u + k.g_v * v) * 0x1p-15f) * 0x1p-4f;
            c = (l + k.b_u * u * 0x1p-15f) * 0x1p-4f;
        }
        rgb[0] = round_level(a * 0.25f);
        rgb[1] = round_level(b * 0.25f);
        rgb[2] = round_level(c * 0.25f);
    }
    bool swapped = f.format == PE_FORMAT_BGR || f.format == PE_FORMAT_BGRX;
    out[0] = swapped ? rgb[2] : rgb[0];
    out[plane] = rgb[1];
    out[2 * plane] = swapped ? rgb[0] : rgb[2];
}

// A frame to a picture: colours, then the horizontal pass, then the vertical
// one, with Pillow's rounding after each; pe_pixels_squash_c does the same.
//
//   rgb  u8 [3, height, width] of the picture, where frame.place says
//
//   grid    (ceil(out_width / tile_width), ceil(out_height / TILE_HEIGHT))
//   block   THREADS
//   shared  [tile_width, words] Weights and [tile_width] words, see
//           spread_weights(); `plane` words for each plane of the frame's rows;
//           [n_rows, TILE_PITCH] the same after the horizontal pass, packed
//   moves   the frame once, and a quarter of it again where tiles overlap,
//           from L2
//
// Rows come in chunks of n_rows; the sums of the vertical pass stay in
// registers, so that no scale needs more memory than another.
template <bool EXACT, bool ANY>
__global__ void
__launch_bounds__(THREADS, ANY ? BLOCKS_OF_ANY : BLOCKS_PER_SM)
    preprocess_kernel(uint8_t *rgb, Frame frame, PeCudaAxis x_axis,
                      PeCudaAxis y_axis, int tile_width, int n_rows, int pitch,
                      int words)
{
    PE_SHARED(Weights, table);
    const int plane = n_rows * pitch;
    uint32_t *starts = (uint32_t *)(table + tile_width * words);
    uint32_t *source = starts + tile_width;
    uint32_t *squashed = source + (EXACT ? 3 : 1) * plane;
    const int width = x_axis.out_size, height = y_axis.out_size;
    const int x0 = blockIdx.x * tile_width, y0 = blockIdx.y * TILE_HEIGHT;
    const int x1 = x0 + tile_width < width ? x0 + tile_width : width;
    const int y1 = y0 + TILE_HEIGHT < height ? y0 + TILE_HEIGHT : height;
    const int column0 = (frame.x + x_axis.first[x0]) & ~3;
    const int column1 = frame.x + x_axis.first[x1 - 1] + x_axis.count[x1 - 1];
    const int row1 = frame.y + y_axis.first[y1 - 1] + y_axis.count[y1 - 1];
    // Of the tile in the crop; it may lie before the crop's first.
    const int origin = column0 - frame.x;

    const int x = threadIdx.x % TILE_WIDTH, y = y0 + threadIdx.x / TILE_WIDTH;
    const bool mine = x0 + x < x1 && y < y1;
    const int first = mine ? frame.y + y_axis.first[y] : 0;
    const int end = mine ? first + y_axis.count[y] : 0;
    const int32_t *w = y_axis.weights + (size_t)(mine ? y : 0) * y_axis.taps;
    Sums sums = {HALF, HALF, HALF};

    if (EXACT)
        spread_weights(table, starts, words, origin, x0, x1, x_axis);
    for (int row0 = frame.y + y_axis.first[y0]; row0 < row1; row0 += n_rows) {
        const int rows = row1 - row0 < n_rows ? row1 - row0 : n_rows;
        stage_frame<EXACT, ANY>(source, frame, row0, rows, column0, column1,
                                pitch, plane);
        __syncthreads();
        if (EXACT)
            squash_words(squashed, source, table, starts, words, rows, x1 - x0,
                         pitch, plane);
        else
            squash_pixels(squashed, source, rows, pitch, origin, x0, x1,
                          x_axis);
        __syncthreads();
        const int from = first > row0 ? first : row0;
        const int to = end < row0 + rows ? end : row0 + rows;
        for (int row = from; row < to; row++)
            add_weighted<EXACT>(&sums, squashed[(row - row0) * TILE_PITCH + x],
                                w[row - first]);
    }
    const PePlacement &place = frame.place;
    if (mine)
        store_output<EXACT>(rgb + place.start + (x0 + x) * place.step_x +
                                y * place.step_y,
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

// Outputs side by side in a tile: what shared memory has room for, in tiles of
// about the same width, about 42: eight of them are 336.
static int
choose_tile_width(const PeCudaAxis *x)
{
    int tiles = (x->out_size + 41) / 42;
    int width = (x->out_size + tiles - 1) / tiles;
    while (width > 1 && count_columns(x, width) > MAX_PITCH)
        width--;
    return width;
}

// For `columns` columns of a row. In the exact mode the words that a warp
// writes together, eight of each of four rows, hardly meet in a bank.
static int
choose_pitch(int columns, bool exact)
{
    return exact ? ((columns + 3) / 4 + 6) / 16 * 16 + 9 : (columns + 3) | 1;
}

extern "C" void
pe_cuda_preprocess(void *stream, const PeFrame *frame, const PeCudaAxis *x,
                   const PeCudaAxis *y, bool exact, uint8_t *rgb)
{
    const bool swaps = pe_orientation_swaps_axes(frame->orientation);
    Frame f = describe_frame(frame);
    f.place =
        pe_placement(frame->orientation, swaps ? y->out_size : x->out_size,
                     swaps ? x->out_size : y->out_size);
    // A curve is for RGB, which the fast mode makes last.
    exact = exact || f.curved;
    const int tile_width = choose_tile_width(x);
    const int columns = count_columns(x, tile_width);
    const int pitch = choose_pitch(columns, exact);
    // An output's columns may begin and end within a word.
    const int words = exact ? (x->taps + 6) / 4 : 0;
    int rows = ROWS;
    // Of frames that are squashed beyond all measure.
    if (columns > MAX_PITCH)
        rows = ROWS * MAX_PITCH / columns > 0 ? ROWS * MAX_PITCH / columns : 1;
    dim3 grid((x->out_size + tile_width - 1) / tile_width,
              (y->out_size + TILE_HEIGHT - 1) / TILE_HEIGHT);
    size_t shared =
        (size_t)tile_width * (words * sizeof(Weights) + sizeof(uint32_t)) +
        (size_t)rows * ((exact ? 3 : 1) * pitch + TILE_PITCH) *
            sizeof(uint32_t);
    const bool any = f.format > PE_FORMAT_P010;
#define RUN(...) \
    PE_LAUNCH((preprocess_kernel<__VA_ARGS__>), grid, THREADS, shared, stream, \
              rgb, f, *x, *y, tile_width, rows, pitch, words)
    if (any && exact)
        RUN(true, true);
    else if (any)
        RUN(false, true);
    else if (exact)
        RUN(true, false);
    else
        RUN(false, false);
#undef RUN
}
