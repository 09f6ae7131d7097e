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

#ifdef __cplusplus
extern "C" {
#endif

// attention.cu
//
// pe_cuda_attention() in bf16 or f16, for head dims of 64 and 96, neither
// ragged nor causal. `qkv` is a CUtensorMap, in host memory, read before this
// returns. False: there is no kernel for this, nothing was done.
bool pe_hopper_attention(void *stream, PeDtype act, void *y, const void *qkv,
                         int b, int n, int heads, int head_dim);

#ifdef __cplusplus
}
#endif
