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

static PeAttentionWay
read_way(const char *variable, PeAttentionWay first, PeAttentionWay last)
{
    const char *asked = g_getenv(variable);
    for (PeAttentionWay way = first; way <= last; way++) {
        if (g_strcmp0(asked, names[way]) == 0)
            return way;
    }
    return PE_ATTENTION_FASTEST;
}

void
pe_cuda_ask_attention(PeCuda *cuda)
{
    cuda->attention = read_way("PE_CUDA_ATTENTION", PE_ATTENTION_PORTABLE,
                               PE_ATTENTION_HOPPER);
    cuda->rotation =
        read_way("PE_CUDA_ROPE", PE_ATTENTION_TURNING, PE_ATTENTION_PASS);
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
        pe_cuda_rope(cuda->stream, act, qkv, a.cos_sin, queries, a.b * a.n,
                     a.heads * a.head_dim, a.n, a.head_dim);
    if (call->way == PE_ATTENTION_HOPPER)
        return pe_hopper_attend(cuda, call->y, qkv, a.b, a.n, a.heads,
                                a.head_dim);
    if (!a.turn_keys && queries)
        a.cos_sin = NULL;
    pe_cuda_attention(cuda->stream, act, call->y, qkv, &a, cuda->rates.sm,
                      cuda->rates.n_sms);
    return true;
}

// On a copy of qkv, as a way may change it.
static bool
queue_trial(PeCuda *cuda, void *copy, const void *data)
{
    return queue(cuda, data, copy) && cudaGetLastError() == cudaSuccess;
}

// ---- The fastest ------------------------------------------------------------

// Seconds of one way; 0 when it does not run, or cannot be tried.
static double
time_way(PeCuda *cuda, const Call *call, PeAttentionWay way, const void *qkv)
{
    Call trial = *call;
    const PeAttention *a = &call->a;
    size_t size = (size_t)a->b * (size_t)a->n * 3 *
                  (size_t)(a->heads * a->head_dim) *
                  pe_dtype_size(cuda->be.act);
    trial.way = way;
    return pe_cuda_time(cuda, queue_trial, &trial, qkv, size);
}

// Time the ways, a bit of `ways` each. FASTEST when none could be timed.
static PeAttentionWay
time_ways(PeCuda *cuda, const Call *call, int ways, const void *qkv,
          double *seconds)
{
    g_autoptr(GString) times = g_string_new(NULL);
    PeAttentionWay best = PE_ATTENTION_FASTEST;
    for (PeAttentionWay way = 1; way < PE_N_ATTENTIONS; way++) {
        double s = ways >> way & 1 ? time_way(cuda, call, way, qkv) : 0;
        if (s == 0)
            continue;
        g_string_append_printf(times, "%s %.1f us, ", names[way], s * 1e6);
        if (best == PE_ATTENTION_FASTEST || s < *seconds) {
            best = way;
            *seconds = s;
        }
    }
    if (best != PE_ATTENTION_FASTEST)
        pe_log(PE_LOG_DEBUG, "choice %sattention [%d x %d, %d x %d]: %stook %s",
               call->a.cos_sin ? "rotation and " : "", call->a.b, call->a.n,
               call->a.heads, call->a.head_dim, times->str, names[best]);
    return best;
}

// The fastest of some ways; `untimed` as long as nothing has been timed.
static PeAttentionWay
find_way(PeCuda *cuda, const Call *call, int ways, PeAttentionWay untimed,
         const void *qkv)
{
    const PeAlgoKey key = {
        .in = (int)cuda->be.act,
        .out = (int)call->a.out,
        .m = call->a.b,
        .n = call->a.n,
        .k = call->a.head_dim,
        .heads = call->a.heads,
        .ways = ways,
    };
    bool timed = cuda->autotune && pe_cuda_graphs_tuning(cuda->graphs);
    bool checked;
    PeAlgo algo;
    double seconds = 0;
    if (pe_algos_get(cuda->algos, &key, &algo, &checked) &&
        algo.words[0] < PE_N_ATTENTIONS && ways >> algo.words[0] & 1) {
        PeAttentionWay known = (PeAttentionWay)algo.words[0];
        if (checked || !timed)
            return known;
        double now = time_way(cuda, call, known, qkv);
        if (now == 0 || pe_cuda_same_time(now, (double)algo.ns * 1e-9)) {
            pe_algos_set_checked(cuda->algos, &key);
            return known;
        }
    }
    PeAttentionWay best = timed ? time_ways(cuda, call, ways, qkv, &seconds)
                                : PE_ATTENTION_FASTEST;
    if (best == PE_ATTENTION_FASTEST)
        return untimed;
    algo = (PeAlgo){.words = {best}, .ns = (uint64_t)(seconds * 1e9)};
    pe_algos_set(cuda->algos, &key, &algo);
    return best;
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
