// SPDX-License-Identifier: LGPL-2.1-or-later
//
// rows.cu - rows as bytes: scaled, turned, and rounded to steps of their own.
// The rows of activations before a product, and once, while loading, those of a
// weight.

#include <cstring>

#include "core/device/int8.h"
#include "cuda/int8/device.h"
#include "cuda/int8/kernels.h"

#define MAX_WARPS 8
#define EACH 8            // neighbours of a row that a lane has
#define CHUNK (32 * EACH) // those of a warp, as long as the longest block
#define KEPT (PE_CUDA_INT8_MAX_LENGTH / CHUNK / MAX_WARPS)

// Eight columns of a row times their scales; those from k on are zeros.
template <typename T>
PE_DEVICE void
load_scaled(float (&v)[EACH], const T *x, const float *s, int column, int k)
{
    float scale[EACH];
#pragma unroll
    for (int i = 0; i < EACH; i++)
        v[i] = 0;
    if (column >= k)
        return;
    pe_load8(x + column, v);
    pe_load8(s + column, scale);
#pragma unroll
    for (int i = 0; i < EACH; i++)
        v[i] *= scale[i];
}

// H of the blocks in a warp's columns. Steps up to four are within a lane, the
// others between lanes: the lower one gets the sum.
PE_DEVICE void
turn(float (&v)[EACH], int block)
{
#pragma unroll
    for (int half = 1; half < EACH; half *= 2) {
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            if (i & half)
                continue;
            const float a = v[i], b = v[i + half];
            v[i] = a + b;
            v[i + half] = a - b;
        }
    }
    for (int half = EACH; half < block; half *= 2) {
        const int mask = half / EACH;
        const float sign = threadIdx.x & mask ? -1 : 1;
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            const float other = pe_shuffle_xor(v[i], mask);
            v[i] = other + sign * v[i];
        }
    }
}

// The nearest integer, of two the even one, as a byte.
PE_DEVICE uint32_t
to_byte(float v)
{
    uint32_t bits;
    v += PE_INT8_MAGIC;
    memcpy(&bits, &v, sizeof bits);
    return bits & 0xff;
}

PE_DEVICE uint32_t
to_bytes(const float *v, float inverse)
{
    return to_byte(v[0] * inverse) | to_byte(v[1] * inverse) << 8 |
           to_byte(v[2] * inverse) << 16 | to_byte(v[3] * inverse) << 24;
}

// The largest of all lanes of a block; not a number when one of them is none.
PE_DEVICE float
find_most(float most, float poison)
{
    PE_SHARED(float, shared); // [2, MAX_WARPS]
    most = pe_warp_max(most);
    poison = pe_warp_sum(poison);
    if (threadIdx.x % 32 == 0) {
        shared[threadIdx.x / 32] = most;
        shared[MAX_WARPS + threadIdx.x / 32] = poison;
    }
    __syncthreads();
    for (int i = 0; i < (int)blockDim.x / 32; i++) {
        most = fmaxf(most, shared[i]);
        poison += shared[MAX_WARPS + i];
    }
    return most + poison;
}

// See pe_int8_round_rows().
//
//   grid    rows: a block has a whole row, so that it is read once
//   block   a warp for 256 columns, up to eight; a lane keeps its columns in
//           registers
//   shared  64 bytes
//   moves   sizeof(T) * k in and length + 4 out for a row: bandwidth bound
template <typename T>
__global__ void __launch_bounds__(32 * MAX_WARPS)
    round_rows_kernel(int8_t *p, float *r, const T *x, const float *s, int k,
                      int length, int block)
{
    const int row = blockIdx.x, step = blockDim.x * EACH;
    const int first = threadIdx.x * EACH;
    float kept[KEPT][EACH], most = 0, poison = 0;
    pe_grid_dependency_wait();
    pe_launch_dependents();
#pragma unroll
    for (int i = 0; i < KEPT; i++) {
        if (i * step >= length)
            break;
        load_scaled(kept[i], x + (size_t)row * k, s, first + i * step, k);
        turn(kept[i], block);
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            most = fmaxf(most, fabsf(kept[i][j]));
            poison += kept[i][j] * 0; // not finite: not a number
        }
    }
    most = find_most(most, poison);
    const bool nothing = most < PE_INT8_LEAST;
    const float inverse = nothing ? 0 : 127 / most;
    if (threadIdx.x == 0)
        r[row] = nothing ? 0 : most / 127;
#pragma unroll
    for (int i = 0; i < KEPT; i++) {
        const int column = first + i * step;
        if (column < length)
            *(uint2 *)(p + (size_t)row * length + column) = make_uint2(
                to_bytes(kept[i], inverse), to_bytes(kept[i] + 4, inverse));
    }
}

extern "C" void
pe_int8_round_rows(PeCudaStream stream, PeDtype type, int8_t *p, float *r,
                   const void *x, const float *s, int rows, int k)
{
    const int length = pe_int8_length(k);
    const int warps = (length + CHUNK - 1) / CHUNK;
    dim3 grid(rows), block(32 * (warps < MAX_WARPS ? warps : MAX_WARPS));
    PE_FOR_TYPE(type, T,
                PE_LAUNCH_DEPENDENT(round_rows_kernel<T>, grid, block,
                                    2 * MAX_WARPS * sizeof(float), stream, p, r,
                                    (const T *)x, s, k, length,
                                    pe_int8_block(k)));
}
