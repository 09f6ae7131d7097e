// SPDX-License-Identifier: LGPL-2.1-or-later
//
// int8.c - see int8.h: the weights, which all variants share, and the product
// in plain C.

#include "int8.h"

#include <glib.h>
#include <math.h>

#include "core/base/threads.h"
#include "core/device/weight.h"

// Scales and rows are so many numbers longer than they need, for any vector.
#define MOST_OF_A_VECTOR 16

// ---- The rotation ---------------------------------------------------------

void
pe_int8_turn_c(float *row, int length, int block)
{
    for (int half = 1; half < block; half *= 2) {
        for (int i = 0; i < length; i += 2 * half) {
            for (int j = i; j < i + half; j++) {
                float a = row[j], b = row[j + half];
                row[j] = a + b;
                row[j + half] = a - b;
            }
        }
    }
}

// ---- Weights --------------------------------------------------------------

// Rows are summed up in so many groups, whatever the number of threads, so that
// the scales have the same bits everywhere.
#define GROUPS 16

typedef struct {
    const PeCpu *cpu;
    const PeLinearParams *params;
    PeLinear *l;
    size_t stride; // of what a lane has of `rows`
    float *rows;   // [lanes][int8_columns][k], and a turned one
    float *sums;   // [GROUPS][k]
} Packing;

// n rows of the weight.
static float *
read_rows(const Packing *p, int lane, int first, int n)
{
    float *rows = p->rows + (size_t)lane * p->stride;
    pe_weight_rows(p->params, first, n, rows);
    return rows;
}

// Columns of the rows of a group.
static void
sum_group(void *data, int task, int lane)
{
    const Packing *p = data;
    int k = p->l->k, n = p->l->n;
    float *sums = p->sums + (size_t)task * (size_t)k;
    for (int i = task * n / GROUPS; i < (task + 1) * n / GROUPS; i++) {
        pe_int8_add_row(read_rows(p, lane, i, 1), k, sums);
    }
}

static void
find_in_scales(const Packing *p, int n_threads)
{
    float *s = p->l->in_scales;
    pe_threads_run(n_threads, GROUPS, sum_group, (void *)p);
    for (int g = 0; g < GROUPS; g++) {
        for (int j = 0; j < p->l->k; j++)
            s[j] += p->sums[(size_t)g * (size_t)p->l->k + j];
    }
    for (int j = 0; j < p->l->k; j++)
        s[j] = pe_int8_scale(p->params, j, s[j]);
}

// A row of the weight, scaled and turned.
static void
turn_weight(const Packing *p, const float *row, float *turned)
{
    const PeLinear *l = p->l;
    int length = pe_int8_length(l->k), block = pe_int8_block(l->k);
    for (int j = 0; j < l->k; j++) {
        float s = l->in_scales[j] * (float)block;
        turned[j] = s != 0 ? row[j] / s : 0;
    }
    memset(turned + l->k, 0, (size_t)(length - l->k) * sizeof *turned);
    p->cpu->int8_turn(turned, length, block);
}

// A row of the weight to column `at` of a panel.
static void
pack_row(const Packing *p, const float *v, int row, int8_t *panel, int at)
{
    int length = pe_int8_length(p->l->k), n = pe_int8_per_word(p->cpu);
    int8_t *to = panel + (size_t)at * (size_t)n;
    float most = 0;
    for (int j = 0; j < length; j++)
        most =
            fabsf(v[j]) > most ? fabsf(v[j]) : most; // unlike fmaxf(), inline
    float inverse = most < PE_INT8_LEAST ? 0 : 127 / most;
    int32_t sum = 0;
    for (int j = 0; j < length; j++) {
        int16_t q = pe_int8_round(v[j] * inverse);
        to[(size_t)(j / n) * p->cpu->int8_columns * n + j % n] = (int8_t)q;
        sum += q;
    }
    p->l->col_scales[row] = most < PE_INT8_LEAST ? 0 : most / 127;
    p->l->col_offsets[row] =
        p->cpu->int8_row_bytes == 1 ? PE_INT8_OFFSET * sum : 0;
}

static void
pack_panel(void *data, int task, int lane)
{
    const Packing *p = data;
    int k = p->l->k, columns = p->cpu->int8_columns, first = task * columns;
    int n = MIN(columns, p->l->n - first);
    float *rows = read_rows(p, lane, first, n);
    float *turned = rows + (size_t)columns * (size_t)k;
    size_t size = pe_int8_panel_size(p->cpu, k);
    int8_t *panel = (int8_t *)p->l->weight + (size_t)task * size;
    memset(panel, 0, size);
    for (int i = 0; i < n; i++) {
        turn_weight(p, rows + (size_t)i * k, turned);
        pack_row(p, turned, first + i, panel, i);
    }
}

static bool
allocate(const PeCpu *cpu, PeLinear *l)
{
    int columns = cpu->int8_columns, length = pe_int8_length(l->k);
    size_t panels = (size_t)((l->n + columns - 1) / columns);
    size_t n_scales = (size_t)(length + MOST_OF_A_VECTOR);
    l->weight = pe_block_alloc(panels * pe_int8_panel_size(cpu, l->k));
    l->col_scales = pe_block_alloc((size_t)l->n * sizeof(float));
    l->col_offsets = pe_block_alloc((size_t)l->n * sizeof(int32_t));
    l->in_scales = pe_block_alloc(n_scales * sizeof(float));
    if (!l->weight || !l->col_scales || !l->col_offsets || !l->in_scales)
        return false;
    l->row_limit = pe_int8_limit(cpu, l->k);
    memset(l->in_scales, 0, n_scales * sizeof(float));
    return true;
}

static void
pack(PeCpu *cpu, PeLinear *l, const PeLinearParams *params)
{
    int columns = cpu->int8_columns;
    size_t stride = (size_t)columns * (size_t)l->k +
                    (size_t)pe_int8_length(l->k) + MOST_OF_A_VECTOR;
    g_autofree float *rows = g_new(float, (size_t)cpu->n_threads *stride);
    g_autofree float *sums = g_new0(float, GROUPS *(size_t)l->k);
    Packing p = {cpu, params, l, stride, rows, sums};
    find_in_scales(&p, cpu->n_threads);
    pe_threads_run(cpu->n_threads, (l->n + columns - 1) / columns, pack_panel,
                   &p);
}

static PeLinear *
linear_new(PeBackend *be, const PeLinearParams *params)
{
    PeCpu *cpu = (PeCpu *)be;
    if (!pe_int8_takes(params, PE_INT8_MAX_LENGTH))
        return cpu->int8_wide->linear_new(be, params);
    PeLinear *l = pe_linear_new_unpacked(params);
    if (!l)
        return NULL;
    if (!allocate(cpu, l)) {
        pe_linear_free_c(be, l);
        return NULL;
    }
    pack(cpu, l, params);
    return l;
}

// ---- The product ----------------------------------------------------------

// Row x [k] of type act to p [length]; u [length] is room. Returns what a step
// is worth; NAN: the row is not finite, and p has nothing.
static float
round_row(const PeCpu *cpu, const PeLinear *l, const void *x, size_t at,
          float *u, int16_t *p)
{
    int length = pe_int8_length(l->k);
    float most = 0, inverse;
    bool finite = true;
    for (int j = 0; j < length; j++) {
        float v = j < l->k ? pe_act_get(cpu->be.act, x, at + (size_t)j) : 0;
        u[j] = v * l->in_scales[j];
    }
    pe_int8_turn_c(u, length, pe_int8_block(l->k));
    for (int j = 0; j < length; j++) {
        finite &= isfinite(u[j]) != 0;
        most = fmaxf(most, fabsf(u[j]));
    }
    float step = pe_int8_step(most, finite, l->row_limit, &inverse);
    for (int j = 0; finite && j < length; j++)
        p[j] = pe_int8_round(u[j] * inverse);
    return step;
}

static void
multiply_c(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
           const PeRope *rope, void *y, const void *x, int rows)
{
    const PeCpu *cpu = (const PeCpu *)be;
    size_t n = (size_t)l->n, k = (size_t)l->k;
    size_t length = (size_t)pe_int8_length(l->k);
    size_t size = pe_int8_panel_size(cpu, l->k);
    g_autofree int16_t *p = g_new0(int16_t, length);
    g_autofree float *u = g_new(float, length);
    for (size_t r = 0; r < (size_t)rows; r++) {
        float step = round_row(cpu, l, x, r * k, u, p);
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
    if (l->col_scales)
        cpu->int8_linear(be, l, epilogue, rope, y, x, rows);
    else
        cpu->int8_wide->linear(be, l, epilogue, rope, y, x, rows);
}

void
pe_int8_init(PeCpu *cpu)
{
    cpu->int8_wide = g_memdup2(&cpu->ops, sizeof cpu->ops);
    if (!cpu->int8_linear) {
        cpu->int8_linear = multiply_c;
        cpu->int8_turn = pe_int8_turn_c;
        cpu->int8_columns = 1;
        cpu->int8_row_bytes = 2;
    }
    cpu->ops.linear_new = linear_new;
    cpu->ops.linear = linear;
}
