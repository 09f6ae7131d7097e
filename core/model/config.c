// SPDX-License-Identifier: LGPL-2.1-or-later
//
// config.c - which model a checkpoint is, told from the names and shapes
// of its tensors; the published shapes and their names.
//
// What shapes cannot say (the number of heads) comes from the configuration in
// the file's metadata when there is one, else from the rule that all published
// models follow.
// Source: perception_models core/vision_encoder/config.py.

#include <math.h>
#include <string.h>

#include "core/base/failure.h"
#include "core/base/json.h"
#include "model_private.h"

#define POOL_HEADS 8
#define MAX_AXIS (1 << 20)
#define MAX_LAYERS 1000

// ---- Published shapes -----------------------------------------------------

static const PeTextConfig text_512 = {32, 49408, 512, 12, 8, 2048, 512};
static const PeTextConfig text_1024 = {32, 49408, 1024, 24, 16, 4096, 1024};
static const PeTextConfig text_1280 = {72, 49408, 1280, 24, 20, 5120, 1280};

static const struct {
    const char *name;
    // image patch width layers heads mlp output pool  cls ln_post layer_scale
    PeVisionConfig vision;
    const PeTextConfig *text;
} published[] = {
    {"PE-Core-T16-384",
     {384, 16, 192, 12, 3, 768, 512, 8, true, true, false},
     &text_512},
    {"PE-Core-S16-384",
     {384, 16, 384, 12, 6, 1536, 512, 8, true, true, false},
     &text_512},
    {"PE-Core-B16-224",
     {224, 16, 768, 12, 12, 3072, 1024, 8, true, true, false},
     &text_1024},
    {"PE-Core-L14-336",
     {336, 14, 1024, 24, 16, 4096, 1024, 8, true, true, false},
     &text_1024},
    {"PE-Core-G14-448",
     {448, 14, 1536, 50, 16, 8960, 1280, 8, false, true, false},
     &text_1280},
    {"PE-Lang-L14-448", {448, 14, 1024, 23, 16, 4096, 0, 0, true, false, true}},
    {"PE-Lang-G14-448",
     {448, 14, 1536, 47, 16, 8960, 0, 0, false, false, true}},
    {"PE-Spatial-G14-448",
     {448, 14, 1536, 50, 16, 8960, 0, 0, false, false, true}},
    {"PE-Spatial-L14-448",
     {448, 14, 1024, 24, 16, 4096, 0, 0, true, false, false}},
    {"PE-Spatial-B16-512",
     {512, 16, 768, 12, 12, 3072, 0, 0, true, false, false}},
    {"PE-Spatial-S16-512",
     {512, 16, 384, 12, 6, 1536, 0, 0, true, false, false}},
    {"PE-Spatial-T16-512",
     {512, 16, 192, 12, 3, 768, 0, 0, true, false, false}},
};

const char *const *
pe_model_list_configs(void)
{
    static const char *names[G_N_ELEMENTS(published) + 1];
    static gsize once;
    if (g_once_init_enter(&once)) {
        for (size_t i = 0; i < G_N_ELEMENTS(published); i++)
            names[i] = published[i].name;
        g_once_init_leave(&once, 1);
    }
    return names;
}

bool
pe_model_set_published(PeModel *model, const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(published); i++) {
        if (strcmp(published[i].name, name) != 0)
            continue;
        model->vision = published[i].vision;
        model->has_text = published[i].text != NULL;
        if (model->has_text)
            model->text = *published[i].text;
        return true;
    }
    return false;
}

static bool
is_same_vision(const PeVisionConfig *a, const PeVisionConfig *b)
{
    return a->image_size == b->image_size && a->patch_size == b->patch_size &&
           a->width == b->width && a->layers == b->layers &&
           a->heads == b->heads && a->mlp_width == b->mlp_width &&
           a->output_dim == b->output_dim && a->pool_heads == b->pool_heads &&
           a->cls_token == b->cls_token && a->ln_post == b->ln_post &&
           a->layer_scale == b->layer_scale;
}

// A name of one line that no published model has.
static bool
is_own_name(const char *name)
{
    return name && *name && strlen(name) <= 64 &&
           g_utf8_validate(name, -1, NULL) && !strpbrk(name, "\n\r\t") &&
           !g_str_has_prefix(name, "PE-");
}

char *
pe_model_make_name(const PeVisionConfig *vision, const char *stored)
{
    for (size_t i = 0; i < G_N_ELEMENTS(published); i++) {
        if (is_same_vision(vision, &published[i].vision))
            return g_strdup(published[i].name);
    }
    if (is_own_name(stored))
        return g_strdup(stored);
    return g_strdup_printf("PE %dx%d patch %d width %d depth %d",
                           vision->image_size, vision->image_size,
                           vision->patch_size, vision->width, vision->layers);
}

// ---- Layout ---------------------------------------------------------------

// In order: a prefix that another one starts with comes after it.
static const PeLayout layouts[] = {
    {"open_clip", "visual.trunk.", PE_NAMES_TIMM, "text.", ""},
    {"meta", "visual.", PE_NAMES_META, "", ""},
    {"meta", "", PE_NAMES_META, NULL},
    {"timm", "", PE_NAMES_TIMM, NULL},
    // PerceptionLM, Meta's and transformers' names.
    {"perception-lm", "vision_model.", PE_NAMES_META, NULL},
    {"perception-lm", "model.vision_tower.timm_model.", PE_NAMES_TIMM, NULL},
    // Members of the class that somebody trained.
    {"open_clip", "model.visual.trunk.", PE_NAMES_TIMM, "model.text.",
     "model."},
    {"open_clip", "clip.visual.trunk.", PE_NAMES_TIMM, "clip.text.", "clip."},
    {"meta", "model.visual.", PE_NAMES_META, "model.", "model."},
    {"meta", "clip.visual.", PE_NAMES_META, "clip.", "clip."},
    {"meta", "model.clip.visual.", PE_NAMES_META, "model.clip.", "model.clip."},
    {"meta", "model.", PE_NAMES_META, NULL},
    {"timm", "model.", PE_NAMES_TIMM, NULL},
    // Files of expected values keep the weights beside inputs and outputs.
    {"fixture", "w.visual.", PE_NAMES_META, "w.", "w."},
    {"fixture", "w.", PE_NAMES_META, NULL},
};

static const PeTensor *
get_vision(const PeCheckpoint *ckpt, const PeLayout *layout, const char *meta,
           const char *timm)
{
    g_autofree char *name = g_strconcat(
        layout->vision, layout->names == PE_NAMES_META ? meta : timm, NULL);
    return pe_checkpoint_get(ckpt, name);
}

static const PeTensor *
get_text(const PeCheckpoint *ckpt, const PeLayout *layout, const char *name)
{
    if (!layout->text)
        return NULL;
    g_autofree char *full = g_strconcat(layout->text, name, NULL);
    return pe_checkpoint_get(ckpt, full);
}

const PeLayout *
pe_layout_find(const PeCheckpoint *ckpt, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(layouts); i++) {
        if (get_vision(ckpt, &layouts[i], "conv1.weight",
                       "patch_embed.proj.weight"))
            return &layouts[i];
    }
    GString *seen = g_string_new(NULL);
    int n = pe_checkpoint_count(ckpt);
    g_string_append_printf(seen, "it has %d tensors%s", n, n ? ": " : "");
    for (int i = 0; i < MIN(n, 3); i++) {
        g_autofree char *name =
            g_strescape(pe_checkpoint_get_name(ckpt, i), NULL);
        g_string_append_printf(seen, "%s'%.80s'", i ? ", " : "", name);
    }
    pe_fail(error, PE_ERROR_SHAPE, pe_checkpoint_get_path(ckpt),
            "is not a Perception Encoder: there is no "
            "'visual.conv1.weight' or 'conv1.weight' (Meta's names), no "
            "'patch_embed.proj.weight' (timm), no "
            "'visual.trunk.patch_embed.proj.weight' (open_clip); %s%s",
            seen->str, n > 3 ? ", ..." : "");
    g_string_free(seen, TRUE);
    return NULL;
}

// ---- From tensors ---------------------------------------------------------

// Axis `axis` of a tensor with `n_dims` axes behind leading ones of size one.
// 0 when there is no such tensor or it has another shape.
static int
get_axis(const PeTensor *t, int n_dims, int axis)
{
    if (!t || t->n_dims < n_dims)
        return 0;
    int skip = t->n_dims - n_dims;
    for (int i = 0; i < skip; i++) {
        if (t->shape[i] != 1)
            return 0;
    }
    int64_t size = t->shape[skip + axis];
    return size <= MAX_AXIS ? (int)size : 0;
}

static int
count_blocks(const PeModel *model, const char *prefix, const char *stack,
             const char *name)
{
    for (int i = 0; i < MAX_LAYERS; i++) {
        g_autofree char *full =
            g_strdup_printf("%s%s.%d.%s", prefix, stack, i, name);
        if (!pe_checkpoint_get(model->ckpt, full))
            return i;
    }
    return MAX_LAYERS;
}

// All published models have heads of 64 channels, but the 1536 wide ones have
// 16 heads of 96.
static int
guess_heads(int width)
{
    if (width == 1536)
        return 16;
    return width % 64 == 0 ? width / 64 : 0;
}

static bool
read_grid(PeModel *model, const PeLayout *layout, GError **error)

{
    PeVisionConfig *c = &model->vision;
    const PeTensor *pos =
        get_vision(model->ckpt, layout, "positional_embedding", "pos_embed");
    int rows = get_axis(pos, 2, 0);
    if (rows < 1)
        return pe_fail(error, PE_ERROR_SHAPE, model->path,
                       "the position embedding below '%s' is missing or not "
                       "[positions, width]",
                       layout->vision);
    int cells = rows - (c->cls_token ? 1 : 0);
    int grid = (int)lround(sqrt(cells));
    if (grid < 1 || grid * grid != cells)
        return pe_fail(error, PE_ERROR_SHAPE, model->path,
                       "the position embedding has %d rows, which is no square "
                       "grid%s",
                       rows, c->cls_token ? " and a class token" : "");
    c->image_size = grid * c->patch_size;
    return true;
}

// Either all of what makes a PE-Core or none of it.
static bool
read_head(PeModel *model, const PeLayout *layout, GError **error)
{
    PeVisionConfig *c = &model->vision;
    PeCheckpoint *ckpt = model->ckpt;
    bool timm = layout->names == PE_NAMES_TIMM;
    const PeTensor *proj = get_vision(ckpt, layout, "proj", "head.weight");
    bool pool = get_vision(ckpt, layout, "attn_pool.probe", "attn_pool.latent");
    bool post = get_vision(ckpt, layout, "ln_post.weight", "norm.weight");
    // PE-Lang and PE-Spatial G; their early files keep unused parts of the
    // head.
    if (c->layer_scale && !(proj && pool && post))
        return true;
    if (!proj && !pool && !post)
        return true;
    if (!proj || !pool || !post) {
        const char *missing = !pool   ? "attention pool"
                              : !post ? "final LayerNorm"
                                      : "projection";
        const char *name = !pool
                               ? (timm ? "attn_pool.latent" : "attn_pool.probe")
                           : !post ? (timm ? "norm.weight" : "ln_post.weight")
                                   : (timm ? "head.weight" : "proj");
        return pe_fail(error, PE_ERROR_SHAPE, model->path,
                       "'%s%s' is missing: without the %s this is not a "
                       "Perception Encoder (another CLIP?)",
                       layout->vision, name, missing);
    }
    c->pool_heads = POOL_HEADS;
    c->ln_post = true;
    c->output_dim = get_axis(proj, 2, timm ? 0 : 1);
    if (c->output_dim < 1)
        return pe_fail(error, PE_ERROR_SHAPE, model->path,
                       "the projection is not a matrix");
    return true;
}

static bool
read_vision(PeModel *model, const PeLayout *layout, GError **error)
{
    PeVisionConfig *c = &model->vision;
    PeCheckpoint *ckpt = model->ckpt;
    const PeTensor *conv =
        get_vision(ckpt, layout, "conv1.weight", "patch_embed.proj.weight");
    const PeTensor *fc =
        get_vision(ckpt, layout, "transformer.resblocks.0.mlp.c_fc.weight",
                   "blocks.0.mlp.fc1.weight");
    c->width = get_axis(conv, 4, 0);
    c->patch_size = get_axis(conv, 4, 3);
    if (c->width < 1 || c->patch_size < 1)
        return pe_fail(error, PE_ERROR_SHAPE, model->path,
                       "the patch embedding is not [width, 3, patch, patch]");
    c->layers = count_blocks(
        model, layout->vision,
        layout->names == PE_NAMES_META ? "transformer.resblocks" : "blocks",
        layout->names == PE_NAMES_META ? "ln_1.weight" : "norm1.weight");
    c->mlp_width = get_axis(fc, 2, 0);
    if (c->layers < 1 || c->mlp_width < 1)
        return pe_fail(error, PE_ERROR_SHAPE, model->path,
                       "the vision tower has no transformer blocks below '%s'",
                       layout->vision);
    c->cls_token = get_vision(ckpt, layout, "class_embedding", "cls_token");
    c->layer_scale = get_vision(
        ckpt, layout, "transformer.resblocks.0.ls_1.gamma", "blocks.0.gamma_1");
    c->heads = guess_heads(c->width);
    return read_grid(model, layout, error) && read_head(model, layout, error);
}

static bool
read_text(PeModel *model, const PeLayout *layout, GError **error)
{
    PeTextConfig *c = &model->text;
    PeCheckpoint *ckpt = model->ckpt;
    const PeTensor *embedding =
        get_text(ckpt, layout, "token_embedding.weight");
    model->has_text = embedding != NULL;
    if (!embedding)
        return true;
    if (model->vision.output_dim == 0)
        return pe_fail(error, PE_ERROR_SHAPE, model->path,
                       "has a text tower, but a vision tower without '%s%s'",
                       layout->vision,
                       layout->names == PE_NAMES_META ? "proj" : "head.weight");
    c->vocab_size = get_axis(embedding, 2, 0);
    c->width = get_axis(embedding, 2, 1);
    c->context_length =
        get_axis(get_text(ckpt, layout, "positional_embedding"), 2, 0);
    c->layers = count_blocks(model, layout->text, "transformer.resblocks",
                             "ln_1.weight");
    c->mlp_width = get_axis(
        get_text(ckpt, layout, "transformer.resblocks.0.mlp.c_fc.weight"), 2,
        0);
    c->output_dim = get_axis(get_text(ckpt, layout, "text_projection"), 2, 1);
    c->heads = c->width % 64 == 0 ? c->width / 64 : 0;
    if (c->vocab_size < 1 || c->width < 1 || c->context_length < 1 ||
        c->layers < 1 || c->mlp_width < 1)
        return pe_fail(error, PE_ERROR_SHAPE, model->path,
                       "the text tower below '%s' is incomplete", layout->text);
    if (c->output_dim != model->vision.output_dim)
        return pe_fail(error, PE_ERROR_SHAPE, model->path,
                       "text embeddings have %d values, image embeddings %d",
                       c->output_dim, model->vision.output_dim);
    return true;
}

// ---- Metadata -------------------------------------------------------------

// Take an integer field that shapes cannot tell.
static bool
read_metadata_field(const PeModel *model, const char *key, const char *field,
                    int *value, GError **error)
{
    const char *text = pe_checkpoint_get_metadata(model->ckpt, key);
    if (!text || !*text)
        return true;
    g_autofree char *what = g_strdup_printf(
        "%s: the metadata '%s'", pe_checkpoint_get_path(model->ckpt), key);
    g_autoptr(JsonNode) root =
        pe_json_parse_object(text, strlen(text), what, error);
    if (!root)
        return false;
    JsonNode *node = json_object_get_member(json_node_get_object(root), field);
    if (!node)
        return true;
    if (json_node_get_value_type(node) != G_TYPE_INT64 ||
        json_node_get_int(node) < 1 || json_node_get_int(node) > MAX_AXIS)
        return pe_fail(error, PE_ERROR_SHAPE, model->path,
                       "the metadata '%s' has no usable %s", key, field);
    *value = (int)json_node_get_int(node);
    return true;
}

static bool
check_heads(const PeModel *model, const char *tower, int width, int heads,
            int multiple, GError **error)
{
    if (heads < 1)
        return pe_fail(
            error, PE_ERROR_SHAPE, model->path,
            "the %s tower is %d wide: the number of heads can only be "
            "told from a configuration in the metadata",
            tower, width);
    if (width % heads != 0 || width / heads % multiple != 0)
        return pe_fail(error, PE_ERROR_SHAPE, model->path,
                       "%d heads do not fit the %s tower, which is %d wide",
                       heads, tower, width);
    return true;
}

bool
pe_model_read_config(PeModel *model, const PeLayout *layout, GError **error)
{
    PeVisionConfig *v = &model->vision;
    PeTextConfig *t = &model->text;
    if (!read_vision(model, layout, error) ||
        !read_text(model, layout, error) ||
        !read_metadata_field(model, "config", "heads", &v->heads, error))
        return false;
    if (v->pool_heads > 0 &&
        (!read_metadata_field(model, "config", "attn_pooler_heads",
                              &v->pool_heads, error) ||
         !check_heads(model, "pooling", v->width, v->pool_heads, 1, error)))
        return false;
    if (model->has_text &&
        (!read_metadata_field(model, "text", "heads", &t->heads, error) ||
         !check_heads(model, "text", t->width, t->heads, 1, error)))
        return false;
    // Rotary position embedding turns pairs on two axes.
    return check_heads(model, "vision", v->width, v->heads, 4, error);
}

// ---- To metadata ----------------------------------------------------------

char *
pe_vision_config_to_json(const PeVisionConfig *c)
{
    char ratio[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_dtostr(ratio, sizeof ratio, (double)c->mlp_width / c->width);
    g_autofree char *output_dim =
        c->output_dim ? g_strdup_printf("%d", c->output_dim) : g_strdup("null");
    return g_strdup_printf(
        "{\"image_size\": %d, \"patch_size\": %d, \"width\": %d, "
        "\"layers\": %d, \"heads\": %d, \"mlp_ratio\": %s, "
        "\"output_dim\": %s, \"use_cls_token\": %s, \"use_abs_posemb\": true, "
        "\"use_rope2d\": true, \"use_ln_pre\": true, \"use_ln_post\": %s, "
        "\"pool_type\": \"%s\", \"attn_pooler_heads\": %d, "
        "\"ls_init_value\": %s}",
        c->image_size, c->patch_size, c->width, c->layers, c->heads, ratio,
        output_dim, c->cls_token ? "true" : "false",
        c->ln_post ? "true" : "false", c->pool_heads ? "attn" : "none",
        c->pool_heads ? c->pool_heads : POOL_HEADS,
        c->layer_scale ? "0.1" : "null");
}

char *
pe_text_config_to_json(const PeTextConfig *c)
{
    char ratio[G_ASCII_DTOSTR_BUF_SIZE];
    g_ascii_dtostr(ratio, sizeof ratio, (double)c->mlp_width / c->width);
    return g_strdup_printf(
        "{\"context_length\": %d, \"vocab_size\": %d, \"width\": %d, "
        "\"layers\": %d, \"heads\": %d, \"mlp_ratio\": %s, \"output_dim\": %d}",
        c->context_length, c->vocab_size, c->width, c->layers, c->heads, ratio,
        c->output_dim);
}
