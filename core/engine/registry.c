// SPDX-License-Identifier: LGPL-2.1-or-later
//
// registry.c - which engines there are, who shares one, and when one ends.

#include "engine_private.h"

#include <stdlib.h>
#include <unistd.h>

#define LINGER_SECONDS 5.0

static GMutex lock;
static GCond changed;  // an engine has been loaded, or not, or has ended
static GList *engines; // no references
static int n_ending;   // workers that free their engine themselves

// ---- Keys ------------------------------------------------------------------

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

// What an engine that nobody uses is kept for: the same again, in all settings
// and from the same file, beside which the vocabulary is.
static bool
can_join(const PeEngine *e, const PeEngineParams *params)
{
    const PeEngineParams *own = &e->params;
    return !e->lingers || (own->batch_size == params->batch_size &&
                           own->batch_timeout == params->batch_timeout &&
                           own->n_threads == params->n_threads &&
                           g_str_equal(pe_model_get_path(own->model),
                                       pe_model_get_path(params->model)));
}

static PeEngine *
find_locked(const PeEngineParams *params, const PeRunnerOps *ops)
{
    for (GList *l = engines; l; l = l->next) {
        if (matches(l->data, params, ops) && can_join(l->data, params))
            return l->data;
    }
    return NULL;
}

// An engine that has, or is about to have, the device of this runner.
static PeEngine *
find_twin_locked(const PeEngine *e, const PeRunner *runner)
{
    for (GList *l = engines; l; l = l->next) {
        PeEngine *other = l->data;
        if (other != e && other->runner && other->ops == e->ops &&
            same_model(other->params.model, e->params.model) &&
            g_str_equal(other->runner->name, runner->name) &&
            other->runner->precision == runner->precision &&
            can_join(other, &e->params))
            return other;
    }
    return NULL;
}

static void
add_user_locked(PeEngine *e)
{
    e->ref_count++;
    g_atomic_int_set(&e->lingers, false);
}

// ---- The end ---------------------------------------------------------------

// Of an engine that is out of the registry, by a thread that is not its worker.
static void
end_engine(PeEngine *e)
{
    pe_queue_stop(e->queue);
    g_thread_join(e->worker);
    pe_engine_destroy(e);
}

// Ends the engines that linger on a device, or all; waits for them.
static void
end_lingering(const PeRunnerOps *ops, const char *device)
{
    GList *ending = NULL;
    g_mutex_lock(&lock);
    for (GList *l = engines, *next; l; l = next) {
        PeEngine *e = l->data;
        next = l->next;
        if (!e->lingers || (device && (e->ops != ops ||
                                       !g_str_equal(e->runner->name, device))))
            continue;
        g_atomic_int_set(&e->lingers, false);
        engines = g_list_remove_link(engines, l);
        ending = g_list_concat(ending, l);
    }
    g_mutex_unlock(&lock);
    g_list_free_full(ending, (GDestroyNotify)end_engine);
}

void
pe_engine_end_idle(void)
{
    end_lingering(NULL, NULL);
    g_mutex_lock(&lock);
    while (n_ending > 0)
        g_cond_wait(&changed, &lock);
    g_mutex_unlock(&lock);
}

// Threads do not survive a fork.
static pid_t process;

static void
end_idle_at_exit(void)
{
    if (getpid() == process)
        pe_engine_end_idle();
}

// Before what a device's driver does at exit, which has been registered by now.
static void
end_idle_with_process_locked(void)
{
    if (process == 0 && atexit(end_idle_at_exit) == 0)
        process = getpid();
}

// Us that an engine stays after its last user.
static int64_t
get_linger(void)
{
    const char *text = g_getenv("GST_PE_ENGINE_LINGER");
    double seconds = text ? g_ascii_strtod(text, NULL) : LINGER_SECONDS;
    return seconds > 0 ? (int64_t)(MIN(seconds, 1e6) * G_TIME_SPAN_SECOND) : 0;
}

int64_t
pe_registry_get_end(PeEngine *e)
{
    // The worker asks before every batch, and others have the lock for long.
    if (!g_atomic_int_get(&e->lingers))
        return INT64_MAX;
    g_mutex_lock(&lock);
    int64_t end = e->lingers ? e->linger_end : INT64_MAX;
    g_mutex_unlock(&lock);
    return end;
}

bool
pe_registry_retire(PeEngine *e, int64_t now)
{
    g_mutex_lock(&lock);
    bool over = e->lingers && now >= e->linger_end;
    if (over) {
        g_atomic_int_set(&e->lingers, false);
        e->orphaned = true;
        engines = g_list_remove(engines, e);
        n_ending++;
        g_thread_unref(e->worker);
    }
    g_mutex_unlock(&lock);
    return over;
}

void
pe_registry_forget(PeEngine *e)
{
    g_mutex_lock(&lock);
    engines = g_list_remove(engines, e);
    g_mutex_unlock(&lock);
}

void
pe_registry_end_orphan(PeEngine *e)
{
    pe_engine_destroy(e);
    g_mutex_lock(&lock);
    n_ending--;
    g_cond_broadcast(&changed);
    g_mutex_unlock(&lock);
}

// ---- Loading ---------------------------------------------------------------

static void
set_state_locked(PeEngine *e, EngineState state)
{
    e->state = state;
    if (state != ENGINE_READY)
        engines = g_list_remove(engines, e);
    g_cond_broadcast(&changed);
}

bool
pe_registry_set_runner(PeEngine *e, PeRunner *runner)
{
    g_mutex_lock(&lock);
    PeEngine *twin = find_twin_locked(e, runner);
    if (twin) {
        add_user_locked(twin);
        e->same_as = twin;
        set_state_locked(e, ENGINE_SAME_AS);
    } else {
        e->runner = runner;
    }
    g_mutex_unlock(&lock);
    // Their memory is needed.
    if (!twin)
        end_lingering(e->ops, runner->name);
    return !twin;
}

void
pe_registry_set_loaded(PeEngine *e, GError *error)
{
    g_mutex_lock(&lock);
    if (error)
        e->runner = NULL;
    e->load_error = error;
    set_state_locked(e, error ? ENGINE_FAILED : ENGINE_READY);
    g_mutex_unlock(&lock);
}

// ---- Getting one -----------------------------------------------------------

PeEngine *
pe_registry_join(const PeEngineParams *params, const PeRunnerOps *ops,
                 GThreadFunc worker, bool *shared)
{
    g_mutex_lock(&lock);
    PeEngine *e = find_locked(params, ops);
    *shared = e && !e->lingers;
    if (e) {
        add_user_locked(e);
    } else {
        e = pe_engine_new(params, ops);
        engines = g_list_append(engines, e);
        e->worker = g_thread_new("pe-engine", worker, e);
    }
    g_mutex_unlock(&lock);
    return e;
}

PeEngine *
pe_registry_wait(PeEngine *e, GError **error)
{
    g_mutex_lock(&lock);
    while (e->state == ENGINE_LOADING)
        g_cond_wait(&changed, &lock);
    PeEngine *twin = e->same_as;
    if (twin)
        add_user_locked(twin);
    if (e->state == ENGINE_FAILED)
        g_propagate_error(error, g_error_copy(e->load_error));
    bool ready = e->state == ENGINE_READY;
    g_mutex_unlock(&lock);
    if (ready)
        return e;
    pe_engine_unref(e);
    return twin ? pe_registry_wait(twin, error) : NULL;
}

PeEngine *
pe_engine_ref(PeEngine *engine)
{
    g_return_val_if_fail(engine, NULL);
    g_mutex_lock(&lock);
    engine->ref_count++;
    g_mutex_unlock(&lock);
    return engine;
}

// The last user has gone: does the engine stay for the next?
static bool
begin_linger_locked(PeEngine *e)
{
    int64_t linger = get_linger();
    // One that is dead has left.
    if (linger == 0 || e->state != ENGINE_READY || !g_list_find(engines, e))
        return false;
    end_idle_with_process_locked();
    g_atomic_int_set(&e->lingers, true);
    e->linger_end = g_get_monotonic_time() + linger;
    pe_queue_poke(e->queue);
    return true;
}

void
pe_engine_unref(PeEngine *engine)
{
    g_return_if_fail(engine);
    PeEngine *e = engine;
    bool by_worker = e->worker == g_thread_self();
    g_mutex_lock(&lock);
    bool only_user = e->ref_count == 1 && e->state == ENGINE_READY;
    g_mutex_unlock(&lock);
    if (only_user)
        pe_engine_log_use(e);

    g_mutex_lock(&lock);
    bool last = --e->ref_count == 0;
    bool ends = last && !begin_linger_locked(e);
    if (ends)
        engines = g_list_remove(engines, e);
    if (ends && by_worker) {
        // From a callback: the worker cannot join itself.
        e->orphaned = true;
        n_ending++;
        g_thread_unref(e->worker);
        pe_queue_stop(e->queue);
    }
    g_mutex_unlock(&lock);
    if (!ends || by_worker)
        return;

    PeEngine *same_as = e->same_as;
    if (e->queue)
        pe_queue_stop(e->queue);
    g_thread_join(e->worker);
    pe_engine_destroy(e);
    if (same_as)
        pe_engine_unref(same_as);
}
