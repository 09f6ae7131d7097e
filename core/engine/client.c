// SPDX-License-Identifier: LGPL-2.1-or-later
//
// client.c - the engine as its users see it: clients that submit frames,
// and calls that wait for images, texts and measurements.

#include "engine_private.h"

PeClient *
pe_client_new(PeEngine *engine, PeDoneFunc done, void *user_data)
{
    g_return_val_if_fail(engine, NULL);
    PeClient *client = pe_queue_add_client(engine->queue, done, user_data);
    client->engine = pe_engine_ref(engine);
    return client;
}

void
pe_client_free(PeClient *client)
{
    if (!client)
        return;
    PeEngine *engine = client->engine;
    pe_queue_remove_client(client);
    pe_engine_unref(engine);
}

static PeSlot *
get_slot(PeEngine *e, GError **error)
{
    PeSlot *slot = pe_queue_get_slot(e->queue);
    if (!slot)
        slot = e->ops->slot_new(e->runner);
    if (!slot)
        g_set_error(error, PE_ERROR, PE_ERROR_NOMEM,
                    "%s: no memory for another preprocessed frame",
                    e->runner->name);
    return slot;
}

// Preprocesses every region into a slot of its own; all or none.
static bool
ingest(PeEngine *e, const PeSubmit *submit, PeSlot **slots, int n,
       GError **error)
{
    PeFrame frame = *submit->frame;
    for (int i = 0; i < n; i++) {
        if (submit->regions)
            frame.crop = submit->regions[i];
        slots[i] = get_slot(e, error);
        if (slots[i] && e->ops->ingest(e->runner, slots[i], &frame, error))
            continue;
        for (int j = 0; j <= i; j++) {
            if (slots[j])
                pe_queue_put_slot(e->queue, slots[j]);
        }
        return false;
    }
    return true;
}

static int64_t
time_or_never(int64_t time)
{
    return time > 0 ? time : INT64_MAX;
}

bool
pe_client_submit(PeClient *client, const PeSubmit *submit, PeJob **jobs,
                 GError **error)
{
    g_return_val_if_fail(client && submit && submit->frame && jobs, false);
    g_return_val_if_fail(!submit->regions || submit->n_regions > 0, false);
    PeEngine *e = client->engine;
    int n = submit->regions ? submit->n_regions : 1;
    PeSlot *slot;
    g_autofree PeSlot **many = n > 1 ? g_new(PeSlot *, (size_t)n) : NULL;
    PeSlot **slots = many ? many : &slot;
    PeJobTimes times = {
        .deadline = time_or_never(submit->deadline),
        .expire = time_or_never(submit->expire),
    };
    if (!ingest(e, submit, slots, n, error))
        return false;
    times.submitted = g_get_monotonic_time();
    return pe_queue_push(client, slots, n, &times, jobs, error);
}

// ---- Calls that wait -------------------------------------------------------

// Takes the job. out [dim]
static bool
collect(PeEngine *e, PeJob *job, float *out, GError **error)
{
    pe_queue_wait_job(job);
    const float *embedding = pe_job_get_embedding(job, error);
    if (embedding)
        memcpy(out, embedding, sizeof(float) * (size_t)e->dim);
    pe_job_unref(job);
    return embedding != NULL;
}

bool
pe_engine_embed_frames(PeEngine *engine, const PeFrame *frames, int n,
                       float *out, GError **error)
{
    g_return_val_if_fail(engine && frames && n >= 0 && out, false);
    // Two batches on their way keep the device busy and bound the memory.
    int window = 2 * engine->runner->batch_size;
    g_autofree PeJob **jobs = g_new0(PeJob *, (size_t)window);
    PeClient *client = pe_client_new(engine, NULL, NULL);
    size_t dim = (size_t)engine->dim;
    bool ok = true;
    int n_submitted = 0, n_collected = 0;
    while (ok && n_collected < n) {
        while (ok && n_submitted < n && n_submitted - n_collected < window) {
            PeSubmit submit = {.frame = &frames[n_submitted]};
            ok = pe_client_submit(client, &submit, &jobs[n_submitted % window],
                                  error);
            n_submitted += ok;
        }
        if (n_submitted == n)
            pe_client_run_now(client);
        if (ok) {
            ok = collect(engine, jobs[n_collected % window],
                         out + (size_t)n_collected * dim, error);
            n_collected++;
        }
    }
    for (; n_collected < n_submitted; n_collected++)
        pe_job_unref(jobs[n_collected % window]);
    pe_client_free(client);
    return ok;
}

typedef struct {
    PeTask base;
    PeEngine *engine;
    const int *ids; // [n, context]
    int n, context;
    int n_done;
    float *out; // [n, dim]
} TextTask;

static bool
embed_text_chunk(PeTask *task)
{
    TextTask *t = (TextTask *)task;
    PeEngine *e = t->engine;
    int n = MIN(PE_TEXT_CHUNK, t->n - t->n_done);
    if (!e->ops->embed_texts(
            e->runner, t->ids + (size_t)t->n_done * (size_t)t->context, n,
            t->context, t->out + (size_t)t->n_done * (size_t)e->dim,
            &task->error))
        return false;
    t->n_done += n;
    g_mutex_lock(&e->stats_lock);
    e->stats.texts += (uint64_t)n;
    g_mutex_unlock(&e->stats_lock);
    return t->n_done < t->n;
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
        .base.run = embed_text_chunk,
        .engine = engine,
        .ids = ids,
        .n = n,
        .context = context,
        .out = out,
    };
    return pe_queue_run(engine->queue, &task.base, error);
}

typedef struct {
    PeTask base;
    PeEngine *engine;
    int batch;
    double seconds;
} GemmTask;

static bool
measure_gemm(PeTask *task)
{
    GemmTask *t = (GemmTask *)task;
    t->seconds = t->engine->ops->measure_gemm(t->engine->runner, t->batch);
    return false;
}

double
pe_engine_measure_gemm(PeEngine *engine, int batch)
{
    g_return_val_if_fail(engine && batch > 0, 0);
    GemmTask task = {
        .base.run = measure_gemm,
        .engine = engine,
        .batch = batch,
    };
    return pe_queue_run(engine->queue, &task.base, NULL) ? task.seconds : 0;
}
