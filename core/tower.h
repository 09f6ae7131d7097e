// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tower.h - what the image and the text tower have in common: pre-norm
// transformer blocks, the arena they work in, and the upload of weights.
//
// Private to vision.c and text.c. Knows nothing of patches, tokens or pooling.

#pragma once

#include "backend.h"
#include "model.h"
#include "vision.h"

#define PE_LAYERNORM_EPS 1e-5f

typedef struct {
    float *ln_1_weight, *ln_1_bias; // [D]
    PeLinear *qkv;                  // D -> 3D
    PeLinear *out;                  // D -> D, LayerScale folded in
    float *ln_2_weight, *ln_2_bias; // [D]
    PeLinear *fc;                   // D -> M
    PeLinear *proj;                 // M -> D, LayerScale folded in
} PeBlock;

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
    void *h;    // act [max_rows, D], what a block's linears read
    void *wide; // act [max_rows, max(3D, M)] or larger, see pe_tower_new_arena

    GPtrArray *buffers; // everything allocated on the backend
    GPtrArray *linears;
    GError *error; // the first failure while loading

    PeTraceFunc trace;
    void *trace_data;
} PeTower;

// The sequences in an arena of packed rows.
typedef struct {
    int b;              // sequences
    int n;              // tokens of one, or of the longest
    int rows;           // of all
    const int *offsets; // i32 [b + 1] in backend memory, NULL: all have n
    const PeRope *rope; // NULL: positions are not rotated
    bool causal;
} PeSequences;

void pe_tower_init(PeTower *t, PeBackend *be, const PeModel *model, int width,
                   int heads, int mlp_width);
void pe_tower_clear(PeTower *t);

// Loading. After the first failure these do nothing and return NULL; the owner
// looks at it once, with pe_tower_check(), when everything has been asked for.

void *pe_tower_alloc(PeTower *t, size_t size);
// NULL for a tensor that the model does not have.
float *pe_tower_load_vector(PeTower *t, const PeTensor *tensor);
// `weight` is [n, ..]; `bias` and `scale` [n] may be NULL or absent.
PeLinear *pe_tower_load_linear(PeTower *t, const PeTensor *weight,
                               const PeTensor *bias, const PeTensor *scale,
                               int k_padded);
void pe_tower_load_blocks(PeTower *t, const PeBlockWeights *blocks, int n);
// `wide` gets at least min_wide bytes, for what the owner does before and
// after the blocks.
void pe_tower_new_arena(PeTower *t, int max_rows, size_t min_wide);
// True when nothing has failed; else moves the failure to `error`.
bool pe_tower_check(PeTower *t, GError **error);

// Run all blocks over the residual stream t->x.
void pe_tower_run(PeTower *t, const PeSequences *seq);

// y act [rows, D] = LN(x); f32 with `type` F32, then y may be x.
void pe_tower_layernorm(PeTower *t, void *y, PeDtype type, const float *x,
                        const float *weight, const float *bias, int rows);

// Report `n` elements of backend memory to the trace function, if there is one.
void pe_tower_trace(PeTower *t, const char *name, const void *data,
                    PeDtype type, size_t n);

// Copy the result to the host and wait for it: false when anything that was
// queued has failed.
bool pe_tower_finish(PeTower *t, float *out, const float *data, size_t n,
                     GError **error);
