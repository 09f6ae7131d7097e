// SPDX-License-Identifier: LGPL-2.1-or-later
//
// profile.c - see profile.h. Nothing runs late on this backend, so that a clock
// around each operation tells what it took.

#include "profile.h"

#include "core/base/threads.h"

#include <glib.h>
#include <stdlib.h>

// Kinds of a model's operations, with all its sizes; what comes after them is
// counted in the last place.
#define MAX_OPERATIONS 48

struct PeProfile {
    PeBackendOps timed; // what is timed: the table before
    PeOperation operations[MAX_OPERATIONS];
    int n;
};

static const PeBackendOps *
timed(PeBackend *be)
{
    return &((PeCpu *)be)->profile->timed;
}

static PeOperation *
find(struct PeProfile *p, const char *name)
{
    for (int i = 0; i < p->n; i++) {
        if (strcmp(p->operations[i].name, name) == 0)
            return &p->operations[i];
    }
    if (p->n == MAX_OPERATIONS)
        return &p->operations[MAX_OPERATIONS - 1];
    PeOperation *o = &p->operations[p->n++];
    g_strlcpy(o->name, name, sizeof o->name);
    return o;
}

static void G_GNUC_PRINTF(4, 5)
    add(PeBackend *be, gint64 start, double flops, const char *format, ...)
{
    gint64 end = g_get_monotonic_time();
    char name[sizeof((PeOperation *)0)->name];
    va_list args;
    va_start(args, format);
    g_vsnprintf(name, sizeof name, format, args);
    va_end(args);
    PeOperation *o = find(((PeCpu *)be)->profile, name);
    o->calls++;
    o->seconds += (double)(end - start) / 1e6;
    o->flops += flops;
}

static void
linear(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
       const PeRope *rope, void *y, const void *x, int rows)
{
    gint64 start = g_get_monotonic_time();
    timed(be)->linear(be, l, epilogue, rope, y, x, rows);
    add(be, start, 2.0 * rows * l->n * l->k, "linear %d x %d, %d rows, %s",
        l->k, l->n, rows, l->onednn ? "oneDNN" : "own");
}

static void
attention(PeBackend *be, void *y, const void *qkv, const int *offsets, int b,
          int n, int heads, int head_dim, bool causal)
{
    gint64 start = g_get_monotonic_time();
    timed(be)->attention(be, y, qkv, offsets, b, n, heads, head_dim, causal);
    // Of ragged or causal sequences, not all pairs are multiplied.
    double flops =
        offsets || causal ? 0 : 4.0 * b * n * n * (double)(heads * head_dim);
    add(be, start, flops, "attention of %d x %d tokens, %d heads", b, n, heads);
}

static void
pool(PeBackend *be, void *y, float *scores, const float *u, const void *x,
     int b, int n, int heads, int d)
{
    gint64 start = g_get_monotonic_time();
    timed(be)->pool(be, y, scores, u, x, b, n, heads, d);
    add(be, start, 4.0 * b * n * heads * (double)d, "pool of %d x %d tokens", b,
        n);
}

static void
layernorm(PeBackend *be, void *y, PeDtype type, const float *x,
          const float *shift, const float *w, const float *b, int rows, int d,
          float eps)
{
    gint64 start = g_get_monotonic_time();
    timed(be)->layernorm(be, y, type, x, shift, w, b, rows, d, eps);
    add(be, start, 0, "norm of %d x %d", rows, d);
}

static void
patchify(PeBackend *be, void *y, PeSlot *const *slots, int b, int patch,
         int k_padded)
{
    gint64 start = g_get_monotonic_time();
    timed(be)->patchify(be, y, slots, b, patch, k_padded);
    add(be, start, 0, "patches of %d images", b);
}

static void
tokens(PeBackend *be, float *x, const float *patches, const float *cls,
       const float *pos, int b, int np, int d)
{
    gint64 start = g_get_monotonic_time();
    timed(be)->tokens(be, x, patches, cls, pos, b, np, d);
    add(be, start, 0, "tokens of %d x %d", b * np, d);
}

static void
begin(PeCpu *cpu)
{
    struct PeProfile *p = cpu->profile = g_new0(struct PeProfile, 1);
    p->timed = cpu->ops;
    cpu->ops.linear = linear;
    cpu->ops.attention = attention;
    cpu->ops.pool = pool;
    cpu->ops.layernorm = layernorm;
    cpu->ops.patchify = patchify;
    cpu->ops.tokens = tokens;
}

static int
compare_seconds(const void *a, const void *b)
{
    double d =
        ((const PeOperation *)b)->seconds - ((const PeOperation *)a)->seconds;
    return (d > 0) - (d < 0);
}

int
pe_cpu_profile(PeBackend *be, PeOperation *operations, int n)
{
    PeCpu *cpu = (PeCpu *)be;
    if (!cpu->profile) {
        begin(cpu);
        return 0;
    }
    struct PeProfile *p = cpu->profile;
    int n_found = p->n;
    qsort(p->operations, (size_t)n_found, sizeof *operations, compare_seconds);
    if (n > 0)
        memcpy(operations, p->operations,
               (size_t)MIN(n, n_found) * sizeof *operations);
    memset(p->operations, 0, sizeof p->operations);
    p->n = 0;
    return n_found;
}

void
pe_cpu_profile_clear(PeCpu *cpu)
{
    g_free(cpu->profile);
}

// ---- The peak -------------------------------------------------------------

typedef struct {
    double (*peak)(PeDtype act);
    PeDtype act;
    double *flops; // [n_threads]
} Peak;

static void
run_peak(void *data, int task, int lane)
{
    const Peak *p = data;
    p->flops[task] = p->peak(p->act);
}

// As many tasks as threads, all at once: what the cores reach together. A
// thread that comes too late finds no task, and one that has time takes two;
// both are rates of a core.
double
pe_cpu_peak_flops(PeBackend *be, int n_threads)
{
    PeCpu *cpu = (PeCpu *)be;
    if (!cpu->peak)
        return 0;
    int n = n_threads > 0 ? n_threads : cpu->n_threads;
    g_autofree double *flops = g_new0(double, n);
    PeDtype narrow = cpu->int8_row_bytes == 1 ? PE_DTYPE_U8 : PE_DTYPE_I16;
    Peak p = {cpu->peak, cpu->int8_wide ? narrow : be->act, flops};
    pe_threads_run(n, n, run_peak, &p);
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += flops[i];
    return sum;
}
