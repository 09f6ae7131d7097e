// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pool_simd.c - attention pooling; see pool.c for the definition. Tokens are
// shared out for the scores, heads for the softmax, and channels for the sums.

#include "simd.h"

#include "core/base/threads.h"

#include <glib.h>

#define TOKENS 2       // that share loads of u
#define HEADS 4        // that share loads of x; the sums fill the registers
#define TASK_TOKENS 16 // of one task of the scores
#define SUM_HEADS 8    // that share loads of x in the weighted sums
#define CHANNELS 64    // of one task of these; a multiple of every VF
#define RUN 64         // tokens of CHANNELS channels stay in the first cache

typedef struct {
    float *scores; // [b, heads, n]
    const float *u;
    const void *x;
    int b, n, heads, d;
    PeDtype act;
    void *y;
    char *scratch; // `stride` bytes for each lane
    size_t stride;
} Pool;

// `tokens` x `heads` scores, both constants where this is inlined: of tokens
// i.. of an image, with heads h...
INLINE void
score(PeDtype act, const Pool *p, int tokens, int heads, int image, int i,
      int h)
{
    Vec sums[TOKENS * HEADS];
    size_t d = (size_t)p->d, n = (size_t)p->n;
    size_t row = ((size_t)image * n + (size_t)i) * d;
#pragma GCC unroll 8
    for (int j = 0; j < tokens * heads; j++)
        sums[j] = splat(0);
    for (int c = 0; c < p->d; c += VF) {
        Vec x[TOKENS];
#pragma GCC unroll 2
        for (int t = 0; t < tokens; t++)
            x[t] = load_act_left(act, p->x, row + (size_t)t * d + (size_t)c,
                                 p->d - c);
#pragma GCC unroll 4
        for (int j = 0; j < heads; j++) {
            Vec u = load_act_left(PE_DTYPE_F32, p->u,
                                  (size_t)(h + j) * d + (size_t)c, p->d - c);
#pragma GCC unroll 2
            for (int t = 0; t < tokens; t++)
                sums[t * heads + j] += x[t] * u;
        }
    }
    float *out = p->scores + ((size_t)image * p->heads + h) * n + i;
    for (int j = 0; j < tokens * heads; j++)
        out[(size_t)(j % heads) * n + j / heads] = sum_of(sums[j]);
}

INLINE void
score_heads(PeDtype act, const Pool *p, int tokens, int image, int i)
{
    int h = 0;
    for (; h + HEADS <= p->heads; h += HEADS)
        score(act, p, tokens, HEADS, image, i, h);
    for (; h < p->heads; h++)
        score(act, p, tokens, 1, image, i, h);
}

// Tokens from..to-1 of an image.
INLINE void
score_tokens(PeDtype act, const Pool *p, int image, int from, int to)
{
    int i = from;
    for (; i + TOKENS <= to; i += TOKENS)
        score_heads(act, p, TOKENS, image, i);
    for (; i < to; i++)
        score_heads(act, p, 1, image, i);
}

// Scores [n] to probabilities; `padded` is scratch, [n rounded up to VF].
static void
normalise(float *row, float *padded, int n)
{
    memcpy(padded, row, (size_t)n * sizeof *row);
    float scale = softmax2_row(PE_DTYPE_F32, padded, n, round_up(n, VF));
    for (int i = 0; i < n; i++)
        row[i] = padded[i] * scale;
}

// sums [heads, CHANNELS], heads constant where this is inlined, += tokens
// from..to-1 of `cols` channels from c on, weighted by p [heads, n].
INLINE void
add_tokens(PeDtype act, const Pool *pool, int heads, float *sums,
           const float *p, int image, int from, int to, int c, int cols)
{
    size_t d = (size_t)pool->d, n = (size_t)pool->n;
    size_t first = (size_t)image * n * d + (size_t)c;
    for (int at = 0; at < cols; at += VF) {
        Vec sum[SUM_HEADS];
#pragma GCC unroll 8
        for (int h = 0; h < heads; h++)
            sum[h] = load(sums + h * CHANNELS + at);
        for (int i = from; i < to; i++) {
            Vec x = load_act_left(act, pool->x, first + i * d + (size_t)at,
                                  cols - at);
#pragma GCC unroll 8
            for (int h = 0; h < heads; h++)
                sum[h] += p[h * n + i] * x;
        }
#pragma GCC unroll 8
        for (int h = 0; h < heads; h++)
            store(sums + h * CHANNELS + at, sum[h]);
    }
}

// Channels c.. of `heads` heads of an image, from head h on.
INLINE void
mix(PeDtype act, const Pool *pool, void *y, int heads, int image, int h, int c)
{
    float sums[SUM_HEADS * CHANNELS] = {0};
    size_t row = (size_t)image * pool->heads + h;
    const float *p = pool->scores + row * pool->n;
    int cols = MIN(CHANNELS, pool->d - c);
    for (int i = 0; i < pool->n; i += RUN)
        add_tokens(act, pool, heads, sums, p, image, i, MIN(i + RUN, pool->n),
                   c, cols);
    for (int j = 0; j < heads; j++) {
        size_t out = (row + j) * pool->d + c;
        for (int i = 0; i < cols; i += VF) {
            Vec v = load(sums + j * CHANNELS + i);
            if (cols - i < VF)
                store_act_n(act, y, out + i, cols - i, v);
            else
                store_act(act, y, out + i, v);
        }
    }
}

INLINE void
mix_heads(PeDtype act, const Pool *p, void *y, int image, int c)
{
    int h = 0;
    for (; h + SUM_HEADS <= p->heads; h += SUM_HEADS)
        mix(act, p, y, SUM_HEADS, image, h, c);
    for (; h < p->heads; h++)
        mix(act, p, y, 1, image, h, c);
}

// In the loops of all threads the type is a constant in each branch, so that no
// inner loop asks for it.

static int
tasks_of_image(int n, int of_task)
{
    return (n + of_task - 1) / of_task;
}

// A task is some tokens of an image.
static void
run_scores(void *data, int task, int lane)
{
    const Pool *p = data;
    int per_image = tasks_of_image(p->n, TASK_TOKENS);
    int image = task / per_image, from = task % per_image * TASK_TOKENS;
    int to = MIN(from + TASK_TOKENS, p->n);
    if (p->act == PE_DTYPE_BF16)
        score_tokens(PE_DTYPE_BF16, p, image, from, to);
    else
        score_tokens(PE_DTYPE_F32, p, image, from, to);
}

// A task is a head of an image.
static void
run_softmax(void *data, int task, int lane)
{
    const Pool *p = data;
    normalise(p->scores + (size_t)task * (size_t)p->n,
              (float *)(p->scratch + p->stride * (size_t)lane), p->n);
}

// A task is some channels of an image.
static void
run_sums(void *data, int task, int lane)
{
    const Pool *p = data;
    int per_image = tasks_of_image(p->d, CHANNELS);
    int image = task / per_image, c = task % per_image * CHANNELS;
    if (p->act == PE_DTYPE_BF16)
        mix_heads(PE_DTYPE_BF16, p, p->y, image, c);
    else
        mix_heads(PE_DTYPE_F32, p, p->y, image, c);
}

static void
pool_tokens(PeBackend *be, void *y, float *scores, const float *u,
            const void *x, int b, int n, int heads, int d)
{
    Pool p = {scores, u, x, b, n, heads, d, be->act, y};
    p.scratch = pe_cpu_scratch((PeCpu *)be, (size_t)(n + VF) * sizeof(float),
                               &p.stride);
    if (!p.scratch)
        return;
    int n_threads = pe_cpu_threads(be, 2.0 * b * n * heads * d / VF);
    pe_threads_run(n_threads, b * tasks_of_image(n, TASK_TOKENS), run_scores,
                   &p);
    pe_threads_run(n_threads, b * heads, run_softmax, &p);
    pe_threads_run(n_threads, b * tasks_of_image(d, CHANNELS), run_sums, &p);
}

void
PE_SIMD(pe_pool_init)(PeCpu *cpu)
{
    cpu->ops.pool = pool_tokens;
}
