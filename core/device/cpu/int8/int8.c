// SPDX-License-Identifier: LGPL-2.1-or-later
//
// int8.c - see int8.h: the weights, which all variants share, and the product
// in plain C.

#include "int8.h"

#include <glib.h>
#include <math.h>

#include "core/base/threads.h"

struct PeInt8 {
    PeBackendOps wide; // the table before
};

// ---- Weights --------------------------------------------------------------

// Rows are summed up in so many groups, whatever the number of threads, so that
// the scales have the same bits everywhere.
#define GROUPS 16

typedef struct {
    const PeLinearParams *params;
    PeLinear *l;
    int columns; // of a panel, and rows of a task
    float *rows; // [lanes][columns, k]
    float *sums; // [GROUPS][k]
} Packing;

// n rows of the weight.
static float *
read_rows(const Packing *p, int lane, int first, int n)
{
    float *rows = p->rows + (size_t)lane * p->columns * p->l->k;
    pe_linear_weight_rows(p->params, first, n, rows);
    return rows;
}

// Columns of the rows of a group.
static void
sum_group(void *data, int task, int lane)
{
    const Packing *p = data;
    int k = p->l->k, n = p->l->n;
    float *sums = p->sums + (size_t)task * k;
    for (int i = task * n / GROUPS; i < (task + 1) * n / GROUPS; i++) {
        const float *row = read_rows(p, lane, i, 1);
        float total = 0;
        for (int j = 0; j < k; j++)
            total += fabsf(row[j]);
        for (int j = 0; total > 0 && j < k; j++)
            sums[j] += fabsf(row[j]) / total;
    }
}

static void
find_in_scales(const Packing *p, int n_threads)
{
    float *s = p->l->in_scales;
    pe_threads_run(n_threads, GROUPS, sum_group, (void *)p);
    memset(s, 0, (size_t)p->l->k * sizeof *s);
    for (int g = 0; g < GROUPS; g++) {
        for (int j = 0; j < p->l->k; j++)
            s[j] += p->sums[(size_t)g * p->l->k + j];
    }
}

// Larger scales first.
static int
compare_columns(const void *a, const void *b, void *in_scales)
{
    int i = *(const int *)a, j = *(const int *)b;
    const float *s = in_scales;
    return s[i] != s[j] ? (s[i] < s[j] ? 1 : -1) : i - j;
}

static void
find_finer(PeLinear *l)
{
    g_autofree int *columns = g_new(int, l->k);
    for (int j = 0; j < l->k; j++)
        columns[j] = j;
    g_qsort_with_data(columns, l->k, sizeof *columns, compare_columns,
                      l->in_scales);
    memcpy(l->finer, columns, (size_t)pe_int8_n_finer(l->k) * sizeof *columns);
}

// Column j of a row in units of its scale.
static float
get_value(const PeLinear *l, const float *row, int j, float col_scale)
{
    float s = l->in_scales[j];
    return s > 0 && col_scale > 0 ? row[j] / s / col_scale : 0;
}

static void
put_byte(const Packing *p, int8_t *to, int j, float v)
{
    to[(size_t)(j / 2) * p->columns * 2 + j % 2] =
        (int8_t)CLAMP(lrintf(v), -127, 127);
}

static void
pack_row(const Packing *p, const float *row, float *col_scale, int8_t *to)
{
    const PeLinear *l = p->l;
    float most = 0;
    for (int j = 0; j < l->k; j++)
        most = fmaxf(most, fabsf(get_value(l, row, j, 1)));
    *col_scale = most / 127;
    for (int j = 0; j < l->k; j++)
        put_byte(p, to, j, get_value(l, row, j, *col_scale));
    for (int i = 0; i < pe_int8_n_finer(l->k); i++) {
        float v = get_value(l, row, l->finer[i], *col_scale);
        put_byte(p, to, l->k + i, (v - rintf(v)) * PE_INT8_DIGIT);
    }
}

static void
pack_panel(void *data, int task, int lane)
{
    const Packing *p = data;
    int k = p->l->k, first = task * p->columns;
    int n = MIN(p->columns, p->l->n - first);
    const float *rows = read_rows(p, lane, first, n);
    size_t size = pe_int8_panel_size(p->columns, k);
    int8_t *panel = (int8_t *)p->l->weight + (size_t)task * size;
    memset(panel, 0, size);
    for (int i = 0; i < n; i++)
        pack_row(p, rows + (size_t)i * k, &p->l->col_scales[first + i],
                 panel + (size_t)i * 2);
}

static bool
allocate(PeLinear *l, int columns)
{
    size_t panels = (size_t)((l->n + columns - 1) / columns);
    l->weight = pe_block_alloc(panels * pe_int8_panel_size(columns, l->k));
    l->col_scales = pe_block_alloc((size_t)l->n * sizeof(float));
    l->in_scales = pe_block_alloc((size_t)l->k * sizeof(float));
    l->finer =
        pe_block_alloc(MAX((size_t)pe_int8_n_finer(l->k), 1) * sizeof(int));
    return l->weight && l->col_scales && l->in_scales && l->finer;
}

static void
pack(PeCpu *cpu, PeLinear *l, const PeLinearParams *params)
{
    size_t lanes = (size_t)cpu->n_threads, k = (size_t)l->k;
    int columns = cpu->int8_columns;
    int n_tasks = (l->n + columns - 1) / columns;
    g_autofree float *rows = g_new(float, lanes *(size_t)columns *k);
    g_autofree float *sums = g_new0(float, GROUPS *k);
    Packing p = {params, l, columns, rows, sums};
    find_in_scales(&p, cpu->n_threads);
    find_finer(l);
    pe_threads_run(cpu->n_threads, n_tasks, pack_panel, &p);
}

// Those of the blocks.
static bool
is_narrow(const PeLinearParams *params)
{
    return params->epilogue == PE_EPILOGUE_ROPE ||
           params->epilogue == PE_EPILOGUE_GELU ||
           params->epilogue == PE_EPILOGUE_RESIDUAL;
}

static PeLinear *
linear_new(PeBackend *be, const PeLinearParams *params)
{
    PeCpu *cpu = (PeCpu *)be;
    if (!is_narrow(params))
        return cpu->int8->wide.linear_new(be, params);
    PeLinear *l = pe_linear_new_unpacked(params);
    if (!l)
        return NULL;
    if (!allocate(l, cpu->int8_columns)) {
        pe_linear_free_c(be, l);
        return NULL;
    }
    pack(cpu, l, params);
    return l;
}

// ---- The product ----------------------------------------------------------

// Returns what a step of the row is worth; NAN: it is not finite, and p has
// nothing.
static float
round_row(const PeLinear *l, const float *x, int16_t *p)
{
    float most = 0, inverse;
    bool finite = true;
    for (int j = 0; j < l->k; j++) {
        float v = x[j] * l->in_scales[j];
        finite &= isfinite(v) != 0;
        most = fmaxf(most, fabsf(v));
    }
    float step = pe_int8_step(most, finite, l->k, &inverse);
    for (int j = 0; finite && j < l->k; j++)
        p[j] = pe_int8_round(x[j] * l->in_scales[j] * inverse);
    for (int i = 0; finite && i < pe_int8_n_finer(l->k); i++) {
        int j = l->finer[i];
        p[l->k + i] =
            pe_int8_round(x[j] * l->in_scales[j] * inverse / PE_INT8_DIGIT);
    }
    return step;
}

static void
multiply_c(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
           const PeRope *rope, void *y, const void *x, int rows)
{
    size_t n = (size_t)l->n, k = (size_t)l->k;
    size_t length = (size_t)pe_int8_length(l->k);
    size_t size = pe_int8_panel_size(1, l->k);
    g_autofree int16_t *p = g_new0(int16_t, length);
    for (size_t r = 0; r < (size_t)rows; r++) {
        float step = round_row(l, (const float *)x + r * k, p);
        for (size_t i = 0; i < n; i++) {
            const int8_t *q = (const int8_t *)l->weight + i * size;
            int32_t sum = 0;
            for (size_t j = 0; j < length; j++)
                sum += p[j] * q[j];
            float bias = l->bias ? l->bias[i] : 0;
            pe_linear_finish_c(be->act, epilogue, y, r * n + i,
                               (float)sum * step * l->col_scales[i] + bias);
        }
    }
    if (epilogue == PE_EPILOGUE_ROPE)
        pe_rope_c(be, y, rope, rows, l->n / 3);
}

static void
linear(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
       const PeRope *rope, void *y, const void *x, int rows)
{
    PeCpu *cpu = (PeCpu *)be;
    if (l->in_scales)
        cpu->int8_linear(be, l, epilogue, rope, y, x, rows);
    else
        cpu->int8->wide.linear(be, l, epilogue, rope, y, x, rows);
}

void
pe_int8_init(PeCpu *cpu)
{
    cpu->int8 = g_new0(struct PeInt8, 1);
    cpu->int8->wide = cpu->ops;
    if (!cpu->int8_linear) {
        cpu->int8_linear = multiply_c;
        cpu->int8_columns = 1;
    }
    cpu->ops.linear_new = linear_new;
    cpu->ops.linear = linear;
}

void
pe_int8_clear(PeCpu *cpu)
{
    g_free(cpu->int8);
}
