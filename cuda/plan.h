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
// Something to be timed: it is queued with `data` and the copy of its input,
// and must neither use nor change anything else that is needed. False: it does
// not run.
typedef bool (*PeTimedFunc)(PeCuda *cuda, void *copy, const void *data);
// Seconds of the fastest of a few trials, in which nothing but the input is in
// the cache; 0 when it does not run, or there is no memory to try it.
double pe_cuda_time(PeCuda *cuda, PeTimedFunc func, const void *data,
                    const void *input, size_t input_size);
// By so little that the time can be trusted, two times differ.
bool pe_cuda_same_time(double a, double b);
// Ways to do something, numbers from 1 on, of which the fastest is to be taken.
typedef struct {
    // Returns what it is about, for the log; free with g_free().
    char *(*describe)(const void *data);
    const char *const *names;
    int n;         // names
    PeAlgoKey key; // with a bit for each way that there is
    // Seconds of one way; 0 when it does not run, or cannot be tried.
    double (*time)(PeCuda *cuda, int way, const void *data);
    const void *data;
} PeWays;
// `untimed` as long as nothing has been timed.
int pe_cuda_find_way(PeCuda *cuda, const PeWays *ways, int untimed);
// The way of this name that an environment variable asks for, 0: none.
int pe_cuda_read_way(const char *variable, const char *const *names, int first,
                     int last);
// EXACT or LIBRARY, for a product whose `gelu` is FASTER.
PeGelu pe_cuda_choose_gelu(PeCuda *cuda, const PeMatmul *p);
