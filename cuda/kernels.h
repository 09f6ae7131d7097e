// SPDX-License-Identifier: LGPL-2.1-or-later
//
// kernels.h - the launchers of all kernels, called by the backend's host code.
//
// Every pointer is device memory unless it says otherwise; `act` is the type of
// activations (f32, f16 or bf16). Semantics are those of core/backend.h; the
// plain-C twin of pe_cuda_<op> is pe_<op>_c in core/cpu. Launchers return at
// once; what goes wrong shows at the next synchronisation.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

// norm.cu
void pe_cuda_layernorm(void *stream, PeDtype type, void *y, const float *x,
                       const float *w, const float *b, int rows, int d,
                       float eps);

// tokens.cu
void pe_cuda_patchify_f32(void *stream, PeDtype act, void *y,
                          const float *pixels, int b, int h, int w, int patch,
                          int k_padded);
void pe_cuda_tokens(void *stream, float *x, const float *patches,
                    const float *cls, const float *pos, int b, int np, int d);
void pe_cuda_gather(void *stream, float *y, const float *x, const int *rows,
                    int n, int d);
void pe_cuda_convert(void *stream, PeDtype act, void *y, const float *x,
                     size_t n);
// y act [rows, 3 * d], q and k rotated in place
void pe_cuda_rope(void *stream, PeDtype act, void *y, const float *cos_sin,
                  int rows, int d, int n_tokens, int head_dim);
// y act [n] = gelu(y), in place
void pe_cuda_gelu(void *stream, PeDtype act, void *y, size_t n);

// attention.cu
void pe_cuda_attention(void *stream, PeDtype act, void *y, const void *qkv,
                       const int *offsets, int b, int n, int heads,
                       int head_dim, bool causal);

// pool.cu
void pe_cuda_attention_pool(void *stream, PeDtype act, void *y, const float *q,
                            const void *kv, int b, int n, int heads,
                            int head_dim);

#ifdef __cplusplus
}
#endif
