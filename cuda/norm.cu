// SPDX-License-Identifier: LGPL-2.1-or-later
//
// norm.cu - layer norm over the last axis.

#include "cuda/device.h"
#include "cuda/kernels.h"

#define WARPS 4

// One row a warp; see pe_layernorm_c for the equation.
//
//   x  [rows, d] f32, y  [rows, d] T, y may be x
//   w, b  [d] f32, or both NULL for 1 and 0
//
//   grid   ceil(rows / 4)    block 128
//   moves  4 * rows * d bytes in, sizeof(T) * rows * d out: bandwidth bound,
//          as the second and third reading of a row hit the cache
//   needs  d % 4 == 0 (16-byte loads)
//
// Two passes over the row: the one-pass E[x^2] - E[x]^2 loses the variance to
// cancellation on channels with a large mean, which these towers have.
template <typename T>
__global__ void __launch_bounds__(32 * WARPS)
    layernorm_kernel(T *y, const float *x, const float *w, const float *b,
                     int rows, int d, float eps)
{
    int row = blockIdx.x * WARPS + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    if (row >= rows)
        return;
    const float4 *in = (const float4 *)(x + (size_t)row * d);
    int n = d / 4;

    float sum = 0;
    for (int i = lane; i < n; i += 32) {
        float4 v = in[i];
        sum += (v.x + v.y) + (v.z + v.w);
    }
    float mean = pe_warp_sum(sum) / d;

    sum = 0;
    for (int i = lane; i < n; i += 32) {
        float4 v = in[i];
        float p = v.x - mean, q = v.y - mean, r = v.z - mean, s = v.w - mean;
        sum += (p * p + q * q) + (r * r + s * s);
    }
    float scale = 1 / sqrtf(pe_warp_sum(sum) / d + eps);

    T *out = y + (size_t)row * d;
    for (int i = lane; i < n; i += 32) {
        float4 v = in[i];
        float4 g = make_float4(1, 1, 1, 1), h = make_float4(0, 0, 0, 0);
        if (w) {
            g = ((const float4 *)w)[i];
            h = ((const float4 *)b)[i];
        }
        pe_store4(out + 4 * i, (v.x - mean) * scale * g.x + h.x,
                  (v.y - mean) * scale * g.y + h.y,
                  (v.z - mean) * scale * g.z + h.z,
                  (v.w - mean) * scale * g.w + h.w);
    }
}

extern "C" void
pe_cuda_layernorm(void *stream, PeDtype type, void *y, const float *x,
                  const float *w, const float *b, int rows, int d, float eps)
{
    dim3 grid((rows + WARPS - 1) / WARPS), block(32 * WARPS);
    PE_FOR_TYPE(type, T,
                PE_LAUNCH(layernorm_kernel<T>, grid, block, 0, stream, (T *)y,
                          x, w, b, rows, d, eps));
}
