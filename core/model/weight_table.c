// SPDX-License-Identifier: LGPL-2.1-or-later
//
// weight_table.c - the table of every weight: its names, its shape and where it
// goes. Opening, saving, random weights and fingerprints all walk it.
//
// Source: perception_models core/vision_encoder/pe.py (names, shapes); timm
// models/eva.py, checkpoint_filter_fn (names).

#include <string.h>

#include "model_private.h"

#define BLOCK(field) offsetof(PeBlockWeights, field)
#define VISION(field) offsetof(PeVisionWeights, field)
#define TEXT(field) offsetof(PeTextWeights, field)

// Letters of shapes, see axis_size():
//   D width   M mlp   E embedding   N positions   P patch   V vocabulary
//   Q 3 D     K 2 D   F 4 D         3 channels

static const PeWeightSpec block_specs[] = {
    {"ln_1.weight", "norm1.weight", BLOCK(ln_1_weight), "D"},
    {"ln_1.bias", "norm1.bias", BLOCK(ln_1_bias), "D"},
    {"attn.in_proj_weight", "attn.qkv.weight", BLOCK(qkv_weight), "QD"},
    {"attn.in_proj_bias", "attn.qkv.bias", BLOCK(qkv_bias), "Q"},
    {"attn.out_proj.weight", "attn.proj.weight", BLOCK(out_weight), "DD"},
    {"attn.out_proj.bias", "attn.proj.bias", BLOCK(out_bias), "D"},
    {"ls_1.gamma", "gamma_1", BLOCK(ls_1), "D", PE_WHEN_LAYER_SCALE},
    {"ln_2.weight", "norm2.weight", BLOCK(ln_2_weight), "D"},
    {"ln_2.bias", "norm2.bias", BLOCK(ln_2_bias), "D"},
    {"mlp.c_fc.weight", "mlp.fc1.weight", BLOCK(fc_weight), "MD"},
    {"mlp.c_fc.bias", "mlp.fc1.bias", BLOCK(fc_bias), "M"},
    {"mlp.c_proj.weight", "mlp.fc2.weight", BLOCK(proj_weight), "DM"},
    {"mlp.c_proj.bias", "mlp.fc2.bias", BLOCK(proj_bias), "D"},
    {"ls_2.gamma", "gamma_2", BLOCK(ls_2), "D", PE_WHEN_LAYER_SCALE},
};

static const PeWeightSpec vision_stem_specs[] = {
    {"conv1.weight", "patch_embed.proj.weight", VISION(conv), "D3PP"},
    {"class_embedding", "cls_token", VISION(cls), "D", PE_WHEN_CLS},
    {"positional_embedding", "pos_embed", VISION(pos), "ND"},
    {"ln_pre.weight", "norm_pre.weight", VISION(ln_pre_weight), "D"},
    {"ln_pre.bias", "norm_pre.bias", VISION(ln_pre_bias), "D"},
};

#define POOL "attn_pool."
#define MLP "attn_pool.mlp."

static const PeWeightSpec vision_head_specs[] = {
    {"ln_post.weight", "norm.weight", VISION(ln_post_weight), "D",
     PE_WHEN_LN_POST},
    {"ln_post.bias", "norm.bias", VISION(ln_post_bias), "D", PE_WHEN_LN_POST},
    {POOL "probe", POOL "latent", VISION(probe), "D", PE_WHEN_POOL},
    {POOL "attn.in_proj_weight", POOL "q.weight", VISION(pool_q_weight), "DD",
     PE_WHEN_POOL, PE_STORED_QKV_Q},
    {POOL "attn.in_proj_weight", POOL "kv.weight", VISION(pool_kv_weight), "KD",
     PE_WHEN_POOL, PE_STORED_QKV_KV},
    {POOL "attn.in_proj_bias", POOL "q.bias", VISION(pool_q_bias), "D",
     PE_WHEN_POOL, PE_STORED_QKV_Q},
    {POOL "attn.in_proj_bias", POOL "kv.bias", VISION(pool_kv_bias), "K",
     PE_WHEN_POOL, PE_STORED_QKV_KV},
    {POOL "attn.out_proj.weight", POOL "proj.weight", VISION(pool_out_weight),
     "DD", PE_WHEN_POOL},
    {POOL "attn.out_proj.bias", POOL "proj.bias", VISION(pool_out_bias), "D",
     PE_WHEN_POOL},
    {POOL "layernorm.weight", POOL "norm.weight", VISION(pool_ln_weight), "D",
     PE_WHEN_POOL},
    {POOL "layernorm.bias", POOL "norm.bias", VISION(pool_ln_bias), "D",
     PE_WHEN_POOL},
    {MLP "c_fc.weight", MLP "fc1.weight", VISION(pool_fc_weight), "FD",
     PE_WHEN_POOL},
    {MLP "c_fc.bias", MLP "fc1.bias", VISION(pool_fc_bias), "F", PE_WHEN_POOL},
    {MLP "c_proj.weight", MLP "fc2.weight", VISION(pool_proj_weight), "DF",
     PE_WHEN_POOL},
    {MLP "c_proj.bias", MLP "fc2.bias", VISION(pool_proj_bias), "D",
     PE_WHEN_POOL},
    {"proj", "head.weight", VISION(proj_weight), "ED", PE_WHEN_PROJ,
     PE_STORED_TRANSPOSED},
};

static const PeWeightSpec text_stem_specs[] = {
    {"token_embedding.weight", NULL, TEXT(token_embedding), "VD"},
    {"positional_embedding", NULL, TEXT(pos), "ND"},
};

static const PeWeightSpec text_head_specs[] = {
    {"ln_final.weight", NULL, TEXT(ln_final_weight), "D"},
    {"ln_final.bias", NULL, TEXT(ln_final_bias), "D"},
    {"text_projection", NULL, TEXT(projection), "ED", PE_WHEN_ALWAYS,
     PE_STORED_TRANSPOSED},
};

// One tower of one model, while its weights are made.
typedef struct {
    PeModel *model;
    bool is_text;
    int64_t width, mlp, embedding, positions, patch, vocab;
} Tower;

static int64_t
axis_size(const Tower *t, char letter)
{
    switch (letter) {
    case 'D':
        return t->width;
    case 'K':
        return 2 * t->width;
    case 'Q':
        return 3 * t->width;
    case 'F':
        return 4 * t->width;
    case 'M':
        return t->mlp;
    case 'E':
        return t->embedding;
    case 'N':
        return t->positions;
    case 'P':
        return t->patch;
    case 'V':
        return t->vocab;
    case '3':
        return 3;
    default:
        g_assert_not_reached();
    }
}

static bool
is_present(const Tower *t, PeWhen when)
{
    const PeVisionConfig *v = &t->model->vision;
    switch (when) {
    case PE_WHEN_CLS:
        return v->cls_token;
    case PE_WHEN_LN_POST:
        return v->ln_post;
    case PE_WHEN_LAYER_SCALE:
        return !t->is_text && v->layer_scale;
    case PE_WHEN_POOL:
        return v->pool_heads > 0;
    case PE_WHEN_PROJ:
        return v->output_dim > 0;
    default:
        return true;
    }
}

static void
add_weights(const Tower *t, const PeWeightSpec *specs, size_t n, int block,
            void *weights)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_present(t, specs[i].when))
            continue;
        PeWeight weight = {&specs[i], t->is_text, block,
                           (PeTensor *)((char *)weights + specs[i].offset),
                           (int)strlen(specs[i].shape)};
        for (int a = 0; a < weight.n_dims; a++)
            weight.shape[a] = axis_size(t, specs[i].shape[a]);
        g_array_append_val(t->model->weights, weight);
    }
}

static PeBlockWeights *
add_blocks(const Tower *t, int layers)
{
    PeBlockWeights *blocks = g_new0(PeBlockWeights, layers);
    for (int i = 0; i < layers; i++)
        add_weights(t, block_specs, G_N_ELEMENTS(block_specs), i, &blocks[i]);
    return blocks;
}

static void
add_text(PeModel *model)
{
    const PeTextConfig *c = &model->text;
    PeTextWeights *w = &model->text_weights;
    Tower t = {model,
               true,
               c->width,
               c->mlp_width,
               c->output_dim,
               c->context_length,
               .vocab = c->vocab_size};
    add_weights(&t, text_stem_specs, G_N_ELEMENTS(text_stem_specs), -1, w);
    w->blocks = add_blocks(&t, c->layers);
    add_weights(&t, text_head_specs, G_N_ELEMENTS(text_head_specs), -1, w);
}

void
pe_model_make_weights(PeModel *model)
{
    const PeVisionConfig *c = &model->vision;
    PeVisionWeights *w = &model->vision_weights;
    int grid = c->image_size / c->patch_size;
    Tower t = {model,
               false,
               c->width,
               c->mlp_width,
               c->output_dim,
               grid * grid + (c->cls_token ? 1 : 0),
               .patch = c->patch_size};
    add_weights(&t, vision_stem_specs, G_N_ELEMENTS(vision_stem_specs), -1, w);
    w->blocks = add_blocks(&t, c->layers);
    add_weights(&t, vision_head_specs, G_N_ELEMENTS(vision_head_specs), -1, w);
    if (model->has_text)
        add_text(model);
}

char *
pe_weight_get_name(const PeWeight *weight, const PeLayout *layout)
{
    bool timm = !weight->is_text && layout->names == PE_NAMES_TIMM;
    const char *prefix = weight->is_text ? layout->text : layout->vision;
    const char *name = timm ? weight->spec->timm : weight->spec->meta;
    if (weight->block < 0)
        return g_strconcat(prefix, name, NULL);
    return g_strdup_printf("%s%s.%d.%s", prefix,
                           timm ? "blocks" : "transformer.resblocks",
                           weight->block, name);
}

int
pe_weight_get_stored_shape(const PeWeight *weight, PeNames names,
                           int64_t *shape)
{
    memcpy(shape, weight->shape, sizeof weight->shape);
    if (names == PE_NAMES_TIMM && !weight->is_text)
        return weight->n_dims;
    switch (weight->spec->stored) {
    case PE_STORED_TRANSPOSED:
        shape[0] = weight->shape[1];
        shape[1] = weight->shape[0];
        break;
    case PE_STORED_QKV_Q:
        shape[0] *= 3;
        break;
    case PE_STORED_QKV_KV:
        shape[0] = shape[0] / 2 * 3;
        break;
    default:
        break;
    }
    return weight->n_dims;
}

char *
pe_shape_to_string(const int64_t *shape, int n_dims)
{
    GString *s = g_string_new("[");
    for (int i = 0; i < n_dims; i++)
        g_string_append_printf(s, "%s%" G_GINT64_FORMAT, i ? ", " : "",
                               shape[i]);
    g_string_append_c(s, ']');
    return g_string_free(s, FALSE);
}
