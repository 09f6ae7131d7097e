// SPDX-License-Identifier: LGPL-2.1-or-later
//
// choose.h - which attention is used: Hopper's own, or the one for all devices.

#pragma once

#include "cuda/cuda.h"

// What $PE_CUDA_ATTENTION asks for: "portable", "hopper", or else the faster
// one. PORTABLE where there is nothing to choose.
PeCudaAttention pe_hopper_get_attention(const PeCuda *cuda);

// Queue the attention with Hopper's kernel; see PeBackendOps.attention(), this
// is neither ragged nor causal. False: it is not for this kernel, or the other
// one is faster, or this one is not to be trusted; nothing was queued.
//
// In the first call of a recording the kernel has to give a known answer, and
// both are timed; the choice is kept with those of products.
bool pe_hopper_attend(PeCuda *cuda, void *y, const void *qkv, int b, int n,
                      int heads, int head_dim);
