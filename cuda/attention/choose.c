// SPDX-License-Identifier: LGPL-2.1-or-later
//
// choose.c - the ways to compute an attention, and to rotate its q and k. A
// pass of its own reads and writes them once more. The kernel for all cards can
// rotate as it reads: q once, which costs next to nothing, but k again for
// every block of queries, which long sequences have many of. Hopper's kernel,
// which cannot, may be faster all the same. The ways that a shape has are timed
// while an engine is loaded, and the fastest is kept; see algos.h.

#include "cuda/hopper/attend.h"
#include "cuda/kernels.h"
#include "cuda/plan.h"

static const char *const names[PE_N_ATTENTIONS] = {
    [PE_ATTENTION_TURNING] = "attention", [PE_ATTENTION_KEYS] = "keys",
    [PE_ATTENTION_PASS] = "pass",         [PE_ATTENTION_PORTABLE] = "portable",
    [PE_ATTENTION_HOPPER] = "hopper",
};

void
pe_cuda_ask_attention(PeCuda *cuda)
{
    cuda->attention = (PeAttentionWay)pe_cuda_read_way(
        "PE_CUDA_ATTENTION", names, PE_ATTENTION_PORTABLE, PE_ATTENTION_HOPPER);
    cuda->rotation = (PeAttentionWay)pe_cuda_read_way(
        "PE_CUDA_ROPE", names, PE_ATTENTION_TURNING, PE_ATTENTION_PASS);
}

// An attention that is to be queued in some way.
typedef struct {
    void *y;
    PeAttention a;
    PeAttentionWay way;
} Call;

// False: the kernel does not start. Changes qkv where it is to be rotated.
static bool
queue(PeCuda *cuda, const Call *call, void *qkv)
{
    PeAttention a = call->a;
    PeDtype act = cuda->be.act;
    bool queries = call->way != PE_ATTENTION_KEYS;
    a.turn_keys = call->way == PE_ATTENTION_TURNING;
    if (a.cos_sin && !a.turn_keys)
        pe_cuda_rope(pe_cuda_stream(cuda), act, qkv, a.cos_sin, queries,
                     a.b * a.n, a.heads * a.head_dim, a.n, a.head_dim);
    if (call->way == PE_ATTENTION_HOPPER)
        return pe_hopper_attend(cuda, call->y, qkv, a.b, a.n, a.heads,
                                a.head_dim);
    if (!a.turn_keys && queries)
        a.cos_sin = NULL;
    pe_cuda_attention(pe_cuda_stream(cuda), act, call->y, qkv, &a,
                      cuda->rates.sm, cuda->rates.n_sms);
    return true;
}

// On a copy of qkv, as a way may change it.
static bool
queue_trial(PeCuda *cuda, void *copy, const void *data)
{
    return queue(cuda, data, copy) && cudaGetLastError() == cudaSuccess;
}

// ---- The fastest ------------------------------------------------------------

typedef struct {
    const Call *call;
    const void *qkv;
} Attempt;

static double
time_way(PeCuda *cuda, int way, const void *data)
{
    const Attempt *attempt = data;
    Call trial = *attempt->call;
    const PeAttention *a = &trial.a;
    size_t size = (size_t)a->b * (size_t)a->n * 3 *
                  (size_t)(a->heads * a->head_dim) *
                  pe_dtype_size(cuda->be.act);
    trial.way = (PeAttentionWay)way;
    return pe_cuda_time(cuda, queue_trial, &trial, attempt->qkv, size);
}

static char *
describe(const void *data)
{
    const PeAttention *a = &((const Attempt *)data)->call->a;
    return g_strdup_printf("%sattention [%d x %d, %d x %d]",
                           a->cos_sin ? "rotation and " : "", a->b, a->n,
                           a->heads, a->head_dim);
}

// The fastest of some ways, a bit each.
static PeAttentionWay
find_way(PeCuda *cuda, const Call *call, int bits, PeAttentionWay untimed,
         const void *qkv)
{
    const PeAttention *a = &call->a;
    const Attempt attempt = {call, qkv};
    const PeWays ways = {
        .describe = describe,
        .names = names,
        .n = PE_N_ATTENTIONS,
        .key = {.in = (int)cuda->be.act,
                .out = (int)a->out,
                .m = a->b,
                .n = a->n,
                .k = a->head_dim,
                .heads = a->heads,
                .ways = bits},
        .time = time_way,
        .data = &attempt,
    };
    return (PeAttentionWay)pe_cuda_find_way(cuda, &ways, (int)untimed);
}

// Is Hopper's kernel for this, and to be trusted? It is asked for a known
// answer where there is time for that.
static bool
has_hopper(PeCuda *cuda, const PeAttention *a)
{
    bool now = pe_cuda_graphs_tuning(cuda->graphs) ||
               (cuda->attention == PE_ATTENTION_HOPPER &&
                !pe_cuda_graphs_recording(cuda->graphs));
    return cuda->attention != PE_ATTENTION_PORTABLE && a->out == cuda->be.act &&
           !a->offsets && !a->causal &&
           pe_hopper_is_trusted(cuda, a->head_dim, now);
}

static PeAttentionWay
choose_way(PeCuda *cuda, const Call *call, const void *qkv)
{
    const PeAttention *a = &call->a;
    bool hopper = has_hopper(cuda, a);
    PeAttentionWay untimed = PE_ATTENTION_PORTABLE;
    int ways = 1 << PE_ATTENTION_PORTABLE;
    if (hopper && cuda->attention == PE_ATTENTION_HOPPER)
        return PE_ATTENTION_HOPPER;
    if (a->cos_sin && !pe_cuda_attention_turns(cuda->be.act, a->head_dim))
        return PE_ATTENTION_PASS;
    if (a->cos_sin && cuda->rotation != PE_ATTENTION_FASTEST)
        return cuda->rotation;
    if (a->cos_sin) {
        untimed = PE_ATTENTION_TURNING; // it has the fewest operations
        ways = 1 << PE_ATTENTION_TURNING | 1 << PE_ATTENTION_KEYS |
               1 << PE_ATTENTION_PASS;
    } else if (!hopper) {
        return PE_ATTENTION_PORTABLE;
    }
    if (hopper)
        ways |= 1 << PE_ATTENTION_HOPPER;
    return find_way(cuda, call, ways, untimed, qkv);
}

// ---- The backend's operations -----------------------------------------------

// `qkv` is only changed where it is to be rotated.
static void
attend(PeCuda *cuda, Call *call, const void *qkv)
{
    call->way = choose_way(cuda, call, qkv);
    if (queue(cuda, call, (void *)qkv))
        return;
    // The driver refuses what Hopper's kernel needs. A pass has rotated.
    call->way = PE_ATTENTION_PORTABLE;
    call->a.cos_sin = NULL;
    queue(cuda, call, (void *)qkv);
}

void
pe_cuda_attend(PeBackend *be, void *y, const void *qkv, const int *offsets,
               int b, int n, int heads, int head_dim, bool causal)
{
    Call call = {.y = y,
                 .a = {.out = be->narrow,
                       .offsets = offsets,
                       .b = b,
                       .n = n,
                       .heads = heads,
                       .head_dim = head_dim,
                       .causal = causal}};
    attend((PeCuda *)be, &call, qkv);
}

void
pe_cuda_rope_attention(PeBackend *be, void *y, void *qkv, const PeRope *rope,
                       int b, int n, int heads)
{
    g_assert(rope->n_tokens == n);
    Call call = {.y = y,
                 .a = {.out = be->narrow,
                       .cos_sin = rope->cos_sin,
                       .b = b,
                       .n = n,
                       .heads = heads,
                       .head_dim = rope->head_dim}};
    attend((PeCuda *)be, &call, qkv);
}
