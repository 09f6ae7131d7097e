// SPDX-License-Identifier: LGPL-2.1-or-later
//
// tower.c - transformer blocks over a backend's operations.

#include "tower.h"

#include "core/base/failure.h"
#include "core/device/narrow.h"
#include "rows.h"

#include <math.h>

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
        .shifts = be->shifts_norms,
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
    g_free(t->power);
    g_free(t->late);
    g_free(t->gains);
    g_clear_error(&t->error);
}

// A device that has failed has no memory to give either.
static void
fail_nomem(PeTower *t, const char *what, size_t size)
{
    const char *failure = t->be->ops->sync(t->be);
    if (failure) {
        g_set_error(&t->error, PE_ERROR, PE_ERROR_BACKEND,
                    "%s: loading the weights failed: %s",
                    t->be->ops->describe(t->be), failure);
        return;
    }
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

float *
pe_tower_alloc_host(PeTower *t, size_t n)
{
    if (t->error)
        return NULL;
    float *v = g_try_new(float, n);
    if (!v)
        fail_nomem(t, "a weight", n * sizeof *v);
    return v;
}

bool
pe_tower_load(PeTower *t, const PeTensor *tensor, PeLoaded *loaded)
{
    return !t->error && pe_model_load(t->model, tensor, loaded, &t->error);
}

float *
pe_tower_read(PeTower *t, const PeTensor *tensor)
{
    if (!tensor || !tensor->data)
        return NULL;
    float *v = pe_tower_alloc_host(t, (size_t)pe_tensor_size(tensor));
    g_auto(PeLoaded) loaded = {0};
    if (!v || !pe_tower_load(t, tensor, &loaded)) {
        g_free(v);
        return NULL;
    }
    pe_tensor_to_f32(&loaded.tensor, v);
    return v;
}

static float *
upload_vector(PeTower *t, const float *host, size_t n)
{
    float *p = pe_tower_alloc(t, n * sizeof *host);
    if (p)
        t->be->ops->upload(t->be, p, host, n * sizeof *host);
    return p;
}

float *
pe_tower_load_vector(PeTower *t, const PeTensor *tensor)
{
    g_autofree float *host = pe_tower_read(t, tensor);
    if (!host)
        return NULL;
    return upload_vector(t, host, (size_t)pe_tensor_size(tensor));
}

float
pe_tower_query_scale(int head_dim)
{
    return (float)(1 / (G_LN2 * sqrt(head_dim)));
}

typedef struct {
    float *y;
    const float *x;
} Product;

static void
add_product(void *data, int i, const float *row, int k)
{
    const Product *p = data;
    p->y[i] = (float)(p->y[i] + pe_rows_dot(row, p->x, k));
}

void
pe_tower_add_product(float *y, const PeTensor *w, const float *x)
{
    Product p = {y, x};
    pe_rows_run(w, add_product, &p);
}

// scale o (b + W in_shift), f32 [n]; NULL when it is nothing. g_free().
static float *
fold_bias(PeTower *t, const PeTensor *w, const PeFoldedLinear *source,
          const float *scale)
{
    int n = (int)w->shape[0];
    float *b = pe_tower_read(t, source->bias);
    g_autofree float *shift = pe_tower_read(t, source->in_shift);
    if (shift && !b) {
        b = pe_tower_alloc_host(t, (size_t)n);
        if (b)
            memset(b, 0, (size_t)n * sizeof *b);
    }
    if (shift && b)
        pe_tower_add_product(b, w, shift);
    for (int i = 0; scale && b && i < n; i++)
        b[i] *= scale[i];
    return b;
}

typedef struct {
    float *power;       // [n]
    const float *scale; // [n], NULL: 1
} Power;

static void
add_power(void *data, int i, const float *row, int k)
{
    const Power *p = data;
    float scale = p->scale ? p->scale[i] : 1;
    p->power[i] += (float)pe_rows_dot(row, row, k) * scale * scale;
}

// What a linear that writes the stream adds to its channels, from an input of
// ones in the mean square.
static void
count_power(PeTower *t, const PeLinearParams *params)
{
    Power p = {t->power, params->scale};
    pe_rows_run(&params->weight, add_power, &p);
}

// How large the channels of the stream are, for a linear that reads them. The
// norm that comes first has one divisor for all. g_free().
static float *
new_in_size(const PeTower *t)
{
    float *size = g_new(float, t->width);
    for (int j = 0; j < t->width; j++)
        size[j] = sqrtf(t->power[j]);
    return size;
}

// The stream does without the bias of a linear that writes to it, from here on.
static void
delay_bias(PeTower *t, const float *bias)
{
    if (!t->late)
        t->late = g_new0(float, t->width);
    for (int i = 0; i < t->width; i++)
        t->late[i] += bias[i];
    t->shift = upload_vector(t, t->late, (size_t)t->width);
}

static bool
is_narrow(const PeTower *t, const PeFoldedLinear *source)
{
    return source->in_block && t->be->narrow != t->be->act;
}

// What rows `first` and later of a weight give to a narrow linear is multiplied
// with gains, which that linear's weight will undo.
static void
find_gains(PeTower *t, const PeTensor *w, const PeFoldedLinear *source,
           const float *in_scale, int first)
{
    int n = (int)w->shape[0] - first;
    g_autofree float *bias = pe_tower_read(t, source->bias);
    g_autofree float *in_shift = pe_tower_read(t, source->in_shift);
    float *gains = pe_tower_alloc_host(t, (size_t)n);
    if (gains)
        pe_rows_find_gains(gains, w, in_scale, in_shift, bias, first, n);
    g_free(t->gains);
    t->gains = gains;
}

// Folds the gains of a linear's input, and those of v's rows, into its scales;
// see narrow.h.
static void
fold_gains(PeTower *t, const PeTensor *w, const PeFoldedLinear *source,
           float *scale, float **in_scale)
{
    int n = (int)w->shape[0], k = (int)w->shape[1];
    bool is_qkv = source->epilogue == PE_EPILOGUE_ROPE;
    bool reads_norm = source->epilogue != PE_EPILOGUE_RESIDUAL;
    int first = is_qkv ? n - n / 3 : 0;
    const float *undone = t->gains;
    if (reads_norm)
        find_gains(t, w, source, *in_scale, first);
    float *in = *in_scale ? *in_scale : pe_tower_alloc_host(t, (size_t)k);
    if (t->error)
        return;
    for (int j = 0; j < k; j++)
        in[j] = (*in_scale ? in[j] : 1) /
                (reads_norm ? pe_narrow_norm_gain(k) : undone[j]);
    *in_scale = in;
    for (int i = first; is_qkv && i < n; i++)
        scale[i] *= t->gains[i - first];
}

PeLinear *
pe_tower_load_linear(PeTower *t, const PeFoldedLinear *source)
{
    g_autofree float *scale = pe_tower_read(t, source->scale);
    g_autofree float *in_scale = pe_tower_read(t, source->in_scale);
    g_autofree float *copy = NULL;
    g_auto(PeLoaded) loaded = {0};
    if (!pe_tower_load(t, source->weight, &loaded))
        return NULL;
    PeTensor w = loaded.tensor;
    if (w.n_dims != 2) {
        // A convolution kernel. Torch may have stored it channels-last.
        if (!pe_tensor_is_contiguous(&w)) {
            copy = pe_tower_read(t, &w);
            if (!copy)
                return NULL;
            w = pe_tensor_new(PE_DTYPE_F32, w.n_dims, w.shape, copy);
        }
        w = pe_tensor_as_matrix(&w, w.shape[0]);
    }
    bool narrow = is_narrow(t, source);
    if (narrow && !t->error)
        fold_gains(t, &w, source, scale, &in_scale);
    g_autofree float *bias = t->error ? NULL : fold_bias(t, &w, source, scale);
    if (t->error)
        return NULL;
    bool late = t->shifts && source->epilogue == PE_EPILOGUE_RESIDUAL;
    if (late && bias)
        delay_bias(t, bias);
    PeLinearParams params = {.weight = w,
                             .bias = late ? NULL : bias,
                             .scale = scale,
                             .in_scale = in_scale,
                             .narrow = narrow,
                             .k_padded = source->k_padded,
                             .epilogue = source->epilogue};
    if (narrow && source->epilogue == PE_EPILOGUE_GELU)
        params.gain = t->gains;
    g_autofree float *in_size = NULL;
    if (t->power && params.epilogue == PE_EPILOGUE_RESIDUAL)
        count_power(t, &params);
    else if (t->power && (params.epilogue == PE_EPILOGUE_ROPE ||
                          params.epilogue == PE_EPILOGUE_GELU))
        params.in_size = in_size = new_in_size(t);
    PeLinear *l = t->be->ops->linear_new(t->be, &params);
    if (!l) {
        fail_nomem(t, "the weights", (size_t)pe_tensor_size(&w) * 4);
        return NULL;
    }
    g_ptr_array_add(t->linears, l);
    return l;
}

// What the rows of q, k and v are multiplied with, f32 [3 * D]. g_free().
static float *
new_qkv_scale(PeTower *t)
{
    float *scale = g_new(float, 3 * t->width);
    for (int i = 0; i < 3 * t->width; i++)
        scale[i] = i < t->width ? pe_tower_query_scale(t->width / t->heads) : 1;
    return scale;
}

static PeLinear *
load_qkv(PeTower *t, const PeBlockWeights *w)
{
    g_autofree float *values = new_qkv_scale(t);
    PeTensor scale =
        pe_tensor_new(PE_DTYPE_F32, 1, (int64_t[]){3 * t->width}, values);
    return pe_tower_load_linear(
        t, &(PeFoldedLinear){.in_block = true,
                             .weight = &w->qkv_weight,
                             .bias = &w->qkv_bias,
                             .scale = &scale,
                             .in_scale = &w->ln_1_weight,
                             .in_shift = &w->ln_1_bias,
                             .k_padded = t->width,
                             .epilogue = PE_EPILOGUE_ROPE});
}

static PeLinear *
load_out(PeTower *t, const PeBlockWeights *w)
{
    return pe_tower_load_linear(
        t, &(PeFoldedLinear){.in_block = true,
                             .weight = &w->out_weight,
                             .bias = &w->out_bias,
                             .scale = &w->ls_1,
                             .k_padded = t->width,
                             .epilogue = PE_EPILOGUE_RESIDUAL});
}

static PeLinear *
load_fc(PeTower *t, const PeBlockWeights *w)
{
    return pe_tower_load_linear(
        t, &(PeFoldedLinear){.in_block = true,
                             .weight = &w->fc_weight,
                             .bias = &w->fc_bias,
                             .in_scale = &w->ln_2_weight,
                             .in_shift = &w->ln_2_bias,
                             .k_padded = t->width,
                             .epilogue = PE_EPILOGUE_GELU});
}

static PeLinear *
load_proj(PeTower *t, const PeBlockWeights *w)
{
    return pe_tower_load_linear(
        t, &(PeFoldedLinear){.in_block = true,
                             .weight = &w->proj_weight,
                             .bias = &w->proj_bias,
                             .scale = &w->ls_2,
                             .k_padded = t->mlp_width,
                             .epilogue = PE_EPILOGUE_RESIDUAL});
}

void
pe_tower_new_blocks(PeTower *t, int n)
{
    t->n_blocks = n;
    t->blocks = g_new0(PeBlock, n);
    if (t->be->precision != PE_PRECISION_INT8)
        return;
    t->power = g_new(float, t->width);
    for (int j = 0; j < t->width; j++)
        t->power[j] = 1; // of what the blocks start with
}

void
pe_tower_load_block_part(PeTower *t, const PeBlockWeights *blocks, int part)
{
    const PeBlockWeights *w = &blocks[part / PE_BLOCK_PARTS];
    PeBlock *block = &t->blocks[part / PE_BLOCK_PARTS];
    switch (part % PE_BLOCK_PARTS) {
    case 0:
        block->shift_1 = t->shift;
        block->qkv = load_qkv(t, w);
        break;
    case 1:
        block->out = load_out(t, w);
        break;
    case 2:
        block->shift_2 = t->shift;
        block->fc = load_fc(t, w);
        break;
    default:
        block->proj = load_proj(t, w);
    }
}

void
pe_tower_load_blocks(PeTower *t, const PeBlockWeights *blocks, int n)
{
    pe_tower_new_blocks(t, n);
    for (int part = 0; part < n * PE_BLOCK_PARTS && !t->error; part++)
        pe_tower_load_block_part(t, blocks, part);
}

void
pe_tower_new_arena(PeTower *t, int max_rows, size_t min_wide)
{
    size_t act = pe_dtype_size(t->be->act);
    size_t rows = (size_t)max_rows;
    size_t width = (size_t)t->width;
    size_t wide = rows * (size_t)MAX(3 * t->width, t->mlp_width) * act;
    size_t mlp = rows * (size_t)t->mlp_width;
    if (t->be->narrow != t->be->act) // see PeBackendOps, linear()
        wide = MAX(wide, mlp * (pe_dtype_size(t->be->narrow) + act) + 256);
    t->max_rows = max_rows;
    t->x = pe_tower_alloc(t, rows * width * sizeof(float));
    t->h = pe_tower_alloc(t, rows * width * act);
    t->wide = pe_tower_alloc(t, MAX(wide, min_wide));
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
        return pe_fail(error, PE_ERROR_BACKEND, t->be->ops->describe(t->be),
                       "loading the weights failed: %s", failure);
    }
    return true;
}

void
pe_tower_layernorm(PeTower *t, void *y, PeDtype type, const float *x,
                   const float *shift, const float *weight, const float *bias,
                   int rows)
{
    t->be->ops->layernorm(t->be, y, type, x, shift, weight, bias, rows,
                          t->width, PE_LAYERNORM_EPS);
}

static bool
is_abandoned(const PeTower *t)
{
    return t->abandon && g_atomic_int_get(t->abandon);
}

// h act [rows, D] = attention of what qkv makes of h, through `wide`.
static void
attend(PeBackend *be, const PeBlockRun *run)
{
    const PeBackendOps *ops = be->ops;
    const PeSequences *seq = run->seq;
    bool late = seq->rope && ops->rope_attention;
    PeEpilogue rotate =
        seq->rope && !late ? PE_EPILOGUE_ROPE : PE_EPILOGUE_NONE;

    ops->linear(be, run->block->qkv, rotate, late ? NULL : seq->rope, run->wide,
                run->h, seq->rows); // [rows, 3D]
    if (late)
        ops->rope_attention(be, run->h, run->wide, seq->rope, seq->b, seq->n,
                            run->heads);
    else
        ops->attention(be, run->h, run->wide, seq->offsets, seq->b, seq->n,
                       run->heads, run->width / run->heads, seq->causal);
}

// x f32 [rows, D] += attention(LN(x)), then x += MLP(LN(x)).
// Source: perception_models core/vision_encoder/pe.py,
// ResidualAttentionBlock.forward.
static void
run_block(PeBackend *be, const PeBlockRun *run)
{
    const PeBackendOps *ops = be->ops;
    const PeBlock *block = run->block;
    int rows = run->seq->rows;

    ops->layernorm(be, run->h, be->narrow, run->x, block->shift_1, NULL, NULL,
                   rows, run->width, run->eps);
    attend(be, run);
    ops->linear(be, block->out, PE_EPILOGUE_RESIDUAL, NULL, run->x, run->h,
                rows);

    ops->layernorm(be, run->h, be->narrow, run->x, block->shift_2, NULL, NULL,
                   rows, run->width, run->eps);
    ops->linear(be, block->fc, PE_EPILOGUE_GELU, NULL, run->wide, run->h,
                rows); // [rows, M]
    ops->linear(be, block->proj, PE_EPILOGUE_RESIDUAL, NULL, run->x, run->wide,
                rows);
}

void
pe_tower_run(PeTower *t, const PeSequences *seq)
{
    g_assert(seq->rows <= t->max_rows);
    for (int i = 0; i < t->n_blocks && !is_abandoned(t); i++) {
        bool last = i + 1 == t->n_blocks;
        PeBlockRun run = {
            .block = &t->blocks[i],
            .seq = seq,
            .first = i == 0,
            .next_shift = last ? t->shift : t->blocks[i + 1].shift_1,
            .width = t->width,
            .heads = t->heads,
            .mlp_width = t->mlp_width,
            .eps = PE_LAYERNORM_EPS,
            .x = t->x,
            .h = t->h,
            .wide = t->wide,
        };
        if (t->be->ops->block)
            t->be->ops->block(t->be, &run, run_block);
        else
            run_block(t->be, &run);
        if (t->trace) {
            char name[24];
            g_snprintf(name, sizeof name, "block%d", i);
            pe_tower_trace_stream(t, name, run.next_shift, seq->rows);
        }
    }
}

void
pe_tower_trace_stream(PeTower *t, const char *name, const float *shift,
                      int rows)
{
    if (!t->trace)
        return;
    size_t d = (size_t)t->width, n = (size_t)rows * d;
    g_autofree float *values = g_new(float, n);
    g_autofree float *late = g_new0(float, d);
    t->be->ops->download(t->be, values, t->x, n * sizeof *values);
    if (shift)
        t->be->ops->download(t->be, late, shift, d * sizeof *late);
    for (size_t i = 0; i < n; i++)
        values[i] += late[i % d];
    t->trace(name, values, n, t->trace_data);
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
    const char *device = t->be->ops->describe(t->be);
    if (failure)
        return pe_fail(error, PE_ERROR_BACKEND, device, "%s", failure);
    if (is_abandoned(t))
        return pe_fail(error, PE_ERROR_CANCELLED, device,
                       "nobody waits for this batch any more");
    return true;
}
