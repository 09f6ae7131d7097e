// SPDX-License-Identifier: LGPL-2.1-or-later
//
// rows.c - see rows.h.

#include "rows.h"

#include "core/base/cores.h"
#include "core/base/threads.h"
#include "core/device/narrow.h"

#include <glib.h>

// Rows of one task.
#define TASK_ROWS 64

typedef struct {
    const PeTensor *w;
    PeRowFunc func;
    void *data;
} Rows;

static void
run_rows(void *data, int task, int lane)
{
    const Rows *rows = data;
    int n = (int)rows->w->shape[0], k = (int)rows->w->shape[1];
    int first = task * TASK_ROWS, end = MIN(first + TASK_ROWS, n);
    g_autofree float *row = g_new(float, k);
    for (int i = first; i < end; i++) {
        PeTensor line = pe_tensor_rows(rows->w, i, 1);
        pe_tensor_to_f32(&line, row);
        rows->func(rows->data, i, row, k);
    }
}

void
pe_rows_run(const PeTensor *w, PeRowFunc func, void *data)
{
    Rows rows = {w, func, data};
    int n = (int)w->shape[0];
    pe_threads_run(pe_cores_count(), (n + TASK_ROWS - 1) / TASK_ROWS, run_rows,
                   &rows);
}

double
pe_rows_dot(const float *a, const float *b, int k)
{
    enum { LANES = 8 };
    double sums[LANES] = {0};
    int i = 0;
    for (; i + LANES <= k; i += LANES) {
        for (int j = 0; j < LANES; j++)
            sums[j] += (double)a[i + j] * b[i + j];
    }
    for (; i < k; i++)
        sums[0] += (double)a[i] * b[i];
    for (int j = 1; j < LANES; j++)
        sums[0] += sums[j];
    return sums[0];
}

// ---- Gains ------------------------------------------------------------------

typedef struct {
    float *gains;
    const float *g, *h, *b;
} Gains;

// |W x| is at most |W| |x|, and |x| at most sqrt(k).
static void
find_gain(void *data, int i, const float *row, int k)
{
    const Gains *a = data;
    double squares = 0, shift = a->b ? a->b[i] : 0;
    for (int j = 0; j < k; j++) {
        double v = (double)row[j] * (a->g ? a->g[j] : 1);
        squares += v * v;
    }
    if (a->h)
        shift += pe_rows_dot(row, a->h, k);
    a->gains[i] = pe_narrow_gain((float)(sqrt(squares * k) + fabs(shift)),
                                 PE_NARROW_ROOM);
}

void
pe_rows_find_gains(float *gains, const PeTensor *w, const float *g,
                   const float *h, const float *b, int first, int n)
{
    PeTensor rows = pe_tensor_rows(w, first, n);
    pe_rows_run(&rows, find_gain, &(Gains){gains, g, h, b ? b + first : NULL});
}
