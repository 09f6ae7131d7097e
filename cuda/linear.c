// SPDX-License-Identifier: LGPL-2.1-or-later
//
// linear.c - the linear layer: uploads its weights and does what follows the
// matrix product. cuBLASLt computes the product; another implementation of it
// would be chosen here.

#include "cuda/linear.h"

#include <math.h>

#include "core/device/narrow.h"
#include "core/device/weight.h"
#include "cuda/int8/int8.h"
#include "cuda/kernels.h"
#include "cuda/matmul.h"

// ---- Weights ----------------------------------------------------------------

// y [n] = x
static void
round_to(PeDtype type, void *y, const float *x, size_t n)
{
    switch (type) {
    case PE_DTYPE_BF16:
        for (size_t i = 0; i < n; i++)
            ((uint16_t *)y)[i] = pe_bf16_from_f32(x[i]);
        break;
    case PE_DTYPE_F16:
        for (size_t i = 0; i < n; i++)
            ((uint16_t *)y)[i] = pe_f16_from_f32(x[i]);
        break;
    case PE_DTYPE_E4M3:
        for (size_t i = 0; i < n; i++)
            ((uint8_t *)y)[i] = pe_e4m3_from_f32(x[i]);
        break;
    default:
        memcpy(y, x, n * sizeof *x);
    }
}

// By which power of two a weight fits E4M3 best.
static float
find_gain(const PeLinearParams *params)
{
    int n = (int)params->weight.shape[0], k = params->k_padded;
    g_autofree float *row = g_new(float, k);
    float most = 0;
    for (int i = 0; i < n; i++) {
        pe_weight_rows(params, i, 1, row);
        for (int j = 0; j < k; j++)
            most = fabsf(row[j]) > most ? fabsf(row[j]) : most;
    }
    return pe_narrow_gain(most, PE_E4M3_MOST);
}

// The sum of a row as it was rounded to 16 bits.
static float
sum_row(PeDtype type, const uint16_t *row, int k)
{
    double sum = 0;
    for (int j = 0; j < k; j++)
        sum += pe_half_to_f32(type, row[j]);
    return (float)sum;
}

// As many rows as fit into a stage at a time. `columns` [n] gets their sums,
// NULL: they are not wanted.
static void
upload_weight(PeCuda *cuda, PeLinear *l, const PeLinearParams *params,
              float *columns)
{
    size_t row_size = (size_t)l->k * pe_dtype_size(l->in);
    float gain = params->narrow ? find_gain(params) : 1;
    l->scale = 1 / gain;
    int n_fit = (int)MIN(PE_STAGE_SIZE / row_size, (size_t)l->n);
    g_autofree float *row = g_new(float, l->k);
    g_assert(n_fit > 0);
    for (int first = 0; first < l->n; first += n_fit) {
        int n = MIN(n_fit, l->n - first);
        PeStage *stage = pe_cuda_next_stage(cuda);
        if (!stage)
            return;
        for (int i = 0; i < n; i++) {
            pe_weight_rows(params, first + i, 1, row);
            for (int j = 0; params->narrow && j < l->k; j++)
                row[j] *= gain;
            char *rounded = (char *)stage->host + (size_t)i * row_size;
            round_to(l->in, rounded, row, (size_t)l->k);
            if (columns)
                columns[first + i] =
                    sum_row(l->in, (const uint16_t *)rounded, l->k);
        }
        pe_cuda_stage_upload(cuda, stage,
                             (char *)l->weight + (size_t)first * row_size,
                             (size_t)n * row_size);
    }
}

// f32 [n], then act [n] at the next multiple of 256 bytes.
static bool
upload_bias(PeCuda *cuda, PeLinear *l, const PeLinearParams *params)
{
    size_t n = (size_t)l->n;
    size_t offset = (n * sizeof(float) + 255) & ~(size_t)255;
    size_t size = offset + n * pe_dtype_size(cuda->be.act);
    g_autofree char *host = g_malloc0(size);
    memcpy(host, params->bias, n * sizeof(float));
    round_to(cuda->be.act, host + offset, params->bias, n);
    l->bias_f32 = pe_cuda_send(&cuda->be, host, size);
    if (!l->bias_f32)
        return false;
    l->bias_act = (char *)l->bias_f32 + offset;
    return true;
}

static bool
upload_gain(PeCuda *cuda, PeLinear *l, const PeLinearParams *params)
{
    l->gain =
        pe_cuda_send(&cuda->be, params->gain, (size_t)l->n * sizeof(float));
    return l->gain;
}

// Does it read a norm that Hopper's products may take behind them?
static bool
sums_columns(const PeCuda *cuda, const PeLinearParams *params)
{
    return cuda->rates.sm == SM_HOPPER && cuda->be.act != PE_DTYPE_F32 &&
           !params->narrow && !pe_cuda_int8_takes(cuda, params) &&
           (params->epilogue == PE_EPILOGUE_ROPE ||
            params->epilogue == PE_EPILOGUE_GELU);
}

// The weight in the type of a product. False when there is no memory left.
static bool
upload(PeCuda *cuda, PeLinear *l, const PeLinearParams *params)
{
    PeBackend *be = &cuda->be;
    l->weight =
        pe_cuda_alloc(be, (size_t)l->n * (size_t)l->k * pe_dtype_size(l->in));
    if (!l->weight)
        return false;
    g_autofree float *columns =
        sums_columns(cuda, params) ? g_new(float, l->n) : NULL;
    upload_weight(cuda, l, params, columns);
    if (columns)
        l->columns = pe_cuda_send(be, columns, (size_t)l->n * sizeof *columns);
    return true;
}

PeLinear *
pe_cuda_linear_new(PeBackend *be, const PeLinearParams *params)
{
    PeCuda *cuda = (PeCuda *)be;
    g_assert(params->weight.n_dims == 2 &&
             params->k_padded >= params->weight.shape[1] &&
             params->k_padded % be->k_align == 0);
    PeLinear *l = g_new0(PeLinear, 1);
    l->n = (int)params->weight.shape[0];
    l->k = params->k_padded;
    l->in = params->narrow ? be->narrow : be->act;
    bool bytes = pe_cuda_int8_takes(cuda, params);
    if ((params->bias && !upload_bias(cuda, l, params)) ||
        (params->gain && !upload_gain(cuda, l, params)) ||
        !(bytes ? pe_cuda_int8_upload(cuda, l, params)
                : upload(cuda, l, params))) {
        pe_cuda_linear_free(be, l);
        return NULL;
    }
    return l;
}

void
pe_cuda_linear_free(PeBackend *be, PeLinear *l)
{
    if (!l)
        return;
    pe_cuda_free(be, l->bias_f32);
    pe_cuda_free(be, l->gain);
    pe_cuda_free(be, l->columns);
    pe_cuda_free(be, l->in_scales);
    pe_cuda_free(be, l->column_scales);
    pe_cuda_free(be, l->weight);
    g_free(l);
}

// ---- The operation ----------------------------------------------------------

// By the library.
static void
multiply(PeCuda *cuda, const PeLinear *l, PeEpilogue epilogue, void *y,
         const void *x, int rows)
{
    bool f32 = epilogue == PE_EPILOGUE_F32 || epilogue == PE_EPILOGUE_RESIDUAL;
    PeMatmul p = {
        .m = rows,
        .n = l->n,
        .k = l->k,
        .in = l->in,
        .out = f32 ? PE_DTYPE_F32 : cuda->be.act,
        .scale = l->scale,
        .x = x,
        .w = l->weight,
        .bias = f32 ? l->bias_f32 : l->bias_act,
        .y = y,
        .residual = epilogue == PE_EPILOGUE_RESIDUAL,
        .gelu = epilogue == PE_EPILOGUE_GELU ? cuda->gelu : PE_GELU_NONE,
    };
    if (l->gain) {
        // The product goes behind what GELU makes of it.
        p.narrow = y;
        p.gain = l->gain;
        p.gelu = PE_GELU_EXACT;
        p.y = (char *)y + (((size_t)rows * (size_t)l->n + 255) & ~(size_t)255);
    }
    // The library has no bias of f32 behind products of 8-bit floats. Only a
    // stream that no norm reads at its end asks for one.
    bool adds_bias = l->in == PE_DTYPE_E4M3 && f32 && l->bias_f32;
    if (adds_bias)
        p.bias = NULL;
    pe_cuda_matmul(cuda, &p);
    if (adds_bias)
        pe_cuda_bias(pe_cuda_stream(cuda), PE_DTYPE_F32, y, l->bias_f32, rows,
                     l->n);
}

void
pe_cuda_linear(PeBackend *be, const PeLinear *l, PeEpilogue epilogue,
               const PeRope *rope, void *y, const void *x, int rows)
{
    PeCuda *cuda = (PeCuda *)be;
    if (l->in_scales)
        pe_cuda_int8_linear(cuda, l, epilogue, y, x, rows);
    else
        multiply(cuda, l, epilogue, y, x, rows);
    if (epilogue == PE_EPILOGUE_ROPE)
        pe_cuda_rope(pe_cuda_stream(cuda), be->act, y, rope->cos_sin, true,
                     rows, l->n / 3, rope->n_tokens, rope->head_dim);
}

// act [n] of random numbers: a product of zeros needs less power and is faster
// than any real one. NULL when there is no memory left.
static void *
random_operand(PeCuda *cuda, size_t n)
{
    enum { BLOCK = 1 << 16 };
    size_t size = pe_dtype_size(cuda->be.act);
    char *p = pe_cuda_alloc(&cuda->be, n * size);
    g_autofree float *values = g_new(float, BLOCK);
    g_autofree char *block = g_malloc(BLOCK * size);
    for (size_t i = 0; i < BLOCK; i++)
        values[i] = (float)g_random_double_range(-1, 1);
    round_to(cuda->be.act, block, values, BLOCK);
    for (size_t i = 0; p && i < n; i += BLOCK)
        pe_cuda_upload(&cuda->be, p + i * size, block,
                       MIN(n - i, (size_t)BLOCK) * size);
    return p;
}

double
pe_cuda_gemm_seconds(PeBackend *be, int m, int n, int k)
{
    PeCuda *cuda = (PeCuda *)be;
    size_t rows = (size_t)m, columns = (size_t)n, depth = (size_t)k;
    void *x = random_operand(cuda, rows * depth);
    void *w = random_operand(cuda, columns * depth);
    void *y = pe_cuda_alloc(be, rows * columns * pe_dtype_size(be->act));
    PeMatmul p = {
        .m = m,
        .n = n,
        .k = k,
        .in = be->act,
        .out = be->act,
        .scale = 1,
        .x = x,
        .w = w,
        .y = y,
    };
    double seconds = x && w && y ? pe_cuda_matmul_measure(cuda, &p) : 0;
    pe_cuda_free(be, x);
    pe_cuda_free(be, w);
    pe_cuda_free(be, y);
    return seconds;
}
