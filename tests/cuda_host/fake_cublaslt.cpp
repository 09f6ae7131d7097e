// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fake_cublaslt.cpp - the few functions of cuBLASLt that the backend uses, by
// plain loops. Rules of the library that we rely on are asserted: layouts that
// fit, types that go together, alignment that was promised, an algorithm that
// the library itself gave out.

#include "tests/cuda_host/fake_cuda.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/base/tensor.h"
#include "cuda/cublaslt.h"

#define MAGIC 0x70652d616c676f00u

static void
require(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "fake cuBLASLt: %s\n", what);
    abort();
}

struct Desc {
    cublasOperation_t transpose_a;
    cublasLtEpilogue_t epilogue;
    const void *bias;
};

struct Layout {
    cudaDataType type;
    int rows, columns, ld;
};

struct Preference {
    uint32_t align, reductions;
};

// ---- Numbers ----------------------------------------------------------------

static size_t
size_of(cudaDataType type)
{
    return type == CUDA_R_32F ? 4 : type == CUDA_R_8F_E4M3 ? 1 : 2;
}

static float
get(cudaDataType type, const void *p, size_t i)
{
    if (type == CUDA_R_32F)
        return ((const float *)p)[i];
    if (type == CUDA_R_8F_E4M3)
        return pe_e4m3_to_f32(((const uint8_t *)p)[i]);
    uint16_t bits = ((const uint16_t *)p)[i];
    return type == CUDA_R_16BF ? pe_bf16_to_f32(bits) : pe_f16_to_f32(bits);
}

static void
set(cudaDataType type, void *p, size_t i, float v)
{
    if (type == CUDA_R_32F)
        ((float *)p)[i] = v;
    else
        ((uint16_t *)p)[i] =
            type == CUDA_R_16BF ? pe_bf16_from_f32(v) : pe_f16_from_f32(v);
}

static float
gelu_tanh(float x)
{
    return 0.5f * x * (1 + tanhf(0.7978845608f * (x + 0.044715f * x * x * x)));
}

// d [n, m] = a^T [n, k] b [k, m], all column-major as the library sees them.
struct Product {
    Desc desc;
    Layout a, b, d;
    const void *x, *y;
    void *out;
    float alpha, beta;

    void
    run() const
    {
        size_t k = (size_t)a.rows;
        float *row = new float[k];
        for (int j = 0; j < b.columns; j++) {
            for (size_t l = 0; l < k; l++)
                row[l] = get(b.type, y, (size_t)j * (size_t)b.ld + l);
            for (int i = 0; i < a.columns; i++)
                store(i, j, dot(row, i, k));
        }
        delete[] row;
    }

    float
    dot(const float *row, int i, size_t k) const
    {
        float sums[8] = {0};
        for (size_t l = 0; l < k; l++)
            sums[l % 8] +=
                row[l] * get(a.type, x, (size_t)i * (size_t)a.ld + l);
        float sum = 0;
        for (float s : sums)
            sum += s;
        return sum;
    }

    void
    store(int i, int j, float v) const
    {
        size_t at = (size_t)j * (size_t)d.ld + (size_t)i;
        v *= alpha;
        if (desc.bias)
            v += get(d.type, desc.bias, (size_t)i);
        if (desc.epilogue == CUBLASLT_EPILOGUE_GELU_BIAS ||
            desc.epilogue == CUBLASLT_EPILOGUE_GELU)
            v = gelu_tanh(v);
        if (beta != 0)
            v += beta * get(d.type, out, at);
        set(d.type, out, at, v);
    }
};

// How long a product takes: PE_FAKE_CUBLASLT_MS, and PE_FAKE_CUBLASLT_GELU_MS
// more where it has a GELU.
static double
time_product(const Desc &desc)
{
    const char *ms = getenv("PE_FAKE_CUBLASLT_MS");
    const char *gelu_ms = getenv("PE_FAKE_CUBLASLT_GELU_MS");
    bool gelu = desc.epilogue == CUBLASLT_EPILOGUE_GELU_BIAS ||
                desc.epilogue == CUBLASLT_EPILOGUE_GELU;
    return (ms ? atof(ms) : 0) + (gelu && gelu_ms ? atof(gelu_ms) : 0);
}

// ---- The library ------------------------------------------------------------

static size_t
get_version(void)
{
    return 130000;
}

static cublasStatus_t
create(cublasLtHandle_t *handle)
{
    *handle = (cublasLtHandle_t)malloc(1);
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
destroy(cublasLtHandle_t handle)
{
    free(handle);
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
desc_create(cublasLtMatmulDesc_t *desc, cublasComputeType_t compute,
            cudaDataType_t scale)
{
    require(compute == CUBLAS_COMPUTE_32F && scale == CUDA_R_32F,
            "sums must be f32");
    *desc = (cublasLtMatmulDesc_t) new Desc{};
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
desc_destroy(cublasLtMatmulDesc_t desc)
{
    delete (Desc *)desc;
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
desc_set(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t name,
         const void *value, size_t size)
{
    Desc *d = (Desc *)desc;
    if (name == CUBLASLT_MATMUL_DESC_TRANSA)
        memcpy(&d->transpose_a, value, size);
    else if (name == CUBLASLT_MATMUL_DESC_EPILOGUE)
        memcpy(&d->epilogue, value, size);
    else if (name == CUBLASLT_MATMUL_DESC_BIAS_POINTER)
        memcpy(&d->bias, value, size);
    else
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
layout_create(cublasLtMatrixLayout_t *layout, cudaDataType type, uint64_t rows,
              uint64_t columns, int64_t ld)
{
    *layout = (cublasLtMatrixLayout_t) new Layout{type, (int)rows, (int)columns,
                                                  (int)ld};
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
layout_destroy(cublasLtMatrixLayout_t layout)
{
    delete (Layout *)layout;
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
preference_create(cublasLtMatmulPreference_t *preference)
{
    *preference = (cublasLtMatmulPreference_t) new Preference{
        256, CUBLASLT_REDUCTION_SCHEME_MASK};
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
preference_destroy(cublasLtMatmulPreference_t preference)
{
    delete (Preference *)preference;
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
preference_set(cublasLtMatmulPreference_t preference,
               cublasLtMatmulPreferenceAttributes_t name, const void *value,
               size_t size)
{
    uint32_t align;
    if (name == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES)
        return CUBLAS_STATUS_SUCCESS;
    if (name == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK) {
        memcpy(&((Preference *)preference)->reductions, value, size);
        return CUBLAS_STATUS_SUCCESS;
    }
    memcpy(&align, value, sizeof align);
    if (align < ((Preference *)preference)->align)
        ((Preference *)preference)->align = align;
    return CUBLAS_STATUS_SUCCESS;
}

// The second word is the alignment that an algorithm relies on.
static cublasStatus_t
heuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
          cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
          cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
          cublasLtMatmulPreference_t preference, int n_asked,
          cublasLtMatmulHeuristicResult_t results[], int *n)
{
    require(((Layout *)d)->type == CUDA_R_32F ||
                ((Preference *)preference)->reductions ==
                    CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE,
            "partial sums may be rounded to 16 bits");
    *n = n_asked < 3 ? n_asked : 3;
    if (getenv("PE_FAKE_CUBLASLT_NO_EPILOGUES") &&
        ((Desc *)desc)->epilogue != CUBLASLT_EPILOGUE_DEFAULT)
        *n = 0;
    for (int i = 0; i < *n; i++) {
        results[i] = {};
        results[i].algo.data[0] = MAGIC + (unsigned)i;
        results[i].algo.data[1] = ((Preference *)preference)->align;
    }
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t
algo_check(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc,
           cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
           cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
           const cublasLtMatmulAlgo_t *algo,
           cublasLtMatmulHeuristicResult_t *out)
{
    *out = {};
    return (algo->data[0] & ~(uint64_t)0xff) == MAGIC &&
                   !getenv("PE_FAKE_CUBLASLT_REFUSES")
               ? CUBLAS_STATUS_SUCCESS
               : CUBLAS_STATUS_INVALID_VALUE;
}

static cublasStatus_t
matmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha,
       const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
       cublasLtMatrixLayout_t b_layout, const void *beta, const void *c,
       cublasLtMatrixLayout_t c_layout, void *d,
       cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t *algo,
       void *workspace, size_t workspace_size, cudaStream_t stream)
{
    Product p = {*(Desc *)desc,
                 *(Layout *)a_layout,
                 *(Layout *)b_layout,
                 *(Layout *)d_layout,
                 a,
                 b,
                 d,
                 *(const float *)alpha,
                 *(const float *)beta};
    bool narrow = p.a.type == CUDA_R_8F_E4M3;
    uintptr_t align = algo->data[1];
    require((algo->data[0] & ~(uint64_t)0xff) == MAGIC, "not an algorithm");
    require(((uintptr_t)a | (uintptr_t)b | (uintptr_t)d) % align == 0,
            "less aligned than promised");
    require(p.desc.transpose_a == CUBLAS_OP_T && (narrow || p.alpha == 1),
            "not a product that we use");
    require(p.a.rows == p.b.rows && p.a.columns == p.d.rows &&
                p.b.columns == p.d.columns && p.a.ld >= p.a.rows &&
                p.b.ld >= p.b.rows && p.d.ld >= p.d.rows,
            "the layouts do not fit together");
    require(p.a.type == p.b.type &&
                (p.d.type == (narrow ? CUDA_R_16BF : p.a.type) ||
                 p.d.type == CUDA_R_32F),
            "the types do not go together");
    // cuBLAS documentation, cublasLtMatmul(), its table of FP8 kernels: the
    // bias of a result in f32 would be bf16.
    require(!narrow || (p.a.rows % 16 == 0 && p.a.columns % 16 == 0 &&
                        p.desc.epilogue != CUBLASLT_EPILOGUE_GELU &&
                        p.desc.epilogue != CUBLASLT_EPILOGUE_GELU_BIAS &&
                        !(p.desc.bias && p.d.type == CUDA_R_32F)),
            "not a product of 8-bit floats that the library has");
    require((size_t)p.a.ld * size_of(p.a.type) % 16 == 0,
            "rows are not aligned to 16 bytes");
    require(c == d && (p.beta == 0 || p.d.type == CUDA_R_32F),
            "not a residual that we use");
    fake_cuda_compute(
        stream, [=] { p.run(); }, time_product(p.desc));
    return CUBLAS_STATUS_SUCCESS;
}

const PeCublasLt *
pe_cublaslt_open(GError **error)
{
    static const PeCublasLt lt = {
        get_version,        create,         destroy,        matmul,
        heuristic,          algo_check,     desc_create,    desc_destroy,
        desc_set,           layout_create,  layout_destroy, preference_create,
        preference_destroy, preference_set,
    };
    return &lt;
}
