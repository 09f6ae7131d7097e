// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vision_pool.c - the attention pool, folded on loading so that no linear layer
// runs over all tokens. MODEL.md has the algebra.
//
// Source: perception_models core/vision_encoder/pe.py, AttentionPooling.

#include "vision_pool.h"

#include "core/base/cores.h"
#include "core/base/threads.h"

// Columns that are composed at once.
#define PANEL 16

typedef float Panel __attribute__((vector_size(PANEL * sizeof(float))));

// ---- Composition ------------------------------------------------------------

// PANEL columns of head h's block, from column c on.
//
//   out  [d, heads * d]      wo, wv  [d, d]      panel  [d / heads, PANEL]
static void
compose_panel(float *out, const float *wo, const float *wv, int d, int heads,
              int h, int c, float *panel)
{
    int hd = d / heads, cols = MIN(PANEL, d - c);
    size_t width = (size_t)d, out_width = (size_t)heads * width;
    for (int j = 0; j < hd; j++) {
        float *line = panel + (size_t)j * PANEL;
        memset(line, 0, sizeof(Panel));
        memcpy(line, wv + (size_t)(h * hd + j) * width + c,
               (size_t)cols * sizeof *line);
    }
    // Two rows share what is read of the panel.
    for (int r = 0; r < d; r += 2) {
        int next = MIN(r + 1, d - 1);
        const float *a = wo + (size_t)r * width + (size_t)(h * hd);
        const float *b = wo + (size_t)next * width + (size_t)(h * hd);
        float *y = out + (size_t)h * width + (size_t)c;
        Panel first = {0}, second = {0};
        for (int j = 0; j < hd; j++) {
            Panel v;
            memcpy(&v, panel + (size_t)j * PANEL, sizeof v);
            first += a[j] * v;
            second += b[j] * v;
        }
        memcpy(y + (size_t)r * out_width, &first, (size_t)cols * sizeof *y);
        memcpy(y + (size_t)next * out_width, &second, (size_t)cols * sizeof *y);
    }
}

typedef struct {
    float *out;
    const float *wo, *wv;
    int d, heads;
} Composition;

static int
count_panels(int d)
{
    return (d + PANEL - 1) / PANEL;
}

// A task is a panel of a head.
static void
run_panel(void *data, int task, int lane)
{
    const Composition *c = data;
    int panels = count_panels(c->d);
    g_autofree float *panel = g_new(float, PANEL *(c->d / c->heads));
    compose_panel(c->out, c->wo, c->wv, c->d, c->heads, task / panels,
                  task % panels * PANEL, panel);
}

// Block h of out [d, heads * d] = Wo's columns of head h times Wv's rows of it.
static void
compose(float *out, const float *wo, const float *wv, int d, int heads)
{
    Composition c = {out, wo, wv, d, heads};
    pe_threads_run(pe_cores_count(), heads * count_panels(d), run_panel, &c);
}

// ---- Loading ----------------------------------------------------------------

// u[h] = s gamma o (Wk_h^T q_h) with q = Wq probe + bq, which does not depend
// on the input. The biases of the keys and of ln_post add the same number to
// all scores of a head, which softmax ignores.
static void
load_queries(PeVisionPool *p, PeTower *t, const PeVisionWeights *w)
{
    int d = t->width, hd = d / p->heads;
    double scale = pe_tower_query_scale(hd);
    PeTensor key_weight = pe_tensor_rows(&w->pool_kv_weight, 0, d);
    size_t size = (size_t)p->heads * (size_t)d * sizeof(float);
    g_autofree float *probe = pe_tower_read(t, &w->probe);
    g_autofree float *q = pe_tower_read(t, &w->pool_q_bias);
    g_autofree float *gamma = pe_tower_read(t, &w->ln_post_weight);
    g_autofree float *u = pe_tower_alloc_host(t, (size_t)(p->heads * d));
    g_autofree float *row = g_new(float, d);
    g_autofree double *sums = g_new(double, d);
    g_auto(PeLoaded) wq = {0}, wk = {0};
    if (!pe_tower_load(t, &w->pool_q_weight, &wq) ||
        !pe_tower_load(t, &key_weight, &wk))
        return;

    pe_tower_add_product(q, &wq.tensor, probe);
    for (int h = 0; h < p->heads; h++) {
        memset(sums, 0, (size_t)d * sizeof *sums);
        for (int j = h * hd; j < (h + 1) * hd; j++) {
            PeTensor key = pe_tensor_rows(&wk.tensor, j, 1);
            pe_tensor_to_f32(&key, row);
            for (int i = 0; i < d; i++)
                sums[i] += (double)row[i] * q[j];
        }
        for (int i = 0; i < d; i++)
            u[h * d + i] = (float)(scale * gamma[i] * sums[i]);
    }
    p->u = pe_tower_alloc(t, size);
    if (p->u)
        t->be->ops->upload(t->be, p->u, u, size);
}

// [heads * d]: gamma for each head.
static void
tile(float *out, const float *gamma, int d, int heads)
{
    for (int h = 0; h < heads; h++)
        memcpy(out + h * d, gamma, (size_t)d * sizeof *out);
}

// y = sum_h Wo_h Wv_h (gamma o x_h) + bo + Wo (Wv beta + bv): the probabilities
// sum to one, so that a bias of the tokens or of the values is added unchanged.
static void
load_out(PeVisionPool *p, PeTower *t, const PeVisionWeights *w)
{
    int d = t->width;
    int64_t shape[2] = {d, (int64_t)p->heads * d};
    PeTensor kv_values = pe_tensor_rows(&w->pool_kv_weight, d, d);
    PeTensor kv_values_bias = pe_tensor_rows(&w->pool_kv_bias, d, d);
    g_autofree float *wo = pe_tower_read(t, &w->pool_out_weight);
    g_autofree float *wv = pe_tower_read(t, &kv_values);
    g_autofree float *gamma = pe_tower_read(t, &w->ln_post_weight);
    g_autofree float *beta = pe_tower_read(t, &w->ln_post_bias);
    g_autofree float *shift = pe_tower_read(t, &kv_values_bias);
    g_autofree float *bias = pe_tower_read(t, &w->pool_out_bias);
    g_autofree float *gammas = pe_tower_alloc_host(t, (size_t)shape[1]);
    g_autofree float *product =
        pe_tower_alloc_host(t, (size_t)(shape[0] * shape[1]));
    if (t->error)
        return;

    PeTensor out = pe_tensor_new(PE_DTYPE_F32, 2, (int64_t[]){d, d}, wo);
    PeTensor values = pe_tensor_new(PE_DTYPE_F32, 2, (int64_t[]){d, d}, wv);
    compose(product, wo, wv, d, p->heads);
    pe_tower_add_product(shift, &values, beta);
    pe_tower_add_product(bias, &out, shift);
    tile(gammas, gamma, d, p->heads);
    PeTensor weight = pe_tensor_new(PE_DTYPE_F32, 2, shape, product);
    PeTensor in_scale = pe_tensor_new(PE_DTYPE_F32, 1, &shape[1], gammas);
    PeTensor b = pe_tensor_new(PE_DTYPE_F32, 1, &shape[0], bias);
    p->out =
        pe_tower_load_linear(t, &(PeFoldedLinear){.weight = &weight,
                                                  .bias = &b,
                                                  .in_scale = &in_scale,
                                                  .k_padded = (int)shape[1]});
}

static void
load_mlp(PeVisionPool *p, PeTower *t, const PeVisionWeights *w)
{
    int mlp_width = (int)w->pool_fc_weight.shape[0];
    p->fc = pe_tower_load_linear(
        t, &(PeFoldedLinear){.weight = &w->pool_fc_weight,
                             .bias = &w->pool_fc_bias,
                             .in_scale = &w->pool_ln_weight,
                             .in_shift = &w->pool_ln_bias,
                             .k_padded = t->width});
    p->proj = pe_tower_load_linear(
        t, &(PeFoldedLinear){.weight = &w->pool_proj_weight,
                             .bias = &w->pool_proj_bias,
                             .k_padded = mlp_width});
}

void
pe_vision_pool_load(PeVisionPool *p, PeTower *t, const PeVisionWeights *w,
                    int heads, int max_batch)
{
    size_t act = pe_dtype_size(t->be->act);
    size_t b = (size_t)max_batch, d = (size_t)t->width;
    size_t mlp_width = (size_t)w->pool_fc_weight.shape[0];
    p->heads = heads;
    load_queries(p, t, w);
    load_out(p, t, w);
    load_mlp(p, t, w);
    p->mixed = pe_tower_alloc(t, b * (size_t)heads * d * act);
    p->y = pe_tower_alloc(t, b * d * sizeof(float));
    p->h = pe_tower_alloc(t, b * d * act);
    p->mlp = pe_tower_alloc(t, b * mlp_width * act);
}

// ---- The forward pass -------------------------------------------------------

const void *
pe_vision_pool_run(const PeVisionPool *p, PeTower *t, int b, int n)
{
    PeBackend *be = t->be;
    size_t size = (size_t)b * (size_t)t->width;

    be->ops->pool(be, p->mixed, t->wide, p->u, t->h, b, n, p->heads,
                  t->width); // [b, heads * D]
    be->ops->linear(be, p->out, PE_EPILOGUE_F32, NULL, p->y, p->mixed, b);
    pe_tower_layernorm(t, p->h, be->act, p->y, NULL, NULL, b);
    be->ops->linear(be, p->fc, PE_EPILOGUE_GELU, NULL, p->mlp, p->h,
                    b); // [b, 4D]
    be->ops->linear(be, p->proj, PE_EPILOGUE_RESIDUAL, NULL, p->y, p->mlp, b);
    pe_tower_trace(t, "attn_pool", p->y, PE_DTYPE_F32, size);
    be->ops->convert(be, p->h, p->y, size);
    return p->h;
}
