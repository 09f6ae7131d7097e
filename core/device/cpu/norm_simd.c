// SPDX-License-Identifier: LGPL-2.1-or-later
//
// norm_simd.c - layer norm and conversion; see norm.c and tokens.c for the
// definitions. Both are bound by memory: a row is read once from there and
// stays in the first cache for the other passes.

#include "simd.h"

#include "core/base/threads.h"

#include <glib.h>

#define TASK_ROWS 16

INLINE void
layernorm_row(PeDtype type, void *y, size_t at, const float *x, const float *w,
              const float *b, int d, float eps)
{
    Vec sum = splat(0), squares = splat(0);
    for (int i = 0; i < d; i += VF)
        sum += load_left(x + i, d - i);
    float mean = sum_of(sum) / (float)d;
    int i = 0;
    for (; i + VF <= d; i += VF) {
        Vec v = load(x + i) - mean;
        squares += v * v;
    }
    float rest = 0;
    for (; i < d; i++)
        rest += (x[i] - mean) * (x[i] - mean);
    float scale = 1 / sqrtf((sum_of(squares) + rest) / (float)d + eps);
    for (i = 0; i + VF <= d; i += VF) {
        Vec v = (load(x + i) - mean) * scale;
        store_act(type, y, at + i, w ? v * load(w + i) + load(b + i) : v);
    }
    for (; i < d; i++) {
        float v = (x[i] - mean) * scale;
        pe_act_set(type, y, at + i, w ? v * w[i] + b[i] : v);
    }
}

typedef struct {
    void *y;
    PeDtype type;
    const float *x, *w, *b;
    int rows, d;
    float eps;
} Norm;

static void
layernorm_rows(void *data, int task, int lane)
{
    const Norm *n = data;
    int first = task * TASK_ROWS, end = MIN(first + TASK_ROWS, n->rows);
    for (int r = first; r < end; r++) {
        size_t at = (size_t)r * (size_t)n->d;
        const float *x = n->x + at;
        if (n->type == PE_DTYPE_BF16)
            layernorm_row(PE_DTYPE_BF16, n->y, at, x, n->w, n->b, n->d, n->eps);
        else
            layernorm_row(PE_DTYPE_F32, n->y, at, x, n->w, n->b, n->d, n->eps);
    }
}

static void
layernorm(PeBackend *be, void *y, PeDtype type, const float *x,
          const float *shift, const float *w, const float *b, int rows, int d,
          float eps)
{
    if (shift) { // never on the CPU, see PeBackend.shifts_norms
        pe_layernorm_c(be, y, type, x, shift, w, b, rows, d, eps);
        return;
    }
    Norm n = {y, type, x, w, b, rows, d, eps};
    pe_threads_run(pe_cpu_threads(be, (double)rows * d),
                   (rows + TASK_ROWS - 1) / TASK_ROWS, layernorm_rows, &n);
}

static void
convert(PeBackend *be, void *y, const float *x, size_t n)
{
    if (be->act == PE_DTYPE_F32) {
        memcpy(y, x, n * sizeof *x);
        return;
    }
    size_t i = 0;
    for (; i + VF <= n; i += VF)
        store_bf16((uint16_t *)y + i, load(x + i));
    for (; i < n; i++)
        pe_act_set(PE_DTYPE_BF16, y, i, x[i]);
}

void
PE_SIMD(pe_norm_init)(PeCpu *cpu)
{
    cpu->ops.layernorm = layernorm;
    cpu->ops.convert = convert;
}
