// SPDX-License-Identifier: LGPL-2.1-or-later
//
// blocks_simd.h - how the product of a linear layer is cut into tasks that fit
// the caches, for any kind of words. For the files that compute linear layers
// only.

#pragma once

#include "epilogue_simd.h"
#include "product_simd.h"

#include "core/base/threads.h"

#include <glib.h>

// Sizes of a task, for a first cache of 32 KiB and a second of 512: a piece of
// a panel has 16 KiB (32 with wider vectors), those of a block of rows 200, and
// its sums 100 (200).
#define PIECE_WORDS 256
#define BLOCK_ROWS 204
#define GROUP_PANELS 8
// Blocks whose rows are packed at a time.
#define PART_BLOCKS 4
// Fewer are done before what comes next can have arrived.
#define MIN_PREFETCH_ROWS 24
// Tasks for every thread: a late one leaves the others something to take.
#define TASKS_PER_THREAD 3

// ---- The product ----------------------------------------------------------

typedef struct {
    const PeLinear *l;
    Output out; // of all rows
    const char *x;
    int n_words, piece_words;
    int from, rows; // the part in hand: rows from.. of x and y
    int block_rows;
    int n_panels, group_panels, n_groups;
    uint32_t *packed; // [tiles of the part][n_words][TILE_ROWS]
    char *sums;       // `stride` bytes for each lane
    size_t stride;
    float *row_scales; // [rows of the part] of int8/int8.h
} Product;

// Bytes of so many words of a panel's columns.
INLINE size_t
panel_bytes(PeDtype type, int n_words)
{
    return (size_t)n_words * TILE_COLS * (type == PE_DTYPE_I16 ? 2 : 4);
}

// Brings what comes next from memory to the second cache, a share of it for
// each tile, while the units multiply.
INLINE void
prefetch(const char *next, size_t size, int tile, int n_tiles)
{
    enum { LINE = 64 };
    size_t lines = size / LINE;
    size_t share = (lines + (size_t)n_tiles - 1) / (size_t)n_tiles;
    size_t end = MIN(lines, share * (size_t)(tile + 1));
    for (size_t i = share * (size_t)tile; i < end; i++)
        __builtin_prefetch(next + i * LINE, 0, 2);
}

// Sums of integers in place, whose bits are where floats will be.
INLINE void
to_floats(const Product *p, float *c, int row, int n_rows, int col)
{
    Vec scale[2];
    VecInt offset[2];
    for (int j = 0; j < 2; j++) {
        int at = col + j * VF, left = p->l->n - at;
        const float *bits = (const float *)p->l->col_offsets + at;
        scale[j] = load_left(p->l->col_scales + at, left);
        offset[j] = (VecInt)load_left(bits, left);
    }
    for (int i = 0; i < n_rows; i++) {
        Vec row_scale = splat(p->row_scales[row + i]);
        for (int j = 0; j < 2; j++, c += VF) {
            VecInt sum = (VecInt)load(c) - offset[j];
            store(c, __builtin_convertvector(sum, Vec) * row_scale * scale[j]);
        }
    }
}

INLINE bool
are_integers(PeDtype type)
{
    return type == PE_DTYPE_I16 || type == PE_DTYPE_U8;
}

// Integers become either type, others stay what they are.
INLINE void
finish_any(PeDtype type, const Output *o, const float *c, int r, int rows,
           int col)
{
    PeDtype act = are_integers(type) ? o->act : type;
    if (act == PE_DTYPE_BF16)
        finish_tile(PE_DTYPE_BF16, o, c, r, rows, col);
    else
        finish_tile(PE_DTYPE_F32, o, c, r, rows, col);
}

// A piece of a panel times the rows of a block, from row `first` of the part
// on; c [rows, TILE_COLS] are the sums so far.
INLINE void
multiply_piece(PeDtype type, const Product *p, int first, int rows, int panel,
               int w, int n, float *c, const char *next)
{
    const char *piece = (const char *)p->l->weight +
                        (size_t)panel * panel_bytes(type, p->n_words) +
                        panel_bytes(type, w);
    int n_tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    bool is_last = w + n == p->n_words;
    for (int i = 0; i < n_tiles; i++) {
        int r = i * TILE_ROWS, n_rows = MIN(TILE_ROWS, rows - r);
        float done[TILE_ROWS * TILE_COLS];
        float *sums = c + (size_t)r * TILE_COLS;
        Left a = {(const char *)p->packed, 4, 4 * TILE_ROWS};
        a.at += ((size_t)(first + r) * p->n_words + (size_t)w * TILE_ROWS) * 4;
        if (next)
            prefetch(next, panel_bytes(type, n), i, n_tiles);
        tile_of(type, n_rows, w > 0 ? sums : NULL, TILE_COLS,
                is_last ? done : sums, TILE_COLS, a, piece, n);
        if (is_last && are_integers(type))
            to_floats(p, done, first + r, n_rows, panel * TILE_COLS);
        if (is_last)
            finish_any(type, &p->out, done, p->from + first + r, n_rows,
                       panel * TILE_COLS);
    }
}

// A task is a block of rows of a group of panels. The words are cut, so that a
// piece of a panel stays in the first cache while all rows pass it, and the
// rows' pieces in the second while all panels do.
INLINE void
multiply_group(PeDtype type, const Product *p, int task, float *c)
{
    int n_blocks = (p->rows + p->block_rows - 1) / p->block_rows;
    int first = task % n_blocks * p->block_rows;
    int rows = MIN(p->block_rows, p->rows - first);
    int group = task / n_blocks, panel = group * p->n_panels / p->n_groups;
    int n_panels = (group + 1) * p->n_panels / p->n_groups - panel;
    for (int w = 0; w < p->n_words; w += p->piece_words) {
        int n = MIN(p->piece_words, p->n_words - w);
        for (int i = 0; i < n_panels; i++) {
            size_t size = panel_bytes(type, p->n_words);
            const char *next = p->l->weight;
            if (i + 1 < n_panels)
                next += (size_t)(panel + i + 1) * size + panel_bytes(type, w);
            else if (w + n < p->n_words)
                next += (size_t)panel * size + panel_bytes(type, w + n);
            else
                next = NULL;
            multiply_piece(type, p, first, rows, panel + i, w, n,
                           c + (size_t)i * p->block_rows * TILE_COLS,
                           rows < MIN_PREFETCH_ROWS ? NULL : next);
        }
    }
}

// Blocks of rows about as large as each other, and groups so small that every
// thread gets several tasks, and all as many.
INLINE void
cut(Product *p, int rows, int n_threads)
{
    int n_blocks = (rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    p->block_rows = round_up((rows + n_blocks - 1) / n_blocks, TILE_ROWS);
    n_blocks = MIN((rows + p->block_rows - 1) / p->block_rows, PART_BLOCKS);
    p->n_panels = round_up(p->out.n, TILE_COLS) / TILE_COLS;
    int groups = (TASKS_PER_THREAD * n_threads + n_blocks - 1) / n_blocks;
    groups = MAX(groups, (p->n_panels + GROUP_PANELS - 1) / GROUP_PANELS);
    while (n_blocks * groups % n_threads != 0)
        groups++;
    p->n_groups = MIN(groups, p->n_panels);
    p->group_panels = (p->n_panels + p->n_groups - 1) / p->n_groups;
    p->piece_words = PIECE_WORDS;
}

// Room for the packed rows of a part, their scales, and every lane's sums.
INLINE bool
find_room(Product *p, PeCpu *cpu, int rows)
{
    size_t tiles = (size_t)(round_up(rows, TILE_ROWS) / TILE_ROWS);
    size_t packed = tiles * TILE_ROWS * (size_t)p->n_words * 4;
    packed = (packed + 63) & ~(size_t)63;
    size_t scales = (tiles * TILE_ROWS * sizeof(float) + 63) & ~(size_t)63;
    p->stride = (size_t)p->block_rows * p->group_panels * TILE_COLS * 4;
    size_t n_threads = (size_t)cpu->n_threads, stride;
    char *scratch = pe_cpu_scratch(
        cpu, p->stride + (packed + scales + n_threads - 1) / n_threads,
        &stride);
    p->packed = (uint32_t *)scratch;
    p->row_scales = (float *)(scratch + packed);
    p->sums = scratch + packed + scales;
    return scratch != NULL;
}

// A linear layer, with functions for tasks: one that packs the rows of a tile,
// and one made of multiply_group() for a block of rows times a group of panels.
// `type` is that of the words, and `length` counts the columns that they hold.
INLINE void
multiply_rows(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
              const PeRope *rope, void *y, const void *x, int rows,
              PeDtype type, int length,
              void (*pack)(void *data, int task, int lane),
              void (*multiply)(void *data, int task, int lane))
{
    bool apart = epilogue == PE_EPILOGUE_ROPE && rope->head_dim % VF != 0;
    Product p = {.l = l,
                 .out = {be->act, apart ? PE_EPILOGUE_NONE : epilogue, y, l->n,
                         l->bias, rope},
                 .x = x,
                 .n_words = words_of(type, length)};
    int n_threads = pe_cpu_threads(be, (double)rows * l->n * l->k / VF);
    cut(&p, rows, n_threads);
    int part = PART_BLOCKS * p.block_rows;
    if (!find_room(&p, (PeCpu *)be, MIN(rows, part)))
        return;
    for (p.from = 0; p.from < rows; p.from += part) {
        p.rows = MIN(part, rows - p.from);
        int n_blocks = (p.rows + p.block_rows - 1) / p.block_rows;
        pe_threads_run(n_threads, (p.rows + TILE_ROWS - 1) / TILE_ROWS, pack,
                       &p);
        pe_threads_run(n_threads, n_blocks * p.n_groups, multiply, &p);
    }
    if (apart)
        ((PeCpu *)be)->rope(be, y, rope, rows, l->n / 3);
}
