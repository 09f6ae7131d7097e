// SPDX-License-Identifier: LGPL-2.1-or-later
//
// worker.c - what the engine's thread does between loading and closing:
// batches and tasks, as they come out of the queue.

#include "engine_private.h"

static void
run_batch(PeEngine *e, PeJob **jobs, PeSlot **slots, int n, float *out)
{
    GError *error = NULL;
    int64_t start = g_get_monotonic_time();
    const GError *failure = pe_queue_get_failure(e->queue);
    if (failure) {
        pe_queue_finish(e->queue, jobs, n, NULL, failure);
        return;
    }
    for (int i = 0; i < n; i++)
        slots[i] = pe_job_get_slot(jobs[i]);
    bool ok = e->ops->embed_images(e->runner, slots, n, out, &error);
    double ms = (double)(g_get_monotonic_time() - start) / 1000;

    g_mutex_lock(&e->stats_lock);
    e->stats.images += ok ? (uint64_t)n : 0;
    e->stats.batches += ok;
    e->stats.compute_seconds += ok ? ms / 1000 : 0;
    pe_recent_add(&e->compute_ms, ms);
    for (int i = 0; i < n; i++)
        pe_recent_add(&e->wait_ms,
                      (double)(start - pe_job_get_submit_time(jobs[i])) / 1000);
    g_mutex_unlock(&e->stats_lock);

    if (!ok && g_error_matches(error, PE_ERROR, PE_ERROR_BACKEND)) {
        pe_log(PE_LOG_ERROR, "%s: %s", e->runner->name, error->message);
        pe_queue_fail(e->queue, error);
    }
    pe_queue_finish(e->queue, jobs, n, ok ? out : NULL, error);
    g_clear_error(&error);
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
    if (task->error && !failure &&
        g_error_matches(task->error, PE_ERROR, PE_ERROR_BACKEND))
        pe_queue_fail(e->queue, task->error);
    pe_queue_finish_task(e->queue, task, again);
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
        int n = pe_queue_wait(e->queue, jobs, &task);
        if (n > 0)
            run_batch(e, jobs, slots, n, out);
        else if (task)
            run_task(e, task);
        else
            return;
    }
}
