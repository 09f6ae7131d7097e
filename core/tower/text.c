// SPDX-License-Identifier: LGPL-2.1-or-later
//
// text.c - the text tower: token rows, causal blocks, the end token's row.
//
// Source: perception_models core/vision_encoder/pe.py, TextTransformer.

#include "text.h"

#include "tower.h"

struct PeText {
    PeTower tower;
    const PeTextConfig *config;
    const PeTextWeights *weights;
    int max_rows;
    int n_loaded; // pieces, see load_piece()

    PeLinear *projection; // W -> E, with the final norm's weights

    float *ends;  // f32 [max_rows, W], the end tokens' rows
    float *out;   // f32 [max_rows, E]
    int *indices; // i32 [2 * max_rows + 1], b + 1 offsets, then b last rows

    // The same on the host, for one chunk of texts.
    float *host_pos;   // [C, W]
    float *host_rows;  // [max_rows, W]
    int *host_indices; // [2 * max_rows + 1]
};

static void
load_projection(PeText *t)
{
    PeTower *tower = &t->tower;
    t->projection = pe_tower_load_linear(
        tower, &(PeFoldedLinear){.weight = &t->weights->projection,
                                 .in_scale = &t->weights->ln_final_weight,
                                 .in_shift = &t->weights->ln_final_bias,
                                 .k_padded = tower->width});
}

static void
new_arena(PeText *t, int max_rows)
{
    PeTower *tower = &t->tower;
    size_t rows = (size_t)max_rows;
    size_t width = (size_t)tower->width;
    pe_tower_new_arena(tower, max_rows, 0);
    t->ends = pe_tower_alloc(tower, rows * width * sizeof(float));
    t->out = pe_tower_alloc(tower, rows * (size_t)t->config->output_dim *
                                       sizeof(float));
    t->indices = pe_tower_alloc(tower, (2 * rows + 1) * sizeof(int));
    t->host_pos = pe_tower_read(tower, &t->weights->pos);
    t->host_rows = g_new(float, rows *width);
    t->host_indices = g_new(int, 2 * rows + 1);
}

PeText *
pe_text_begin(PeBackend *be, const PeModel *model, const PeTowerParams *params,
              GError **error)
{
    const PeTextConfig *c = pe_model_get_text(model);
    g_return_val_if_fail(c != NULL && params->max_batch > 0, NULL);
    if (params->max_batch > G_MAXINT / 4 / c->context_length) {
        g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                    "a batch of %d texts of %d tokens is too large",
                    params->max_batch, c->context_length);
        return NULL;
    }
    PeText *t = g_new0(PeText, 1);
    pe_tower_init(&t->tower, be, model, c->width, c->heads, c->mlp_width);
    t->config = c;
    t->weights = pe_model_get_text_weights(model);
    t->max_rows = params->max_batch * c->context_length;
    pe_tower_new_blocks(&t->tower, params->max_layers > 0
                                       ? MIN(params->max_layers, c->layers)
                                       : c->layers);
    return t;
}

// The buffers come first: without memory for them no weight is converted.
bool
pe_text_load(PeText *t, bool *ready, GError **error)
{
    PeTower *tower = &t->tower;
    int n_parts = tower->n_blocks * PE_BLOCK_PARTS;
    int piece = t->n_loaded++;
    *ready = piece == n_parts + 1;
    if (piece == 0)
        new_arena(t, t->max_rows);
    else if (piece <= n_parts)
        pe_tower_load_block_part(tower, t->weights->blocks, piece - 1);
    else
        load_projection(t);
    if (!tower->error && !*ready)
        return true;
    *ready = pe_tower_check(tower, error);
    return *ready;
}

PeText *
pe_text_new(PeBackend *be, const PeModel *model, const PeTowerParams *params,
            GError **error)
{
    PeText *t = pe_text_begin(be, model, params, error);
    bool ready = false;
    while (t && !ready) {
        if (!pe_text_load(t, &ready, error))
            g_clear_pointer(&t, pe_text_free);
    }
    return t;
}

void
pe_text_free(PeText *t)
{
    if (!t)
        return;
    pe_tower_clear(&t->tower);
    g_free(t->host_pos);
    g_free(t->host_rows);
    g_free(t->host_indices);
    g_free(t);
}

void
pe_text_set_trace(PeText *t, PeTraceFunc func, void *user_data)
{
    t->tower.trace = func;
    t->tower.trace_data = user_data;
}

// Tokens up to and with the first maximum id. The end token has the largest
// id, so this is the row that the reference pools.
static int
count_tokens(const int *ids, int context)
{
    int last = 0;
    for (int i = 1; i < context; i++) {
        if (ids[i] > ids[last])
            last = i;
    }
    return last + 1;
}

static bool
check_ids(const PeText *t, const int *ids, int context, GError **error)
{
    for (int i = 0; i < context; i++) {
        if (ids[i] < 0 || ids[i] >= t->config->vocab_size) {
            g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                        "token id %d is outside the model's vocabulary of %d; "
                        "the vocabulary file belongs to another model",
                        ids[i], t->config->vocab_size);
            return false;
        }
    }
    return true;
}

// out [n, W] = token embedding + position
static bool
gather_tokens(const PeText *t, const int *ids, int n, float *out,
              GError **error)
{
    int width = t->tower.width;
    for (int i = 0; i < n; i++) {
        float *row = out + (size_t)i * (size_t)width;
        const float *pos = t->host_pos + i * width;
        PeTensor token =
            pe_tensor_rows(&t->weights->token_embedding, ids[i], 1);
        g_auto(PeLoaded) loaded = {0};
        if (!pe_model_load(t->tower.model, &token, &loaded, error))
            return false;
        pe_tensor_to_f32(&loaded.tensor, row);
        for (int j = 0; j < width; j++)
            row[j] += pos[j];
    }
    return true;
}

// Pack as many of b texts into the arena as fit: seq->b of them.
static bool
pack_texts(PeText *t, const int *ids, int b, int context, PeSequences *seq,
           GError **error)
{
    int *offsets = t->host_indices;
    int width = t->tower.width;
    offsets[0] = 0;
    while (seq->b < b) {
        const int *text = ids + (size_t)seq->b * (size_t)context;
        int n = count_tokens(text, context);
        if (seq->rows + n > t->tower.max_rows)
            break;
        if (!gather_tokens(t, text, n,
                           t->host_rows + (size_t)seq->rows * (size_t)width,
                           error))
            return false;
        seq->rows += n;
        seq->n = MAX(seq->n, n);
        offsets[++seq->b] = seq->rows;
    }
    return true;
}

// out f32 [b, E] on the host from the packed rows of one chunk.
static bool
run_chunk(PeText *t, PeSequences *seq, float *out, GError **error)
{
    PeTower *tower = &t->tower;
    PeBackend *be = tower->be;
    int width = tower->width;
    int *indices = t->host_indices;

    for (int i = 0; i < seq->b; i++)
        indices[seq->b + 1 + i] = indices[i + 1] - 1;
    be->ops->upload(be, tower->x, t->host_rows,
                    (size_t)seq->rows * (size_t)width * sizeof(float));
    be->ops->upload(be, t->indices, indices,
                    (size_t)(2 * seq->b + 1) * sizeof *indices);
    seq->offsets = t->indices;
    pe_tower_trace(tower, "embed", tower->x, PE_DTYPE_F32,
                   (size_t)seq->rows * (size_t)width);
    pe_tower_run(tower, seq);

    be->ops->gather(be, t->ends, tower->x, t->indices + seq->b + 1, seq->b,
                    width);
    pe_tower_layernorm(tower, tower->h, be->act, t->ends, tower->shift, NULL,
                       NULL, seq->b);
    be->ops->linear(be, t->projection, PE_EPILOGUE_F32, NULL, t->out, tower->h,
                    seq->b);
    return pe_tower_finish(tower, out, t->out,
                           (size_t)seq->b * (size_t)t->config->output_dim,
                           error);
}

bool
pe_text_embed(PeText *t, const int *ids, int b, int context, float *out,
              GError **error)
{
    g_return_val_if_fail(b >= 0, false);
    g_return_val_if_fail(context > 0 && context <= t->config->context_length,
                         false);
    for (int i = 0; i < b; i++) {
        if (!check_ids(t, ids + (size_t)i * (size_t)context, context, error))
            return false;
    }
    while (b > 0) {
        PeSequences seq = {.causal = true};
        if (!pack_texts(t, ids, b, context, &seq, error) ||
            !run_chunk(t, &seq, out, error))
            return false;
        b -= seq.b;
        ids += (size_t)seq.b * (size_t)context;
        out += (size_t)seq.b * (size_t)t->config->output_dim;
    }
    return true;
}
