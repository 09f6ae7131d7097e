// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vision.c - the image tower: patches, positions, blocks; the attention pool is
// in vision_pool.c.
//
// Source: perception_models core/vision_encoder/pe.py, VisionTransformer.

#include "vision.h"

#include "core/base/failure.h"
#include "grid.h"
#include "tower.h"
#include "vision_pool.h"

// Grids that are kept, the native one among them; the least recently used is
// dropped first.
#define MAX_GRIDS 8

// What depends only on the number of patches, in backend memory.
typedef struct {
    uint32_t id; // unique among the grids of all towers
    int gh, gw;
    float *pos;     // f32 [N, D]
    float *cos_sin; // f32 [N, head_dim / 2, 2]
} Grid;

struct PeVision {
    PeTower tower;
    const PeVisionConfig *config;
    const PeVisionWeights *weights;
    int max_batch;
    int max_tokens;
    int cls_rows; // c: 1 with a class token
    int k_padded; // columns of a patch, padded for the backend

    PeLinear *conv;
    float *cls; // f32 [D]
    float *ln_pre_weight, *ln_pre_bias;
    // A model with a pool needs them for the trace only: they are folded into
    // the pool's weights.
    float *ln_post_weight, *ln_post_bias;
    PeVisionPool pool;
    PeLinear *head; // D -> E
    float *out;     // f32 [max_batch, E]

    float *pos;    // f32 [c + g * g, D] on the host, of the native grid
    GQueue grids;  // of Grid, most recently used first
    float *pixels; // f32, for pe_vision_embed_pixels() only
    size_t pixels_size;
};

// ---- Loading --------------------------------------------------------------

// The patch embedding, whose inputs are PE_PIXEL_SCALE times the pixels.
static void
load_conv(PeVision *v)
{
    int64_t k = 3 * v->config->patch_size * v->config->patch_size;
    g_autofree float *scale = g_new(float, k);
    for (int i = 0; i < k; i++)
        scale[i] = 1 / PE_PIXEL_SCALE;
    PeTensor in_scale = pe_tensor_new(PE_DTYPE_F32, 1, &k, scale);
    v->conv = pe_tower_load_linear(
        &v->tower, &(PeFoldedLinear){.weight = &v->weights->conv,
                                     .in_scale = &in_scale,
                                     .k_padded = v->k_padded});
}

static void
load_weights(PeVision *v, int n_blocks)
{
    PeTower *t = &v->tower;
    const PeVisionWeights *w = v->weights;

    load_conv(v);
    v->pos = pe_tower_read(t, &w->pos);
    v->cls = pe_tower_load_vector(t, &w->cls);
    v->ln_pre_weight = pe_tower_load_vector(t, &w->ln_pre_weight);
    v->ln_pre_bias = pe_tower_load_vector(t, &w->ln_pre_bias);
    pe_tower_load_blocks(t, w->blocks, n_blocks);
    v->ln_post_weight = pe_tower_load_vector(t, &w->ln_post_weight);
    v->ln_post_bias = pe_tower_load_vector(t, &w->ln_post_bias);
    if (v->config->output_dim == 0)
        return;
    pe_vision_pool_load(&v->pool, t, w, v->config->pool_heads, v->max_batch);
    v->head =
        pe_tower_load_linear(t, &(PeFoldedLinear){.weight = &w->proj_weight,
                                                  .bias = &w->proj_bias,
                                                  .k_padded = t->width});
}

// Patches act [max_batch * Np, k_padded] and their embedding f32 [max_batch *
// Np, D] share `wide`, which is free before the blocks. After the blocks, the
// same memory holds the pool's scores f32 [max_batch, heads, N], and a trace of
// f32 [max_batch * N, D].
static size_t
patches_size(const PeVision *v)
{
    size_t size = (size_t)v->max_batch * (size_t)v->max_tokens *
                  (size_t)v->k_padded * pe_dtype_size(v->tower.be->act);
    return (size + 63) & ~(size_t)63;
}

static void
new_arena(PeVision *v)
{
    PeTower *t = &v->tower;
    size_t b = (size_t)v->max_batch;
    size_t rows = b * (size_t)v->max_tokens;

    pe_tower_new_arena(t, (int)rows,
                       patches_size(v) +
                           rows * (size_t)t->width * sizeof(float));
    if (v->config->output_dim > 0)
        v->out = pe_tower_alloc(t, b * (size_t)v->config->output_dim *
                                       sizeof(float));
}

// ---- Grids ----------------------------------------------------------------

// Positions f32 [N, D] for a grid, on the host.
static void
fill_positions(const PeVision *v, int gh, int gw, float *out)
{
    int g = v->config->image_size / v->config->patch_size;
    int c = v->cls_rows;
    int d = v->tower.width;
    if (gh == g && gw == g) {
        memcpy(out, v->pos, (size_t)(c + g * g) * (size_t)d * sizeof *out);
        return;
    }
    // The class token's row is not part of the picture and stays as it is.
    memcpy(out, v->pos, (size_t)(c * d) * sizeof *out);
    pe_positions_resize(v->pos + c * d, g, d, gh, gw, out + c * d);
}

static void
free_grid(PeVision *v, Grid *grid)
{
    PeBackend *be = v->tower.be;
    be->ops->free(be, grid->pos);
    be->ops->free(be, grid->cos_sin);
    g_free(grid);
}

static Grid *
new_grid(PeVision *v, int gh, int gw, GError **error)
{
    PeBackend *be = v->tower.be;
    int head_dim = v->tower.width / v->tower.heads;
    size_t n = (size_t)(v->cls_rows + gh * gw);
    size_t pos_size = n * (size_t)v->tower.width * sizeof(float);
    size_t rope_size = n * (size_t)head_dim * sizeof(float);
    g_autofree float *host = g_malloc(MAX(pos_size, rope_size));

    static guint last_id;
    Grid *grid = g_new0(Grid, 1);
    grid->id = (uint32_t)g_atomic_int_add(&last_id, 1);
    grid->gh = gh;
    grid->gw = gw;
    grid->pos = be->ops->alloc(be, pos_size);
    grid->cos_sin = be->ops->alloc(be, rope_size);
    if (!grid->pos || !grid->cos_sin) {
        pe_fail(error, PE_ERROR_NOMEM, be->ops->describe(be),
                "no memory left for a grid of %dx%d patches", gw, gh);
        free_grid(v, grid);
        return NULL;
    }
    fill_positions(v, gh, gw, host);
    be->ops->upload(be, grid->pos, host, pos_size);
    pe_rope_table(gh, gw, v->config->cls_token, head_dim, host);
    be->ops->upload(be, grid->cos_sin, host, rope_size);
    return grid;
}

static const Grid *
get_grid(PeVision *v, int gh, int gw, GError **error)
{
    for (GList *l = v->grids.head; l; l = l->next) {
        const Grid *grid = l->data;
        if (grid->gh == gh && grid->gw == gw) {
            g_queue_unlink(&v->grids, l);
            g_queue_push_head_link(&v->grids, l);
            return grid;
        }
    }
    Grid *grid = new_grid(v, gh, gw, error);
    if (!grid)
        return NULL;
    g_queue_push_head(&v->grids, grid);
    if (v->grids.length > MAX_GRIDS)
        free_grid(v, g_queue_pop_tail(&v->grids));
    return grid;
}

// ---- Making one -----------------------------------------------------------

PeVision *
pe_vision_new(PeBackend *be, const PeModel *model, const PeTowerParams *params,
              GError **error)
{
    const PeVisionConfig *c = pe_model_get_vision(model);
    int g = c->image_size / c->patch_size;
    int k = 3 * c->patch_size * c->patch_size;
    int layers =
        params->max_layers > 0 ? MIN(params->max_layers, c->layers) : c->layers;
    g_return_val_if_fail(params->max_batch > 0, NULL);

    PeVision *v = g_new0(PeVision, 1);
    pe_tower_init(&v->tower, be, model, c->width, c->heads, c->mlp_width);
    v->tower.shifts = be->shifts_norms && (c->output_dim > 0 || c->ln_post);
    v->config = c;
    v->weights = pe_model_get_vision_weights(model);
    v->cls_rows = c->cls_token ? 1 : 0;
    v->max_batch = params->max_batch;
    v->max_tokens =
        params->max_tokens > 0 ? params->max_tokens : v->cls_rows + g * g;
    v->k_padded = (k + be->k_align - 1) / be->k_align * be->k_align;
    g_queue_init(&v->grids);

    if ((int64_t)v->max_batch * v->max_tokens > G_MAXINT / 2) {
        g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                    "a batch of %d images of %d tokens is too large",
                    v->max_batch, v->max_tokens);
        pe_vision_free(v);
        return NULL;
    }
    load_weights(v, layers);
    new_arena(v);
    if (!pe_tower_check(&v->tower, error) ||
        (v->max_tokens >= v->cls_rows + g * g && !get_grid(v, g, g, error))) {
        pe_vision_free(v);
        return NULL;
    }
    return v;
}

void
pe_vision_free(PeVision *v)
{
    if (!v)
        return;
    PeBackend *be = v->tower.be;
    Grid *grid;
    while ((grid = g_queue_pop_head(&v->grids)))
        free_grid(v, grid);
    be->ops->free(be, v->pixels);
    pe_tower_clear(&v->tower);
    g_free(v->pos);
    g_free(v);
}

void
pe_vision_set_abandon(PeVision *v, const int *abandon)
{
    // A recording is of all layers.
    v->tower.abandon = v->tower.be->ops->graph_begin ? NULL : abandon;
}

void
pe_vision_set_trace(PeVision *v, PeTraceFunc func, void *user_data)
{
    v->tower.trace = func;
    v->tower.trace_data = user_data;
}

// ---- The forward pass -----------------------------------------------------

// The tower from the patches on, which are act [b * Np, k_padded] at the start
// of `wide`. Their embedding is written after them.
static void
run_tower(PeVision *v, const Grid *grid, int b)
{
    PeTower *t = &v->tower;
    PeBackend *be = t->be;
    int np = grid->gh * grid->gw;
    int n = v->cls_rows + np;
    int rows = b * n;
    size_t size = (size_t)rows * (size_t)t->width;
    float *patches = (float *)((char *)t->wide + patches_size(v));
    PeRope rope = {.cos_sin = grid->cos_sin,
                   .n_tokens = n,
                   .head_dim = t->width / t->heads};
    PeSequences seq = {.b = b, .n = n, .rows = rows, .rope = &rope};

    be->ops->linear(be, v->conv, PE_EPILOGUE_F32, NULL, patches, t->wide,
                    b * np); // [b * Np, D]
    be->ops->tokens(be, t->x, patches, v->cls, grid->pos, b, np, t->width);
    pe_tower_trace(t, "embed", t->x, PE_DTYPE_F32, size);
    pe_tower_layernorm(t, t->x, PE_DTYPE_F32, t->x, NULL, v->ln_pre_weight,
                       v->ln_pre_bias, rows);
    pe_tower_trace(t, "ln_pre", t->x, PE_DTYPE_F32, size);
    pe_tower_run(t, &seq);

    if (v->config->output_dim == 0) {
        if (v->config->ln_post)
            pe_tower_layernorm(t, t->x, PE_DTYPE_F32, t->x, t->shift,
                               v->ln_post_weight, v->ln_post_bias, rows);
        return;
    }
    if (t->trace) {
        pe_tower_layernorm(t, t->wide, PE_DTYPE_F32, t->x, t->shift,
                           v->ln_post_weight, v->ln_post_bias, rows);
        pe_tower_trace(t, "ln_post", t->wide, PE_DTYPE_F32, size);
    }
    pe_tower_layernorm(t, t->h, be->act, t->x, t->shift, NULL, NULL, rows);
    const void *pooled = pe_vision_pool_run(&v->pool, t, b, n);
    be->ops->linear(be, v->head, PE_EPILOGUE_F32, NULL, v->out, pooled, b);
}

// The tower, recorded where the backend can: with one grid and one batch size
// every operation is the same on each call.
static void
run_recorded(PeVision *v, const Grid *grid, int b)
{
    PeBackend *be = v->tower.be;
    uint64_t key = (uint64_t)grid->id << 32 | (uint32_t)b;
    do {
        if (be->ops->graph_begin(be, key))
            break;
        run_tower(v, grid, b);
    } while (!be->ops->graph_end(be));
}

// `out` is on the host.
static bool
finish(PeVision *v, const Grid *grid, int b, float *out, GError **error)
{
    PeTower *t = &v->tower;
    size_t n = (size_t)(v->cls_rows + grid->gh * grid->gw);
    size_t dim = (size_t)v->config->output_dim;
    if (dim == 0)
        return pe_tower_finish(t, out, t->x, (size_t)b * n * (size_t)t->width,
                               error);
    return pe_tower_finish(t, out, v->out, (size_t)b * dim, error);
}

// NULL with the error, or the grid of what has been queued.
static const Grid *
queue_slots(PeVision *v, PeSlot *const *slots, int b, GError **error)
{
    PeBackend *be = v->tower.be;
    int g = v->config->image_size / v->config->patch_size;
    g_return_val_if_fail(b > 0 && b <= v->max_batch, NULL);
    g_return_val_if_fail(v->max_tokens >= v->cls_rows + g * g, NULL);

    const Grid *grid = get_grid(v, g, g, error);
    if (!grid)
        return NULL;
    be->ops->patchify(be, v->tower.wide, slots, b, v->config->patch_size,
                      v->k_padded);
    if (be->ops->graph_begin && !v->tower.trace)
        run_recorded(v, grid, b);
    else
        run_tower(v, grid, b);
    return grid;
}

bool
pe_vision_embed(PeVision *v, PeSlot *const *slots, int b, float *out,
                GError **error)
{
    const Grid *grid = queue_slots(v, slots, b, error);
    return grid && finish(v, grid, b, out, error);
}

static size_t
output_size(const PeVision *v, int b)
{
    return (size_t)b * (size_t)v->config->output_dim * sizeof(float);
}

bool
pe_vision_begin(PeVision *v, PeSlot *const *slots, int b, int turn,
                GError **error)
{
    PeBackend *be = v->tower.be;
    g_return_val_if_fail(v->config->output_dim > 0, false);
    if (!queue_slots(v, slots, b, error))
        return false;
    if (be->ops->download_begin(be, turn, v->out, output_size(v, b)))
        return true;
    const char *failure = be->ops->sync(be);
    return pe_fail(error, PE_ERROR_BACKEND, be->ops->describe(be), "%s",
                   failure ? failure : "the results cannot be copied");
}

bool
pe_vision_end(PeVision *v, int b, int turn, float *out, GError **error)
{
    PeBackend *be = v->tower.be;
    const char *failure =
        be->ops->download_end(be, turn, out, output_size(v, b));
    return !failure || pe_fail(error, PE_ERROR_BACKEND, be->ops->describe(be),
                               "%s", failure);
}

static bool
upload_pixels(PeVision *v, const float *pixels, size_t size, GError **error)
{
    PeBackend *be = v->tower.be;
    if (size > v->pixels_size) {
        be->ops->free(be, v->pixels);
        v->pixels = be->ops->alloc(be, size);
        v->pixels_size = v->pixels ? size : 0;
    }
    if (!v->pixels) {
        return pe_fail(error, PE_ERROR_NOMEM, be->ops->describe(be),
                       "no memory left for %zu MiB of pixels",
                       (size >> 20) + 1);
    }
    be->ops->upload(be, v->pixels, pixels, size);
    return true;
}

bool
pe_vision_embed_pixels(PeVision *v, const float *pixels, int b, int h, int w,
                       float *out, GError **error)
{
    PeBackend *be = v->tower.be;
    int p = v->config->patch_size;
    int gh = h / p, gw = w / p;
    g_return_val_if_fail(b > 0 && b <= v->max_batch, false);
    if (gh < 1 || gw < 1 || v->cls_rows + (int64_t)gh * gw > v->max_tokens) {
        g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                    "an image of %dx%d pixels makes %" G_GINT64_FORMAT
                    " patches of %dx%d; this tower has room for 1 to %d",
                    w, h, (int64_t)gh * gw, p, p, v->max_tokens - v->cls_rows);
        return false;
    }
    size_t size = (size_t)b * 3 * (size_t)h * (size_t)w * sizeof *pixels;
    const Grid *grid = get_grid(v, gh, gw, error);
    if (!grid || !upload_pixels(v, pixels, size, error))
        return false;
    be->ops->patchify_f32(be, v->tower.wide, v->pixels, b, h, w, p,
                          v->k_padded);
    run_tower(v, grid, b);
    return finish(v, grid, b, out, error);
}
