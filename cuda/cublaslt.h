// SPDX-License-Identifier: LGPL-2.1-or-later
//
// cublaslt.h - the entry points of cuBLASLt that we use, found at run time: the
// library is large, and a module that is linked to it could not even say that
// it is missing.

#pragma once

#include <cublasLt.h>
#include <glib.h>
#include <stdbool.h>

#define PE_CUBLASLT_FUNCTIONS(F) \
    F(cublasLtGetVersion) \
    F(cublasLtCreate) \
    F(cublasLtDestroy) \
    F(cublasLtMatmul) \
    F(cublasLtMatmulAlgoGetHeuristic) \
    F(cublasLtMatmulAlgoCheck) \
    F(cublasLtMatmulDescCreate) \
    F(cublasLtMatmulDescDestroy) \
    F(cublasLtMatmulDescSetAttribute) \
    F(cublasLtMatrixLayoutCreate) \
    F(cublasLtMatrixLayoutDestroy) \
    F(cublasLtMatmulPreferenceCreate) \
    F(cublasLtMatmulPreferenceDestroy) \
    F(cublasLtMatmulPreferenceSetAttribute)

typedef struct {
#define PE_CUBLASLT_FIELD(name) __typeof__(&name) name;
    PE_CUBLASLT_FUNCTIONS(PE_CUBLASLT_FIELD)
#undef PE_CUBLASLT_FIELD
} PeCublasLt;

// The library, opened once and kept. NULL with PE_ERROR_DEVICE when it is not
// there or lacks something. Any thread.
const PeCublasLt *pe_cublaslt_open(GError **error);
