// SPDX-License-Identifier: LGPL-2.1-or-later
//
// engine.c - one worker thread that embeds the frames of all its clients.
//
// DESIGN
//
// Sharing. There is one engine for (model fingerprint, device, precision). The
// registry holds no reference: the last pe_engine_unref() takes the engine out,
// lets the worker drain and joins it. A caller that comes while the engine is
// being loaded waits for the same load and gets the same error. "auto" is not
// part of the key: the worker first finds out which device and precision it
// means, and hands over to an engine that already has them.
//
// Queue. Every client has a FIFO of jobs. Clients with queued jobs stand in a
// ring; filling a batch takes one job from the client at the front, who then
// goes to the back. So a client that queues hundreds of frames cannot delay
// another by more than one batch, and the frames of one client leave in order.
//
// A batch closes as soon as it is full, or a client has asked for it with
// pe_client_run_now() (a serialized event or the end of its stream is behind
// these frames), or its oldest job has
// waited batch_timeout. With a timeout of 0 the worker takes what is there:
// while it computes, the next batch collects by itself.
//
// Other work (texts, measurements) is a list of tasks. The worker alternates
// between a batch that is due and one chunk of a task, so neither starves.
//
// Results. The worker alone writes results and calls `done`, batch by batch in
// order: a client sees its own jobs in the order of submission. No lock is held
// during a callback. A cancelled job never runs; a job that has started runs to
// its end, but its callback is dropped when the client has gone.
//
// Flush and end. pe_client_free() and pe_job_cancel() take effect at once and
// never wait for the device; pe_client_free() waits only for a running
// callback. A job needs no engine once it has ended.
//
// Failure. A batch that fails gives its error to each of its jobs and to nobody
// else. A device that failed (PE_ERROR_BACKEND) is dead: everything queued and
// every later submit gets that error, until all users have let go of the engine
// and somebody makes a new one.

#include "engine_private.h"

static GMutex registry_lock;
static GCond registry_changed; // an engine has been loaded, or not
static GList *registry;        // PeEngine, no references

// ---- Registry --------------------------------------------------------------

static bool
same_model(PeModel *a, PeModel *b)
{
    return a == b || g_str_equal(pe_model_get_fingerprint(a),
                                 pe_model_get_fingerprint(b));
}

static bool
same_device(const char *a, const char *b)
{
    // "cuda" is the first of its kind.
    size_t n = strcspn(a, ":");
    if (n != strcspn(b, ":") || strncmp(a, b, n) != 0)
        return false;
    const char *index_a = a[n] ? a + n : ":0";
    const char *index_b = b[n] ? b + n : ":0";
    return g_str_equal(index_a, index_b);
}

// Would `params` lead to this engine? What was asked for and what it became
// both count.
static bool
matches(const PeEngine *e, const PeEngineParams *params, const PeRunnerOps *ops)
{
    if (e->ops != ops || !same_model(e->params.model, params->model))
        return false;
    bool device = same_device(e->params.device, params->device);
    bool precision = e->params.precision == params->precision;
    if (e->state == ENGINE_READY) {
        device = device || same_device(e->runner->name, params->device);
        precision = precision || e->runner->precision == params->precision;
    }
    return device && precision;
}

static PeEngine *
find_locked(const PeEngineParams *params, const PeRunnerOps *ops)
{
    for (GList *l = registry; l; l = l->next) {
        if (matches(l->data, params, ops))
            return l->data;
    }
    return NULL;
}

// An engine that has, or is about to have, the same device.
static PeEngine *
find_twin_locked(const PeEngine *e)
{
    for (GList *l = registry; l; l = l->next) {
        PeEngine *other = l->data;
        if (other != e && other->runner && other->ops == e->ops &&
            same_model(other->params.model, e->params.model) &&
            g_str_equal(other->runner->name, e->runner->name) &&
            other->runner->precision == e->runner->precision)
            return other;
    }
    return NULL;
}

static void
set_state_locked(PeEngine *e, EngineState state)
{
    e->state = state;
    if (state != ENGINE_READY)
        registry = g_list_remove(registry, e);
    g_cond_broadcast(&registry_changed);
}

// ---- Loading ---------------------------------------------------------------

static void
log_closed(PeEngine *e)
{
    PeEngineStats s;
    pe_engine_get_stats(e, &s);
    pe_log(PE_LOG_INFO,
           "%s closed: %" G_GUINT64_FORMAT " images in %" G_GUINT64_FORMAT
           " batches (%.0f %% full), %" G_GUINT64_FORMAT
           " texts, batch p50 %.1f ms, p99 %.1f ms",
           e->runner->name, s.images, s.batches, 100 * s.batch_fill, s.texts,
           s.compute_ms[0], s.compute_ms[2]);
}

static void
close_runner(PeEngine *e)
{
    PeSlot *slot;
    while (e->queue && (slot = pe_queue_get_slot(e->queue)))
        e->ops->slot_free(e->runner, slot);
    e->ops->close(e->runner);
    e->runner = NULL;
}

// Returns false when the engine is not to be used.
static bool
load(PeEngine *e)
{
    int64_t start = g_get_monotonic_time();
    GError *error = NULL;
    PeRunner *runner = e->ops->open(&e->params, &error);
    if (runner) {
        g_mutex_lock(&registry_lock);
        e->runner = runner;
        PeEngine *twin = find_twin_locked(e);
        if (twin) {
            twin->ref_count++;
            e->same_as = twin;
            e->runner = NULL;
            set_state_locked(e, ENGINE_SAME_AS);
        }
        g_mutex_unlock(&registry_lock);
        if (twin) {
            e->ops->close(runner);
            return false;
        }
    }
    bool ok = runner && e->ops->load(runner, &error);
    if (ok) {
        e->queue = pe_queue_new(e->dim, runner->batch_size,
                                (int64_t)e->params.batch_timeout * 1000);
        pe_log(PE_LOG_INFO, "%s (%s) on %s, %s, %s: batch %d, ready in %.0f ms",
               pe_model_get_name(e->params.model),
               pe_model_get_dtype(e->params.model), runner->name,
               runner->description, pe_precision_nick(runner->precision),
               runner->batch_size,
               (double)(g_get_monotonic_time() - start) / 1000);
    }
    g_mutex_lock(&registry_lock);
    if (!ok)
        e->runner = NULL;
    e->load_error = error;
    set_state_locked(e, ok ? ENGINE_READY : ENGINE_FAILED);
    g_mutex_unlock(&registry_lock);
    if (!ok && runner)
        e->ops->close(runner);
    return ok;
}

static void
engine_free(PeEngine *e)
{
    g_clear_pointer(&e->queue, pe_queue_unref);
    g_clear_error(&e->load_error);
    pe_model_unref(e->params.model);
    g_free((char *)e->params.device);
    g_mutex_clear(&e->stats_lock);
    g_free(e);
}

static void *
worker_main(void *data)
{
    PeEngine *e = data;
    if (load(e)) {
        pe_engine_work(e);
        log_closed(e);
        close_runner(e);
    }
    if (e->orphaned)
        engine_free(e);
    return NULL;
}

// ---- Life ------------------------------------------------------------------

static PeEngine *
engine_new_locked(const PeEngineParams *params, const PeRunnerOps *ops)
{
    PeEngine *e = g_new0(PeEngine, 1);
    e->params = *params;
    e->params.model = pe_model_ref(params->model);
    e->params.device = g_strdup(params->device);
    e->ops = ops;
    e->dim = pe_model_get_vision(params->model)->output_dim;
    e->ref_count = 1;
    g_mutex_init(&e->stats_lock);
    registry = g_list_append(registry, e);
    e->worker = g_thread_new("pe-engine", worker_main, e);
    return e;
}

static void
warn_about_differences(const PeEngine *e, const PeEngineParams *params)
{
    if (params->batch_size && params->batch_size != e->runner->batch_size)
        pe_log(PE_LOG_WARNING,
               "the shared engine on %s keeps its batch size of %d, not %d",
               e->runner->name, e->runner->batch_size, params->batch_size);
    if (params->batch_timeout != e->params.batch_timeout)
        pe_log(PE_LOG_WARNING,
               "the shared engine on %s keeps its batch timeout of %d ms, not "
               "%d ms",
               e->runner->name, e->params.batch_timeout, params->batch_timeout);
    if (params->n_threads && params->n_threads != e->params.n_threads)
        pe_log(PE_LOG_WARNING,
               "the shared engine on %s keeps its number of threads",
               e->runner->name);
}

// Waits until the engine is loaded. Takes the reference and returns one, maybe
// of another engine.
static PeEngine *
wait_for_load(PeEngine *e, GError **error)
{
    g_mutex_lock(&registry_lock);
    while (e->state == ENGINE_LOADING)
        g_cond_wait(&registry_changed, &registry_lock);
    PeEngine *twin = e->same_as;
    if (twin)
        twin->ref_count++;
    if (e->state == ENGINE_FAILED)
        g_propagate_error(error, g_error_copy(e->load_error));
    bool ready = e->state == ENGINE_READY;
    g_mutex_unlock(&registry_lock);
    if (ready)
        return e;
    pe_engine_unref(e);
    return twin ? wait_for_load(twin, error) : NULL;
}

PeEngine *
pe_engine_get_with(const PeEngineParams *params, const PeRunnerOps *ops,
                   GError **error)
{
    PeEngineParams p = *params;
    if (!p.device || !*p.device)
        p.device = "auto";
    if (pe_model_get_vision(p.model)->output_dim == 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                    "%s has no projection: Lang and Spatial models give tokens "
                    "for other networks, no embedding; use a Core model",
                    pe_model_get_name(p.model));
        return NULL;
    }
    g_mutex_lock(&registry_lock);
    PeEngine *e = find_locked(&p, ops);
    bool shared = e != NULL;
    if (shared)
        e->ref_count++;
    else
        e = engine_new_locked(&p, ops);
    g_mutex_unlock(&registry_lock);

    e = wait_for_load(e, error);
    if (e && shared)
        warn_about_differences(e, &p);
    return e;
}

static const PeRunnerOps *ops_in_use = &pe_runner_ops;

void
pe_engine_set_ops_for_tests(const PeRunnerOps *ops)
{
    ops_in_use = ops ? ops : &pe_runner_ops;
}

PeEngine *
pe_engine_get(const PeEngineParams *params, GError **error)
{
    g_return_val_if_fail(params && params->model, NULL);
    g_return_val_if_fail(params->batch_size >= 0 && params->batch_timeout >= 0,
                         NULL);
    return pe_engine_get_with(params, ops_in_use, error);
}

PeEngine *
pe_engine_ref(PeEngine *engine)
{
    g_return_val_if_fail(engine, NULL);
    g_mutex_lock(&registry_lock);
    engine->ref_count++;
    g_mutex_unlock(&registry_lock);
    return engine;
}

void
pe_engine_unref(PeEngine *engine)
{
    g_return_if_fail(engine);
    PeEngine *e = engine;
    g_mutex_lock(&registry_lock);
    bool last = --e->ref_count == 0;
    if (last)
        registry = g_list_remove(registry, e);
    g_mutex_unlock(&registry_lock);
    if (!last)
        return;

    PeEngine *same_as = e->same_as;
    if (e->queue)
        pe_queue_stop(e->queue);
    if (e->worker == g_thread_self()) {
        // From a callback: the worker cannot join itself.
        e->orphaned = true;
        g_thread_unref(e->worker);
    } else {
        g_thread_join(e->worker);
        engine_free(e);
    }
    if (same_as)
        pe_engine_unref(same_as);
}

PeModel *
pe_engine_get_model(const PeEngine *engine)
{
    g_return_val_if_fail(engine, NULL);
    return engine->params.model;
}

int
pe_engine_get_dim(const PeEngine *engine)
{
    g_return_val_if_fail(engine, 0);
    return engine->dim;
}

PePrecision
pe_engine_get_precision(const PeEngine *engine)
{
    g_return_val_if_fail(engine, PE_PRECISION_AUTO);
    return engine->runner->precision;
}

const char *
pe_engine_get_device(const PeEngine *engine)
{
    g_return_val_if_fail(engine, NULL);
    return engine->runner->name;
}

const char *
pe_engine_get_description(const PeEngine *engine)
{
    g_return_val_if_fail(engine, NULL);
    return engine->runner->description;
}

const char *const *
pe_engine_get_notes(const PeEngine *engine)
{
    static const char *const none[] = {NULL};
    g_return_val_if_fail(engine, none);
    char **notes = engine->runner->notes;
    return notes ? (const char *const *)notes : none;
}

bool
pe_engine_is_host(const PeEngine *engine)
{
    g_return_val_if_fail(engine, true);
    return engine->runner->context == NULL;
}

void *
pe_engine_get_device_context(const PeEngine *engine)
{
    g_return_val_if_fail(engine, NULL);
    return engine->runner->context;
}

void
pe_engine_get_stats(PeEngine *engine, PeEngineStats *stats)
{
    g_return_if_fail(engine && stats);
    g_mutex_lock(&engine->stats_lock);
    *stats = engine->stats;
    pe_recent_get(&engine->wait_ms, stats->wait_ms);
    pe_recent_get(&engine->compute_ms, stats->compute_ms);
    g_mutex_unlock(&engine->stats_lock);
    stats->batch_size = engine->runner->batch_size;
    if (stats->batches > 0)
        stats->batch_fill = (double)stats->images /
                            ((double)stats->batches * stats->batch_size);
}
