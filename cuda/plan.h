// SPDX-License-Identifier: LGPL-2.1-or-later
//
// plan.h - a matrix product in cuBLASLt's words.
//
// Row-major y = x w^T is column-major y^T = w x^T with the same memory: w is
// the library's A, transposed, and x its B, so that the bias runs along the
// rows of its result.

#pragma once

#include "cuda/matmul.h"

typedef struct {
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t w, x, y;
} PePlan;

// False after noting a failure; else the plan is to be cleared.
bool pe_cuda_plan_init(PeCuda *cuda, const PeMatmul *p, PePlan *plan);
void pe_cuda_plan_clear(PeCuda *cuda, PePlan *plan);

// Queue the product, with y instead of p->y, and the operation that follows it
// where p asks for a pass of our own.
cublasStatus_t pe_cuda_plan_run(PeCuda *cuda, const PeMatmul *p,
                                const PePlan *plan, const PeAlgo *algo,
                                void *y);

// Queue our pass for the GELU of p, over the product in y.
void pe_cuda_plan_gelu(PeCuda *cuda, const PeMatmul *p, void *y);

// tune.c
//
// An algorithm for this product; false when the library has none. Only in the
// first call of a recording are candidates timed, or what is known checked.
bool pe_cuda_choose_algo(PeCuda *cuda, const PeMatmul *p, const PePlan *plan,
                         PeAlgo *algo);
// EXACT or LIBRARY, for a product whose `gelu` is FASTER.
PeGelu pe_cuda_choose_gelu(PeCuda *cuda, const PeMatmul *p);
