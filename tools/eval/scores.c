// SPDX-License-Identifier: LGPL-2.1-or-later
//
// scores.c - see scores.h.

#include "scores.h"

#include <glib.h>

// Rows that share the reading of a column: one at a time, the columns would
// come from memory for each of them.
#define BLOCK 8

typedef struct {
    const double *rows, *columns;
    size_t n_rows, n_columns, dim;
    ScoresFunc func;
    void *user_data;
    gint next; // block of rows
} Scores;

// Four sums, because one would wait for each addition to end.
static double
dot(const double *a, const double *b, size_t dim)
{
    double sums[4] = {0};
    size_t i = 0;
    for (; i + 4 <= dim; i += 4) {
        for (size_t j = 0; j < 4; j++)
            sums[j] += a[i + j] * b[i + j];
    }
    for (; i < dim; i++)
        sums[0] += a[i] * b[i];
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// The scores of n rows from `first` on: scores [n, n_columns].
static void
fill_block(const Scores *s, size_t first, size_t n, double *scores)
{
    for (size_t i = 0; i < s->n_columns; i++) {
        for (size_t k = 0; k < n; k++)
            scores[k * s->n_columns + i] = dot(s->rows + (first + k) * s->dim,
                                               s->columns + i * s->dim, s->dim);
    }
}

static void *
work(void *data)
{
    Scores *s = data;
    g_autofree double *scores = g_new(double, BLOCK * s->n_columns);
    for (;;) {
        size_t first = (size_t)g_atomic_int_add(&s->next, 1) * BLOCK;
        if (first >= s->n_rows)
            return NULL;
        size_t n = MIN(BLOCK, s->n_rows - first);
        fill_block(s, first, n, scores);
        for (size_t k = 0; k < n; k++)
            s->func(first + k, scores + k * s->n_columns, s->user_data);
    }
}

void
scores_for_each_row(const double *rows, size_t n_rows, const double *columns,
                    size_t n_columns, size_t dim, ScoresFunc func,
                    void *user_data)
{
    Scores s = {rows, columns, n_rows, n_columns, dim, func, user_data, 0};
    guint n = MIN(g_get_num_processors(), 64);
    GThread *threads[64];
    for (guint i = 0; i < n; i++)
        threads[i] = g_thread_new("scores", work, &s);
    for (guint i = 0; i < n; i++)
        g_thread_join(threads[i]);
}
