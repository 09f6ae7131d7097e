// SPDX-License-Identifier: LGPL-2.1-or-later
//
// products.c - see products.h and, for the loops, score_simd.h.

#include "products.h"

#include <glib.h>

#include "core/base/threads.h"
#include "score_simd.h"

// Multiply-adds that are worth another thread, and that a task has then.
#define MIN_SHARED ((size_t)4 << 20)
#define TASK_ROWS 512
#define MAX_THREADS 4 // more do not make memory faster

const PeScoreLoops *
pe_score_loops(PeDots variant)
{
    if (!pe_dots_loops(variant))
        return NULL;
    switch (variant) {
#ifdef PE_HAVE_X86
    case PE_DOTS_AVX2:
        return &pe_score_loops_avx2;
    case PE_DOTS_AVX512:
        return &pe_score_loops_avx512;
#endif
    default:
        return &pe_score_loops_c;
    }
}

// ---- Threads --------------------------------------------------------------

typedef struct {
    const PeScoreLoops *loops;
    const PeDotsLoops *dots; // of `halves`; NULL: of `m`
    const float *m, *x;
    const uint16_t *halves;
    float *y;
    size_t n, dim;
} Work;

static void
multiply_halves(const Work *w, size_t first, size_t n)
{
    const uint16_t *rows[PE_DOTS_ROWS];
    for (size_t i = first; i < first + n; i += PE_DOTS_ROWS) {
        size_t count = MIN(first + n - i, PE_DOTS_ROWS);
        for (size_t k = 0; k < count; k++)
            rows[k] = w->halves + (i + k) * w->dim;
        w->dots->dots(rows, (int)count, 0, w->x, 1, (int)w->dim, w->y + i);
    }
}

static void
run_task(void *data, int task, int lane)
{
    const Work *w = data;
    size_t first = (size_t)task * TASK_ROWS;
    size_t n = MIN(w->n - first, TASK_ROWS);
    if (w->dots)
        multiply_halves(w, first, n);
    else
        w->loops->products(w->m + first * w->dim, n, w->x, 1, w->dim, NULL,
                           w->y + first, n);
}

static void
share(Work *w)
{
    int n_tasks = (int)((w->n + TASK_ROWS - 1) / TASK_ROWS);
    pe_threads_run(MAX_THREADS, n_tasks, run_task, w);
}

// ---- Products -------------------------------------------------------------

bool
pe_products_are_many(size_t n, size_t dim)
{
    return n * dim >= MIN_SHARED;
}

void
pe_products(const float *m, size_t n, size_t dim, const float *x, float *y)
{
    const PeScoreLoops *loops = pe_score_loops(pe_dots_best());
    Work work = {.loops = loops, .m = m, .x = x, .y = y, .n = n, .dim = dim};
    if (pe_products_are_many(n, dim))
        share(&work);
    else
        loops->products(m, n, x, 1, dim, NULL, y, n);
}

void
pe_products_of_halves(const uint16_t *halves, size_t n, size_t dim,
                      const float *x, float *y)
{
    Work work = {.dots = pe_dots_loops(pe_dots_best()),
                 .halves = halves,
                 .x = x,
                 .y = y,
                 .n = n,
                 .dim = dim};
    share(&work);
}
