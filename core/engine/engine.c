// SPDX-License-Identifier: LGPL-2.1-or-later
//
// engine.c - one worker thread that embeds the frames of all its clients.
//
// DESIGN
//
// Sharing. There is one engine for (model fingerprint, device, precision). The
// registry holds no reference. Without a user an engine lingers for
// $GST_PE_ENGINE_LINGER seconds, so that the next file does not load the
// weights again; then its worker takes it out of the registry and ends. It ends
// earlier when another engine is loaded on its device, or somebody asks for it
// with other settings, and at the end of the process. A caller that comes while
// the engine is being loaded waits for the same load and gets the same error.
// "auto" is not part of the key: the worker first finds out which device and
// precision it means, and hands over to an engine that already has them.
//
// Queue. Every client has a FIFO of jobs. A job is as urgent as the most urgent
// one of its client that is behind it, because it cannot be overtaken. Filling
// a batch takes the jobs of the earliest deadlines; among equal ones, such as
// none, the client that was served longest ago is next. So a client that queues
// hundreds of frames cannot delay another by more than one batch, and the
// frames of one client leave in order. When not all deadlines can be met, they
// do not decide until the queue has been empty again: clients get fair shares
// then, first those that can still be in time. Deadlines alone could keep a
// client waiting for ever: one batch in PE_PATIENCE gives its first place to
// the client that has waited longest.
//
// A batch closes as soon as it is full, or a client has asked for it with
// pe_client_run_now() (a serialized event or the end of its stream is behind
// these frames), or its oldest job has waited batch_timeout, or its earliest
// deadline is as near as such a batch takes. How long that is, the worker
// measures for each size of a batch; before it knows, a job with a deadline
// does not wait. With a timeout of 0 the worker takes what is there: while it
// computes, the next batch collects by itself. A batch is smaller than it could
// be when only that meets the first deadline.
//
// A job that has expired, or whose place in the queue a newer one of its client
// has taken, or that would be late for a client that wants its newest frames,
// never runs: it ends with PE_ERROR_CANCELLED, and its client hears of it from
// the worker, in order with the others.
//
// Other work (texts, measurements) is a list of tasks. The worker alternates
// between a batch that is due and a step of a task, so neither starves. A step
// of texts takes about as long as the last image batch: loading the text tower
// matrix by matrix, then texts, as many as fit. Without texts for a while the
// text tower is dropped; the model's file still has it.
//
// Results. The worker alone writes results and calls `done`, batch by batch in
// order: a client sees its own jobs in the order of submission. No lock is held
// during a callback. A cancelled job never runs. A job that has started runs
// with its batch, which stops between two layers when nobody waits for any of
// its jobs; the callback is dropped when the client has gone.
//
// Flush and end. pe_client_free() and pe_job_cancel() take effect at once and
// never wait for the device; pe_client_free() waits only for a running
// callback. A job needs no engine once it has ended.
//
// Failure. A batch that fails gives its error to each of its jobs and to nobody
// else. A device that failed (PE_ERROR_BACKEND) is dead: everything queued and
// every later submit gets that error. The engine leaves the registry at once,
// so that the next pe_engine_get() makes a new one while others still hold
// this.

#include "engine_private.h"

// ---- Life ------------------------------------------------------------------

PeEngine *
pe_engine_new(const PeEngineParams *params, const PeRunnerOps *ops)
{
    PeEngine *e = g_new0(PeEngine, 1);
    e->params = *params;
    e->params.model = pe_model_ref(params->model);
    e->params.device = g_strdup(params->device);
    e->ops = ops;
    e->dim = pe_model_get_vision(params->model)->output_dim;
    e->ref_count = 1;
    g_mutex_init(&e->stats_lock);
    return e;
}

void
pe_engine_destroy(PeEngine *e)
{
    g_clear_pointer(&e->queue, pe_queue_unref);
    g_clear_error(&e->load_error);
    pe_model_unref(e->params.model);
    g_free((char *)e->params.device);
    g_mutex_clear(&e->stats_lock);
    g_free(e);
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

void
pe_engine_log_use(PeEngine *e)
{
    PeEngineStats s;
    pe_engine_get_stats(e, &s);
    pe_log(PE_LOG_INFO,
           "%s has no user any more: %" G_GUINT64_FORMAT
           " images in %" G_GUINT64_FORMAT
           " batches (%.0f %% full), %" G_GUINT64_FORMAT
           " texts, batch p50 %.1f ms, p99 %.1f ms",
           e->runner->name, s.images, s.batches, 100 * s.batch_fill, s.texts,
           s.compute_ms[0], s.compute_ms[2]);
}
