// SPDX-License-Identifier: LGPL-2.1-or-later
//
// matmul.c - cuBLASLt: descriptions of a product, and the choice of an
// algorithm. The library's own ranking is good, but not always right, so its
// first candidates are timed once for each shape and the winner is kept.
//
// Row-major y = x w^T is column-major y^T = w x^T with the same memory: w is
// the library's A, transposed, and x its B, so that the bias runs along the
// rows of its result.

#include "cuda/matmul.h"

#include "cuda/kernels.h"

#define MAX_CANDIDATES 16
#define N_TRIALS 4
// Candidates that are this much slower in their first trial get no other.
#define HOPELESS 1.5

typedef struct {
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t w, x, y;
} Plan;

static cudaDataType_t
data_type(PeDtype type)
{
    switch (type) {
    case PE_DTYPE_BF16:
        return CUDA_R_16BF;
    case PE_DTYPE_F16:
        return CUDA_R_16F;
    default:
        return CUDA_R_32F;
    }
}

// ---- Plans ------------------------------------------------------------------

static bool
set_attribute(PeCuda *cuda, Plan *plan, cublasLtMatmulDescAttributes_t name,
              const void *value, size_t size)
{
    return cuda->lt->MatmulDescSetAttribute(plan->desc, name, value, size) ==
           CUBLAS_STATUS_SUCCESS;
}

// Without TF32: plain CUBLAS_COMPUTE_32F multiplies f32 as f32.
static bool
make_desc(PeCuda *cuda, const PeMatmul *p, Plan *plan)
{
    cublasOperation_t transpose = CUBLAS_OP_T;
    cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    if (p->gelu)
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

static void
plan_clear(PeCuda *cuda, Plan *plan)
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

static bool
plan_init(PeCuda *cuda, const PeMatmul *p, Plan *plan)
{
    *plan = (Plan){NULL};
    if (make_desc(cuda, p, plan) &&
        make_layout(cuda, &plan->w, p->in, p->n, p->k) &&
        make_layout(cuda, &plan->x, p->in, p->m, p->k) &&
        make_layout(cuda, &plan->y, p->out, p->m, p->n))
        return true;
    pe_cuda_fail(cuda, "cuBLASLt cannot describe a product [%d, %d] x [%d, %d]",
                 p->m, p->k, p->k, p->n);
    plan_clear(cuda, plan);
    return false;
}

static cublasStatus_t
run(PeCuda *cuda, const PeMatmul *p, const Plan *plan, const PeAlgo *algo,
    void *y)
{
    const float one = 1, beta = p->residual ? 1 : 0;
    return cuda->lt->Matmul(cuda->lt_handle, plan->desc, &one, p->w, plan->w,
                            p->x, plan->x, &beta, y, plan->y, y, plan->y,
                            (const cublasLtMatmulAlgo_t *)algo, cuda->workspace,
                            cuda->workspace_size, cuda->stream);
}

// ---- Choosing an algorithm --------------------------------------------------

G_STATIC_ASSERT(sizeof(PeAlgo) == sizeof(cublasLtMatmulAlgo_t));

// What all addresses are multiples of.
static int
alignment(const PeMatmul *p)
{
    uintptr_t bits = (uintptr_t)p->x | (uintptr_t)p->w | (uintptr_t)p->y | 256;
    return (int)(bits & -bits);
}

static bool
set_preference(PeCuda *cuda, cublasLtMatmulPreference_t preference,
               cublasLtMatmulPreferenceAttributes_t name, const void *value,
               size_t size)
{
    return cuda->lt->MatmulPreferenceSetAttribute(
               preference, name, value, size) == CUBLAS_STATUS_SUCCESS;
}

// Returns how many, the library's favourite first.
static int
ask_library(PeCuda *cuda, const PeMatmul *p, const Plan *plan,
            cublasLtMatmulHeuristicResult_t results[MAX_CANDIDATES])
{
    static const cublasLtMatmulPreferenceAttributes_t alignments[] = {
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
        CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES,
    };
    uint32_t align = (uint32_t)alignment(p);
    uint64_t workspace = cuda->workspace_size;
    // Parts of a sum are not to be rounded to 16 bits.
    uint32_t reductions = p->out == PE_DTYPE_F32
                              ? CUBLASLT_REDUCTION_SCHEME_MASK
                              : CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
    cublasLtMatmulPreference_t preference = NULL;
    int n = 0;
    if (cuda->lt->MatmulPreferenceCreate(&preference) != CUBLAS_STATUS_SUCCESS)
        return 0;
    bool ok = set_preference(cuda, preference,
                             CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                             &workspace, sizeof workspace) &&
              set_preference(cuda, preference,
                             CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                             &reductions, sizeof reductions);
    for (size_t i = 0; i < G_N_ELEMENTS(alignments); i++)
        ok = ok && set_preference(cuda, preference, alignments[i], &align,
                                  sizeof align);
    if (!ok ||
        cuda->lt->MatmulAlgoGetHeuristic(
            cuda->lt_handle, plan->desc, plan->w, plan->x, plan->y, plan->y,
            preference, MAX_CANDIDATES, results, &n) != CUBLAS_STATUS_SUCCESS)
        n = 0;
    cuda->lt->MatmulPreferenceDestroy(preference);
    int n_usable = 0;
    for (int i = 0; i < n; i++) {
        if (results[i].state == CUBLAS_STATUS_SUCCESS)
            results[n_usable++] = results[i];
    }
    return n_usable;
}

// What a measurement needs: a place for results that must not be seen, and to
// drive everything else out of the cache, as the other layers do.
typedef struct {
    void *scratch;
    size_t size;
    cudaEvent_t start, end;
} Trial;

static bool
trial_init(PeCuda *cuda, const PeMatmul *p, Trial *t)
{
    *t = (Trial){.size = 2 * cuda->l2_size};
    if (p->residual)
        t->size = MAX(t->size, (size_t)p->m * (size_t)p->n * sizeof(float));
    t->scratch = pe_cuda_alloc(&cuda->be, t->size);
    return t->scratch && cudaEventCreate(&t->start) == cudaSuccess &&
           cudaEventCreate(&t->end) == cudaSuccess;
}

static void
trial_clear(PeCuda *cuda, Trial *t)
{
    if (t->start)
        cudaEventDestroy(t->start);
    if (t->end)
        cudaEventDestroy(t->end);
    pe_cuda_free(&cuda->be, t->scratch);
}

// Seconds of the fastest trial; infinity when the algorithm does not run.
static double
time_algo(PeCuda *cuda, const PeMatmul *p, const Plan *plan, const Trial *t,
          const PeAlgo *algo, double best)
{
    double least = G_MAXDOUBLE;
    void *y = p->residual ? t->scratch : p->y;
    for (int i = 0; i < N_TRIALS; i++) {
        float ms = 0;
        cudaMemsetAsync(t->scratch, 0, t->size, cuda->stream);
        cudaEventRecord(t->start, cuda->stream);
        if (run(cuda, p, plan, algo, y) != CUBLAS_STATUS_SUCCESS) {
            cudaGetLastError();
            return G_MAXDOUBLE;
        }
        cudaEventRecord(t->end, cuda->stream);
        if (!pe_cuda_check(cuda, cudaEventSynchronize(t->end),
                           "trying a matrix product") ||
            cudaEventElapsedTime(&ms, t->start, t->end) != cudaSuccess)
            return G_MAXDOUBLE;
        least = MIN(least, ms * 1e-3);
        // The first run of a kernel also loads it.
        if (i > 0 && least > HOPELESS * best)
            break;
    }
    return least;
}

// False when no algorithm runs. *seconds is 0 when none was timed.
static bool
find_algo(PeCuda *cuda, const PeMatmul *p, const Plan *plan, bool timed,
          PeAlgo *algo, double *seconds)
{
    cublasLtMatmulHeuristicResult_t results[MAX_CANDIDATES];
    int n = ask_library(cuda, p, plan, results);
    double best = G_MAXDOUBLE;
    *seconds = 0;
    if (n == 0)
        return false;
    memcpy(algo, &results[0].algo, sizeof *algo);
    if (!timed)
        return true;
    Trial trial;
    bool ready = trial_init(cuda, p, &trial);
    for (int i = 0; ready && i < n; i++) {
        PeAlgo candidate;
        memcpy(&candidate, &results[i].algo, sizeof candidate);
        double s = time_algo(cuda, p, plan, &trial, &candidate, best);
        if (s < best) {
            best = s;
            *algo = candidate;
        }
    }
    trial_clear(cuda, &trial);
    if (!ready)
        return true; // no memory to measure in: trust the library
    *seconds = best;
    return best < G_MAXDOUBLE;
}

// Does a known algorithm run with exactly this shape?
static bool
accepts(PeCuda *cuda, const Plan *plan, const PeAlgo *algo)
{
    cublasLtMatmulHeuristicResult_t result;
    return cuda->lt->MatmulAlgoCheck(cuda->lt_handle, plan->desc, plan->w,
                                     plan->x, plan->y, plan->y,
                                     (const cublasLtMatmulAlgo_t *)algo,
                                     &result) == CUBLAS_STATUS_SUCCESS &&
           result.workspaceSize <= cuda->workspace_size;
}

static PeAlgoKey
make_key(const PeMatmul *p)
{
    return (PeAlgoKey){
        .in = (int)p->in,
        .out = (int)p->out,
        .gelu = p->gelu,
        .residual = p->residual,
        .bias = p->bias != NULL,
        .m = pe_algos_bucket(p->m),
        .n = p->n,
        .k = p->k,
        .align = alignment(p),
    };
}

static bool
choose_algo(PeCuda *cuda, const PeMatmul *p, const Plan *plan, PeAlgo *algo)
{
    PeAlgoKey key = make_key(p);
    double seconds;
    const PeAlgo *known = pe_algos_get(cuda->algos, &key);
    if (known && accepts(cuda, plan, known)) {
        *algo = *known;
        return true;
    }
    bool timed = cuda->autotune && !pe_cuda_graphs_recording(cuda->graphs);
    if (!find_algo(cuda, p, plan, timed, algo, &seconds))
        return false;
    if (seconds > 0) {
        pe_log(PE_LOG_DEBUG,
               "product [%d, %d] x [%d, %d]: %.1f us, %.0f TFLOP/s", p->m, p->k,
               p->k, p->n, seconds * 1e6, 2e-12 * p->m * p->n * p->k / seconds);
        pe_algos_set(cuda->algos, &key, algo);
    }
    return true;
}

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
    Plan plan;
    PeAlgo algo;
    *status = 0;
    if (!plan_init(cuda, p, &plan))
        return true; // noted as a failure
    bool ok = choose_algo(cuda, p, &plan, &algo);
    if (ok) {
        *status = (int)run(cuda, p, &plan, &algo, p->y);
        ok = *status == CUBLAS_STATUS_SUCCESS;
    }
    plan_clear(cuda, &plan);
    return ok;
}

// The product alone, and kernels for what its epilogue would have done. Not
// every product has every epilogue on every device, odd sizes least of all.
static bool
try_without_epilogue(PeCuda *cuda, const PeMatmul *p, int *status)
{
    PeMatmul plain = *p;
    plain.bias = NULL;
    plain.gelu = false;
    if ((!p->bias && !p->gelu) || !try_product(cuda, &plain, status))
        return false;
    pe_log(PE_LOG_DEBUG,
           "product [%d, %d] x [%d, %d]: cuBLASLt lacks its epilogue", p->m,
           p->k, p->k, p->n);
    if (p->bias)
        pe_cuda_bias(cuda->stream, p->out, p->y, p->bias, p->m, p->n);
    if (p->gelu)
        pe_cuda_gelu(cuda->stream, p->out, p->y, (size_t)p->m * (size_t)p->n);
    return true;
}

void
pe_cuda_matmul(PeCuda *cuda, const PeMatmul *p)
{
    int status;
    if (g_atomic_pointer_get(&cuda->error) || try_product(cuda, p, &status) ||
        try_without_epilogue(cuda, p, &status))
        return;
    if (status)
        fail_product(cuda, p, "failed in cuBLASLt", status);
    else
        fail_product(cuda, p, "has no algorithm in cuBLASLt", 0);
}

double
pe_cuda_matmul_measure(PeCuda *cuda, const PeMatmul *p)
{
    Plan plan;
    PeAlgo algo;
    double seconds = 0;
    if (!plan_init(cuda, p, &plan))
        return 0;
    if (!find_algo(cuda, p, &plan, true, &algo, &seconds))
        seconds = 0;
    plan_clear(cuda, &plan);
    return seconds;
}
