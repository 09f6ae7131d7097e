// SPDX-License-Identifier: LGPL-2.1-or-later
//
// worker.c - what the engine's thread does between loading and closing:
// batches and tasks, as they come out of the queue.

#include "engine_private.h"

typedef struct {
    PeJob **jobs;   // [batch_size]
    PeSlot **slots; // [batch_size]
    int n;
    int turn;       // of begin_images()
    int64_t start;  // us
    int64_t before; // the same by the runner's clock
} Batch;

typedef struct {
    Batch batches[2];
    Batch *flying;  // has begun on the device and not ended; NULL: none
    int64_t landed; // when the last one ended, by the runner's clock
    float *out;     // [batch_size, dim]
} Worker;

// The device has failed: nobody is to get this engine any more.
static void
die(PeEngine *e, const GError *error)
{
    pe_log(PE_LOG_ERROR, "%s: %s", e->runner->name, error->message);
    pe_registry_forget(e);
    pe_queue_fail(e->queue, error);
}

// `start` is when the batch began, `us` what it took.
static void
count_batch(PeEngine *e, PeJob **jobs, int n, int64_t start, int64_t us)
{
    e->batch_us = MAX(us, 1);
    pe_queue_add_time(e->queue, n, us);
    g_mutex_lock(&e->stats_lock);
    e->stats.images += (uint64_t)n;
    e->stats.batches++;
    e->stats.compute_seconds += (double)us / 1e6;
    pe_recent_add(&e->compute_ms, (double)us / 1000);
    pe_histogram_add(&e->stats.compute, (double)us / 1e6);
    for (int i = 0; i < n; i++) {
        double wait = (double)(start - pe_job_get_submit_time(jobs[i])) / 1e6;
        pe_recent_add(&e->wait_ms, wait * 1e3);
        pe_histogram_add(&e->stats.wait, wait);
    }
    g_mutex_unlock(&e->stats_lock);
}

// Where `ok`, with `out`.
static void
finish_batch(PeEngine *e, Batch *b, int64_t start, int64_t us, bool ok,
             const float *out, const GError *error)
{
    if (ok)
        count_batch(e, b->jobs, b->n, start, us);
    else if (g_error_matches(error, PE_ERROR, PE_ERROR_BACKEND))
        die(e, error);
    int64_t end = g_get_monotonic_time();
    for (int i = 0; i < b->n; i++)
        pe_job_set_run(b->jobs[i], b->start, end);
    pe_queue_finish(e->queue, b->jobs, b->n, ok ? out : NULL, error);
    b->n = 0;
}

// End the batch that is under way on the device, if there is one. What it took
// counts from where the one before it ended.
static void
land(PeEngine *e, Worker *w)
{
    Batch *b = w->flying;
    if (!b)
        return;
    g_autoptr(GError) error = NULL;
    bool ok = e->ops->end_images(e->runner, b->n, b->turn, w->out, &error);
    int64_t now = e->ops->now(e->runner);
    int64_t us = now - MAX(b->before, w->landed);
    w->landed = now;
    w->flying = NULL;
    finish_batch(e, b, b->start, us, ok, w->out, error);
}

// Begin the batch on the device, behind the one that is under way there.
// Returns false when it must run on its own; then none is under way any more.
static bool
take_off(PeEngine *e, Worker *w, Batch *b)
{
    g_autoptr(GError) error = NULL;
    bool begun =
        e->ops->begin_images &&
        e->ops->begin_images(e->runner, b->slots, b->n, b->turn, &error);
    land(e, w);
    if (begun)
        w->flying = b;
    else if (error)
        finish_batch(e, b, b->start, 0, false, NULL, error);
    return begun || error;
}

static void
run_batch(PeEngine *e, Worker *w, Batch *b)
{
    const GError *failure = pe_queue_get_failure(e->queue);
    if (failure) {
        land(e, w);
        pe_queue_finish(e->queue, b->jobs, b->n, NULL, failure);
        return;
    }
    for (int i = 0; i < b->n; i++)
        b->slots[i] = pe_job_get_slot(b->jobs[i]);
    g_autoptr(GError) error = NULL;
    b->start = g_get_monotonic_time();
    b->before = e->ops->now(e->runner);
    if (take_off(e, w, b))
        return;
    bool ok =
        e->ops->embed_images(e->runner, b->slots, b->n,
                             pe_queue_get_abandon(e->queue), w->out, &error);
    int64_t us = e->ops->now(e->runner) - MAX(b->before, w->landed);
    finish_batch(e, b, b->start, us, ok, w->out, error);
}

static void
run_task(PeEngine *e, PeTask *task)
{
    const GError *failure = pe_queue_get_failure(e->queue);
    bool again = false;
    if (failure)
        task->error = g_error_copy(failure);
    else
        again = task->run(task);
    if (!failure && g_error_matches(task->error, PE_ERROR, PE_ERROR_BACKEND))
        die(e, task->error);
    pe_queue_finish_task(e->queue, task, again);
}

// When the text tower is not worth its memory any more.
static int64_t
get_texts_end(const PeEngine *e)
{
    return e->has_texts && !e->in_texts ? e->last_text + e->runner->text_idle_us
                                        : INT64_MAX;
}

static void
drop_idle_texts(PeEngine *e)
{
    int64_t end = get_texts_end(e);
    if (end == INT64_MAX || g_get_monotonic_time() < end)
        return;
    pe_log(PE_LOG_DEBUG, "%s: the text tower is dropped", e->runner->name);
    e->ops->drop_texts(e->runner);
    e->has_texts = false;
}

static void
work(PeEngine *e, Worker *w)
{
    for (;;) {
        PeTask *task;
        // A second batch is begun early only when it could not grow meanwhile.
        if (w->flying && !pe_queue_is_full(e->queue))
            land(e, w);
        Batch *b = &w->batches[w->flying == &w->batches[0]];
        int64_t until = MIN(get_texts_end(e), pe_registry_get_end(e));
        if (w->flying)
            until = 0; // its clients wait for it, even if the others have gone
        switch (pe_queue_wait(e->queue, until, b->jobs, &b->n, &task)) {
        case PE_WORK_BATCH:
            run_batch(e, w, b);
            break;
        case PE_WORK_TASK:
            land(e, w);
            run_task(e, task);
            break;
        case PE_WORK_NONE:
            land(e, w);
            if (pe_registry_retire(e, g_get_monotonic_time()))
                return;
            break;
        case PE_WORK_STOP:
            land(e, w);
            return;
        }
        if (!w->flying)
            drop_idle_texts(e);
    }
}

void
pe_engine_work(PeEngine *e)
{
    size_t size = (size_t)e->runner->batch_size;
    Worker w = {.out = g_new(float, size *(size_t)e->dim)};
    for (int i = 0; i < 2; i++)
        w.batches[i] = (Batch){.turn = i,
                               .jobs = g_new(PeJob *, size),
                               .slots = g_new(PeSlot *, size)};
    work(e, &w);
    for (int i = 0; i < 2; i++) {
        g_free(w.batches[i].jobs);
        g_free(w.batches[i].slots);
    }
    g_free(w.out);
}
