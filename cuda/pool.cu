// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pool.cu - attention of learned queries over all tokens of an image, see
// pe_pool_c. Two kernels, because all of an image's scores must be there before
// the first probability: one over tiles of tokens, one over tiles of channels,
// so that a single image fills the device in both.

#include "cuda/device.h"
#include "cuda/kernels.h"

#define HEADS 8 // that are done at once

// ---- Scores -----------------------------------------------------------------

#define TOKENS 4 // a block
#define SCORE_WARPS 4
#define SCORE_THREADS (32 * SCORE_WARPS)

// Sum v over the lanes: lane l keeps the whole of v[l]. In each step a lane
// gives away the half that its partner keeps.
PE_DEVICE float
sum_over_lanes(float (&v)[32])
{
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int half = 16; half > 0; half >>= 1) {
        const bool upper = lane & half;
#pragma unroll
        for (int i = 0; i < half; i++) {
            float mine = upper ? v[i + half] : v[i];
            float other = upper ? v[i] : v[i + half];
            v[i] = mine + pe_shuffle_xor(other, half);
        }
    }
    return v[0];
}

// scores f32 [b, heads, n] = x u^T
//
//   x  [b * n, d] T     u  [heads, d] f32
//
//   grid    (ceil(n / TOKENS), b)    block 128
//   shared  [SCORE_WARPS, 32] f32
//   moves   sizeof(T) * n * d bytes an image, once; u comes from the caches
//   needs   d % 4 == 0
//
// A thread takes four channels at a time for all tokens and heads of the block:
// 32 sums, which a warp then sums over its lanes, one lane a sum.
template <typename T>
__global__ void
__launch_bounds__(SCORE_THREADS)
    pool_scores_kernel(float *scores, const float *u, const T *x, int n,
                       int heads, int d)
{
    PE_SHARED(float, partial);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int token0 = blockIdx.x * TOKENS;
    const T *rows = x + (size_t)blockIdx.y * n * d;

    for (int head0 = 0; head0 < heads; head0 += HEADS) {
        float sums[TOKENS * HEADS];
        for (int i = 0; i < TOKENS * HEADS; i++)
            sums[i] = 0;
        for (int c = threadIdx.x * 4; c < d; c += SCORE_THREADS * 4) {
            float v[TOKENS][4];
#pragma unroll
            for (int t = 0; t < TOKENS; t++) {
                // Behind the end the last token again, which nobody stores.
                int token = token0 + t < n ? token0 + t : n - 1;
                pe_load4(rows + (size_t)token * d + c, v[t]);
            }
#pragma unroll
            for (int h = 0; h < HEADS; h++) {
                int head = head0 + h < heads ? head0 + h : heads - 1;
                float w[4];
                pe_load4(u + (size_t)head * d + c, w);
#pragma unroll
                for (int t = 0; t < TOKENS; t++)
                    sums[h * TOKENS + t] += v[t][0] * w[0] + v[t][1] * w[1] +
                                            v[t][2] * w[2] + v[t][3] * w[3];
            }
        }
        partial[warp * 32 + lane] = sum_over_lanes(sums);
        __syncthreads();
        const int head = head0 + lane / TOKENS, token = token0 + lane % TOKENS;
        if (warp == 0 && head < heads && token < n) {
            float sum = 0;
            for (int i = 0; i < SCORE_WARPS; i++)
                sum += partial[i * 32 + lane];
            scores[((size_t)blockIdx.y * heads + head) * n + token] = sum;
        }
        __syncthreads();
    }
}

// ---- Weighted sums ----------------------------------------------------------

#define CHANNELS 16 // a block: whole sectors of 16-bit elements
#define CHUNK 256   // tokens whose probabilities are in shared memory
#define MIX_WARPS 8 // a warp has the softmax of one head
#define SHARES 4    // tokens that a warp reads at once, CHANNELS / 2 lanes each
#define MIX_THREADS (32 * MIX_WARPS)

// y[b,h] = sum_i softmax2_i(scores[b,h,i]) x[b,i]
//
//   scores  [b, heads, n] f32    x  [b * n, d] T    y  [b, heads * d] T
//
//   grid    (d / CHANNELS, b)    block 256
//   shared  [HEADS, CHUNK] f32, then [MIX_WARPS, HEADS, CHANNELS], then [HEADS]
//   moves   sizeof(T) * n * d bytes an image, once; every block reads all
//           scores, which come from L2
//   needs   d % CHANNELS == 0
//
// Everybody computes the softmax again: that is cheaper than a third kernel.
template <typename T>
__global__ void
__launch_bounds__(MIX_THREADS)
    pool_mix_kernel(T *y, const float *scores, const T *x, int n, int heads,
                    int d)
{
    PE_SHARED(float, p);
    float *partial = p + HEADS * CHUNK;
    float *totals = partial + MIX_WARPS * HEADS * CHANNELS;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int channel = lane % (CHANNELS / 2) * 2;
    const int share = warp * SHARES + lane / (CHANNELS / 2);
    const T *in = x + (size_t)blockIdx.y * n * d + blockIdx.x * CHANNELS;

    for (int head0 = 0; head0 < heads; head0 += HEADS) {
        // The warp's head, and the last one again where there are fewer.
        const int mine = head0 + warp < heads ? head0 + warp : heads - 1;
        const float *row = scores + ((size_t)blockIdx.y * heads + mine) * n;
        float max = -1e30f;
        for (int i = lane; i < n; i += 32)
            max = fmaxf(max, row[i]);
        max = pe_warp_max(max);

        float total = 0, sums[HEADS][2];
        for (int h = 0; h < HEADS; h++)
            sums[h][0] = sums[h][1] = 0;
        for (int first = 0; first < n; first += CHUNK) {
            const int count = n - first < CHUNK ? n - first : CHUNK;
            for (int i = lane; i < count; i += 32) {
                float v = pe_exp2(row[first + i] - max);
                p[warp * CHUNK + i] = v;
                total += v;
            }
            __syncthreads();
#pragma unroll 4
            for (int i = share; i < count; i += MIX_WARPS * SHARES) {
                float a, b;
                pe_load2(in + (size_t)(first + i) * d + channel, &a, &b);
#pragma unroll
                for (int h = 0; h < HEADS; h++) {
                    sums[h][0] += p[h * CHUNK + i] * a;
                    sums[h][1] += p[h * CHUNK + i] * b;
                }
            }
            __syncthreads();
        }

        total = pe_warp_sum(total);
        if (lane == 0)
            totals[warp] = total;
            // Over the warp's shares, then over the warps.
#pragma unroll
        for (int h = 0; h < HEADS; h++) {
            for (int j = 0; j < 2; j++) {
                float sum = sums[h][j];
                for (int mask = CHANNELS / 2; mask < 32; mask <<= 1)
                    sum += pe_shuffle_xor(sum, mask);
                if (lane < CHANNELS / 2)
                    partial[(warp * HEADS + h) * CHANNELS + channel + j] = sum;
            }
        }
        __syncthreads();
        const int h = threadIdx.x / CHANNELS, c = threadIdx.x % CHANNELS;
        if (h < HEADS && head0 + h < heads) {
            float sum = 0;
            for (int i = 0; i < MIX_WARPS; i++)
                sum += partial[(i * HEADS + h) * CHANNELS + c];
            pe_store(y + ((size_t)blockIdx.y * heads + head0 + h) * d +
                         blockIdx.x * CHANNELS + c,
                     sum / totals[h]);
        }
        // The next heads' sums come behind their probabilities' barriers.
    }
}

extern "C" void
pe_cuda_pool(void *stream, PeDtype act, void *y, float *scores, const float *u,
             const void *x, int b, int n, int heads, int d)
{
    dim3 tokens((n + TOKENS - 1) / TOKENS, b), channels(d / CHANNELS, b);
    const size_t score_shared = SCORE_THREADS * sizeof(float);
    const size_t mix_shared =
        (HEADS * CHUNK + MIX_WARPS * HEADS * CHANNELS + HEADS) * sizeof(float);
    PE_FOR_TYPE(act, T,
                PE_LAUNCH(pool_scores_kernel<T>, tokens, SCORE_THREADS,
                          score_shared, stream, scores, u, (const T *)x, n,
                          heads, d);
                PE_LAUNCH(pool_mix_kernel<T>, channels, MIX_THREADS, mix_shared,
                          stream, (T *)y, scores, (const T *)x, n, heads, d));
}
