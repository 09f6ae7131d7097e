// SPDX-License-Identifier: LGPL-2.1-or-later
//
// int8.h - linear layers with weights of 8 bits, see core/device/int8.h, for
// cpu.c and this folder only. Everything else of precision=int8 is as with the
// act of the backend. Rows have 8 bits where there are instructions for
// products of bytes, else as many, up to 16, as never overflow the sum.

#pragma once

#include <math.h>
#include <string.h>

#include "core/device/cpu/ops.h"
#include "core/device/int8.h"

// Longer rows are left to wide linears: sums of bytes could overflow.
#define PE_INT8_MAX_LENGTH 65536

// Steps of a row's largest value.
static inline float
pe_int8_limit(const PeCpu *cpu, int k)
{
    int steps = INT32_MAX / 127 / pe_int8_length(k);
    int most = cpu->int8_row_bytes == 1 ? INT8_MAX : INT16_MAX;
    return (float)(steps < most ? steps : most);
}

// To the nearest integer, of two the even one.
static inline int16_t
pe_int8_round(float v)
{
    int32_t bits;
    v += PE_INT8_MAGIC;
    memcpy(&bits, &v, sizeof bits);
    return (int16_t)(bits - PE_INT8_ZERO);
}

// Rows of bytes are unsigned, and so much larger.
#define PE_INT8_OFFSET 128

// One step of a row with these numbers, and its inverse; NAN when the row is
// not finite.
static inline float
pe_int8_step(float most, bool finite, float limit, float *inverse)
{
    *inverse = most < PE_INT8_LEAST ? 0 : limit / most;
    if (!finite)
        return NAN;
    return most < PE_INT8_LEAST ? 0 : most / limit;
}

// Columns of a word: rows have words of four bytes.
static inline int
pe_int8_per_word(const PeCpu *cpu)
{
    return 4 / cpu->int8_row_bytes;
}

// Panels have `int8_columns` columns: with n columns of W a word, byte j % n of
// word j / n of column c is at ((j / n) * int8_columns + c) * n + j % n.
//   returns  bytes of one
static inline size_t
pe_int8_panel_size(const PeCpu *cpu, int k)
{
    int n = pe_int8_per_word(cpu);
    int n_words = (pe_int8_length(k) + n - 1) / n;
    return (size_t)n_words * (size_t)n * (size_t)cpu->int8_columns;
}

// int8_turn of PeCpu in plain C, for any block.
void pe_int8_turn_c(float *row, int length, int block);

// Puts linear layers of that kind into the table: those of the instruction set,
// which *_simd.c have named, or plain C.
void pe_int8_init(PeCpu *cpu);
