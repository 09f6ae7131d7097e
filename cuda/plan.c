// SPDX-License-Identifier: LGPL-2.1-or-later
//
// plan.c - a matrix product in cuBLASLt's words; see plan.h.

#include "cuda/plan.h"

#include "cuda/kernels.h"

static cudaDataType_t
data_type(PeDtype type)
{
    switch (type) {
    case PE_DTYPE_BF16:
        return CUDA_R_16BF;
    case PE_DTYPE_F16:
        return CUDA_R_16F;
    case PE_DTYPE_E4M3:
        return CUDA_R_8F_E4M3;
    default:
        return CUDA_R_32F;
    }
}

static bool
set_attribute(PeCuda *cuda, PePlan *plan, cublasLtMatmulDescAttributes_t name,
              const void *value, size_t size)
{
    return cuda->lt->MatmulDescSetAttribute(plan->desc, name, value, size) ==
           CUBLAS_STATUS_SUCCESS;
}

// Without TF32: plain CUBLAS_COMPUTE_32F multiplies f32 as f32.
static bool
make_desc(PeCuda *cuda, const PeMatmul *p, PePlan *plan)
{
    cublasOperation_t transpose = CUBLAS_OP_T;
    cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    if (p->gelu == PE_GELU_LIBRARY)
        epilogue =
            p->bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    else if (p->bias)
        epilogue = CUBLASLT_EPILOGUE_BIAS;
    if (cuda->lt->MatmulDescCreate(&plan->desc, CUBLAS_COMPUTE_32F,
                                   CUDA_R_32F) != CUBLAS_STATUS_SUCCESS ||
        !set_attribute(cuda, plan, CUBLASLT_MATMUL_DESC_TRANSA, &transpose,
                       sizeof transpose) ||
        !set_attribute(cuda, plan, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                       sizeof epilogue))
        return false;
    // The bias has the type of the result unless told otherwise.
    return !p->bias ||
           set_attribute(cuda, plan, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                         &p->bias, sizeof p->bias);
}

// [rows, columns] row-major
static bool
make_layout(PeCuda *cuda, cublasLtMatrixLayout_t *layout, PeDtype type,
            int rows, int columns)
{
    return cuda->lt->MatrixLayoutCreate(layout, data_type(type),
                                        (uint64_t)columns, (uint64_t)rows,
                                        columns) == CUBLAS_STATUS_SUCCESS;
}

void
pe_cuda_plan_clear(PeCuda *cuda, PePlan *plan)
{
    if (plan->desc)
        cuda->lt->MatmulDescDestroy(plan->desc);
    if (plan->w)
        cuda->lt->MatrixLayoutDestroy(plan->w);
    if (plan->x)
        cuda->lt->MatrixLayoutDestroy(plan->x);
    if (plan->y)
        cuda->lt->MatrixLayoutDestroy(plan->y);
}

bool
pe_cuda_plan_init(PeCuda *cuda, const PeMatmul *p, PePlan *plan)
{
    *plan = (PePlan){NULL};
    if (make_desc(cuda, p, plan) &&
        make_layout(cuda, &plan->w, p->in, p->n, p->k) &&
        make_layout(cuda, &plan->x, p->in, p->m, p->k) &&
        make_layout(cuda, &plan->y, p->out, p->m, p->n))
        return true;
    pe_cuda_fail(cuda, "cuBLASLt cannot describe a product [%d, %d] x [%d, %d]",
                 p->m, p->k, p->k, p->n);
    pe_cuda_plan_clear(cuda, plan);
    return false;
}

void
pe_cuda_plan_gelu(PeCuda *cuda, const PeMatmul *p, void *y)
{
    if (p->narrow)
        pe_cuda_gelu_narrow(pe_cuda_stream(cuda), p->narrow, y, p->gain, p->m,
                            p->n);
    else
        pe_cuda_gelu(pe_cuda_stream(cuda), p->out, y,
                     (size_t)p->m * (size_t)p->n);
}

cublasStatus_t
pe_cuda_plan_run(PeCuda *cuda, const PeMatmul *p, const PePlan *plan,
                 const PeAlgo *algo, void *y)
{
    const float beta = p->residual ? 1 : 0;
    cublasStatus_t status =
        cuda->lt->Matmul(cuda->lt_handle, plan->desc, &p->scale, p->w, plan->w,
                         p->x, plan->x, &beta, y, plan->y, y, plan->y,
                         (const cublasLtMatmulAlgo_t *)algo->words,
                         cuda->workspace, cuda->workspace_size, cuda->stream);
    if (status == CUBLAS_STATUS_SUCCESS && p->gelu == PE_GELU_EXACT)
        pe_cuda_plan_gelu(cuda, p, y);
    return status;
}
