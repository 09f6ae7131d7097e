// SPDX-License-Identifier: LGPL-2.1-or-later
//
// onednn_matmul.h - matrix products by oneDNN: how one is asked for, and a
// table of those in use. For onednn.c only.

#pragma once

#include "core/device/cpu/ops.h"

#include "onednn_versions.h"

#define PE_MAX_MATMULS 64

// What a lane sets and uses.
typedef struct {
    dnnl_memory_t src, dst, scratch;
} PeMatmulLane;

// y [rows, n], a row every `stride` elements = x [rows, k] W [k, n] (+ bias).
typedef struct {
    int rows, n, k, stride;
    PeEpilogue epilogue; // ROPE is the caller's own
    bool bias;
    // Made by pe_matmul_get():
    dnnl_primitive_t primitive; // NULL: a free place
    PeMatmulLane *lanes;        // [n_threads]
    size_t scratch_size;        // bytes that each lane needs
    uint64_t last_used;
} PeMatmul;

// A primitive belongs to one number of rows, but making one takes about a
// millisecond, so ragged text batches simply make theirs, and the table keeps
// those used last.
typedef struct {
    dnnl_engine_t engine;
    dnnl_data_type_t act;
    int n_threads;
    uint64_t clock;
    PeMatmul matmuls[PE_MAX_MATMULS];
} PeMatmulTable;

// `packed` NULL: oneDNN chooses the layout of the weight. NULL when oneDNN has
// nothing but its reference code for it.
dnnl_primitive_desc_t pe_matmul_describe(const PeMatmulTable *table,
                                         const PeMatmul *wanted,
                                         ConstMd packed);
// Memory of an operand, with or without data.
dnnl_memory_t pe_matmul_memory(const PeMatmulTable *table,
                               dnnl_primitive_desc_t pd, dnnl_query_t what,
                               void *data);

// The product that is `wanted`, borrowed until PE_MAX_MATMULS others have been
// asked for. NULL when it cannot be made.
const PeMatmul *pe_matmul_get(PeMatmulTable *table, const PeMatmul *wanted,
                              ConstMd packed);
void pe_matmul_clear(PeMatmulTable *table);
