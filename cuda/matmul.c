// SPDX-License-Identifier: LGPL-2.1-or-later
//
// matmul.c - a matrix product through cuBLASLt, and what is done where the
// library lacks an epilogue.

#include "cuda/matmul.h"

#include "cuda/kernels.h"
#include "cuda/plan.h"

// A recording in which a product is missing is thrown away and its operations
// run again, one by one: then the failure counts.
static void
fail_product(PeCuda *cuda, const PeMatmul *p, const char *why, int status)
{
    if (pe_cuda_graphs_recording(cuda->graphs))
        pe_cuda_graphs_spoil(cuda->graphs);
    else
        pe_cuda_fail(cuda, "a product [%d, %d] x [%d, %d] %s (status %d)", p->m,
                     p->k, p->k, p->n, why, status);
}

// Queue the product as it is described. False when it cannot be done that way:
// no algorithm (*status is 0), or the library refused.
static bool
try_product(PeCuda *cuda, const PeMatmul *p, int *status)
{
    PePlan plan;
    PeAlgo algo;
    *status = 0;
    if (!pe_cuda_plan_init(cuda, p, &plan))
        return true; // noted as a failure
    bool ok = pe_cuda_choose_algo(cuda, p, &plan, &algo);
    if (ok) {
        *status = (int)pe_cuda_plan_run(cuda, p, &plan, &algo, p->y);
        ok = *status == CUBLAS_STATUS_SUCCESS;
    }
    pe_cuda_plan_clear(cuda, &plan);
    return ok;
}

// The product alone, and kernels for what its epilogue would have done. Not
// every product has every epilogue on every device, odd sizes least of all.
static bool
try_without_epilogue(PeCuda *cuda, const PeMatmul *p, int *status)
{
    PeMatmul plain = *p;
    plain.bias = NULL;
    plain.gelu = PE_GELU_NONE;
    if ((!p->bias && p->gelu != PE_GELU_LIBRARY) ||
        !try_product(cuda, &plain, status))
        return false;
    pe_log(PE_LOG_DEBUG,
           "product [%d, %d] x [%d, %d]: cuBLASLt lacks its epilogue", p->m,
           p->k, p->k, p->n);
    if (p->bias)
        pe_cuda_bias(pe_cuda_stream(cuda), p->out, p->y, p->bias, p->m, p->n);
    if (p->gelu)
        pe_cuda_plan_gelu(cuda, p, p->y);
    return true;
}

void
pe_cuda_matmul(PeCuda *cuda, const PeMatmul *p)
{
    int status;
    PeMatmul chosen = *p;
    if (p->gelu == PE_GELU_FASTER) {
        chosen.gelu = pe_cuda_choose_gelu(cuda, p);
        p = &chosen;
    }
    if (g_atomic_pointer_get(&cuda->error) || try_product(cuda, p, &status) ||
        try_without_epilogue(cuda, p, &status))
        return;
    if (status)
        fail_product(cuda, p, "failed in cuBLASLt", status);
    else
        fail_product(cuda, p, "has no algorithm in cuBLASLt", 0);
}
