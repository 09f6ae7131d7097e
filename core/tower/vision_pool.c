// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vision_pool.c - the attention pool, folded on loading so that no linear layer
// runs over all tokens. MODEL.md has the algebra.
//
// Source: perception_models core/vision_encoder/pe.py, AttentionPooling.

#include "vision_pool.h"

#include "core/base/cores.h"
#include "core/base/dots.h"
#include "core/base/threads.h"

// ---- Composition ------------------------------------------------------------

//   out  [d, heads * d]      wo, wv  [d, d]
typedef struct {
    const PeDotsLoops *loops;
    float *out;
    const float *wo, *wv;
    int d, heads;
} Composition;

static int
count_panels(int d)
{
    return (d + PE_PANEL - 1) / PE_PANEL;
}

// A task is a panel of a head: PE_PANEL columns of its block.
static void
run_panel(void *data, int task, int lane)
{
    const Composition *c = data;
    int d = c->d, hd = d / c->heads, h = task / count_panels(d);
    int first = task % count_panels(d) * PE_PANEL;
    size_t size = (size_t)MIN(PE_PANEL, d - first) * sizeof(float);
    g_autofree float *panel = g_new0(float, hd *PE_PANEL);
    g_autofree float *product = g_new(float, d *PE_PANEL);
    for (int j = 0; j < hd; j++)
        memcpy(panel + j * PE_PANEL,
               c->wv + (size_t)(h * hd + j) * (size_t)d + first, size);
    c->loops->multiply_panel(c->wo + h * hd, (size_t)d, d, panel, hd, product);
    for (int r = 0; r < d; r++)
        memcpy(c->out + ((size_t)r * (size_t)c->heads + (size_t)h) * (size_t)d +
                   first,
               product + r * PE_PANEL, size);
}

// Block h of out [d, heads * d] = Wo's columns of head h times Wv's rows of it.
static void
compose(float *out, const float *wo, const float *wv, int d, int heads)
{
    Composition c = {pe_dots_loops(pe_dots_best()), out, wo, wv, d, heads};
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
    pe_tower_layernorm(t, p->h, be->act, p->y, NULL, NULL, NULL, b);
    be->ops->linear(be, p->fc, PE_EPILOGUE_GELU, NULL, p->mlp, p->h,
                    b); // [b, 4D]
    be->ops->linear(be, p->proj, PE_EPILOGUE_RESIDUAL, NULL, p->y, p->mlp, b);
    pe_tower_trace(t, "attn_pool", p->y, PE_DTYPE_F32, size);
    be->ops->convert(be, p->h, p->y, size);
    return p->h;
}
