// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tower.h - what the image and the text tower have in common: pre-norm
// transformer blocks, the arena they work in, and the upload of weights.
//
// Private to vision.c and text.c. Knows nothing of patches, tokens or pooling.

#pragma once

#include "core/device/backend.h"
#include "core/model/model.h"
#include "vision.h"

#define PE_LAYERNORM_EPS 1e-5f

// A linear of the model with what is folded into it on loading:
//
//     y = scale o (W (in_scale o x + in_shift) + b)
//
// All but the weight may be NULL or absent.
typedef struct {
    const PeTensor *weight;   // [n, ..]
    const PeTensor *bias;     // [n]
    const PeTensor *scale;    // [n]
    const PeTensor *in_scale; // [k]
    const PeTensor *in_shift; // [k]
    int k_padded;
    PeEpilogue epilogue; // see PeLinearParams
    bool in_block;       // it reads what the backend calls narrow
} PeFoldedLinear;

typedef struct {
    PeBackend *be;        // borrowed
    const PeModel *model; // borrowed
    int width;            // D
    int heads;
    int mlp_width; // M
    int n_blocks;
    PeBlock *blocks; // [n_blocks]

    // The arena, backend memory.
    int max_rows;
    float *x;   // f32 [max_rows, D], the residual stream
    void *h;    // act [max_rows, D], or narrow: what a block's linears read
    void *wide; // act [max_rows, max(3D, M)] or larger, see pe_tower_new_arena

    // f32 [D]: the power that the channels of the residual stream have by the
    // weights that have been loaded. NULL: nobody asks for it.
    float *power;

    // f32 [D]: the sum of the biases that the stream lacks after what has been
    // loaded, and the same in backend memory. NULL: it lacks none.
    bool shifts; // it may lack some, because a norm reads it at the end
    float *late;
    float *shift;

    // [D] or [M]: what the last loaded linear's output is multiplied with for
    // the next narrow one, see core/device/narrow.h. NULL: nothing.
    float *gains;

    GPtrArray *buffers; // everything allocated on the backend
    GPtrArray *linears;
    GError *error; // the first failure while loading

    // To be read atomically between two layers: 1 when the result is not wanted
    // any more. NULL: it always is.
    const int *abandon;

    PeTraceFunc trace;
    void *trace_data;
} PeTower;

void pe_tower_init(PeTower *t, PeBackend *be, const PeModel *model, int width,
                   int heads, int mlp_width);
void pe_tower_clear(PeTower *t);

// Loading. After the first failure these functions do nothing and return NULL.
// The owner calls pe_tower_check() once, at the end, to learn of it.

void *pe_tower_alloc(PeTower *t, size_t size);
// n floats on the host; g_free().
float *pe_tower_alloc_host(PeTower *t, size_t n);
// The numbers of a tensor of the model, g_auto(PeLoaded). False after a
// failure.
bool pe_tower_load(PeTower *t, const PeTensor *tensor, PeLoaded *loaded);
// The elements of a tensor as f32 on the host; NULL for a tensor that the model
// does not have. g_free().
float *pe_tower_read(PeTower *t, const PeTensor *tensor);
// The same in backend memory.
float *pe_tower_load_vector(PeTower *t, const PeTensor *tensor);
PeLinear *pe_tower_load_linear(PeTower *t, const PeFoldedLinear *source);
// The factor for q's rows of a qkv weight: the scale of the scores for heads of
// this size, times log2(e), because the softmax is one of powers of two.
float pe_tower_query_scale(int head_dim);
// y [n] += W x on the host, W [n, k] of any strides, loaded; sums in double.
void pe_tower_add_product(float *y, const PeTensor *w, const float *x);
void pe_tower_load_blocks(PeTower *t, const PeBlockWeights *blocks, int n);
// The same in pieces: n empty blocks, then parts 0 .. n * PE_BLOCK_PARTS - 1.
#define PE_BLOCK_PARTS 4
void pe_tower_new_blocks(PeTower *t, int n);
void pe_tower_load_block_part(PeTower *t, const PeBlockWeights *blocks,
                              int part);
// `wide` gets at least min_wide bytes, for what the owner does before and
// after the blocks.
void pe_tower_new_arena(PeTower *t, int max_rows, size_t min_wide);
// True when nothing has failed; else moves the failure to `error`.
bool pe_tower_check(PeTower *t, GError **error);

// Run all blocks over the residual stream t->x, or some when the result is not
// wanted any more: then pe_tower_finish() says so.
void pe_tower_run(PeTower *t, const PeSequences *seq);

// y [rows, D] = LN(x + shift). `type` is the type of y: act, or F32, and then y
// may be x. shift is NULL for what is not the stream; weight and bias are NULL
// where they are folded into what reads y.
void pe_tower_layernorm(PeTower *t, void *y, PeDtype type, const float *x,
                        const float *shift, const float *weight,
                        const float *bias, int rows);

// Report the first rows of the stream, with what it lacks.
void pe_tower_trace_stream(PeTower *t, const char *name, const float *shift,
                           int rows);
// Report `n` elements of backend memory to the trace function, if there is one.
void pe_tower_trace(PeTower *t, const char *name, const void *data,
                    PeDtype type, size_t n);

// Copy the result to the host and wait for it: false when anything that was
// queued has failed, or with PE_ERROR_CANCELLED when it is not wanted any more.
bool pe_tower_finish(PeTower *t, float *out, const float *data, size_t n,
                     GError **error);
