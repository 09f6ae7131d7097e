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

// preprocess.cu
//
// A PeResizeAxis in device memory.
typedef struct {
    int in_size, out_size;
    int taps;
    const int *first;       // [out_size]
    const int *count;       // [out_size]
    const int32_t *weights; // [out_size, taps]
} PeCudaAxis;

typedef enum {
    PE_CUDA_PACKED, // one plane of `pixel_size` bytes a pixel
    PE_CUDA_GRAY8,
    PE_CUDA_NV12,
    PE_CUDA_I420,
    PE_CUDA_YUY2,
    PE_CUDA_P010,
} PeCudaLayout;

// A frame in device memory, as PeFrame describes it, with what the host has
// worked out about it.
typedef struct {
    PeCudaLayout layout;
    int width, height;
    const uint8_t *planes[3];
    int strides[3];       // bytes
    int pixel_size;       // PACKED: 3 or 4
    int red, green, blue; // PACKED: which byte of a pixel
    // GRAY8 and YUV: see PeYuvCoefficients in core/preprocess.h.
    int y_off, c_off;
    int y_mul, r_v, g_u, g_v, b_u;
} PeCudaFrame;

// Convert and squash.
//   rgb  u8 [3 * y->out_size * x->out_size], what pe_cuda_patchify() reads
void pe_cuda_preprocess(void *stream, const PeCudaFrame *frame,
                        const PeCudaAxis *x, const PeCudaAxis *y, uint8_t *rgb);
// y act [b * gh * gw, k_padded]; `rgb` is an array [b] on the host of pictures
// that pe_cuda_preprocess() wrote
void pe_cuda_patchify(void *stream, PeDtype act, void *y,
                      const uint8_t *const *rgb, int b, int h, int w, int patch,
                      int k_padded);

// pool.cu
void pe_cuda_attention_pool(void *stream, PeDtype act, void *y, const float *q,
                            const void *kv, int b, int n, int heads,
                            int head_dim);

#ifdef __cplusplus
}
#endif
