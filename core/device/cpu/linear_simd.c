// SPDX-License-Identifier: LGPL-2.1-or-later
//
// linear_simd.c - the linear layer without oneDNN, and the rotation of q and k
// for both. See linear.c for the definitions.

#include "product_simd.h"

#include "core/base/threads.h"

#include <glib.h>

// Rows that share a panel while it is in the cache.
#define BLOCK_ROWS (4 * TILE_ROWS)

// Rows of one task of the rotation.
#define ROPE_ROWS 16

// Weights become panels [n / TILE_COLS][words][TILE_COLS], padded with zeros.
static void
pack_panel(PeDtype act, uint32_t *panel, const float *rows, int n, int k)
{
    int n_words = words_of(act, k);
    memset(panel, 0, (size_t)n_words * TILE_COLS * sizeof *panel);
    for (int c = 0; c < n; c++) {
        for (int j = 0; j < k; j++) {
            float v = rows[(size_t)c * k + j];
            if (act == PE_DTYPE_F32)
                memcpy(panel + (size_t)j * TILE_COLS + c, &v, sizeof v);
            else
                panel[(size_t)(j / 2) * TILE_COLS + c] |=
                    (uint32_t)pe_bf16_from_f32(v) << (j % 2 * 16);
        }
    }
}

static PeLinear *
linear_new(PeBackend *be, const PeLinearParams *params)
{
    PeLinear *l = pe_linear_new_unpacked(params);
    if (!l)
        return NULL;
    int n_words = words_of(be->act, l->k);
    size_t panel = (size_t)n_words * TILE_COLS;
    size_t n_panels = (size_t)(round_up(l->n, TILE_COLS) / TILE_COLS);
    l->weight = pe_block_alloc(panel * n_panels * sizeof(uint32_t));
    if (!l->weight) {
        be->ops->linear_free(be, l);
        return NULL;
    }
    g_autofree float *rows = g_new(float, TILE_COLS *(size_t)l->k);
    for (size_t i = 0; i < n_panels; i++) {
        int first = (int)i * TILE_COLS, n = MIN(TILE_COLS, l->n - first);
        pe_linear_weight_rows(params, first, n, rows);
        pack_panel(be->act, (uint32_t *)l->weight + i * panel, rows, n, l->k);
    }
    return l;
}

// x Phi(x), with erf to 1.5e-7. Source: Abramowitz and Stegun, 7.1.26.
INLINE Vec
gelu(Vec x)
{
    Vec z = vmax(x, -x) * 0.70710678f;
    Vec t = 1.0f / (1.0f + 0.3275911f * z);
    Vec p = t * 1.061405429f - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    Vec tail = 0.5f * p * t * exp_of(-z * z); // Phi(-|x|)
    Vec positive = vmax(x, splat(0));
    return positive - vmax(x, -x) * tail;
}

// n columns of one row, from c to y; `at` is the first element of y.
INLINE void
finish(PeDtype act, PeEpilogue epilogue, void *y, size_t at, const float *c,
       const float *bias, int n)
{
    for (int i = 0; i < n; i += VF) {
        int left = n - i;
        Vec v = load(c + i);
        if (bias)
            v += left < VF ? load_act_n(PE_DTYPE_F32, bias, i, left)
                           : load(bias + i);
        PeDtype type = act;
        if (epilogue == PE_EPILOGUE_GELU)
            v = gelu(v);
        else if (epilogue == PE_EPILOGUE_F32 ||
                 epilogue == PE_EPILOGUE_RESIDUAL)
            type = PE_DTYPE_F32;
        if (epilogue == PE_EPILOGUE_RESIDUAL)
            v += left < VF ? load_act_n(type, y, at + i, left)
                           : load_act(type, y, at + i);
        if (left < VF)
            store_act_n(type, y, at + i, left, v);
        else
            store_act(type, y, at + i, v);
    }
}

// A row of an odd number of bf16 does not begin on a word: copy rows apart.
static const char *
align_rows(const uint16_t *x, int rows, int k, char *copy, size_t stride)
{
    memset(copy, 0, (size_t)rows * stride);
    for (int r = 0; r < rows; r++)
        memcpy(copy + r * stride, x + (size_t)r * k, (size_t)k * 2);
    return copy;
}

typedef struct {
    const PeLinear *l;
    PeDtype act;
    PeEpilogue epilogue;
    void *y;
    const char *x;
    size_t x_stride; // bytes
    int rows;
} Product;

static void
run_block(const Product *p, int first, int rows, int panel)
{
    float c[BLOCK_ROWS * TILE_COLS];
    const PeLinear *l = p->l;
    PeDtype act = p->act;
    const char *x = p->x + (size_t)first * p->x_stride;
    int n_words = words_of(act, l->k), col = panel * TILE_COLS;
    const uint32_t *weight =
        (const uint32_t *)l->weight + (size_t)panel * n_words * TILE_COLS;
    int n = MIN(TILE_COLS, l->n - col);
    if (act == PE_DTYPE_BF16)
        multiply_panel(PE_DTYPE_BF16, rows, c, TILE_COLS, x, p->x_stride,
                       weight, n_words);
    else
        multiply_panel(PE_DTYPE_F32, rows, c, TILE_COLS, x, p->x_stride, weight,
                       n_words);
    for (int r = 0; r < rows; r++)
        finish(act, p->epilogue, p->y, (size_t)(first + r) * l->n + col,
               c + r * TILE_COLS, l->bias ? l->bias + col : NULL, n);
}

// A task is a panel.
static void
run_panel(void *data, int panel, int lane)
{
    const Product *p = data;
    for (int first = 0; first < p->rows; first += BLOCK_ROWS)
        run_block(p, first, MIN(BLOCK_ROWS, p->rows - first), panel);
}

static void
linear(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
       const PeRope *rope, void *y, const void *x, int rows)
{
    PeCpu *cpu = (PeCpu *)be;
    PeDtype act = be->act;
    int n_panels = round_up(l->n, TILE_COLS) / TILE_COLS;
    size_t x_stride = (size_t)words_of(act, l->k) * 4, stride = 0;
    bool odd = act == PE_DTYPE_BF16 && l->k % 2 != 0;
    char *copies = NULL;
    if (odd) {
        copies = pe_cpu_scratch(cpu, x_stride * (size_t)rows, &stride);
        if (!copies)
            return;
        x = align_rows(x, rows, l->k, copies, x_stride);
    }
    Product p = {l, act, epilogue, y, x, x_stride, rows};
    int n_threads = pe_cpu_threads(be, (double)rows * l->n * l->k / VF);
    pe_threads_run(n_threads, n_panels, run_panel, &p);
    if (epilogue == PE_EPILOGUE_ROPE)
        cpu->rope(be, y, rope, rows, l->n / 3);
}

// One row of q and k as words, half of which is cos, half sin.
INLINE void
rotate_bf16(uint16_t *y, const float *c, const float *s, int d, int pairs)
{
    for (int i = 0; i < d; i += pairs) {
        for (int p = 0; p < pairs; p += VF) {
            VecWord w;
            memcpy(&w, y + 2 * (i + p), sizeof w);
            Vec a = low_half(w), b = high_half(w);
            Vec cos = load(c + p), sin = load(s + p);
            w = round_bf16(a * cos - b * sin) | round_bf16(b * cos + a * sin)
                                                    << 16;
            memcpy(y + 2 * (i + p), &w, sizeof w);
        }
    }
}

INLINE void
rotate_any(PeDtype act, void *y, size_t at, const float *c, const float *s,
           int d, int pairs)
{
    for (int i = 0; i < d; i++) {
        float a = pe_act_get(act, y, at + 2 * i);
        float b = pe_act_get(act, y, at + 2 * i + 1);
        float cos = c[i % pairs], sin = s[i % pairs];
        pe_act_set(act, y, at + 2 * i, a * cos - b * sin);
        pe_act_set(act, y, at + 2 * i + 1, b * cos + a * sin);
    }
}

#define MAX_PAIRS 256

typedef struct {
    PeDtype act;
    void *y;
    const PeRope *rope;
    int rows, d;
} Rotation;

static void
rotate_row(const Rotation *p, int r)
{
    float c[MAX_PAIRS], s[MAX_PAIRS];
    int pairs = p->rope->head_dim / 2;
    const float *cs =
        p->rope->cos_sin + (size_t)(r % p->rope->n_tokens) * p->rope->head_dim;
    for (int i = 0; i < pairs; i++) {
        c[i] = cs[2 * i];
        s[i] = cs[2 * i + 1];
    }
    size_t at = (size_t)r * 3 * (size_t)p->d;
    // q and k are 2 * d elements: d pairs.
    if (p->act == PE_DTYPE_BF16 && pairs % VF == 0)
        rotate_bf16((uint16_t *)p->y + at, c, s, p->d, pairs);
    else
        rotate_any(p->act, p->y, at, c, s, p->d, pairs);
}

static void
rotate_rows(void *data, int task, int lane)
{
    const Rotation *p = data;
    int first = task * ROPE_ROWS, end = MIN(first + ROPE_ROWS, p->rows);
    for (int r = first; r < end; r++)
        rotate_row(p, r);
}

static void
rope_rows(PeBackend *be, void *y, const PeRope *rope, int rows, int d)
{
    g_assert(rope->head_dim / 2 <= MAX_PAIRS);
    Rotation p = {be->act, y, rope, rows, d};
    pe_threads_run(pe_cpu_threads(be, 2.0 * rows * d),
                   (rows + ROPE_ROWS - 1) / ROPE_ROWS, rotate_rows, &p);
}

void
PE_SIMD(pe_linear_init)(PeCpu *cpu)
{
    cpu->ops.linear_new = linear_new;
    cpu->ops.linear = linear;
    cpu->rope = rope_rows;
}
