// SPDX-License-Identifier: LGPL-2.1-or-later
//
// attend.c - Hopper's attention as a candidate, see attend.h.

#include "cuda/hopper/attend.h"

#include "cuda/hopper/kernels.h"
#include "cuda/hopper/tensors.h"

// The known problem: sequences that end inside of a tile, with few keys left.
enum { KNOWN_B = 2, KNOWN_N = 197, KNOWN_HEADS = 2 };
// Of the squares of differences to those of the values: both kernels round
// probabilities and results to 16 bits, in another order.
#define KNOWN_LIMIT 1e-4

#ifndef PE_HOPPER_KERNELS

// Built for other devices.
bool
pe_hopper_is_trusted(PeCuda *cuda, int head_dim, bool now)
{
    return false;
}

bool
pe_hopper_attend(PeCuda *cuda, void *y, const void *qkv, int b, int n,
                 int heads, int head_dim)
{
    return false;
}

#else

// The operands of an attention.
typedef struct {
    void *y;
    const void *qkv;
    int b, n, heads, head_dim;
} Attention;

static bool
run_hopper(PeCuda *cuda, const Attention *a)
{
    CUtensorMap qkv;
    return pe_hopper_describe(cuda, &qkv, a->qkv, a->b, a->n,
                              3 * a->heads * a->head_dim, PE_HOPPER_ROWS,
                              PE_HOPPER_CHANNELS(a->head_dim)) &&
           pe_hopper_attention(pe_cuda_stream(cuda), cuda->be.act, a->y, &qkv,
                               a->b, a->n, a->heads, a->head_dim);
}

static bool
run_portable(PeCuda *cuda, const Attention *a)
{
    PeAttention portable = {.out = cuda->be.act,
                            .b = a->b,
                            .n = a->n,
                            .heads = a->heads,
                            .head_dim = a->head_dim};
    pe_cuda_attention(pe_cuda_stream(cuda), cuda->be.act, a->y, a->qkv,
                      &portable, cuda->rates.sm, cuda->rates.n_sms);
    return true;
}

bool
pe_hopper_attend(PeCuda *cuda, void *y, const void *qkv, int b, int n,
                 int heads, int head_dim)
{
    return run_hopper(cuda, &(Attention){y, qkv, b, n, heads, head_dim});
}

// ---- A known answer ---------------------------------------------------------

// The answers of both kernels, [n] each, in host memory. False: one did not
// start.
static bool
answer(PeCuda *cuda, Attention *a, uint16_t *answers[2], size_t n)
{
    bool ok = true;
    cudaGetLastError();
    for (int i = 0; i < 2; i++) {
        cudaMemsetAsync(a->y, 0xff, n * sizeof(uint16_t), cuda->stream); // NaN
        ok = ok && (i ? run_hopper : run_portable)(cuda, a) &&
             cudaGetLastError() == cudaSuccess;
        if (ok)
            pe_cuda_download(&cuda->be, answers[i], a->y, n * sizeof(uint16_t));
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
    pe_hopper_fill(act, qkv, 3 * n);
    bool ok = a.qkv && a.y;
    if (ok)
        pe_cuda_upload(&cuda->be, on_device, qkv, 3 * n * sizeof *qkv);
    ok = ok && answer(cuda, &a, (uint16_t *[]){portable, hopper}, n);
    pe_cuda_free(&cuda->be, a.y);
    pe_cuda_free(&cuda->be, on_device);
    double error = 0, power = 0;
    for (size_t i = 0; i < n; i++) {
        double expected = pe_half_to_f32(act, portable[i]);
        double d = pe_half_to_f32(act, hopper[i]) - expected;
        error += d * d;
        power += expected * expected;
    }
    pe_log(PE_LOG_DEBUG, "attention: Hopper's kernel is off by %.1e (limit %g)",
           error / power, KNOWN_LIMIT);
    return ok && error <= KNOWN_LIMIT * power; // false for NaN
}

bool
pe_hopper_is_trusted(PeCuda *cuda, int head_dim, bool now)
{
    int which = head_dim == 64 ? 0 : 1;
    if (cuda->rates.sm != SM_HOPPER || cuda->be.act == PE_DTYPE_F32 ||
        (head_dim != 64 && head_dim != 96))
        return false;
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

#endif // PE_HOPPER_KERNELS
