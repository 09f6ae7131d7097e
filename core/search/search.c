// SPDX-License-Identifier: LGPL-2.1-or-later
//
// search.c - see pesearch.h. The rows are read once, by all threads, and
// compared in single precision. What comes close to the best so far is summed
// again in double precision, and only that decides: so every variant and any
// number of threads give the same hits.

#include "search.h"

#include <math.h>

#include "core/base/cores.h"
#include "core/base/threads.h"
#include "hits.h"

#define TASK_ROWS (8 * PE_DOTS_ROWS) // 2 MiB of 1024 values

typedef struct {
    const PeRows *rows;
    const PeSearch *search;
    const PeDotsLoops *loops;
    size_t n;      // rows to look at
    float margin;  // that a sum in single precision may be off
    PeBest *bests; // [n_threads, n_queries]
} Scan;

static uint64_t
get_row(const Scan *s, size_t i)
{
    return s->search->selected ? s->search->selected[i] : i;
}

static void
look_closer(const Scan *s, PeBest *best, uint64_t row, int query)
{
    size_t dim = (size_t)s->rows->dim;
    double similarity = s->loops->dot_exact(
        s->rows->values + row * dim, s->search->queries + (size_t)query * dim,
        s->rows->dim);
    if (isfinite(similarity))
        pe_best_add(best, (PeCandidate){row, similarity});
}

// Rows first .. first + n - 1 of those to look at.
static void
scan_rows(const Scan *s, size_t first, int n, PeBest *bests, float *sums)
{
    const uint16_t *rows[PE_DOTS_ROWS + PE_DOTS_AHEAD];
    size_t dim = (size_t)s->rows->dim;
    size_t left = s->n - first - (size_t)n;
    int n_ahead = (int)MIN(left, PE_DOTS_AHEAD);
    for (int i = 0; i < n + n_ahead; i++)
        rows[i] = s->rows->values + get_row(s, first + (size_t)i) * dim;
    s->loops->dots(rows, n, n_ahead, s->search->queries, s->search->n_queries,
                   s->rows->dim, sums);
    for (int q = 0; q < s->search->n_queries; q++) {
        const float *sum = sums + q * PE_DOTS_ROWS;
        double limit = pe_best_get_limit(&bests[q]) - (double)s->margin;
        for (int i = 0; i < n; i++) {
            if (!((double)sum[i] >= limit))
                continue;
            look_closer(s, &bests[q], get_row(s, first + (size_t)i), q);
            limit = pe_best_get_limit(&bests[q]) - (double)s->margin;
        }
    }
}

static void
scan_task(void *data, int task, int lane)
{
    const Scan *s = data;
    int n_queries = s->search->n_queries;
    size_t first = (size_t)task * TASK_ROWS;
    size_t end = MIN(s->n, first + TASK_ROWS);
    g_autofree float *sums = g_new(float, (size_t)n_queries *PE_DOTS_ROWS);
    for (size_t i = first; i < end; i += PE_DOTS_ROWS)
        scan_rows(s, i, (int)MIN(PE_DOTS_ROWS, end - i),
                  s->bests + (size_t)lane * (size_t)n_queries, sums);
}

// The best of all threads, into the first one's.
static void
merge(Scan *s, int n_threads)
{
    int n_queries = s->search->n_queries;
    for (int t = 1; t < n_threads; t++) {
        for (int q = 0; q < n_queries; q++) {
            const PeBest *from = &s->bests[t * n_queries + q];
            for (int i = 0; i < from->n; i++)
                pe_best_add(&s->bests[q], from->items[i]);
        }
    }
}

static void
write_hits(Scan *s, PeHit *hits, int *n_hits)
{
    int top_k = s->search->top_k;
    for (int q = 0; q < s->search->n_queries; q++) {
        PeBest *best = &s->bests[q];
        pe_best_sort(best);
        n_hits[q] = best->n;
        for (int i = 0; i < best->n; i++)
            hits[(size_t)q * (size_t)top_k + (size_t)i] =
                (PeHit){best->items[i].row, (float)best->items[i].similarity};
    }
}

void
pe_search_with(const PeDotsLoops *loops, const PeRows *rows,
               const PeSearch *search, PeHit *hits, int *n_hits)
{
    int n_threads = search->n_threads ? search->n_threads : pe_cores_count();
    size_t n_bests = (size_t)n_threads * (size_t)search->n_queries;
    size_t n = search->selected ? search->n_selected : rows->n;
    size_t size = MIN((size_t)search->top_k, n);
    g_autofree PeBest *bests = g_new(PeBest, n_bests);
    g_autofree PeCandidate *items = g_new(PeCandidate, n_bests * size);
    for (size_t i = 0; i < n_bests; i++)
        bests[i] = (PeBest){items + i * size, 0, (int)size};
    Scan s = {rows, search, loops, n, 0, bests};
    // Higham 2002, "Accuracy and Stability of Numerical Algorithms", 3.1: n u
    // times the sum of absolute products, at most 1 for two unit vectors; the
    // rounding of the row's values makes it hardly longer.
    s.margin = 1.1f * (float)rows->dim * 0x1p-24f;
    int n_tasks = (int)((n + TASK_ROWS - 1) / TASK_ROWS);
    if (size > 0)
        pe_threads_run(n_threads, n_tasks, scan_task, &s);
    merge(&s, n_threads);
    write_hits(&s, hits, n_hits);
}

void
pe_search(const PeRows *rows, const PeSearch *search, PeHit *hits, int *n_hits)
{
    g_return_if_fail(rows && rows->dim > 0 && search && search->top_k > 0);
    pe_search_with(pe_dots_loops(pe_dots_best()), rows, search, hits, n_hits);
}
