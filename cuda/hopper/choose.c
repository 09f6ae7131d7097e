// SPDX-License-Identifier: LGPL-2.1-or-later
//
// choose.c - Hopper's attention as a candidate, see choose.h. No card has told
// yet which is the faster one, so each card decides, for each shape.

#include "cuda/hopper/choose.h"

#include "cuda/hopper/kernels.h"

#define N_TRIALS 4
// By this factor a choice may be faster or slower than it was.
#define TRUSTED 1.5

// The known problem: sequences that end inside of a tile, with few keys left.
enum { KNOWN_B = 2, KNOWN_N = 197, KNOWN_HEADS = 2 };
// Of the squares of differences to those of the values: both kernels round
// probabilities and results to 16 bits, in another order.
#define KNOWN_LIMIT 1e-4

typedef enum { PORTABLE, HOPPER } Kernel;

// The operands of an attention.
typedef struct {
    void *y;
    const void *qkv;
    int b, n, heads, head_dim;
} Attention;

PeCudaAttention
pe_hopper_get_attention(const PeCuda *cuda)
{
    const char *asked = g_getenv("PE_CUDA_ATTENTION");
    if (cuda->rates.sm != 90 || cuda->be.act == PE_DTYPE_F32 ||
        g_strcmp0(asked, "portable") == 0)
        return PE_ATTENTION_PORTABLE;
    return g_strcmp0(asked, "hopper") == 0 ? PE_ATTENTION_HOPPER
                                           : PE_ATTENTION_FASTER;
}

#ifndef PE_HOPPER_KERNELS

// Built for other devices.
bool
pe_hopper_attend(PeCuda *cuda, void *y, const void *qkv, int b, int n,
                 int heads, int head_dim)
{
    return false;
}

#else

// ---- Running a kernel -------------------------------------------------------

// What the copy engine has to know of qkv. False: the driver refuses.
static bool
describe_qkv(const PeCuda *cuda, const Attention *a, CUtensorMap *map)
{
    const PeDriver *driver = pe_driver_open(NULL);
    const cuuint32_t channels = PE_HOPPER_CHANNELS(a->head_dim);
    const cuuint64_t width = 3 * (cuuint64_t)a->heads * (cuuint64_t)a->head_dim;
    const cuuint64_t sizes[] = {width, (cuuint64_t)a->n, (cuuint64_t)a->b};
    const cuuint64_t strides[] = {2 * width, 2 * width * sizes[1]};
    const cuuint32_t box[] = {channels, PE_HOPPER_ROWS, 1}, steps[] = {1, 1, 1};
    return driver &&
           driver->TensorMapEncodeTiled(
               map,
               cuda->be.act == PE_DTYPE_BF16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
                                             : CU_TENSOR_MAP_DATA_TYPE_FLOAT16,
               3, (void *)a->qkv, sizes, strides, box, steps,
               CU_TENSOR_MAP_INTERLEAVE_NONE,
               channels == 64 ? CU_TENSOR_MAP_SWIZZLE_128B
                              : CU_TENSOR_MAP_SWIZZLE_64B,
               CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
               CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

static bool
run(PeCuda *cuda, const Attention *a, Kernel kernel)
{
    CUtensorMap map;
    if (kernel == HOPPER)
        return describe_qkv(cuda, a, &map) &&
               pe_hopper_attention(cuda->stream, cuda->be.act, a->y, &map, a->b,
                                   a->n, a->heads, a->head_dim);
    pe_cuda_attention(cuda->stream, cuda->be.act, cuda->be.act, a->y, a->qkv,
                      NULL, a->b, a->n, a->heads, a->head_dim, false,
                      cuda->rates.sm, cuda->rates.n_sms);
    return true;
}

// ---- A known answer ---------------------------------------------------------

// [n] values from -1 to 1, always the same ones.
static void
fill_known(PeDtype act, uint16_t *values, size_t n)
{
    guint32 state = 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525 + 1013904223;
        float v = (float)(state >> 8) / (float)(1 << 23) - 1;
        values[i] =
            act == PE_DTYPE_BF16 ? pe_bf16_from_f32(v) : pe_f16_from_f32(v);
    }
}

static float
to_f32(PeDtype act, uint16_t v)
{
    return act == PE_DTYPE_BF16 ? pe_bf16_to_f32(v) : pe_f16_to_f32(v);
}

// The answers of both kernels, [n] each, in host memory. False: one did not
// start.
static bool
answer(PeCuda *cuda, Attention *a, uint16_t *answers[2], size_t n)
{
    bool ok = true;
    cudaGetLastError();
    for (int kernel = 0; kernel < 2; kernel++) {
        cudaMemsetAsync(a->y, 0xff, n * sizeof(uint16_t), cuda->stream); // NaN
        ok = ok && run(cuda, a, kernel) && cudaGetLastError() == cudaSuccess;
        if (ok)
            pe_cuda_download(&cuda->be, answers[kernel], a->y,
                             n * sizeof(uint16_t));
    }
    return ok && !g_atomic_pointer_get(&cuda->error);
}

// Do the kernels agree about the known problem? It is another one than that of
// the tower, whose first pictures may be all alike.
static bool
knows_answer(PeCuda *cuda, int head_dim)
{
    Attention a = {NULL, NULL, KNOWN_B, KNOWN_N, KNOWN_HEADS, head_dim};
    PeDtype act = cuda->be.act;
    size_t n = (size_t)(KNOWN_B * KNOWN_N * KNOWN_HEADS * head_dim);
    g_autofree uint16_t *qkv = g_new(uint16_t, 3 * n);
    g_autofree uint16_t *portable = g_new0(uint16_t, n);
    g_autofree uint16_t *hopper = g_new0(uint16_t, n);
    void *on_device = pe_cuda_alloc(&cuda->be, 3 * n * sizeof *qkv);
    a.qkv = on_device;
    a.y = pe_cuda_alloc(&cuda->be, n * sizeof *qkv);
    fill_known(act, qkv, 3 * n);
    bool ok = a.qkv && a.y;
    if (ok)
        pe_cuda_upload(&cuda->be, on_device, qkv, 3 * n * sizeof *qkv);
    ok = ok && answer(cuda, &a, (uint16_t *[]){portable, hopper}, n);
    pe_cuda_free(&cuda->be, a.y);
    pe_cuda_free(&cuda->be, on_device);
    double error = 0, power = 0;
    for (size_t i = 0; i < n; i++) {
        double expected = to_f32(act, portable[i]);
        double d = to_f32(act, hopper[i]) - expected;
        error += d * d;
        power += expected * expected;
    }
    pe_log(PE_LOG_DEBUG, "attention: Hopper's kernel is off by %.1e (limit %g)",
           error / power, KNOWN_LIMIT);
    return ok && error <= KNOWN_LIMIT * power; // false for NaN
}

// Is the kernel to be trusted? It is asked once; `now`: that may be done.
static bool
is_trusted(PeCuda *cuda, int head_dim, bool now)
{
    int which = head_dim == 64 ? 0 : 1;
    if (cuda->hopper_answers[which] == PE_ANSWER_UNKNOWN && now) {
        bool right = knows_answer(cuda, head_dim);
        cuda->hopper_answers[which] = right ? PE_ANSWER_RIGHT : PE_ANSWER_WRONG;
        if (!right)
            pe_log(PE_LOG_WARNING,
                   "%s: Hopper's kernel for attention with heads of %d does "
                   "not start or is wrong, it is not used",
                   cuda->description, head_dim);
    }
    return cuda->hopper_answers[which] == PE_ANSWER_RIGHT;
}

// ---- The faster one ---------------------------------------------------------

// Seconds of the fastest of some trials; infinity when it does not run. y is
// overwritten.
static double
time_kernel(PeCuda *cuda, const Attention *a, Kernel kernel)
{
    cudaEvent_t start = NULL, end = NULL;
    double least = G_MAXDOUBLE;
    bool ok = cudaEventCreate(&start) == cudaSuccess &&
              cudaEventCreate(&end) == cudaSuccess;
    for (int i = 0; ok && i < N_TRIALS; i++) {
        float ms = 0;
        cudaEventRecord(start, cuda->stream);
        ok = run(cuda, a, kernel) && cudaGetLastError() == cudaSuccess;
        cudaEventRecord(end, cuda->stream);
        ok = pe_cuda_check(cuda, cudaEventSynchronize(end),
                           "trying attention") &&
             ok && cudaEventElapsedTime(&ms, start, end) == cudaSuccess;
        if (ok)
            least = MIN(least, ms * 1e-3);
    }
    if (start)
        cudaEventDestroy(start);
    if (end)
        cudaEventDestroy(end);
    return least;
}

static Kernel
choose(PeCuda *cuda, const Attention *a, const PeAlgoKey *key)
{
    const double portable = time_kernel(cuda, a, PORTABLE);
    const double hopper = time_kernel(cuda, a, HOPPER);
    const double least = MIN(portable, hopper);
    PeAlgo algo = {.words = {hopper < portable ? HOPPER : PORTABLE}};
    pe_log(PE_LOG_DEBUG,
           "choice attention [%d x %d, %d x %d]: portable %.1f us, hopper %.1f "
           "us, took %s",
           a->b, a->n, a->heads, a->head_dim, portable * 1e6, hopper * 1e6,
           hopper < portable ? "hopper" : "portable");
    if (least < G_MAXDOUBLE) {
        algo.ns = (uint64_t)(least * 1e9);
        pe_algos_set(cuda->algos, key, &algo);
    }
    return (Kernel)algo.words[0];
}

// Does the kernel that was chosen still take as long as it did?
static bool
still_takes(PeCuda *cuda, const Attention *a, const PeAlgo *algo)
{
    double then = (double)algo->ns * 1e-9;
    double now = time_kernel(cuda, a, (Kernel)algo->words[0]);
    return now <= then * TRUSTED && then <= now * TRUSTED;
}

// The kernel for a shape; PORTABLE as long as nothing has been timed.
static Kernel
find_kernel(PeCuda *cuda, const Attention *a, bool timed)
{
    const PeAlgoKey key = {
        .in = (int)cuda->be.act,
        .out = (int)cuda->be.act,
        .m = a->b,
        .n = a->n,
        .k = a->head_dim,
        .heads = a->heads,
    };
    PeAlgo algo;
    bool checked;
    if (pe_algos_get(cuda->algos, &key, &algo, &checked)) {
        if (checked || !timed)
            return (Kernel)algo.words[0];
        if (still_takes(cuda, a, &algo)) {
            pe_algos_set_checked(cuda->algos, &key);
            return (Kernel)algo.words[0];
        }
    }
    return timed ? choose(cuda, a, &key) : PORTABLE;
}

bool
pe_hopper_attend(PeCuda *cuda, void *y, const void *qkv, int b, int n,
                 int heads, int head_dim)
{
    const Attention a = {y, qkv, b, n, heads, head_dim};
    const bool tuning = pe_cuda_graphs_tuning(cuda->graphs);
    const bool asked = cuda->attention == PE_ATTENTION_HOPPER;
    const bool recording = pe_cuda_graphs_recording(cuda->graphs);
    if (cuda->attention == PE_ATTENTION_PORTABLE ||
        (head_dim != 64 && head_dim != 96) ||
        !is_trusted(cuda, head_dim, tuning || (asked && !recording)) ||
        (!asked && find_kernel(cuda, &a, tuning && cuda->autotune) == PORTABLE))
        return false;
    return run(cuda, &a, HOPPER);
}

#endif // PE_HOPPER_KERNELS
