// SPDX-License-Identifier: LGPL-2.1-or-later
//
// choice.c - see choice.h.
//
// Results are the same bits in every process on a machine, so that what one has
// stored another may continue. Hence the choice does not follow a clock, unless
// somebody asks for that: with AVX2 our own were the faster ones in every size
// that was measured, and with wider vectors, where they have not been measured,
// oneDNN's are used.
//
// With PE_CPU_GEMM=timed both multiply some rows when the first linear of a
// size is made, in turn, and the faster one stays. What was found holds for the
// process, so that a model's twelve equal layers, and an engine that is loaded
// again, ask only once. Both are timed on one thread, as oneDNN is used here
// anyway, and by that thread's own clock, which stands still while a neighbour
// has the core.
//
// Linears without an epilogue to come are those of the patches and the pool, a
// hundredth of the work, and are our own.

#include "choice.h"

#include "core/base/threads.h"

#include <glib.h>
#include <time.h>

#include "onednn.h"

// Enough for full tiles, few enough for one twentieth of a model's loading. The
// first of the runs fills the caches.
#define TIMED_ROWS 96
#define TIMED_RUNS 2
// Smaller ones take microseconds either way, and are our own.
#define MIN_WEIGHTS (256 * 256)
// Our own stay where oneDNN gains less than this.
#define MIN_GAIN 1.05

struct PeChoice {
    PeBackendOps own; // the table before
    enum { AUTO, ONEDNN, OWN, TIMED } mode;
};

// What was found. `act` to `n_threads` are the key.
typedef struct {
    PeDtype act;
    PeEpilogue epilogue;
    int n, k, n_threads;
    bool onednn;
} Finding;

static GMutex lock;
static GArray *findings; // of Finding, for the life of the process

static Finding *
find_locked(const Finding *key)
{
    for (guint i = 0; findings && i < findings->len; i++) {
        Finding *f = &g_array_index(findings, Finding, i);
        if (f->act == key->act && f->epilogue == key->epilogue &&
            f->n == key->n && f->k == key->k && f->n_threads == key->n_threads)
            return f;
    }
    return NULL;
}

static bool
recall(Finding *key)
{
    g_mutex_lock(&lock);
    const Finding *found = find_locked(key);
    if (found)
        key->onednn = found->onednn;
    g_mutex_unlock(&lock);
    return found != NULL;
}

static void
remember(const Finding *finding)
{
    g_mutex_lock(&lock);
    if (!findings)
        findings = g_array_new(FALSE, FALSE, sizeof *finding);
    if (!find_locked(finding))
        g_array_append_val(findings, *finding);
    g_mutex_unlock(&lock);
}

typedef void (*LinearFunc)(PeBackend *be, const PeLinear *l,
                           PeEpilogue epilogue, const PeRope *rope, void *y,
                           const void *x, int rows);

static double
now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double
time_linear(PeBackend *be, LinearFunc func, const PeLinear *l,
            PeEpilogue epilogue, void *y, const void *x)
{
    double start = now_ms();
    func(be, l, epilogue, NULL, y, x, TIMED_ROWS);
    return now_ms() - start;
}

// True when oneDNN's is the faster one.
static bool
is_onednn_faster(PeBackend *be, const PeLinear *own, const PeLinear *onednn,
                 Finding *f)
{
    const PeBackendOps *ops = &((PeCpu *)be)->choice->own;
    size_t nx = (size_t)TIMED_ROWS * (size_t)own->k;
    size_t ny = (size_t)TIMED_ROWS * (size_t)own->n;
    void *x = pe_block_alloc(nx * pe_dtype_size(be->act));
    void *y = pe_block_alloc(ny * sizeof(float));
    // The rotation is ours in any case.
    PeEpilogue epilogue =
        f->epilogue == PE_EPILOGUE_ROPE ? PE_EPILOGUE_NONE : f->epilogue;
    double own_ms = G_MAXDOUBLE, their_ms = G_MAXDOUBLE;
    if (x && y) {
        for (size_t i = 0; i < nx; i++)
            pe_act_set(be->act, x, i, (float)(i % 127) / 64 - 1);
        memset(y, 0, ny * sizeof(float));
        pe_threads_limit(1);
        for (int i = 0; i < TIMED_RUNS; i++) {
            double ms = time_linear(be, ops->linear, own, epilogue, y, x);
            own_ms = MIN(own_ms, ms);
            ms = time_linear(be, pe_onednn_linear, onednn, epilogue, y, x);
            their_ms = MIN(their_ms, ms);
        }
        pe_threads_limit(f->n_threads);
    }
    pe_block_free(x);
    pe_block_free(y);
    bool faster = their_ms * MIN_GAIN < own_ms;
    pe_log(PE_LOG_INFO,
           "linear %d x %d: our own product of %d rows takes %.2f ms on one "
           "thread, oneDNN's %.2f; using %s",
           f->k, f->n, TIMED_ROWS, own_ms, their_ms,
           faster ? "oneDNN's" : "our own");
    return faster;
}

// Makes both, keeps the faster.
static PeLinear *
new_of_both(PeBackend *be, const PeLinearParams *params, Finding *f)
{
    const PeBackendOps *ops = &((PeCpu *)be)->choice->own;
    PeLinear *own = ops->linear_new(be, params);
    PeLinear *onednn = own ? pe_onednn_linear_new(be, params) : NULL;
    if (!onednn)
        return own;
    f->onednn = is_onednn_faster(be, own, onednn, f);
    remember(f);
    pe_onednn_linear_free(be, f->onednn ? own : onednn);
    return f->onednn ? onednn : own;
}

static PeLinear *
linear_new(PeBackend *be, const PeLinearParams *params)
{
    PeCpu *cpu = (PeCpu *)be;
    const struct PeChoice *c = cpu->choice;
    Finding f = {
        be->act,          params->epilogue, (int)params->weight.shape[0],
        params->k_padded, cpu->n_threads,   c->mode == ONEDNN};
    bool small =
        (double)f.n * f.k < MIN_WEIGHTS || params->epilogue == PE_EPILOGUE_NONE;
    if (c->mode == TIMED && !small && !recall(&f))
        return new_of_both(be, params, &f);
    PeLinear *l = f.onednn ? pe_onednn_linear_new(be, params) : NULL;
    return l ? l : c->own.linear_new(be, params);
}

static void
linear(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
       const PeRope *rope, void *y, const void *x, int rows)
{
    if (l->onednn)
        pe_onednn_linear(be, l, epilogue, rope, y, x, rows);
    else
        ((PeCpu *)be)->choice->own.linear(be, l, epilogue, rope, y, x, rows);
}

bool
pe_choice_init(PeCpu *cpu, GError **error)
{
    static const char *const names[] = {
        [AUTO] = "auto", [ONEDNN] = "onednn", [OWN] = "own", [TIMED] = "timed"};
    const char *name = g_getenv("PE_CPU_GEMM");
    int mode = AUTO;
    if (name && *name) {
        for (mode = 0; mode < (int)G_N_ELEMENTS(names); mode++) {
            if (strcmp(name, names[mode]) == 0)
                break;
        }
    }
    if (mode == G_N_ELEMENTS(names)) {
        g_set_error(
            error, PE_ERROR, PE_ERROR_DEVICE,
            "PE_CPU_GEMM is \"%s\", expected auto, onednn, own or timed", name);
        return false;
    }
    if (mode == AUTO)
        mode = cpu->isa == PE_ISA_AVX2 ? OWN : ONEDNN;
    if (mode == OWN)
        return true;
    cpu->choice = g_new0(struct PeChoice, 1);
    cpu->choice->own = cpu->ops;
    cpu->choice->mode = mode;
    cpu->ops.linear_new = linear_new;
    cpu->ops.linear_free = pe_onednn_linear_free;
    cpu->ops.linear = linear;
    return true;
}

void
pe_choice_clear(PeCpu *cpu)
{
    g_free(cpu->choice);
}
