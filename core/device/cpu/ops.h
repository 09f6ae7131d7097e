// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ops.h - the inside of the CPU backend: its state and its operations.
//
// pe_<op>_c is the definition of an operation: plain C, one thread. Files named
// *_simd.c are compiled once per instruction set and replace entries of the
// table. Nobody outside this folder includes this, except the tests of its
// parts.

#pragma once

#include "core/base/block.h"
#include "core/device/backend.h"
#include "core/device/resize_cache.h"

// What the machine may use: instruction sets, each including those above it.
typedef enum {
    PE_ISA_C,
    PE_ISA_AVX2,
    PE_ISA_AVX512,
    PE_ISA_AVX512BF16,
} PeIsa;

typedef struct {
    PeBackend be;
    PeBackendOps ops; // what be.ops points to: the best variant of each entry
    PeIsa isa;
    int n_threads;
    char *description;
    const char *error; // the first failure, static storage

    void *scratch; // n_threads pieces, see pe_cpu_scratch()
    size_t scratch_size;
    PeResizeCache *resizes;    // of PeResizeAxis
    struct PeOnednn *onednn;   // NULL: not in use
    PeBackendOps *own;         // the table without oneDNN's; NULL: it is that
    struct PeProfile *profile; // NULL: not counting

    // See int8/int8.h. The table of weights with more bits; NULL: it is that.
    PeBackendOps *int8_wide;
    int int8_columns;   // of a panel
    int int8_row_bytes; // of a number of a row
    void (*int8_linear)(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
                        const PeRope *rope, void *y, const void *x, int rows);
    // Walsh-Hadamard transforms of the blocks of a row, in place.
    void (*int8_turn)(float *row, int length, int block);

    // FLOP/s of the calling thread in the type of what is multiplied, from
    // registers alone. NULL: not known.
    double (*peak)(PeDtype type);

    // Rotates q and k of [rows, 3 * d], the second half of a ROPE linear.
    void (*rope)(PeBackend *be, void *y, const PeRope *rope, int rows, int d);
} PeCpu;

// [rows, k] act or f32 is the input, [rows, n] the output.
struct PeLinear {
    int n, k;     // k includes the padding
    float *bias;  // [n] f32; NULL: none
    void *weight; // in the layout of the variant that made it
    struct PeOnednnLinear *onednn;
    // Of weights with 8 bits, see int8/int8.h; else NULL.
    float *col_scales;    // [n]
    float *in_scales;     // [k], then zeros to a whole vector
    float row_limit;      // steps of a row's largest number
    int32_t *col_offsets; // [n], what unsigned rows have too much in a sum
};

// Element i of an array of type f32 or bf16.
static inline float
pe_act_get(PeDtype type, const void *p, size_t i)
{
    return type == PE_DTYPE_F32 ? ((const float *)p)[i]
                                : pe_bf16_to_f32(((const uint16_t *)p)[i]);
}

static inline void
pe_act_set(PeDtype type, void *p, size_t i, float v)
{
    if (type == PE_DTYPE_F32)
        ((float *)p)[i] = v;
    else
        ((uint16_t *)p)[i] = pe_bf16_from_f32(v);
}

// Threads for an operation of about n multiplications or moved elements: waking
// the others takes microseconds, and far longer on a machine that is busy.
static inline int
pe_cpu_threads(const PeBackend *be, double n)
{
    return n < 32768 ? 1 : ((const PeCpu *)be)->n_threads;
}

// memory.c
//
// `size` bytes for each thread, 64-byte aligned, `stride` apart; grows when
// asked for more and keeps no contents. NULL when there is no memory left: then
// the failure has been noted and the operation just returns.
char *pe_cpu_scratch(PeCpu *cpu, size_t size, size_t *stride);
void pe_cpu_fail(PeCpu *cpu, const char *error);

// linear.c
//
// Allocates `l` with n, k and the bias; the weight is left to the caller. NULL
// when there is no memory left.
PeLinear *pe_linear_new_unpacked(const PeLinearParams *params);
PeLinear *pe_linear_new_c(PeBackend *be, const PeLinearParams *params);
void pe_linear_free_c(PeBackend *be, PeLinear *l);
void pe_linear_c(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
                 const PeRope *rope, void *y, const void *x, int rows);
// Element i of y from its sum and bias; ROPE is not turned.
void pe_linear_finish_c(PeDtype act, PeEpilogue epilogue, void *y, size_t i,
                        float v);
void pe_rope_c(PeBackend *be, void *y, const PeRope *rope, int rows, int d);

// attention.c
void pe_attention_c(PeBackend *be, void *y, const void *qkv, const int *offsets,
                    int b, int n, int heads, int head_dim, bool causal);

// pool.c
void pe_pool_c(PeBackend *be, void *y, float *scores, const float *u,
               const void *x, int b, int n, int heads, int d);
// p = 2^(p - max p) / sum of the same, n elements.
void pe_softmax2_c(float *p, int n);

// norm.c
void pe_layernorm_c(PeBackend *be, void *y, PeDtype type, const float *x,
                    const float *shift, const float *w, const float *b,
                    int rows, int d, float eps);

// tokens.c
void pe_patchify_f32_c(PeBackend *be, void *y, const float *pixels, int b,
                       int h, int w, int patch, int k_padded);
void pe_tokens_c(PeBackend *be, float *x, const float *patches,
                 const float *cls, const float *pos, int b, int np, int d);
void pe_gather_c(PeBackend *be, float *y, const float *x, const int *rows,
                 int n, int d);
void pe_convert_c(PeBackend *be, void *y, const float *x, size_t n);

// preprocess.c
PeResizeCache *pe_cpu_resizes_new(void);
PeSlot *pe_slot_new_c(PeBackend *be, int width, int height);
void pe_slot_free_c(PeBackend *be, PeSlot *slot);
bool pe_ingest_c(PeBackend *be, PeSlot *const *slots, const PeFrame *frame,
                 const PeRect *regions, int n, GError **error);
void pe_patchify_c(PeBackend *be, void *y, PeSlot *const *slots, int b,
                   int patch, int k_padded);

// *_simd.c: put an instruction set's variants of the entries into the table.
#define PE_DECLARE_ISA(isa) \
    void pe_linear_init_##isa(PeCpu *cpu); \
    void pe_int8_init_##isa(PeCpu *cpu); \
    void pe_attention_init_##isa(PeCpu *cpu); \
    void pe_norm_init_##isa(PeCpu *cpu); \
    void pe_pool_init_##isa(PeCpu *cpu); \
    double pe_peak_##isa(PeDtype type)

PE_DECLARE_ISA(avx2);
PE_DECLARE_ISA(avx512);
PE_DECLARE_ISA(avx512bf16);
