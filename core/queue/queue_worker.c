// SPDX-License-Identifier: LGPL-2.1-or-later
//
// queue_worker.c - when a batch closes, and what the worker does with the jobs
// of one. Which jobs those are is in queue_plan.c.

#include "queue_order.h"
#include "queue_plan.h"
#include "queue_private.h"

// ---- When -------------------------------------------------------------------

static int64_t
oldest_submit_locked(const PeQueue *q)
{
    int64_t oldest = INT64_MAX;
    for (const GList *l = pe_client_order_list(q->order); l; l = l->next) {
        PeClient *client = l->data;
        const PeJob *job = client->jobs.head->data;
        oldest = MIN(oldest, job->times.submitted);
    }
    return oldest;
}

// The earliest deadline of all queued jobs. There is one.
static int64_t
first_due_locked(const PeQueue *q)
{
    PeClient *client = pe_client_order_peek(q->order);
    return ((const PeJob *)client->jobs.head->data)->due;
}

// When what is queued must run so that the first of it is ready in time; at
// once while nobody knows how long it takes. INT64_MAX: there is no deadline.
static int64_t
latest_start_locked(const PeQueue *q)
{
    int64_t due = first_due_locked(q);
    if (due == INT64_MAX)
        return INT64_MAX;
    int64_t us = pe_batch_times_get(q->times, q->n_queued);
    return us > 0 ? due - us : INT64_MIN;
}

// When the next batch must close; in the past: now.
static int64_t
close_time_locked(const PeQueue *q)
{
    if (q->n_queued == 0)
        return INT64_MAX;
    if (q->n_queued >= q->batch_size || q->n_run_now > 0 ||
        q->timeout_us == 0 || q->failure || q->stopped)
        return INT64_MIN;
    return MIN(oldest_submit_locked(q) + q->timeout_us, latest_start_locked(q));
}

// ---- What ended without the worker -----------------------------------------

// Call the job's client unless it has gone, and let go of it.
static void
call_client(PeQueue *q, PeJob *job)
{
    PeClient *client = job->client;
    g_mutex_lock(&q->lock);
    if (client->done && !client->closed) {
        client->calling = true;
        g_mutex_unlock(&q->lock);
        client->done(job, client->user_data);
        g_mutex_lock(&q->lock);
        client->calling = false;
        g_cond_broadcast(&q->changed);
    }
    job->client = NULL;
    pe_client_unref_locked(client);
    g_mutex_unlock(&q->lock);
}

static void
refuse_expired_locked(PeQueue *q, int64_t now)
{
    if (now <= q->first_expire)
        return;
    q->first_expire = INT64_MAX;
    const GList *next;
    for (const GList *l = pe_client_order_list(q->order); l; l = next) {
        next = l->next;
        PeClient *client = l->data;
        for (GList *j = client->jobs.head, *following; j; j = following) {
            following = j->next;
            PeJob *job = j->data;
            if (job->times.expire < now)
                pe_job_refuse_locked(job, "the job expired in the queue");
            else
                q->first_expire = MIN(q->first_expire, job->times.expire);
        }
    }
    g_cond_broadcast(&q->changed);
}

// Ends what has expired and calls the clients of all jobs that never ran. The
// clients of what was submitted before them have been called.
static void
end_refused_locked(PeQueue *q, int64_t now)
{
    refuse_expired_locked(q, now);
    while (!g_queue_is_empty(&q->ended)) {
        PeJob *job = g_queue_pop_head_link(&q->ended)->data;
        g_mutex_unlock(&q->lock);
        call_client(q, job);
        pe_job_unref(job);
        g_mutex_lock(&q->lock);
    }
}

// ---- Batches ---------------------------------------------------------------

// As many as were planned.
static void
take_locked(PeQueue *q, int64_t now, int size, PeJob **jobs)
{
    PeClient *client = pe_client_order_begin_batch(q->order);
    for (int n = 0; n < size; n++) {
        if (!client)
            client = pe_queue_next_locked(q, now, size);
        PeJob *job = g_queue_peek_head(&client->jobs);
        pe_job_unqueue_locked(job);
        pe_client_order_served(q->order, client);
        g_atomic_int_set(&job->state, JOB_RUNNING);
        jobs[n] = job;
        client = NULL;
    }
    q->overloaded &= q->n_queued > 0;
    q->running = jobs;
    q->n_running = q->n_wanted = size;
    g_atomic_int_set(&q->abandon, 0);
}

int
pe_queue_take(PeQueue *q, int64_t now_us, PeJob **jobs, int64_t *wake)
{
    g_mutex_lock(&q->lock);
    int64_t close;
    int n = 0;
    do {
        end_refused_locked(q, now_us);
        close = close_time_locked(q);
    } while (close <= now_us && !pe_queue_plan_locked(q, now_us, &n));
    if (n > 0)
        take_locked(q, now_us, n, jobs);
    *wake = MIN(close, q->first_expire);
    g_mutex_unlock(&q->lock);
    return n;
}

PeWork
pe_queue_wait(PeQueue *q, int64_t until, PeJob **jobs, int *n, PeTask **task)
{
    PeWork work;
    int size;
    *n = 0;
    *task = NULL;
    g_mutex_lock(&q->lock);
    q->worker = g_thread_self();
    for (;;) {
        int64_t now = g_get_monotonic_time();
        end_refused_locked(q, now);
        int64_t close = close_time_locked(q);
        bool due = close <= now;
        if (due && !pe_queue_plan_locked(q, now, &size))
            continue;
        work = PE_WORK_TASK;
        if (q->tasks && (q->task_turn || !due)) {
            *task = q->tasks;
            q->tasks = q->tasks->next;
            q->task_turn = false;
            break;
        }
        work = PE_WORK_BATCH;
        if (due) {
            take_locked(q, now, size, jobs);
            *n = size;
            q->task_turn = true;
            break;
        }
        work = q->stopped ? PE_WORK_STOP : PE_WORK_NONE;
        if (q->stopped || q->poked || until <= now)
            break;
        // A job expires after its time, not at it.
        int64_t expire = MIN(q->first_expire, INT64_MAX - 1) + 1;
        int64_t wake = MIN(until, MIN(close, expire));
        if (wake == INT64_MAX)
            g_cond_wait(&q->work, &q->lock);
        else
            g_cond_wait_until(&q->work, &q->lock, wake);
    }
    q->poked = false;
    g_mutex_unlock(&q->lock);
    return work;
}

bool
pe_queue_is_full(PeQueue *q)
{
    g_mutex_lock(&q->lock);
    bool full = q->n_queued >= q->batch_size;
    g_mutex_unlock(&q->lock);
    return full;
}

const int *
pe_queue_get_abandon(const PeQueue *q)
{
    return &q->abandon;
}

void
pe_queue_add_time(PeQueue *q, int n, int64_t us)
{
    g_mutex_lock(&q->lock);
    pe_batch_times_add(q->times, n, us);
    g_mutex_unlock(&q->lock);
}

void
pe_queue_finish(PeQueue *q, PeJob **jobs, int n, const float *embeddings,
                const GError *error)
{
    size_t dim = (size_t)q->dim;
    g_mutex_lock(&q->lock);
    if (q->running == jobs)
        q->n_running = 0;
    for (int i = 0; i < n; i++) {
        if (error)
            jobs[i]->error = g_error_copy(error);
        else
            memcpy(jobs[i]->embedding, embeddings + (size_t)i * dim,
                   dim * sizeof(float));
        pe_job_end_locked(jobs[i], JOB_DONE);
    }
    g_cond_broadcast(&q->changed);
    g_mutex_unlock(&q->lock);
    for (int i = 0; i < n; i++) {
        call_client(q, jobs[i]);
        pe_job_unref(jobs[i]);
    }
}

void
pe_queue_finish_task(PeQueue *q, PeTask *task, bool again)
{
    g_mutex_lock(&q->lock);
    if (again) {
        task->next = q->tasks;
        q->tasks = task;
    } else {
        task->next = NULL;
        task->done = true;
        g_cond_broadcast(&q->changed);
    }
    g_mutex_unlock(&q->lock);
}
