// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tune.c - the choice of an algorithm for a product, and of ways. The library's
// own ranking is good, but not always right, so its first candidates are timed
// once for each shape and the winner is kept. That takes some milliseconds a
// product, and therefore happens only in the first call of a recording, while
// an engine is loaded; at all other times the library's ranking must do.

#include "cuda/plan.h"

#define MAX_CANDIDATES 16
#define N_TRIALS 4
// Candidates that are this much slower in their first trial get no other.
#define HOPELESS 1.5
// By this factor an algorithm may be faster or slower than it was.
#define TRUSTED 1.5

G_STATIC_ASSERT(sizeof((PeAlgo){{0}}.words) == sizeof(cublasLtMatmulAlgo_t));

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
ask_library(PeCuda *cuda, const PeMatmul *p, const PePlan *plan,
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
// drive everything else out of the cache, as the other layers do. The product's
// input is brought back there: the operation before has just written it.
typedef struct {
    void *scratch;
    size_t size;
    cudaEvent_t start, end;
} Trial;

static bool
trial_init(PeCuda *cuda, size_t least, Trial *t)
{
    *t = (Trial){.size = MAX(2 * cuda->rates.l2_size, least)};
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

// Seconds of the fastest trial; infinity when it does not run.
static double
time_trials(PeCuda *cuda, const Trial *t, PeTimedFunc func, const void *data,
            const void *input, size_t input_size, double best)
{
    double least = G_MAXDOUBLE;
    for (int i = 0; i < N_TRIALS; i++) {
        float ms = 0;
        cudaMemsetAsync(t->scratch, 0, t->size, cuda->stream);
        cudaMemcpyAsync(t->scratch, input, MIN(input_size, t->size),
                        cudaMemcpyDeviceToDevice, cuda->stream);
        cudaEventRecord(t->start, cuda->stream);
        if (!func(cuda, t->scratch, data)) {
            cudaGetLastError();
            return G_MAXDOUBLE;
        }
        cudaEventRecord(t->end, cuda->stream);
        if (!pe_cuda_check(cuda, cudaEventSynchronize(t->end),
                           "trying an operation") ||
            cudaEventElapsedTime(&ms, t->start, t->end) != cudaSuccess)
            return G_MAXDOUBLE;
        least = MIN(least, ms * 1e-3);
        // The first run of a kernel also loads it.
        if (i > 0 && least > HOPELESS * best)
            break;
    }
    return least;
}

double
pe_cuda_time(PeCuda *cuda, PeTimedFunc func, const void *data,
             const void *input, size_t input_size)
{
    Trial trial;
    double seconds = G_MAXDOUBLE;
    if (trial_init(cuda, input_size, &trial))
        seconds = time_trials(cuda, &trial, func, data, input, input_size,
                              G_MAXDOUBLE);
    trial_clear(cuda, &trial);
    return seconds < G_MAXDOUBLE ? seconds : 0;
}

bool
pe_cuda_same_time(double a, double b)
{
    return a <= b * TRUSTED && b <= a * TRUSTED;
}

typedef struct {
    const PeMatmul *p;
    const PePlan *plan;
    const PeAlgo *algo;
} Product;

// What adds to its result does so where that is not seen.
static bool
queue_product(PeCuda *cuda, void *copy, const void *data)
{
    const Product *product = data;
    void *y = product->p->residual ? copy : product->p->y;
    return pe_cuda_plan_run(cuda, product->p, product->plan, product->algo,
                            y) == CUBLAS_STATUS_SUCCESS;
}

static size_t
trial_size(const PeMatmul *p)
{
    return p->residual ? (size_t)p->m * (size_t)p->n * sizeof(float) : 0;
}

// Seconds of the fastest trial; infinity when the algorithm does not run.
static double
time_algo(PeCuda *cuda, const PeMatmul *p, const PePlan *plan, const Trial *t,
          const PeAlgo *algo, double best)
{
    Product product = {p, plan, algo};
    return time_trials(cuda, t, queue_product, &product, p->x,
                       (size_t)p->m * (size_t)p->k * pe_dtype_size(p->in),
                       best);
}

// False when no algorithm runs. *seconds is 0 when none was timed.
static bool
find_algo(PeCuda *cuda, const PeMatmul *p, const PePlan *plan, bool timed,
          PeAlgo *algo, double *seconds)
{
    cublasLtMatmulHeuristicResult_t results[MAX_CANDIDATES];
    int n = ask_library(cuda, p, plan, results);
    double best = G_MAXDOUBLE;
    *seconds = 0;
    if (n == 0)
        return false;
    memcpy(algo->words, &results[0].algo, sizeof algo->words);
    if (!timed)
        return true;
    Trial trial;
    bool ready = trial_init(cuda, trial_size(p), &trial);
    for (int i = 0; ready && i < n; i++) {
        PeAlgo candidate = {{0}};
        memcpy(candidate.words, &results[i].algo, sizeof candidate.words);
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
accepts(PeCuda *cuda, const PePlan *plan, const PeAlgo *algo)
{
    cublasLtMatmulHeuristicResult_t result;
    return cuda->lt->MatmulAlgoCheck(cuda->lt_handle, plan->desc, plan->w,
                                     plan->x, plan->y, plan->y,
                                     (const cublasLtMatmulAlgo_t *)algo->words,
                                     &result) == CUBLAS_STATUS_SUCCESS &&
           result.workspaceSize <= cuda->workspace_size;
}

static PeAlgoKey
make_key(const PeMatmul *p)
{
    return (PeAlgoKey){
        .in = (int)p->in,
        .out = (int)p->out,
        .gelu = (int)p->gelu,
        .residual = p->residual,
        .bias = p->bias != NULL,
        .m = p->m,
        .n = p->n,
        .k = p->k,
        .align = alignment(p),
    };
}

// Does a known algorithm still take about as long as when it was chosen? If
// not, the device was busy or slowed down at one of the two times.
static bool
still_takes(PeCuda *cuda, const PeMatmul *p, const PePlan *plan,
            const PeAlgo *algo)
{
    Trial trial;
    double then = (double)algo->ns * 1e-9, now = then;
    if (trial_init(cuda, trial_size(p), &trial))
        now = time_algo(cuda, p, plan, &trial, algo, G_MAXDOUBLE);
    trial_clear(cuda, &trial);
    if (pe_cuda_same_time(now, then))
        return true;
    pe_log(PE_LOG_DEBUG,
           "product [%d, %d] x [%d, %d]: %.1f us, not %.1f us as before", p->m,
           p->k, p->k, p->n, now * 1e6, then * 1e6);
    return false;
}

static const char *
name_epilogue(const PeMatmul *p)
{
    static const char *const gelu[] = {"", " + GELU", " + GELU (library)"};
    return p->residual ? " + residual" : gelu[p->gelu];
}

bool
pe_cuda_choose_algo(PeCuda *cuda, const PeMatmul *p, const PePlan *plan,
                    PeAlgo *algo)
{
    PeAlgoKey key = make_key(p);
    bool timed = cuda->autotune && pe_cuda_graphs_tuning(cuda->graphs);
    bool checked;
    double seconds;
    if (pe_algos_get(cuda->algos, &key, algo, &checked) &&
        accepts(cuda, plan, algo)) {
        if (checked || !timed)
            return true;
        if (still_takes(cuda, p, plan, algo)) {
            pe_algos_set_checked(cuda->algos, &key);
            return true;
        }
    }
    if (!find_algo(cuda, p, plan, timed, algo, &seconds))
        return false;
    if (seconds > 0) {
        pe_log(PE_LOG_DEBUG,
               "product [%d, %d] x [%d, %d]%s%s, %s to %s: %.1f us, %.0f "
               "TFLOP/s",
               p->m, p->k, p->k, p->n, p->bias ? " + bias" : "",
               name_epilogue(p), pe_dtype_name(p->in), pe_dtype_name(p->out),
               seconds * 1e6, 2e-12 * p->m * p->n * p->k / seconds);
        algo->ns = (uint64_t)(seconds * 1e9);
        pe_algos_set(cuda->algos, &key, algo);
    }
    return true;
}

// Seconds of the product with what follows it; 0 when that has not been timed,
// or cannot be done. *news: it was timed or checked just now.
static double
tuned_seconds(PeCuda *cuda, const PeMatmul *p, PeGelu gelu, bool *news)
{
    PeMatmul with = *p;
    with.gelu = gelu;
    PeAlgoKey key = make_key(&with);
    PeAlgo algo;
    PePlan plan;
    bool checked = false;
    if (cuda->autotune && pe_cuda_graphs_tuning(cuda->graphs) &&
        pe_cuda_plan_init(cuda, &with, &plan)) {
        *news = !pe_algos_get(cuda->algos, &key, &algo, &checked) || !checked;
        pe_cuda_choose_algo(cuda, &with, &plan, &algo);
        pe_cuda_plan_clear(cuda, &plan);
    }
    return pe_algos_get(cuda->algos, &key, &algo, &checked)
               ? (double)algo.ns * 1e-9
               : 0;
}

// The form of all such lines is "choice NAME: A 12.3 us, B 10.1 us, took B";
// tests/gpu/decisions.py reads them.
PeGelu
pe_cuda_choose_gelu(PeCuda *cuda, const PeMatmul *p)
{
    bool news = false, more_news = false;
    double exact = tuned_seconds(cuda, p, PE_GELU_EXACT, &news);
    double library = tuned_seconds(cuda, p, PE_GELU_LIBRARY, &more_news);
    bool takes_library = exact > 0 && library > 0 && library < exact;
    if ((news || more_news) && exact > 0 && library > 0)
        pe_log(PE_LOG_DEBUG,
               "choice GELU [%d, %d] x [%d, %d]: pass %.1f us, library %.1f "
               "us, took %s",
               p->m, p->k, p->k, p->n, exact * 1e6, library * 1e6,
               takes_library ? "library" : "pass");
    return takes_library ? PE_GELU_LIBRARY : PE_GELU_EXACT;
}

double
pe_cuda_matmul_measure(PeCuda *cuda, const PeMatmul *p)
{
    PePlan plan;
    PeAlgo algo;
    double seconds = 0;
    if (!pe_cuda_plan_init(cuda, p, &plan))
        return 0;
    if (!find_algo(cuda, p, &plan, true, &algo, &seconds))
        seconds = 0;
    pe_cuda_plan_clear(cuda, &plan);
    return seconds;
}

// ---- Ways -------------------------------------------------------------------

int
pe_cuda_read_way(const char *variable, const char *const *names, int first,
                 int last)
{
    const char *asked = g_getenv(variable);
    for (int way = first; way <= last; way++) {
        if (g_strcmp0(asked, names[way]) == 0)
            return way;
    }
    return 0;
}

// 0 when none could be timed.
static int
time_ways(PeCuda *cuda, const PeWays *ways, double *seconds)
{
    g_autoptr(GString) times = g_string_new(NULL);
    int best = 0;
    for (int way = 1; way < ways->n; way++) {
        double s =
            ways->key.ways >> way & 1 ? ways->time(cuda, way, ways->data) : 0;
        if (s == 0)
            continue;
        g_string_append_printf(times, "%s %.1f us, ", ways->names[way],
                               s * 1e6);
        if (best == 0 || s < *seconds) {
            best = way;
            *seconds = s;
        }
    }
    if (best) {
        g_autofree char *what = ways->describe(ways->data);
        pe_log(PE_LOG_DEBUG, "choice %s: %stook %s", what, times->str,
               ways->names[best]);
    }
    return best;
}

int
pe_cuda_find_way(PeCuda *cuda, const PeWays *ways, int untimed)
{
    bool timed = cuda->autotune && pe_cuda_graphs_tuning(cuda->graphs);
    bool checked;
    PeAlgo algo;
    double seconds = 0;
    if (pe_algos_get(cuda->algos, &ways->key, &algo, &checked) &&
        algo.words[0] < (uint64_t)ways->n &&
        ways->key.ways >> algo.words[0] & 1) {
        int known = (int)algo.words[0];
        if (checked || !timed)
            return known;
        double now = ways->time(cuda, known, ways->data);
        if (now == 0 || pe_cuda_same_time(now, (double)algo.ns * 1e-9)) {
            pe_algos_set_checked(cuda->algos, &ways->key);
            return known;
        }
    }
    int best = timed ? time_ways(cuda, ways, &seconds) : 0;
    if (best == 0)
        return untimed;
    algo = (PeAlgo){.words = {(uint64_t)best}, .ns = (uint64_t)(seconds * 1e9)};
    pe_algos_set(cuda->algos, &ways->key, &algo);
    return best;
}
