// SPDX-License-Identifier: LGPL-2.1-or-later
//
// texts.c - texts on the engine, in steps between its image batches. A step
// takes no longer than the last image batch did, unless a single piece of the
// text tower, or a single text, does.

#include "engine_private.h"

typedef struct {
    PeTask base;
    PeEngine *engine;
    const int *ids; // [n, context]
    int n, context;
    bool ready; // the text tower is loaded
    int n_done;
    int n_last; // texts of the last chunk, 0: a piece of the tower
    float *out; // [n, dim]
} TextTask;

static bool
load_piece(TextTask *t)
{
    PeEngine *e = t->engine;
    e->has_texts = true;
    return e->ops->load_texts(e->runner, &t->ready, &t->base.error);
}

// Before an image batch has run nobody knows what is short. The chunk grows
// only when twice the time still fits.
static int
choose_chunk(PeEngine *e)
{
    if (e->batch_us == 0)
        return PE_TEXT_CHUNK;
    if (e->text_chunk == 0)
        e->text_chunk = 1;
    return e->text_chunk;
}

static void
learn_chunk(PeEngine *e, int n, int64_t us)
{
    if (e->batch_us == 0)
        return;
    if (us > e->batch_us)
        e->text_chunk = MAX(1, n / 2);
    else if (2 * us <= e->batch_us && n == e->text_chunk)
        e->text_chunk = MIN(PE_TEXT_CHUNK, 2 * n);
}

static bool
embed_chunk(TextTask *t)
{
    PeEngine *e = t->engine;
    int n = MIN(choose_chunk(e), t->n - t->n_done);
    int64_t start = e->ops->now(e->runner);
    if (!e->ops->embed_texts(
            e->runner, t->ids + (size_t)t->n_done * (size_t)t->context, n,
            t->context, t->out + (size_t)t->n_done * (size_t)e->dim,
            &t->base.error))
        return false;
    learn_chunk(e, n, e->ops->now(e->runner) - start);
    t->n_done += n;
    t->n_last = n;
    g_mutex_lock(&e->stats_lock);
    e->stats.texts += (uint64_t)n;
    g_mutex_unlock(&e->stats_lock);
    return true;
}

// How long the next piece or chunk takes, when the last one took `us`.
static int64_t
expect(const TextTask *t, int64_t us)
{
    return t->n_last > 0 ? us * choose_chunk(t->engine) / t->n_last : us;
}

static bool
take_step(PeTask *task)
{
    TextTask *t = (TextTask *)task;
    PeEngine *e = t->engine;
    int64_t start = e->ops->now(e->runner), now = start, before;
    e->in_texts = true;
    do {
        before = now;
        e->in_texts = t->ready ? embed_chunk(t) : load_piece(t);
        now = e->ops->now(e->runner);
        if (t->n_done == t->n)
            e->in_texts = false;
    } while (e->in_texts &&
             now - start + expect(t, now - before) <= e->batch_us);
    e->last_text = g_get_monotonic_time();
    return e->in_texts;
}

static bool
check_text(PeEngine *e, const PeTokenizer *tokenizer, GError **error)
{
    PeModel *model = e->params.model;
    const PeTextConfig *text = pe_model_get_text(model);
    if (!text) {
        g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                    "%s: %s has no text tower, so it cannot embed texts",
                    pe_model_get_path(model), pe_model_get_name(model));
        return false;
    }
    int size = pe_tokenizer_get_vocab_size(tokenizer);
    if (size != text->vocab_size) {
        g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                    "%s has %d tokens, %s expects %d",
                    pe_tokenizer_get_path(tokenizer), size,
                    pe_model_get_name(model), text->vocab_size);
        return false;
    }
    return true;
}

bool
pe_engine_embed_texts(PeEngine *engine, const PeTokenizer *tokenizer,
                      const char *const *texts, int n, float *out,
                      GError **error)
{
    g_return_val_if_fail(engine && tokenizer && texts && n >= 0 && out, false);
    if (!check_text(engine, tokenizer, error))
        return false;
    if (n == 0)
        return true;
    int context = pe_model_get_text(engine->params.model)->context_length;
    g_autofree int *ids = g_new(int, (size_t)n *(size_t)context);
    for (int i = 0; i < n; i++) {
        g_autofree char *cut = NULL;
        pe_tokenizer_encode(tokenizer, texts[i], context,
                            ids + (size_t)i * (size_t)context, &cut);
        if (cut)
            pe_log(PE_LOG_WARNING,
                   "\"%s\" has more than %d tokens; ignored: \"%s\"", texts[i],
                   context, cut);
    }
    TextTask task = {
        .base.run = take_step,
        .engine = engine,
        .ids = ids,
        .n = n,
        .context = context,
        .out = out,
    };
    return pe_queue_run(engine->queue, &task.base, error);
}
