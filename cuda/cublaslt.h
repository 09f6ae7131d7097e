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
    F(GetVersion) \
    F(Create) \
    F(Destroy) \
    F(Matmul) \
    F(MatmulAlgoGetHeuristic) \
    F(MatmulAlgoCheck) \
    F(MatmulDescCreate) \
    F(MatmulDescDestroy) \
    F(MatmulDescSetAttribute) \
    F(MatrixLayoutCreate) \
    F(MatrixLayoutDestroy) \
    F(MatmulPreferenceCreate) \
    F(MatmulPreferenceDestroy) \
    F(MatmulPreferenceSetAttribute)

typedef struct {
#define PE_CUBLASLT_FIELD(name) __typeof__(&cublasLt##name) name;
    PE_CUBLASLT_FUNCTIONS(PE_CUBLASLT_FIELD)
#undef PE_CUBLASLT_FIELD
} PeCublasLt;

G_BEGIN_DECLS

// The library, opened once and kept. NULL with PE_ERROR_DEVICE when it is not
// there or lacks something. Any thread.
const PeCublasLt *pe_cublaslt_open(GError **error);

G_END_DECLS
