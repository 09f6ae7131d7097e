// SPDX-License-Identifier: LGPL-2.1-or-later
//
// kernels.h - the launchers of the kernels for compute capability 9.0, beside
// those of cuda/kernels.h, whose rules are the same. A module that was not
// built for it (-Dgpu-arch=90a) has none of them.

#pragma once

#include "cuda/kernels.h"

// What a tensor map of qkv [b, n, 3 * heads * head_dim] for the attention has
// to say: boxes of so many rows and channels, in the swizzle of as many bytes
// as the channels have. What is outside is filled with zeros.
#define PE_HOPPER_ROWS 64
#define PE_HOPPER_CHANNELS(head_dim) ((head_dim) % 64 ? 32 : 64)

// The same of what a product with tiles of so many columns multiplies: boxes
// of rows of x [m, k], and as many rows of w [n, k] as a tile has columns.
#define PE_HOPPER_DEPTH 64
#define PE_HOPPER_TILE_ROWS(tile) ((tile) == 64 ? 64 : 128)

#ifdef __cplusplus
extern "C" {
#endif

// attention.cu
//
// pe_cuda_attention() in bf16 or f16, for head dims of 64 and 96, neither
// ragged nor causal. `qkv` is a CUtensorMap, in host memory, read before this
// returns. False: there is no kernel for this, nothing was done.
bool pe_hopper_attention(PeCudaStream stream, PeDtype act, void *y,
                         const void *qkv, int b, int n, int heads,
                         int head_dim);

// linear.cu
//
// Rows of the stream as they were normalised,
//
//     z[r,:] = (x[r,:] + shift - mean[r]) / deviation[r]
//
// with what the norm before this one has found, and sums of what that gave:
// from them follows the norm that is wanted.
typedef struct {
    float *norms; // [m, 2], mean and 1 / deviation
    float *sums;  // [n_sums, m, 2], of z and of its squares over a part of the
                  // columns each
    int n_sums;   // 0: z is the norm that is wanted
} PeHopperRows;

// Products x w^T, x act [m, k] and w act [n, k], with the epilogues of a block.
// n % 16 == 0.
typedef struct {
    const void *x_map, *w_map; // CUtensorMap, in host memory, read at once
    int tile;                  // columns: 64, 128 or 256
    int m, n, k;
    const float *bias; // [n] f32, NULL: none
    float eps;         // of the norms
} PeHopperProduct;

// y act [m, n] = norm(z) w^T + bias, or its GELU: the product of z itself, from
// which the mean is taken by the sums of w's rows, `columns` [n] f32. Both are
// NULL where x is no z.
bool pe_hopper_linear(PeCudaStream stream, PeDtype act,
                      const PeHopperProduct *p, void *y,
                      const PeHopperRows *rows, const float *columns,
                      bool gelu);
// y f32 [m, n] += x w^T + bias, and z act [m, n] of the new y, with its rows,
// from what was known of the old one's. shift f32 [n], NULL: 0.
// to->n_sums is the number of tiles.
bool pe_hopper_residual(PeCudaStream stream, PeDtype act,
                        const PeHopperProduct *p, float *y, void *z,
                        const float *shift, const PeHopperRows *from,
                        const PeHopperRows *to);

#ifdef __cplusplus
}
#endif
