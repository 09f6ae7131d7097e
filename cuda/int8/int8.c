// SPDX-License-Identifier: LGPL-2.1-or-later
//
// int8.c - linear layers of bytes. Weights are rounded on the device, by the
// kernel that rounds rows later. Rounded rows are in the library's workspace,
// which no library needs meanwhile: as many at a time as it holds, so that they
// are still in the cache when they are multiplied.

#include "cuda/int8/int8.h"

#include <math.h>
#include <string.h>

#include "core/device/int8.h"
#include "core/device/weight.h"
#include "cuda/int8/kernels.h"

#define MAX_TILE 128

bool
pe_cuda_int8_takes(const PeCuda *cuda, const PeLinearParams *params)
{
    return cuda->be.precision == PE_PRECISION_INT8 &&
           params->weight.shape[0] % 16 == 0 && // as all of a tower's are
           pe_int8_takes(params, PE_CUDA_INT8_MAX_LENGTH);
}

// ---- Weights ----------------------------------------------------------------

// s [k]
static void
find_scales(const PeLinear *l, const PeLinearParams *params, float *s)
{
    g_autofree float *row = g_new(float, l->k);
    memset(s, 0, (size_t)l->k * sizeof *s);
    for (int i = 0; i < l->n; i++) {
        pe_weight_rows(params, i, 1, row);
        pe_int8_add_row(row, l->k, s);
    }
    for (int j = 0; j < l->k; j++)
        s[j] = pe_int8_scale(params, j, s[j]);
}

// Rows of the weight as f32 to the workspace, and from there, rounded, to where
// they stay: what they are multiplied with, `inverse` [k], is on the device.
static void
round_weight(PeCuda *cuda, PeLinear *l, const PeLinearParams *params,
             const float *inverse)
{
    size_t row_size = (size_t)l->k * sizeof(float);
    size_t length = (size_t)pe_int8_length(l->k);
    int n_fit = (int)(MIN(PE_STAGE_SIZE, cuda->workspace_size) / row_size);
    for (int first = 0; first < l->n; first += n_fit) {
        int n = MIN(n_fit, l->n - first);
        PeStage *stage = pe_cuda_next_stage(cuda);
        if (!stage)
            return;
        pe_weight_rows(params, first, n, stage->host);
        pe_cuda_stage_upload(cuda, stage, cuda->workspace,
                             (size_t)n * row_size);
        pe_int8_round_rows(pe_cuda_stream(cuda), PE_DTYPE_F32,
                           (int8_t *)l->weight + (size_t)first * length,
                           l->column_scales + first, cuda->workspace, inverse,
                           n, l->k);
    }
}

bool
pe_cuda_int8_upload(PeCuda *cuda, PeLinear *l, const PeLinearParams *params)
{
    PeBackend *be = &cuda->be;
    size_t k = (size_t)l->k, n = (size_t)l->n;
    float block = (float)pe_int8_block(l->k);
    g_autofree float *s = g_new(float, k);
    find_scales(l, params, s);
    l->in_scales = pe_cuda_send(be, s, k * sizeof *s);
    for (size_t j = 0; j < k; j++)
        s[j] = s[j] != 0 ? 1 / (s[j] * block) : 0;
    float *inverse = pe_cuda_send(be, s, k * sizeof *s);
    l->weight = pe_cuda_alloc(be, n * (size_t)pe_int8_length(l->k));
    l->column_scales = pe_cuda_alloc(be, n * sizeof(float));
    bool ok = l->in_scales && inverse && l->weight && l->column_scales;
    if (ok)
        round_weight(cuda, l, params, inverse);
    pe_cuda_free(be, inverse);
    return ok;
}

// ---- The product ------------------------------------------------------------

// Rows that are rounded at a time: whole tiles, if it is not all of them.
static int
count_rows(const PeCuda *cuda, int rows, size_t length)
{
    size_t fit = cuda->workspace_size / (length + sizeof(float));
    return (size_t)rows <= fit ? rows : (int)(fit / MAX_TILE * MAX_TILE);
}

// Small tiles read more for as much work, but fill a device sooner. Multi-
// processors are as busy as the one with the most tiles; a quarter more is a
// guess that no card has been asked about.
static int
choose_tile(const PeCuda *cuda, int m, int n)
{
    double least = INFINITY;
    int best = MAX_TILE;
    for (int tile = MAX_TILE; tile >= 64; tile /= 2) {
        int tiles = ((m + tile - 1) / tile) * ((n + tile - 1) / tile);
        int rounds = (tiles + cuda->rates.n_sms - 1) / cuda->rates.n_sms;
        double cost =
            (double)rounds * tile * tile * (tile < MAX_TILE ? 1.25 : 1);
        if (cost < least) {
            least = cost;
            best = tile;
        }
    }
    return best;
}

void
pe_cuda_int8_linear(PeCuda *cuda, const PeLinear *l, PeEpilogue epilogue,
                    void *y, const void *x, int rows)
{
    bool f32 = epilogue == PE_EPILOGUE_F32 || epilogue == PE_EPILOGUE_RESIDUAL;
    size_t in = pe_dtype_size(cuda->be.act) * (size_t)l->k;
    size_t out =
        pe_dtype_size(f32 ? PE_DTYPE_F32 : cuda->be.act) * (size_t)l->n;
    size_t length = (size_t)pe_int8_length(l->k);
    int n_fit = count_rows(cuda, rows, length);
    for (int first = 0; first < rows; first += n_fit) {
        int n = MIN(n_fit, rows - first);
        float *steps = cuda->workspace; // and behind them the rows
        int8_t *rounded = (int8_t *)(steps + (n + 3) / 4 * 4);
        pe_int8_round_rows(pe_cuda_stream(cuda), cuda->be.act, rounded, steps,
                           (const char *)x + (size_t)first * in, l->in_scales,
                           n, l->k);
        PeInt8Product p = {
            .m = n,
            .n = l->n,
            .length = (int)length,
            .p = rounded,
            .q = l->weight,
            .r = steps,
            .c = l->column_scales,
            .bias = l->bias_f32,
            .gelu = epilogue == PE_EPILOGUE_GELU,
            .f32 = f32,
            .add = epilogue == PE_EPILOGUE_RESIDUAL,
            .y = (char *)y + (size_t)first * out,
            .tile = choose_tile(cuda, n, l->n),
        };
        pe_int8_multiply(pe_cuda_stream(cuda), cuda->be.act, &p);
    }
}
