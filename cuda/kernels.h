// SPDX-License-Identifier: LGPL-2.1-or-later
//
// kernels.h - the launchers of all kernels, called by the backend's host code.
//
// Every pointer is device memory unless it says otherwise; `act` is the type of
// activations (f32, f16 or bf16). Semantics are those of core/device/backend.h;
// the plain-C twin of pe_cuda_<op> is pe_<op>_c in core/device/cpu. Launchers
// return at once; what goes wrong shows at the next synchronisation. Those that
// take a PeCudaStream may begin early, see dependent.h.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/tensor.h"
#include "core/device/preprocess.h"
#include "cuda/dependent.h"

#ifdef __cplusplus
extern "C" {
#endif

// norm.cu
//
// shift may be NULL, and w and b both; type E4M3: with the gain of narrow.h and
// without w and b. norms [rows, 2] f32 gets the mean and 1 / deviation of each
// row, NULL: not wanted; not with E4M3.
void pe_cuda_layernorm(PeCudaStream stream, PeDtype type, void *y,
                       const float *x, const float *shift, const float *w,
                       const float *b, int rows, int d, float eps,
                       float *norms);

// tokens.cu
//
// y act [b * gh * gw, k_padded], k ordered (channel, py, px), zeros behind
// them; `rgb` is an array [b] on the host of pictures that pe_cuda_preprocess()
// wrote, read before this returns
void pe_cuda_patchify(void *stream, PeDtype act, void *y,
                      const uint8_t *const *rgb, int b, int h, int w, int patch,
                      int k_padded);
void pe_cuda_patchify_f32(void *stream, PeDtype act, void *y,
                          const float *pixels, int b, int h, int w, int patch,
                          int k_padded);
void pe_cuda_tokens(void *stream, float *x, const float *patches,
                    const float *cls, const float *pos, int b, int np, int d);
void pe_cuda_gather(void *stream, float *y, const float *x, const int *rows,
                    int n, int d);
void pe_cuda_convert(void *stream, PeDtype act, void *y, const float *x,
                     size_t n);
// y act [rows, 3 * d], k, and q if `queries`, rotated in place
void pe_cuda_rope(PeCudaStream stream, PeDtype act, void *y,
                  const float *cos_sin, bool queries, int rows, int d,
                  int n_tokens, int head_dim);
// y act [n] = gelu(y), in place
void pe_cuda_gelu(PeCudaStream stream, PeDtype act, void *y, size_t n);
// y E4M3 [rows, n] = gelu(x) gain, x bf16 [rows, n] elsewhere, gain f32 [n];
// n % 8 == 0
void pe_cuda_gelu_narrow(PeCudaStream stream, void *y, const void *x,
                         const float *gain, int rows, int n);

// attention.cu
//
// What there is to attend to, as in PeBackendOps. With cos_sin, which only
// pe_cuda_attention_turns() allows, q has not been rotated and is, while it is
// read; k too if `turn_keys`. The results are the same to the bit.
typedef struct {
    PeDtype out;          // of y: act, or E4M3 where that is bf16
    const int *offsets;   // NULL: each sequence has n rows
    const float *cos_sin; // [n, head_dim / 2, 2], NULL: both have been rotated
    bool turn_keys;
    int b, n, heads, head_dim;
    bool causal;
} PeAttention;

// softmax to the base 2; how much one block does follows from the compute
// capability and the number of multiprocessors
void pe_cuda_attention(PeCudaStream stream, PeDtype act, void *y,
                       const void *qkv, const PeAttention *a, int sm,
                       int n_sms);
bool pe_cuda_attention_turns(PeDtype act, int head_dim);

// pool.cu
//
// d % 16 == 0
void pe_cuda_pool(void *stream, PeDtype act, void *y, float *scores,
                  const float *u, const void *x, int b, int n, int heads,
                  int d);

// preprocess.cu
//
// A PeResizeAxis in device memory.
typedef struct {
    int in_size, out_size; // out_size at least in_size / 4096
    int taps;
    const int *first;       // [out_size]
    const int *count;       // [out_size]
    const int32_t *weights; // [out_size, taps]
} PeCudaAxis;

// Convert and squash a frame's crop; its planes are in device memory. The axes
// are of the crop.
//   rgb  u8 [3, y->out_size, x->out_size], planar
// `exact` gives the bytes of the CPU backend. Otherwise the frame is squashed
// in its own colours and only the result is converted: at most two levels off.
void pe_cuda_preprocess(void *stream, const PeFrame *frame, const PeCudaAxis *x,
                        const PeCudaAxis *y, bool exact, uint8_t *rgb);

// bias.cu
//
// 0 when the device can run what was compiled, else a cudaError_t. All kernels
// are compiled for the same devices, so one is asked for. *version: the
// capability for which its PTX was made, 90 for 9.0.
int pe_cuda_probe_code(int *version);
// y [rows, n] += bias [n], both of `type`
void pe_cuda_bias(PeCudaStream stream, PeDtype type, void *y, const void *bias,
                  int rows, int n);

#ifdef __cplusplus
}
#endif
