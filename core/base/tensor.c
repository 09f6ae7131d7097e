// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tensor.c - views of tensors and the conversion of any stored type to f32.

#include "tensor.h"

#include <glib.h>
#include <math.h>

static const struct {
    const char *name;
    size_t size;
} dtypes[] = {
    [PE_DTYPE_F32] = {"f32", 4},   [PE_DTYPE_F16] = {"f16", 2},
    [PE_DTYPE_BF16] = {"bf16", 2}, [PE_DTYPE_F64] = {"f64", 8},
    [PE_DTYPE_I64] = {"i64", 8},   [PE_DTYPE_I32] = {"i32", 4},
    [PE_DTYPE_U8] = {"u8", 1},     [PE_DTYPE_I16] = {"i16", 2},
    [PE_DTYPE_E4M3] = {"e4m3", 1},
};

size_t
pe_dtype_size(PeDtype dtype)
{
    return dtypes[dtype].size;
}

const char *
pe_dtype_name(PeDtype dtype)
{
    return dtypes[dtype].name;
}

PeTensor
pe_tensor_new(PeDtype dtype, int n_dims, const int64_t *shape, const void *data)
{
    g_assert(n_dims >= 0 && n_dims <= PE_MAX_DIMS);
    PeTensor t = {.dtype = dtype, .n_dims = n_dims, .data = data};
    int64_t stride = 1;
    for (int i = n_dims - 1; i >= 0; i--) {
        t.shape[i] = shape[i];
        t.strides[i] = stride;
        stride *= shape[i];
    }
    return t;
}

int64_t
pe_tensor_size(const PeTensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->n_dims; i++)
        n *= t->shape[i];
    return n;
}

bool
pe_tensor_is_contiguous(const PeTensor *t)
{
    int64_t stride = 1;
    for (int i = t->n_dims - 1; i >= 0; i--) {
        // An axis of one element is never stepped along.
        if (t->shape[i] != 1 && t->strides[i] != stride)
            return false;
        stride *= t->shape[i];
    }
    return true;
}

PeTensor
pe_tensor_rows(const PeTensor *t, int64_t first, int64_t n)
{
    g_assert(t->n_dims >= 1 && first >= 0 && n >= 0 &&
             first + n <= t->shape[0]);
    PeTensor r = *t;
    r.shape[0] = n;
    r.data = (const char *)t->data +
             (size_t)(first * t->strides[0]) * pe_dtype_size(t->dtype);
    return r;
}

PeTensor
pe_tensor_transposed(const PeTensor *t)
{
    g_assert(t->n_dims == 2);
    PeTensor r = *t;
    r.shape[0] = t->shape[1];
    r.shape[1] = t->shape[0];
    r.strides[0] = t->strides[1];
    r.strides[1] = t->strides[0];
    return r;
}

PeTensor
pe_tensor_as_matrix(const PeTensor *t, int64_t rows)
{
    int64_t n = pe_tensor_size(t);
    g_assert(rows > 0 && n % rows == 0 && pe_tensor_is_contiguous(t));
    return pe_tensor_new(t->dtype, 2, (int64_t[]){rows, n / rows}, t->data);
}

// By hand because clang 14 has no _Float16 without AVX-512.
uint16_t
pe_f16_from_f32(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    uint32_t sign = u >> 16 & 0x8000;
    u &= 0x7fffffff;
    if (u > 0x7f800000) // NaN, kept quiet
        return sign | 0x7e00 | (u >> 13 & 0x3ff);
    if (u >= 0x477ff000) // 65520 and more round to infinity
        return sign | 0x7c00;
    if (u < 0x38800000) // below 2^-14: steps of 2^-24, ties to even
        return sign | (uint16_t)lrintf(fabsf(f) * 0x1p24f);
    u += 0xfff + (u >> 13 & 1); // ties to even
    return sign | ((u - 0x38000000) >> 13);
}

float
pe_f16_to_f32(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16;
    uint32_t rest = (uint32_t)(h & 0x7fff) << 13;
    if (rest >= 0x0f800000) // infinity or NaN
        rest |= 0x7f800000;
    else if (rest >= 0x00800000)
        rest += 0x38000000; // exponent bias 15 to 127
    else
        return copysignf((float)(h & 0x3ff) * 0x1p-24f, sign ? -1.0f : 1.0f);
    uint32_t u = sign | rest;
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

// One line of `n` elements, `stride` apart.
static void
line_to_f32(PeDtype dtype, const void *data, int64_t n, int64_t stride,
            float *out)
{
    switch (dtype) {
    case PE_DTYPE_F32:
        for (int64_t i = 0; i < n; i++)
            out[i] = ((const float *)data)[i * stride];
        break;
    case PE_DTYPE_F16:
        for (int64_t i = 0; i < n; i++)
            out[i] = pe_f16_to_f32(((const uint16_t *)data)[i * stride]);
        break;
    case PE_DTYPE_BF16:
        for (int64_t i = 0; i < n; i++)
            out[i] = pe_bf16_to_f32(((const uint16_t *)data)[i * stride]);
        break;
    case PE_DTYPE_F64:
        for (int64_t i = 0; i < n; i++)
            out[i] = (float)((const double *)data)[i * stride];
        break;
    default:
        g_assert_not_reached();
    }
}

void
pe_tensor_to_f32(const PeTensor *t, float *out)
{
    if (t->n_dims == 0) {
        line_to_f32(t->dtype, t->data, 1, 1, out);
        return;
    }
    if (pe_tensor_is_contiguous(t)) {
        line_to_f32(t->dtype, t->data, pe_tensor_size(t), 1, out);
        return;
    }
    int last = t->n_dims - 1;
    int64_t n = t->shape[last];
    int64_t lines = n ? pe_tensor_size(t) / n : 0;
    int64_t index[PE_MAX_DIMS] = {0};
    for (int64_t l = 0; l < lines; l++) {
        int64_t offset = 0;
        for (int i = 0; i < last; i++)
            offset += index[i] * t->strides[i];
        line_to_f32(t->dtype,
                    (const char *)t->data +
                        (size_t)offset * pe_dtype_size(t->dtype),
                    n, t->strides[last], out + l * n);
        for (int i = last - 1; i >= 0 && ++index[i] == t->shape[i]; i--)
            index[i] = 0;
    }
}

bool
pe_all_finite(const float *values, size_t n)
{
    // Zero times anything finite is zero; no branch, so it takes no time.
    float sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += 0 * values[i];
    return sum == 0;
}
