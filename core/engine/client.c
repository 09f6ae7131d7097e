// SPDX-License-Identifier: LGPL-2.1-or-later
//
// client.c - the engine as its users see it: clients that submit frames,
// and calls that wait for images and measurements.

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
    int n_slots = 0;
    while (n_slots < n && (slots[n_slots] = get_slot(e, error)))
        n_slots++;
    bool ok = n_slots == n && e->ops->ingest(e->runner, slots, submit->frame,
                                             submit->regions, n, error);
    for (int i = 0; !ok && i < n_slots; i++)
        pe_queue_put_slot(e->queue, slots[i]);
    return ok;
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

typedef struct {
    PeTask base;
    PeEngine *engine;
    int n_threads;
    double flops;
} PeakTask;

static bool
measure_peak(PeTask *task)
{
    PeakTask *t = (PeakTask *)task;
    t->flops = t->engine->ops->measure_peak(t->engine->runner, t->n_threads);
    return false;
}

double
pe_engine_measure_peak(PeEngine *engine, int n_threads)
{
    g_return_val_if_fail(engine && n_threads >= 0, 0);
    PeakTask task = {
        .base.run = measure_peak,
        .engine = engine,
        .n_threads = n_threads,
    };
    return pe_queue_run(engine->queue, &task.base, NULL) ? task.flops : 0;
}

typedef struct {
    PeTask base;
    PeEngine *engine;
    PeOperation *operations;
    int n;
    int n_found;
} ProfileTask;

static bool
read_profile(PeTask *task)
{
    ProfileTask *t = (ProfileTask *)task;
    t->n_found =
        t->engine->ops->profile(t->engine->runner, t->operations, t->n);
    return false;
}

int
pe_engine_profile(PeEngine *engine, PeOperation *operations, int n)
{
    g_return_val_if_fail(engine && n >= 0 && (operations || n == 0), 0);
    ProfileTask task = {
        .base.run = read_profile,
        .engine = engine,
        .operations = operations,
        .n = n,
    };
    return pe_queue_run(engine->queue, &task.base, NULL) ? task.n_found : 0;
}
