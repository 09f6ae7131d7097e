// SPDX-License-Identifier: LGPL-2.1-or-later
//
// int8_simd.c - the product of 8-bit weights and rows of 8 or 16 bits. See
// int8.h for the definitions. With VNNI, words of four bytes take one
// instruction for 4 VF products and their sums. Without, words of two i16 take
// one or two for 2 VF: from registers, AVX2 on Zen 3 makes 1.4 times as many in
// a time as of f32. What they save most is memory.

#include "core/device/cpu/blocks_simd.h"

#include "int8.h"

#ifdef __AVX512VNNI__
#define ROW_TYPE PE_DTYPE_U8
#define PER_WORD 4
#else
#define ROW_TYPE PE_DTYPE_I16
#define PER_WORD 2
#endif

// ---- The rotation ---------------------------------------------------------

#if VF == 16
#define SWAPPED(v, h) \
    __builtin_shufflevector(v, v, 0 ^ h, 1 ^ h, 2 ^ h, 3 ^ h, 4 ^ h, 5 ^ h, \
                            6 ^ h, 7 ^ h, 8 ^ h, 9 ^ h, 10 ^ h, 11 ^ h, \
                            12 ^ h, 13 ^ h, 14 ^ h, 15 ^ h)
#else
#define SWAPPED(v, h) \
    __builtin_shufflevector(v, v, 0 ^ h, 1 ^ h, 2 ^ h, 3 ^ h, 4 ^ h, 5 ^ h, \
                            6 ^ h, 7 ^ h)
#endif

// Elements i and i + half become their sum and difference.
INLINE Vec
swap_and_add(Vec v, Vec swapped, int half)
{
    Vec sign;
    for (int i = 0; i < VF; i++)
        sign[i] = i & half ? -1 : 1;
    return fused(v, sign, swapped); // exact: only the sum is rounded
}

INLINE Vec
turn_vector(Vec v)
{
    v = swap_and_add(v, SWAPPED(v, 1), 1);
    v = swap_and_add(v, SWAPPED(v, 2), 2);
    v = swap_and_add(v, SWAPPED(v, 4), 4);
#if VF == 16
    v = swap_and_add(v, SWAPPED(v, 8), 8);
#endif
    return v;
}

// As many vectors as leave registers for what happens to them.
#define TURNED (VF == 16 ? 16 : 8)

// n <= TURNED vectors, `stride` elements from one to the next, after those
// within each.
INLINE void
turn_vectors(float *row, int stride, int n, bool within)
{
    Vec v[TURNED];
#pragma GCC unroll 16
    for (int i = 0; i < n; i++) {
        v[i] = load(row + i * stride);
        v[i] = within ? turn_vector(v[i]) : v[i];
    }
#pragma GCC unroll 4
    for (int half = 1; half < n; half *= 2) {
#pragma GCC unroll 16
        for (int i = 0; i < n; i++) {
            if (i & half)
                continue;
            Vec a = v[i], b = v[i + half];
            v[i] = a + b;
            v[i + half] = a - b;
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < n; i++)
        store(row + i * stride, v[i]);
}

// The same with n constant.
INLINE void
turn_some(float *row, int stride, int n, bool within)
{
    if (n == TURNED)
        turn_vectors(row, stride, TURNED, within);
    else if (n == 8)
        turn_vectors(row, stride, 8, within);
    else if (n == 4)
        turn_vectors(row, stride, 4, within);
    else if (n == 2)
        turn_vectors(row, stride, 2, within);
    else
        turn_vectors(row, stride, 1, within);
}

static void
turn(float *row, int length, int block)
{
    if (block < VF) { // of rows of unusual sizes
        pe_int8_turn_c(row, length, block);
        return;
    }
    int n = MIN(block / VF, TURNED);
    for (int i = 0; i < length; i += n * VF)
        turn_some(row + i, VF, n, true);
    for (int stride = n * VF; stride < block; stride *= n) {
        n = MIN(block / stride, TURNED);
        for (int i = 0; i < length; i += n * stride) {
            for (int j = i; j < i + stride; j += VF)
                turn_some(row + j, stride, n, false);
        }
    }
}

// ---- Rows -----------------------------------------------------------------

#if PER_WORD == 4
typedef uint8_t VecPart __attribute__((vector_size(VF)));
#define ROW_OFFSET PE_INT8_OFFSET
#else
typedef VecHalf VecPart;
#define ROW_OFFSET 0
#endif

// Bytes of so many numbers, to a whole vector.
INLINE size_t
row_bytes(int length)
{
    return (size_t)round_up(length, VF) * sizeof(VecPart) / VF;
}

// Row `row` of the part in steps: the words of a column of a packed tile, and
// what is behind them in the last vector. u is room for it.
static void
round_row(const Product *p, int row, float *u, char *words)
{
    const PeLinear *l = p->l;
    int length = pe_int8_length(l->k);
    size_t at = (size_t)(p->from + row) * (size_t)l->k;
    for (int j = 0; j < length; j += VF)
        store(u + j, load_act_left(p->out.act, p->x, at + (size_t)j, l->k - j) *
                         load(l->in_scales + j));
    turn(u, length, pe_int8_block(l->k));
    Vec most = splat(0), bad = splat(0);
    for (int j = 0; j < length; j += VF) {
        Vec v = load(u + j);
        most = vmax(most, vmax(v, -v));
        bad += v - v; // NaN of what is not finite
    }
    float inverse;
    p->row_scales[row] =
        pe_int8_step(max_of(most), sum_of(bad) == 0, l->row_limit, &inverse);
    for (int j = 0; j < length; j += VF, words += sizeof(VecPart)) {
        Vec v = load(u + j) * inverse + PE_INT8_MAGIC;
        VecWord steps = (VecWord)v - (PE_INT8_ZERO - ROW_OFFSET);
        VecPart parts = __builtin_convertvector(steps, VecPart);
        memcpy(words, &parts, sizeof parts);
    }
}

// A task is one tile's rows of x. What a tile has no rows for is not read.
static void
pack_tile(void *data, int task, int lane)
{
    const Product *p = data;
    uint32_t *to = p->packed + (size_t)task * p->n_words * TILE_ROWS;
    int first = task * TILE_ROWS, n = MIN(TILE_ROWS, p->rows - first);
    int length = pe_int8_length(p->l->k);
    size_t row = row_bytes(length);
    g_autofree float *u = g_new(float, length + VF);
    g_autofree char *words = g_malloc(TILE_ROWS * row);
    for (int r = 0; r < n; r++)
        round_row(p, first + r, u, words + (size_t)r * row);
    pack_rows(words, row, n, p->n_words, to);
}

// ---- The product ----------------------------------------------------------

static void
run_task(void *data, int task, int lane)
{
    const Product *p = data;
    multiply_group(ROW_TYPE, p, task,
                   (float *)(p->sums + p->stride * (size_t)lane));
}

static void
linear(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
       const PeRope *rope, void *y, const void *x, int rows)
{
    multiply_rows(be, l, epilogue, rope, y, x, rows, ROW_TYPE,
                  pe_int8_length(l->k), pack_tile, run_task);
}

void
PE_SIMD(pe_int8_init)(PeCpu *cpu)
{
    cpu->int8_columns = TILE_COLS;
    cpu->int8_row_bytes = 4 / PER_WORD;
    cpu->int8_linear = linear;
    cpu->int8_turn = turn;
}
