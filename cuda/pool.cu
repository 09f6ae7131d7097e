// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pool.cu - attention of one learned query over all tokens of an image.

#include "cuda/device.h"
#include "cuda/kernels.h"

#define THREADS 256
#define WARPS (THREADS / 32)

// One head of one image a block; see pe_attention_pool_c for the equation.
//
//   q  [heads * head_dim] f32, scaled    kv  [b * n, 2 * heads * head_dim] T
//   y  [b, heads * head_dim] T
//
//   grid    (heads, b)    block 256
//   shared  [n] f32 probabilities, then [WARPS] f32
//   moves   2 * n * head_dim * sizeof(T) bytes a block, once: bandwidth bound
//
// Scores: a warp takes a key, so that its lanes read neighbouring channels.
// Values: a thread takes a channel and a share of the tokens.
template <typename T>
__global__ void
__launch_bounds__(THREADS)
    attention_pool_kernel(T *y, const float *q, const T *kv, int n, int heads,
                          int head_dim)
{
    PE_SHARED(float, p);
    float *reduced = p + n; // [WARPS], then [THREADS] partial values
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const size_t width = (size_t)heads * head_dim;
    const T *k =
        kv + (size_t)blockIdx.y * n * 2 * width + (size_t)blockIdx.x * head_dim;
    const T *v = k + width;
    const float *query = q + (size_t)blockIdx.x * head_dim;

    float max = -1e30f;
    for (int i = warp; i < n; i += WARPS) {
        float sum = 0;
        for (int j = lane; j < head_dim; j += 32)
            sum += query[j] * pe_to_float(k[i * 2 * width + j]);
        sum = pe_warp_sum(sum);
        if (lane == 0)
            p[i] = sum;
        max = fmaxf(max, sum);
    }
    if (lane == 0)
        reduced[warp] = max;
    __syncthreads();
    for (int i = 0; i < WARPS; i++)
        max = fmaxf(max, reduced[i]);
    __syncthreads();

    float total = 0;
    for (int i = threadIdx.x; i < n; i += THREADS) {
        p[i] = expf(p[i] - max);
        total += p[i];
    }
    total = pe_warp_sum(total);
    if (lane == 0)
        reduced[warp] = total;
    __syncthreads();
    total = 0;
    for (int i = 0; i < WARPS; i++)
        total += reduced[i];
    __syncthreads();

    // As many threads a channel as fit, each with every `shares`th token.
    const int shares = THREADS / head_dim > 0 ? THREADS / head_dim : 1;
    const int share = threadIdx.x / head_dim, channel = threadIdx.x % head_dim;
    float sum = 0;
    if (share < shares) {
        for (int i = share; i < n; i += shares)
            sum += p[i] * pe_to_float(v[i * 2 * width + channel]);
    }
    reduced[threadIdx.x] = sum;
    __syncthreads();
    if ((int)threadIdx.x < head_dim) {
        for (int i = 1; i < shares; i++)
            sum += reduced[i * head_dim + threadIdx.x];
        pe_store(y + blockIdx.y * width + blockIdx.x * head_dim + threadIdx.x,
                 sum / total);
    }
}

// needs head_dim <= 256
extern "C" void
pe_cuda_attention_pool(void *stream, PeDtype act, void *y, const float *q,
                       const void *kv, int b, int n, int heads, int head_dim)
{
    dim3 grid(heads, b), block(THREADS);
    size_t shared = (n + THREADS) * sizeof(float);
    PE_FOR_TYPE(act, T,
                PE_LAUNCH(attention_pool_kernel<T>, grid, block, shared, stream,
                          (T *)y, q, (const T *)kv, n, heads, head_dim));
}
