// SPDX-License-Identifier: LGPL-2.1-or-later
//
// worker.c - what the engine's thread does between loading and closing:
// batches and tasks, as they come out of the queue.

#include "engine_private.h"

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

static void
run_batch(PeEngine *e, PeJob **jobs, PeSlot **slots, int n, float *out)
{
    const GError *failure = pe_queue_get_failure(e->queue);
    if (failure) {
        pe_queue_finish(e->queue, jobs, n, NULL, failure);
        return;
    }
    for (int i = 0; i < n; i++)
        slots[i] = pe_job_get_slot(jobs[i]);
    g_autoptr(GError) error = NULL;
    int64_t start = g_get_monotonic_time();
    int64_t before = e->ops->now(e->runner);
    bool ok = e->ops->embed_images(e->runner, slots, n,
                                   pe_queue_get_abandon(e->queue), out, &error);
    if (ok)
        count_batch(e, jobs, n, start, e->ops->now(e->runner) - before);
    else if (g_error_matches(error, PE_ERROR, PE_ERROR_BACKEND))
        die(e, error);
    int64_t end = g_get_monotonic_time();
    for (int i = 0; i < n; i++)
        pe_job_set_run(jobs[i], start, end);
    pe_queue_finish(e->queue, jobs, n, ok ? out : NULL, error);
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

void
pe_engine_work(PeEngine *e)
{
    size_t size = (size_t)e->runner->batch_size;
    g_autofree PeJob **jobs = g_new(PeJob *, size);
    g_autofree PeSlot **slots = g_new(PeSlot *, size);
    g_autofree float *out = g_new(float, size *(size_t)e->dim);
    for (;;) {
        PeTask *task;
        int n;
        int64_t until = MIN(get_texts_end(e), pe_registry_get_end(e));
        switch (pe_queue_wait(e->queue, until, jobs, &n, &task)) {
        case PE_WORK_BATCH:
            run_batch(e, jobs, slots, n, out);
            break;
        case PE_WORK_TASK:
            run_task(e, task);
            break;
        case PE_WORK_NONE:
            if (pe_registry_retire(e, g_get_monotonic_time()))
                return;
            break;
        case PE_WORK_STOP:
            return;
        }
        drop_idle_texts(e);
    }
}
