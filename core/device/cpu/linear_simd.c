// SPDX-License-Identifier: LGPL-2.1-or-later
//
// linear_simd.c - the linear layer without oneDNN, and the rotation of q and k
// for both. See linear.c for the definitions.

#include "blocks_simd.h"

#include "core/device/weight.h"

// Rows of one task of the rotation.
#define ROPE_ROWS 16

// Words of a panel that are packed at a time, so that they stay in the first
// cache while all rows are read.
#define PACK_WORDS 64

typedef struct {
    PeDtype act;
    const PeLinearParams *params;
    PeLinear *l;
    float *rows; // `stride` values for each lane
    size_t stride;
} Packing;

// k values become words of bf16 in place.
static void
narrow_row(float *row, int k)
{
    int i = 0;
    for (; i + VF <= k; i += VF)
        store_act(PE_DTYPE_BF16, row, (size_t)i, load(row + i));
    for (; i < k; i++)
        pe_act_set(PE_DTYPE_BF16, row, (size_t)i, row[i]);
    if (k % 2)
        pe_act_set(PE_DTYPE_BF16, row, (size_t)k, 0);
}

// A task is a panel. Weights become panels [n / TILE_COLS][words][TILE_COLS],
// padded with zeros.
static void
pack_panel(void *data, int task, int lane)
{
    const Packing *p = data;
    int first = task * TILE_COLS, n = MIN(TILE_COLS, p->l->n - first);
    int n_words = words_of(p->act, p->l->k);
    size_t k = (size_t)p->l->k, size = (size_t)n_words * TILE_COLS;
    uint32_t *panel = (uint32_t *)p->l->weight + (size_t)task * size;
    float *rows = p->rows + (size_t)lane * p->stride;
    pe_weight_rows(p->params, first, n, rows);
    for (int c = 0; c < n && p->act == PE_DTYPE_BF16; c++)
        narrow_row(rows + (size_t)c * k, p->l->k);
    if (n < TILE_COLS)
        memset(panel, 0, size * sizeof *panel);
    for (int from = 0; from < n_words; from += PACK_WORDS) {
        int end = MIN(from + PACK_WORDS, n_words);
        for (int c = 0; c < n; c++) {
            const float *row = rows + (size_t)c * k;
            for (int w = from; w < end; w++)
                memcpy(panel + (size_t)w * TILE_COLS + c, row + w, 4);
        }
    }
}

static PeLinear *
linear_new(PeBackend *be, const PeLinearParams *params)
{
    PeCpu *cpu = (PeCpu *)be;
    PeLinear *l = pe_linear_new_unpacked(params);
    if (!l)
        return NULL;
    int n_panels = round_up(l->n, TILE_COLS) / TILE_COLS;
    size_t panel = (size_t)words_of(be->act, l->k) * TILE_COLS;
    size_t stride = TILE_COLS * (size_t)l->k;
    l->weight = pe_block_alloc(panel * (size_t)n_panels * sizeof(uint32_t));
    if (!l->weight) {
        be->ops->linear_free(be, l);
        return NULL;
    }
    g_autofree float *rows = g_new(float, (size_t)cpu->n_threads *stride);
    Packing p = {be->act, params, l, rows, stride};
    pe_threads_run(cpu->n_threads, n_panels, pack_panel, &p);
    return l;
}

// ---- The product ----------------------------------------------------------

// A row of an odd number of halves, the last word of which ends in the middle.
static void
pack_odd_row(const char *from, size_t size, uint32_t *to)
{
    for (size_t at = 0; at < size; at += 4, to += TILE_ROWS) {
        *to = 0;
        memcpy(to, from + at, MIN(4, size - at));
    }
}

// A task is one tile's rows of x. What a tile has no rows for is not read.
static void
pack_tile(void *data, int task, int lane)
{
    const Product *p = data;
    size_t row = (size_t)p->l->k * pe_dtype_size(p->out.act);
    int first = task * TILE_ROWS, n = MIN(TILE_ROWS, p->rows - first);
    const char *from = p->x + (size_t)(p->from + first) * row;
    uint32_t *to = p->packed + (size_t)task * p->n_words * TILE_ROWS;
    if (row % 4 == 0)
        pack_rows(from, row, n, p->n_words, to);
    for (int r = 0; row % 4 != 0 && r < n; r++)
        pack_odd_row(from + (size_t)r * row, row, to + r);
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
