// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tensor.h - a read-only view of numbers that lie somewhere in memory.
//
// A PeTensor never owns its data: it borrows from a checkpoint's map (or from
// whatever made it) and is valid as long as that is. Strides are kept because
// torch files may store transposed or shared tensors, and because a transposed
// view lets one code path bind both `proj` [D, E] and `head.weight` [E, D].

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    PE_DTYPE_F32,
    PE_DTYPE_F16,
    PE_DTYPE_BF16,
    PE_DTYPE_F64,
    PE_DTYPE_I64,
    PE_DTYPE_I32,
    PE_DTYPE_U8,
    PE_DTYPE_I16,
    PE_DTYPE_E4M3, // 8-bit float, on devices only
} PeDtype;

#define PE_MAX_DIMS 5

typedef struct {
    PeDtype dtype;
    int n_dims; // 0 is a scalar
    int64_t shape[PE_MAX_DIMS];
    int64_t strides[PE_MAX_DIMS]; // in elements, never negative
    const void *data;             // NULL: there is no such tensor
} PeTensor;

// Bytes of one element.
size_t pe_dtype_size(PeDtype dtype);

// "f32", "bf16", ...
const char *pe_dtype_name(PeDtype dtype);

// Row-major tensor over `data`.
PeTensor pe_tensor_new(PeDtype dtype, int n_dims, const int64_t *shape,
                       const void *data);

// Number of elements; shapes have been checked against overflow on loading.
int64_t pe_tensor_size(const PeTensor *t);

bool pe_tensor_is_contiguous(const PeTensor *t);

// Whether none of n values is an infinity or NaN.
bool pe_all_finite(const float *values, size_t n);

// Rows first..first+n-1 of the first axis.
PeTensor pe_tensor_rows(const PeTensor *t, int64_t first, int64_t n);

// [a, b] seen as [b, a].
PeTensor pe_tensor_transposed(const PeTensor *t);

// [..] seen as [rows, size / rows]; `t` must be contiguous.
PeTensor pe_tensor_as_matrix(const PeTensor *t, int64_t rows);

// Every element in row-major order as f32; `out` has pe_tensor_size() floats.
// Takes F32, F16, BF16 and F64.
void pe_tensor_to_f32(const PeTensor *t, float *out);

// Round to nearest, ties to even; NaN stays NaN.
static inline uint16_t
pe_bf16_from_f32(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((u >> 16) | 0x40);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1)) >> 16);
}

static inline float
pe_bf16_to_f32(uint16_t b)
{
    uint32_t u = (uint32_t)b << 16;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

// Round to nearest, ties to even; what is beyond the largest, 448, becomes
// that, NaN stays NaN. There are no infinities. Source: Micikevicius et al.,
// FP8 Formats for Deep Learning, 2022.
static inline uint8_t
pe_e4m3_from_f32(float f)
{
    uint32_t u, sign;
    memcpy(&u, &f, sizeof u);
    sign = u >> 24 & 0x80;
    u &= 0x7fffffffu;
    if (u > 0x7f800000u)
        return 0x7f;
    if (u >= 0x43e00000u)
        return (uint8_t)(sign | 0x7e);
    if (u >= 0x3c800000u) // 2^-6, the smallest that is normal
        return (uint8_t)(sign | (((u + 0x7ffffu + (u >> 20 & 1)) >> 20) - 960));
    // In steps of 2^-9, as the last bits of 2^14 are.
    memcpy(&f, &u, sizeof f);
    f += 16384;
    memcpy(&u, &f, sizeof u);
    return (uint8_t)(sign | (u & 0xf));
}

static inline float
pe_e4m3_to_f32(uint8_t b)
{
    uint32_t u = 0x3c000000u + ((uint32_t)(b & 0x7f) << 20);
    float f = (float)(b & 7) * 0x1p-9f;
    if ((b & 0x7f) == 0x7f)
        u = 0x7fc00000u;
    if (b & 0x78)
        memcpy(&f, &u, sizeof f);
    return b & 0x80 ? -f : f;
}

uint16_t pe_f16_from_f32(float f);
float pe_f16_to_f32(uint16_t h);

// For either type of 16 bits.
static inline uint16_t
pe_half_from_f32(PeDtype type, float f)
{
    return type == PE_DTYPE_BF16 ? pe_bf16_from_f32(f) : pe_f16_from_f32(f);
}

static inline float
pe_half_to_f32(PeDtype type, uint16_t h)
{
    return type == PE_DTYPE_BF16 ? pe_bf16_to_f32(h) : pe_f16_to_f32(h);
}

#ifdef __cplusplus
}
#endif
