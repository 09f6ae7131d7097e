// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tokens.cu - everything that walks over elements once: patches, tokens, rows,
// rotation, GELU. All of it is bandwidth bound; a thread owns one element, or a
// pair where two belong together.

#include "core/device/backend.h"
#include "cuda/device.h"
#include "cuda/gelu.h"
#include "cuda/kernels.h"

#define THREADS 256
#define ROPE_THREADS 128

// Blocks for n threads; a grid-stride loop takes what a limit on the grid
// leaves.
static unsigned
blocks_for(size_t n)
{
    size_t blocks = (n + THREADS - 1) / THREADS;
    return (unsigned)(blocks < (1u << 20) ? blocks : (1u << 20));
}

#define FOR_EACH(i, n) \
    for (size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x; i < (n); \
         i += (size_t)gridDim.x * THREADS)

// y T [b * gh * gw, k_padded], k ordered (channel, py, px); see
// pe_patchify_f32_c. pixels f32 [b, 3, h, w]
template <typename T>
__global__ void
patchify_f32_kernel(T *y, const float *pixels, int b, int h, int w, int patch,
                    int k_padded)
{
    int gh = h / patch, gw = w / patch;
    FOR_EACH(i, (size_t)b * gh * gw * k_padded)
    {
        int k = (int)(i % k_padded);
        size_t row = i / k_padded; // (image * gh + patch row) * gw + column
        int column = (int)(row % gw), line = (int)(row / gw % gh);
        int image = (int)(row / gw / gh);
        int channel = k / (patch * patch), py = k / patch % patch,
            px = k % patch;
        float v = 0;
        if (channel < 3)
            v = pixels[(((size_t)image * 3 + channel) * h + line * patch + py) *
                           w +
                       column * patch + px];
        pe_store(y + i, v * PE_PIXEL_SCALE);
    }
}

// Pictures of one launch; they travel with its arguments.
#define MAX_PICTURES 128

struct Pictures {
    const uint8_t *rgb[MAX_PICTURES]; // u8 [3, h, w]
};

// Cut pictures into patches, ready for the product with the embedding; see
// pe_patchify_c.
//
//   y  [images * gh * gw, k_padded] T
//
//   grid    (gh, images), a block cuts one line of patches
//   block   256
//   shared  [256] f32, the pixel values of the bytes
//   moves   sizeof(T) * gh * gw * k_padded bytes out an image
//   needs   k_padded % 2 == 0; a thread writes pairs
//
// PATCH is `patch`, or 0: then it costs divisions.
template <typename T, int PATCH>
__global__ void
__launch_bounds__(THREADS) patchify_kernel(T *y, Pictures pictures, int h,
                                           int w, int any_patch, int k_padded)
{
    PE_SHARED(float, table);
    // The same as pe_pixel_table(), without any rounding.
    table[threadIdx.x] = (2 * (float)threadIdx.x - 255) / 256;
    __syncthreads();

    const int patch = PATCH ? PATCH : any_patch;
    const int gh = gridDim.x, gw = w / patch, pairs = k_padded / 2;
    const uint8_t *in = pictures.rgb[blockIdx.y];
    T *out = y + ((size_t)blockIdx.y * gh + blockIdx.x) * gw * k_padded;
    for (int i = threadIdx.x; i < gw * pairs; i += THREADS) {
        int column = i / pairs, k = i % pairs * 2;
        float v[2] = {0, 0};
        for (int j = 0; j < 2; j++, k++) {
            int c = k / (patch * patch), py = k / patch % patch, px = k % patch;
            if (c < 3)
                v[j] = table[in[((size_t)c * h + blockIdx.x * patch + py) * w +
                                column * patch + px]];
        }
        pe_store2(out + 2 * i, v[0], v[1]);
    }
}

// x f32 [b, c + np, d] = concat(cls, patches) + pos; see pe_tokens_c.
//
//   grid   at most b * (c + np), a block has a row at a time    block 256
//   moves  12 * b * np * d bytes, less what the cache has of pos
//
// A block a row, as in rope_kernel.
__global__ void
__launch_bounds__(THREADS)
    tokens_kernel(float *x, const float *patches, const float *cls,
                  const float *pos, int b, int np, int d)
{
    const int c = cls ? 1 : 0, n = np + c;
    for (int row = blockIdx.x; row < b * n; row += gridDim.x) {
        const int token = row % n, image = row / n;
        const float *from =
            token < c ? cls : patches + ((size_t)image * np + token - c) * d;
        const float *at = pos + (size_t)token * d;
        float *to = x + (size_t)row * d;
        for (int i = threadIdx.x; i < d; i += THREADS)
            to[i] = from[i] + at[i];
    }
}

// y[i,:] = x[rows[i],:]
__global__ void
gather_kernel(float *y, const float *x, const int *rows, int n, int d)
{
    FOR_EACH(i, (size_t)n * d)
    y[i] = x[(size_t)rows[i / d] * d + i % d];
}

template <typename T>
__global__ void
convert_kernel(T *y, const float *x, size_t n)
{
    FOR_EACH(i, n)
    pe_store(y + i, x[i]);
}

// Rotate columns from..2 * d - 1 by their token's position, in place; see
// pe_rope_c.
//
//   y        [rows, 3 * d] T
//   cos_sin  [n_tokens, head_dim / 2, 2] f32, small enough to stay in L2
//   from     0: q and k, d: k alone
//
//   grid   rows    block 128, a thread owns eight channels at a time, and has
//          loaded those of its next time before it stores any
//   moves  2 * rows * (2 * d - from) * sizeof(T) bytes
//   needs  head_dim % 4 == 0, d % 8 == 0
//
// A block a row: to find a row and a token by dividing costs more than to
// rotate.
template <typename T>
__global__ void
__launch_bounds__(ROPE_THREADS)
    rope_kernel(T *__restrict__ y, const float *__restrict__ cos_sin, int from,
                int d, int n_tokens, int head_dim)
{
    const int AT_ONCE = 2;
    const float *angles = cos_sin + (size_t)(blockIdx.x % n_tokens) * head_dim;
    T *row = y + (size_t)blockIdx.x * 3 * d;
    pe_grid_dependency_wait();
    pe_launch_dependents();
    for (int first = from + threadIdx.x * 8; first < 2 * d;
         first += AT_ONCE * ROPE_THREADS * 8) {
        float v[AT_ONCE][8];
#pragma unroll
        for (int k = 0; k < AT_ONCE; k++) {
            int i = first + k * ROPE_THREADS * 8;
            if (i < 2 * d)
                pe_load8(row + i, v[k]);
        }
#pragma unroll
        for (int k = 0; k < AT_ONCE; k++) {
            int i = first + k * ROPE_THREADS * 8;
            if (i >= 2 * d)
                break;
            // The last four may be of the next head.
            pe_turn2(v[k], *(const float4 *)(angles + i % head_dim));
            pe_turn2(v[k] + 4, *(const float4 *)(angles + (i + 4) % head_dim));
            pe_store8(row + i, v[k]);
        }
    }
}

// A thread takes eight neighbours at a time.
template <typename T>
__global__ void
gelu_kernel(T *y, size_t n)
{
    pe_grid_dependency_wait();
    pe_launch_dependents();
    FOR_EACH(i, n / 8)
    {
        float v[8];
        pe_load8(y + 8 * i, v);
        for (int j = 0; j < 8; j++)
            v[j] = gelu(v[j]);
        pe_store8(y + 8 * i, v);
    }
    const size_t rest = n / 8 * 8 + threadIdx.x;
    if (blockIdx.x == 0 && rest < n)
        pe_store(y + rest, gelu(pe_to_float(y[rest])));
}

// The same to 8 bits, multiplied by the columns' gains. A thread takes eight
// neighbours.
//
//   x  [rows, n] bf16    y  [rows, n] E4M3, elsewhere    gain  [n] f32
//
//   needs  n % 8 == 0
__global__ void
__launch_bounds__(THREADS)
    gelu_narrow_kernel(PeE4m3 *y, const PeBf16 *x, const float *gain,
                       size_t size, int n)
{
    pe_grid_dependency_wait();
    pe_launch_dependents();
    FOR_EACH(i, size / 8)
    {
        const int column = (int)(8 * i % n);
        for (int j = 0; j < 8; j += 4) {
            float v[4], g[4];
            pe_load4(x + 8 * i + j, v);
            pe_load4(gain + column + j, g);
            pe_store4(y + 8 * i + j, gelu(v[0]) * g[0], gelu(v[1]) * g[1],
                      gelu(v[2]) * g[2], gelu(v[3]) * g[3]);
        }
    }
}

extern "C" void
pe_cuda_patchify_f32(void *stream, PeDtype act, void *y, const float *pixels,
                     int b, int h, int w, int patch, int k_padded)
{
    size_t n = (size_t)b * (h / patch) * (w / patch) * k_padded;
    PE_FOR_TYPE(act, T,
                PE_LAUNCH(patchify_f32_kernel<T>, blocks_for(n), THREADS, 0,
                          stream, (T *)y, pixels, b, h, w, patch, k_padded));
}

extern "C" void
pe_cuda_tokens(void *stream, float *x, const float *patches, const float *cls,
               const float *pos, int b, int np, int d)
{
    PE_LAUNCH(tokens_kernel, b * (np + (cls ? 1 : 0)), THREADS, 0, stream, x,
              patches, cls, pos, b, np, d);
}

extern "C" void
pe_cuda_gather(void *stream, float *y, const float *x, const int *rows, int n,
               int d)
{
    PE_LAUNCH(gather_kernel, blocks_for((size_t)n * d), THREADS, 0, stream, y,
              x, rows, n, d);
}

extern "C" void
pe_cuda_convert(void *stream, PeDtype act, void *y, const float *x, size_t n)
{
    PE_FOR_TYPE(act, T,
                PE_LAUNCH(convert_kernel<T>, blocks_for(n), THREADS, 0, stream,
                          (T *)y, x, n));
}

extern "C" void
pe_cuda_rope(PeCudaStream stream, PeDtype act, void *y, const float *cos_sin,
             bool queries, int rows, int d, int n_tokens, int head_dim)
{
    PE_FOR_TYPE(act, T,
                PE_LAUNCH_DEPENDENT(rope_kernel<T>, rows, ROPE_THREADS, 0,
                                    stream, (T *)y, cos_sin, queries ? 0 : d, d,
                                    n_tokens, head_dim));
}

extern "C" void
pe_cuda_gelu(PeCudaStream stream, PeDtype act, void *y, size_t n)
{
    PE_FOR_TYPE(act, T,
                PE_LAUNCH_DEPENDENT(gelu_kernel<T>, blocks_for(n / 8 + 1),
                                    THREADS, 0, stream, (T *)y, n));
}

extern "C" void
pe_cuda_gelu_narrow(PeCudaStream stream, void *y, const void *x,
                    const float *gain, int rows, int n)
{
    const size_t size = (size_t)rows * n;
    PE_LAUNCH_DEPENDENT(gelu_narrow_kernel, blocks_for(size / 8), THREADS, 0,
                        stream, (PeE4m3 *)y, (const PeBf16 *)x, gain, size, n);
}

template <typename T>
static void
launch_patchify(void *stream, T *y, const Pictures &pictures, int images, int h,
                int w, int patch, int k_padded)
{
    dim3 grid(h / patch, images);
    const size_t shared = 256 * sizeof(float);
    if (patch == 14)
        PE_LAUNCH((patchify_kernel<T, 14>), grid, THREADS, shared, stream, y,
                  pictures, h, w, patch, k_padded);
    else if (patch == 16)
        PE_LAUNCH((patchify_kernel<T, 16>), grid, THREADS, shared, stream, y,
                  pictures, h, w, patch, k_padded);
    else
        PE_LAUNCH((patchify_kernel<T, 0>), grid, THREADS, shared, stream, y,
                  pictures, h, w, patch, k_padded);
}

extern "C" void
pe_cuda_patchify(void *stream, PeDtype act, void *y, const uint8_t *const *rgb,
                 int b, int h, int w, int patch, int k_padded)
{
    size_t rows = (size_t)(h / patch) * (w / patch);
    for (int first = 0; first < b; first += MAX_PICTURES) {
        int n = b - first < MAX_PICTURES ? b - first : MAX_PICTURES;
        Pictures pictures = {};
        for (int i = 0; i < n; i++)
            pictures.rgb[i] = rgb[first + i];
        PE_FOR_TYPE(act, T,
                    launch_patchify<T>(stream, (T *)y + first * rows * k_padded,
                                       pictures, n, h, w, patch, k_padded));
    }
}
