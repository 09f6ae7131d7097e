// SPDX-License-Identifier: LGPL-2.1-or-later
//
// int8_simd.c - the product of 8-bit weights and rows of 16 bits. See int8.h
// for the definitions. Words of two i16 take one instruction for 2 VF products
// and one for the sums (with VNNI, one for both): from registers, AVX2 on Zen
// 3 makes 1.4 times as many in a time as of f32. What they save most is memory.

#include "core/device/cpu/blocks_simd.h"

#include "int8.h"

// VF values of a row from j on, or those that are left and zeros.
INLINE Vec
load_scaled(const PeLinear *l, const float *x, int j)
{
    int left = l->k - j;
    return load_left(x + j, left) * load_left(l->in_scales + j, left);
}

INLINE void
put_half(uint32_t *to, int j, int16_t v)
{
    memcpy((char *)(to + (size_t)(j / 2) * TILE_ROWS) + j % 2 * 2, &v, 2);
}

// What second bytes are multiplied with, behind the row.
static void
pack_finer(const PeLinear *l, const float *x, float inverse, uint32_t *to)
{
    int length = pe_int8_length(l->k);
    for (int i = l->k; i < length; i++) {
        int j = l->finer[i - l->k];
        put_half(to, i, pe_int8_round(x[j] * l->in_scales[j] * inverse));
    }
    if (length % 2)
        put_half(to, length, 0);
}

static void
pack_row(const Product *p, int row, uint32_t *to)
{
    const PeLinear *l = p->l;
    const float *x = (const float *)p->x + (size_t)(p->from + row) * l->k;
    Vec most = splat(0), bad = splat(0);
    for (int j = 0; j < l->k; j += VF) {
        Vec v = load_scaled(l, x, j);
        most = vmax(most, vmax(v, -v));
        bad += v - v; // NaN of what is not finite
    }
    float inverse;
    p->row_scales[row] =
        pe_int8_step(max_of(most), sum_of(bad) == 0, l->k, &inverse);
    for (int j = 0; j < l->k; j += VF) {
        Vec v = load_scaled(l, x, j) * inverse + PE_INT8_MAGIC;
        VecHalf h = __builtin_convertvector((VecWord)v - PE_INT8_ZERO, VecHalf);
        uint32_t words[VF / 2];
        memcpy(words, &h, sizeof words);
        int n = MIN(VF / 2, p->n_words - j / 2);
        for (int w = 0; w < n; w++)
            to[(size_t)(j / 2 + w) * TILE_ROWS] = words[w];
    }
    pack_finer(l, x, inverse / PE_INT8_DIGIT, to);
}

static void
pack_tile(void *data, int task, int lane)
{
    pack_rows(data, task, pack_row);
}

static void
run_task(void *data, int task, int lane)
{
    const Product *p = data;
    multiply_group(PE_DTYPE_I16, p, task,
                   (float *)(p->sums + p->stride * (size_t)lane));
}

static void
linear(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
       const PeRope *rope, void *y, const void *x, int rows)
{
    multiply_rows(be, l, epilogue, rope, y, x, rows, PE_DTYPE_I16,
                  pe_int8_length(l->k), pack_tile, run_task);
}

void
PE_SIMD(pe_int8_init)(PeCpu *cpu)
{
    cpu->int8_columns = TILE_COLS;
    cpu->int8_linear = linear;
}
