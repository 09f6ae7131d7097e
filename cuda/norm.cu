// SPDX-License-Identifier: LGPL-2.1-or-later
//
// norm.cu - layer norm over the last axis.

#include "core/device/narrow.h"
#include "cuda/device.h"
#include "cuda/kernels.h"

#define WARPS 4

// Vectors of a row that a lane keeps in registers: rows up to 1536 are read
// once, longer ones behind that three times.
#define KEPT 12

PE_DEVICE float
sum_of(float4 v)
{
    return (v.x + v.y) + (v.z + v.w);
}

PE_DEVICE float
squares_around(float4 v, float mean)
{
    float p = v.x - mean, q = v.y - mean, r = v.z - mean, s = v.w - mean;
    return (p * p + q * q) + (r * r + s * s);
}

// Vector i of a row, shifted.
PE_DEVICE float4
load_shifted(const float4 *in, const float *shift, int i)
{
    float4 v = in[i];
    if (shift) {
        float4 s = ((const float4 *)shift)[i];
        v = make_float4(v.x + s.x, v.y + s.y, v.z + s.z, v.w + s.w);
    }
    return v;
}

// Vector i of a row: y = (v - mean) * scale * w + b
template <typename T>
PE_DEVICE void
store_normal(T *y, int i, float4 v, float mean, float scale, const float *w,
             const float *b)
{
    float4 g = make_float4(1, 1, 1, 1), h = make_float4(0, 0, 0, 0);
    if (w) {
        g = ((const float4 *)w)[i];
        h = ((const float4 *)b)[i];
    }
    pe_store4(y + 4 * i, (v.x - mean) * scale * g.x + h.x,
              (v.y - mean) * scale * g.y + h.y,
              (v.z - mean) * scale * g.z + h.z,
              (v.w - mean) * scale * g.w + h.w);
}

// One row a warp; see pe_layernorm_c for the equation.
//
//   x  [rows, d] f32, y  [rows, d] T, y may be x
//   shift  [d] f32, or NULL for 0
//   w, b  [d] f32, or both NULL for 1 and 0
//   gain   multiplies y, for E4M3; else 1
//   norms  [rows, 2] f32 gets mean and scale of each row; or NULL
//
//   grid   ceil(rows / 4)    block 128
//   moves  4 * rows * d bytes in, sizeof(T) * rows * d out: bandwidth bound
//   needs  d % 4 == 0 (16-byte loads)
//
// Two passes over the row: the one-pass E[x^2] - E[x]^2 loses the variance to
// cancellation on channels with a large mean, which these towers have.
template <typename T>
__global__ void __launch_bounds__(32 * WARPS)
    layernorm_kernel(T *y, const float *x, const float *shift, const float *w,
                     const float *b, int rows, int d, float eps, float gain,
                     float *norms)
{
    int row = blockIdx.x * WARPS + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    pe_grid_dependency_wait();
    pe_launch_dependents();
    if (row >= rows)
        return;
    const float4 *in = (const float4 *)(x + (size_t)row * d);
    int n = d / 4;

    float4 kept[KEPT];
    float sum = 0;
#pragma unroll
    for (int k = 0; k < KEPT; k++) {
        int i = lane + 32 * k;
        kept[k] = i < n ? load_shifted(in, shift, i) : make_float4(0, 0, 0, 0);
        sum += sum_of(kept[k]);
    }
    for (int i = lane + 32 * KEPT; i < n; i += 32)
        sum += sum_of(load_shifted(in, shift, i));
    float mean = pe_warp_sum(sum) / d;

    sum = 0;
#pragma unroll
    for (int k = 0; k < KEPT; k++)
        sum += lane + 32 * k < n ? squares_around(kept[k], mean) : 0;
    for (int i = lane + 32 * KEPT; i < n; i += 32)
        sum += squares_around(load_shifted(in, shift, i), mean);
    float scale = gain / sqrtf(pe_warp_sum(sum) / d + eps);

    T *out = y + (size_t)row * d;
#pragma unroll
    for (int k = 0; k < KEPT; k++) {
        int i = lane + 32 * k;
        if (i < n)
            store_normal(out, i, kept[k], mean, scale, w, b);
    }
    for (int i = lane + 32 * KEPT; i < n; i += 32)
        store_normal(out, i, load_shifted(in, shift, i), mean, scale, w, b);
    // At the end, where the registers of the row are free.
    if (norms && lane == 0)
        pe_store2(norms + 2 * (size_t)row, mean, scale);
}

extern "C" void
pe_cuda_layernorm(PeCudaStream stream, PeDtype type, void *y, const float *x,
                  const float *shift, const float *w, const float *b, int rows,
                  int d, float eps, float *norms)
{
    dim3 grid((rows + WARPS - 1) / WARPS), block(32 * WARPS);
    if (type == PE_DTYPE_E4M3) {
        PE_LAUNCH_DEPENDENT(layernorm_kernel<PeE4m3>, grid, block, 0, stream,
                            (PeE4m3 *)y, x, shift, w, b, rows, d, eps,
                            pe_narrow_norm_gain(d), norms);
        return;
    }
    PE_FOR_TYPE(type, T,
                PE_LAUNCH_DEPENDENT(layernorm_kernel<T>, grid, block, 0, stream,
                                    (T *)y, x, shift, w, b, rows, d, eps, 1.0f,
                                    norms));
}
