// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tower.c - transformer blocks over a backend's operations.

#include "tower.h"

void
pe_tower_init(PeTower *t, PeBackend *be, const PeModel *model, int width,
              int heads, int mlp_width)
{
    *t = (PeTower){
        .be = be,
        .model = model,
        .width = width,
        .heads = heads,
        .mlp_width = mlp_width,
        .buffers = g_ptr_array_new(),
        .linears = g_ptr_array_new(),
    };
    if (width % be->k_align != 0 || mlp_width % be->k_align != 0)
        g_set_error(&t->error, PE_ERROR, PE_ERROR_SHAPE,
                    "%s needs widths that are multiples of %d, %s has %d and "
                    "%d",
                    be->ops->describe(be), be->k_align,
                    pe_model_get_name(model), width, mlp_width);
}

void
pe_tower_clear(PeTower *t)
{
    for (guint i = 0; i < t->linears->len; i++)
        t->be->ops->linear_free(t->be, t->linears->pdata[i]);
    for (guint i = 0; i < t->buffers->len; i++)
        t->be->ops->free(t->be, t->buffers->pdata[i]);
    g_ptr_array_unref(t->linears);
    g_ptr_array_unref(t->buffers);
    g_free(t->blocks);
    g_clear_error(&t->error);
}

static void
fail_nomem(PeTower *t, const char *what, size_t size)
{
    g_set_error(&t->error, PE_ERROR, PE_ERROR_NOMEM,
                "%s: no memory left for %s (%zu MiB); try a smaller batch or "
                "a smaller precision",
                t->be->ops->describe(t->be), what, (size >> 20) + 1);
}

void *
pe_tower_alloc(PeTower *t, size_t size)
{
    if (t->error)
        return NULL;
    void *p = t->be->ops->alloc(t->be, size);
    if (!p) {
        fail_nomem(t, "the buffers", size);
        return NULL;
    }
    g_ptr_array_add(t->buffers, p);
    return p;
}

// The elements of a tensor as f32 on the host; NULL without a tensor. g_free().
static float *
read_vector(PeTower *t, const PeTensor *tensor)
{
    if (t->error || !tensor || !tensor->data)
        return NULL;
    size_t n = (size_t)pe_tensor_size(tensor);
    float *v = g_try_new(float, n);
    if (!v) {
        fail_nomem(t, "a weight", n * sizeof *v);
        return NULL;
    }
    pe_tensor_to_f32(tensor, v);
    pe_model_release(t->model, tensor);
    return v;
}

float *
pe_tower_load_vector(PeTower *t, const PeTensor *tensor)
{
    g_autofree float *host = read_vector(t, tensor);
    if (!host)
        return NULL;
    size_t size = (size_t)pe_tensor_size(tensor) * sizeof *host;
    float *p = pe_tower_alloc(t, size);
    if (p)
        t->be->ops->upload(t->be, p, host, size);
    return p;
}

PeLinear *
pe_tower_load_linear(PeTower *t, const PeTensor *weight, const PeTensor *bias,
                     const PeTensor *scale, int k_padded)
{
    g_autofree float *b = read_vector(t, bias);
    g_autofree float *s = read_vector(t, scale);
    g_autofree float *copy = NULL;
    PeTensor w = *weight;
    if (w.n_dims != 2) {
        // A convolution kernel. Torch may have stored it channels-last.
        if (!pe_tensor_is_contiguous(&w)) {
            copy = read_vector(t, &w);
            w = pe_tensor_new(PE_DTYPE_F32, w.n_dims, w.shape, copy);
        }
        w = pe_tensor_as_matrix(&w, w.shape[0]);
    }
    if (t->error)
        return NULL;
    PeLinearParams params = {
        .weight = w, .bias = b, .scale = s, .k_padded = k_padded};
    PeLinear *l = t->be->ops->linear_new(t->be, &params);
    pe_model_release(t->model, weight);
    if (!l) {
        fail_nomem(t, "the weights", (size_t)pe_tensor_size(weight) * 4);
        return NULL;
    }
    g_ptr_array_add(t->linears, l);
    return l;
}

void
pe_tower_load_blocks(PeTower *t, const PeBlockWeights *blocks, int n)
{
    int d = t->width;
    t->n_blocks = n;
    t->blocks = g_new0(PeBlock, n);
    for (int i = 0; i < n && !t->error; i++) {
        const PeBlockWeights *w = &blocks[i];
        t->blocks[i] = (PeBlock){
            .ln_1_weight = pe_tower_load_vector(t, &w->ln_1_weight),
            .ln_1_bias = pe_tower_load_vector(t, &w->ln_1_bias),
            .qkv =
                pe_tower_load_linear(t, &w->qkv_weight, &w->qkv_bias, NULL, d),
            .out = pe_tower_load_linear(t, &w->out_weight, &w->out_bias,
                                        &w->ls_1, d),
            .ln_2_weight = pe_tower_load_vector(t, &w->ln_2_weight),
            .ln_2_bias = pe_tower_load_vector(t, &w->ln_2_bias),
            .fc = pe_tower_load_linear(t, &w->fc_weight, &w->fc_bias, NULL, d),
            .proj = pe_tower_load_linear(t, &w->proj_weight, &w->proj_bias,
                                         &w->ls_2, t->mlp_width),
        };
    }
}

void
pe_tower_new_arena(PeTower *t, int max_rows, size_t min_wide)
{
    size_t act = pe_dtype_size(t->be->act);
    size_t rows = (size_t)max_rows;
    size_t width = (size_t)t->width;
    size_t wide = (size_t)MAX(3 * t->width, t->mlp_width);
    t->max_rows = max_rows;
    t->x = pe_tower_alloc(t, rows * width * sizeof(float));
    t->h = pe_tower_alloc(t, rows * width * act);
    t->wide = pe_tower_alloc(t, MAX(rows * wide * act, min_wide));
}

bool
pe_tower_check(PeTower *t, GError **error)
{
    if (t->error) {
        g_propagate_error(error, g_steal_pointer(&t->error));
        return false;
    }
    const char *failure = t->be->ops->sync(t->be);
    if (failure) {
        g_set_error(error, PE_ERROR, PE_ERROR_BACKEND,
                    "%s: loading the weights failed: %s",
                    t->be->ops->describe(t->be), failure);
        return false;
    }
    return true;
}

void
pe_tower_layernorm(PeTower *t, void *y, PeDtype type, const float *x,
                   const float *weight, const float *bias, int rows)
{
    t->be->ops->layernorm(t->be, y, type, x, weight, bias, rows, t->width,
                          PE_LAYERNORM_EPS);
}

// x f32 [rows, D] += attention(LN(x)), then x += MLP(LN(x)).
// Source: perception_models core/vision_encoder/pe.py,
// ResidualAttentionBlock.forward.
static void
run_block(PeTower *t, const PeBlock *block, const PeSequences *seq)
{
    const PeBackendOps *ops = t->be->ops;
    PeDtype act = t->be->act;
    PeEpilogue rotate = seq->rope ? PE_EPILOGUE_ROPE : PE_EPILOGUE_NONE;
    int rows = seq->rows;

    pe_tower_layernorm(t, t->h, act, t->x, block->ln_1_weight, block->ln_1_bias,
                       rows);
    ops->linear(t->be, block->qkv, rotate, seq->rope, t->wide, t->h,
                rows); // [rows, 3D]
    ops->attention(t->be, t->h, t->wide, seq->offsets, seq->b, seq->n, t->heads,
                   t->width / t->heads, seq->causal); // [rows, D]
    ops->linear(t->be, block->out, PE_EPILOGUE_RESIDUAL, NULL, t->x, t->h,
                rows);

    pe_tower_layernorm(t, t->h, act, t->x, block->ln_2_weight, block->ln_2_bias,
                       rows);
    ops->linear(t->be, block->fc, PE_EPILOGUE_GELU, NULL, t->wide, t->h,
                rows); // [rows, M]
    ops->linear(t->be, block->proj, PE_EPILOGUE_RESIDUAL, NULL, t->x, t->wide,
                rows);
}

void
pe_tower_run(PeTower *t, const PeSequences *seq)
{
    g_assert(seq->rows <= t->max_rows);
    for (int i = 0; i < t->n_blocks; i++) {
        run_block(t, &t->blocks[i], seq);
        if (t->trace) {
            char name[24];
            g_snprintf(name, sizeof name, "block%d", i);
            pe_tower_trace(t, name, t->x, PE_DTYPE_F32,
                           (size_t)seq->rows * (size_t)t->width);
        }
    }
}

void
pe_tower_trace(PeTower *t, const char *name, const void *data, PeDtype type,
               size_t n)
{
    if (!t->trace)
        return;
    size_t size = pe_dtype_size(type) * n;
    g_autofree void *raw = g_malloc(size);
    g_autofree float *values = g_new(float, n);
    t->be->ops->download(t->be, raw, data, size);
    PeTensor tensor = pe_tensor_new(type, 1, (int64_t[]){(int64_t)n}, raw);
    pe_tensor_to_f32(&tensor, values);
    t->trace(name, values, n, t->trace_data);
}

bool
pe_tower_finish(PeTower *t, float *out, const float *data, size_t n,
                GError **error)
{
    t->be->ops->download(t->be, out, data, n * sizeof *out);
    const char *failure = t->be->ops->sync(t->be);
    if (!failure)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_BACKEND, "%s: %s",
                t->be->ops->describe(t->be), failure);
    return false;
}
