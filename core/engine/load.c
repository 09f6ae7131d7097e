// SPDX-License-Identifier: LGPL-2.1-or-later
//
// load.c - how a caller gets an engine: one that the registry has, or one that
// a thread of its own loads, serves and closes.

#include "core/base/threads.h"
#include "engine_private.h"

// ---- The thread ------------------------------------------------------------

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
    if (runner && !pe_registry_set_runner(e, runner)) {
        e->ops->close(runner);
        return false;
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
    pe_registry_set_loaded(e, error);
    if (!ok && runner)
        e->ops->close(runner);
    return ok;
}

static void *
worker_main(void *data)
{
    PeEngine *e = data;
    // What a tower computes when it is loaded does not know of the parameters.
    pe_threads_limit(e->params.n_threads);
    if (load(e)) {
        pe_engine_work(e);
        close_runner(e);
    }
    // Nobody else can make it one now.
    if (e->orphaned)
        pe_registry_end_orphan(e);
    return NULL;
}

// ---- Getting one -----------------------------------------------------------

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
    if (params->n_threads && params->n_threads != e->params.n_threads) {
        g_autofree char *threads =
            e->params.n_threads ? g_strdup_printf("number of threads of %d",
                                                  e->params.n_threads)
                                : g_strdup("threads for all cores");
        pe_log(PE_LOG_WARNING, "the shared engine on %s keeps its %s, not %d",
               e->runner->name, threads, params->n_threads);
    }
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
    bool shared;
    PeEngine *e = pe_registry_join(&p, ops, worker_main, &shared);
    e = pe_registry_wait(e, error);
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
