// SPDX-License-Identifier: LGPL-2.1-or-later
//
// linear_simd.c - the linear layer without oneDNN, and the rotation of q and k
// for both. See linear.c for the definitions.

#include "blocks_simd.h"

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

// ---- The product ----------------------------------------------------------

static void
pack_row_f32(const Product *p, int row, uint32_t *to)
{
    int k = p->l->k;
    const char *from = p->x + (size_t)(p->from + row) * k * 4;
    for (int w = 0; w < k; w++)
        memcpy(to + (size_t)w * TILE_ROWS, from + (size_t)w * 4, 4);
}

static void
pack_row_bf16(const Product *p, int row, uint32_t *to)
{
    int k = p->l->k;
    const char *from = p->x + (size_t)(p->from + row) * k * 2;
    for (int w = 0; w < k / 2; w++)
        memcpy(to + (size_t)w * TILE_ROWS, from + (size_t)w * 4, 4);
    if (k % 2) {
        uint16_t last;
        memcpy(&last, from + (size_t)(k - 1) * 2, sizeof last);
        to[(size_t)(k / 2) * TILE_ROWS] = last;
    }
}

static void
pack_tile(void *data, int task, int lane)
{
    const Product *p = data;
    pack_rows(p, task,
              p->out.act == PE_DTYPE_BF16 ? pack_row_bf16 : pack_row_f32);
}

static void
run_task(void *data, int task, int lane)
{
    const Product *p = data;
    float *c = (float *)(p->sums + p->stride * (size_t)lane);
    if (p->out.act == PE_DTYPE_BF16)
        multiply_group(PE_DTYPE_BF16, p, task, c);
    else
        multiply_group(PE_DTYPE_F32, p, task, c);
}

static void
linear(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
       const PeRope *rope, void *y, const void *x, int rows)
{
    multiply_rows(be, l, epilogue, rope, y, x, rows, be->act, l->k, pack_tile,
                  run_task);
}

// ---- The rotation ---------------------------------------------------------

typedef struct {
    PeDtype act;
    void *y;
    const PeRope *rope;
    int rows, d;
} Rotation;

// q and k of a row are 2 * d elements. Heads that are no multiple of a vector
// are rotated pair by pair.
INLINE void
rotate_row(PeDtype type, const Rotation *p, int r)
{
    int hd = p->rope->head_dim;
    const float *cs =
        p->rope->cos_sin + (size_t)(r % p->rope->n_tokens) * (size_t)hd;
    size_t at = (size_t)r * 3 * (size_t)p->d;
    for (int head = 0; head < 2 * p->d; head += hd, at += (size_t)hd) {
        int c = 0;
        for (; hd % VF == 0 && c < hd; c += VF)
            rotate_at(type, p->y, at + (size_t)c, cs, c);
        for (; c < hd; c += 2) {
            float a = pe_act_get(type, p->y, at + c);
            float b = pe_act_get(type, p->y, at + c + 1);
            pe_act_set(type, p->y, at + c, a * cs[c] - b * cs[c + 1]);
            pe_act_set(type, p->y, at + c + 1, b * cs[c] + a * cs[c + 1]);
        }
    }
}

static void
rotate_rows(void *data, int task, int lane)
{
    const Rotation *p = data;
    int first = task * ROPE_ROWS, end = MIN(first + ROPE_ROWS, p->rows);
    for (int r = first; r < end; r++) {
        if (p->act == PE_DTYPE_BF16)
            rotate_row(PE_DTYPE_BF16, p, r);
        else
            rotate_row(PE_DTYPE_F32, p, r);
    }
}

static void
rope_rows(PeBackend *be, void *y, const PeRope *rope, int rows, int d)
{
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
