// SPDX-License-Identifier: LGPL-2.1-or-later
//
// queue.c - clients, jobs and the rule that closes a batch.

#include "queue.h"

typedef enum {
    JOB_QUEUED,
    JOB_RUNNING,
    JOB_DONE,
    JOB_CANCELLED,
} JobState;

struct PeJob {
    int ref_count; // atomic
    int state;     // JobState, atomic; changed under the queue's lock
    PeQueue *queue;
    PeClient *client; // until the job has ended
    PeSlot *slot;     // until the job has ended
    PeJobTimes times;
    bool run_now;
    GList link; // in client->jobs
    GError *error;
    float embedding[]; // [dim]
};

struct PeQueue {
    int ref_count; // atomic
    int dim;
    int batch_size;
    int64_t timeout_us;

    GMutex lock;
    GCond work;    // for the worker: something to do
    GCond changed; // for everybody else: a job, task or callback has ended
    GQueue turns;  // PeClient with queued jobs, whose turn is next first
    GQueue ended;  // PeJob that never ran, whose clients are to be called
    int n_queued;
    int n_run_now; // of those
    PeTask *tasks; // oldest first
    bool task_turn;
    bool stopped;
    GError *failure;
    GThread *worker; // that runs callbacks
    GPtrArray *slots;
};

PeQueue *
pe_queue_new(int dim, int batch_size, int64_t timeout_us)
{
    PeQueue *q = g_new0(PeQueue, 1);
    q->ref_count = 1;
    q->dim = dim;
    q->batch_size = batch_size;
    q->timeout_us = timeout_us;
    g_mutex_init(&q->lock);
    g_cond_init(&q->work);
    g_cond_init(&q->changed);
    g_queue_init(&q->turns);
    g_queue_init(&q->ended);
    q->slots = g_ptr_array_new();
    return q;
}

PeQueue *
pe_queue_ref(PeQueue *q)
{
    g_atomic_int_inc(&q->ref_count);
    return q;
}

void
pe_queue_unref(PeQueue *q)
{
    if (!g_atomic_int_dec_and_test(&q->ref_count))
        return;
    g_mutex_clear(&q->lock);
    g_cond_clear(&q->work);
    g_cond_clear(&q->changed);
    g_clear_error(&q->failure);
    g_ptr_array_unref(q->slots);
    g_free(q);
}

PeSlot *
pe_queue_get_slot(PeQueue *q)
{
    g_mutex_lock(&q->lock);
    PeSlot *slot = q->slots->len > 0
                       ? g_ptr_array_steal_index(q->slots, q->slots->len - 1)
                       : NULL;
    g_mutex_unlock(&q->lock);
    return slot;
}

void
pe_queue_put_slot(PeQueue *q, PeSlot *slot)
{
    g_mutex_lock(&q->lock);
    g_ptr_array_add(q->slots, slot);
    g_mutex_unlock(&q->lock);
}

// ---- Jobs -----------------------------------------------------------------

PeJob *
pe_job_ref(PeJob *job)
{
    g_return_val_if_fail(job, NULL);
    g_atomic_int_inc(&job->ref_count);
    return job;
}

void
pe_job_unref(PeJob *job)
{
    g_return_if_fail(job);
    if (!g_atomic_int_dec_and_test(&job->ref_count))
        return;
    g_clear_error(&job->error);
    pe_queue_unref(job->queue);
    g_free(job);
}

bool
pe_job_is_done(const PeJob *job)
{
    g_return_val_if_fail(job, false);
    return g_atomic_int_get(&job->state) >= JOB_DONE;
}

const float *
pe_job_get_embedding(const PeJob *job, GError **error)
{
    g_return_val_if_fail(job && pe_job_is_done(job), NULL);
    if (job->error) {
        g_propagate_error(error, g_error_copy(job->error));
        return NULL;
    }
    return job->embedding;
}

PeSlot *
pe_job_get_slot(const PeJob *job)
{
    return job->slot;
}

int64_t
pe_job_get_submit_time(const PeJob *job)
{
    return job->times.submitted;
}

static void
client_unref_locked(PeClient *client)
{
    if (--client->ref_count == 0)
        g_free(client);
}

// The job leaves its client's list; the list's reference goes to the caller.
static void
unqueue_locked(PeQueue *q, PeJob *job)
{
    PeClient *client = job->client;
    g_queue_unlink(&client->jobs, &job->link);
    if (g_queue_is_empty(&client->jobs))
        g_queue_unlink(&q->turns, &client->turn);
    q->n_queued--;
    q->n_run_now -= job->run_now;
}

// The slot is free again; the job keeps its client for the callback.
static void
end_locked(PeQueue *q, PeJob *job, JobState state)
{
    g_ptr_array_add(q->slots, job->slot);
    job->slot = NULL;
    g_atomic_int_set(&job->state, state);
}

static void
cancel_locked(PeQueue *q, PeJob *job)
{
    unqueue_locked(q, job);
    g_set_error_literal(&job->error, PE_ERROR, PE_ERROR_CANCELLED,
                        "the job was cancelled before it started");
    end_locked(q, job, JOB_CANCELLED);
    client_unref_locked(job->client);
    job->client = NULL;
}

void
pe_job_cancel(PeJob *job)
{
    g_return_if_fail(job);
    PeQueue *q = job->queue;
    g_mutex_lock(&q->lock);
    bool queued = job->state == JOB_QUEUED;
    if (queued)
        cancel_locked(q, job);
    g_cond_broadcast(&q->changed);
    g_mutex_unlock(&q->lock);
    if (queued)
        pe_job_unref(job);
}

// ---- Clients --------------------------------------------------------------

PeClient *
pe_queue_add_client(PeQueue *q, PeDoneFunc done, void *user_data)
{
    PeClient *client = g_new0(PeClient, 1);
    client->queue = pe_queue_ref(q);
    client->done = done;
    client->user_data = user_data;
    client->ref_count = 1;
    g_queue_init(&client->jobs);
    client->turn.data = client;
    return client;
}

void
pe_queue_remove_client(PeClient *client)
{
    PeQueue *q = client->queue;
    // Released unlocked: the last reference frees a job.
    g_autoptr(GPtrArray) cancelled =
        g_ptr_array_new_with_free_func((GDestroyNotify)pe_job_unref);
    g_mutex_lock(&q->lock);
    client->closed = true;
    while (!g_queue_is_empty(&client->jobs)) {
        PeJob *job = g_queue_peek_head(&client->jobs);
        cancel_locked(q, job);
        g_ptr_array_add(cancelled, job);
    }
    while (client->calling && q->worker != g_thread_self())
        g_cond_wait(&q->changed, &q->lock);
    client_unref_locked(client);
    g_cond_broadcast(&q->changed);
    g_mutex_unlock(&q->lock);
    pe_queue_unref(q);
}

static PeJob *
job_new(PeQueue *q, PeSlot *slot, const PeJobTimes *times)
{
    PeJob *job = g_malloc0(sizeof *job + sizeof(float) * (size_t)q->dim);
    job->ref_count = 2; // the caller and the queue
    job->queue = pe_queue_ref(q);
    job->slot = slot;
    job->times = *times;
    job->link.data = job;
    return job;
}

// Makes room for another job.
static void
replace_oldest_locked(PeQueue *q, PeClient *client)
{
    if (client->max_queued == 0 ||
        client->jobs.length < (guint)client->max_queued)
        return;
    PeJob *job = g_queue_peek_head(&client->jobs);
    unqueue_locked(q, job);
    g_set_error_literal(&job->error, PE_ERROR, PE_ERROR_CANCELLED,
                        "a newer frame took the job's place in the queue");
    end_locked(q, job, JOB_CANCELLED);
    g_queue_push_tail_link(&q->ended, &job->link);
}

static void
add_job_locked(PeClient *client, PeJob *job)
{
    PeQueue *q = client->queue;
    replace_oldest_locked(q, client);
    job->client = client;
    client->ref_count++;
    if (g_queue_is_empty(&client->jobs))
        g_queue_push_tail_link(&q->turns, &client->turn);
    g_queue_push_tail_link(&client->jobs, &job->link);
    q->n_queued++;
}

bool
pe_queue_push(PeClient *client, PeSlot *const *slots, int n,
              const PeJobTimes *times, PeJob **jobs, GError **error)
{
    PeQueue *q = client->queue;
    for (int i = 0; i < n; i++)
        jobs[i] = job_new(q, slots[i], times);

    g_mutex_lock(&q->lock);
    bool ok = !q->failure;
    if (ok) {
        for (int i = 0; i < n; i++)
            add_job_locked(client, jobs[i]);
        g_cond_broadcast(&q->changed);
        g_cond_signal(&q->work);
    } else {
        g_propagate_error(error, g_error_copy(q->failure));
        for (int i = 0; i < n; i++)
            g_ptr_array_add(q->slots, slots[i]);
    }
    g_mutex_unlock(&q->lock);
    for (int i = 0; !ok && i < n; i++) {
        jobs[i]->ref_count = 1;
        g_clear_pointer(&jobs[i], pe_job_unref);
    }
    return ok;
}

void
pe_client_set_max_queued(PeClient *client, int n)
{
    g_return_if_fail(client && n >= 0);
    g_mutex_lock(&client->queue->lock);
    client->max_queued = n;
    g_mutex_unlock(&client->queue->lock);
}

int
pe_client_count_queued(PeClient *client)
{
    g_return_val_if_fail(client, 0);
    g_mutex_lock(&client->queue->lock);
    int n = (int)client->jobs.length;
    g_mutex_unlock(&client->queue->lock);
    return n;
}

void
pe_client_run_now(PeClient *client)
{
    g_return_if_fail(client);
    PeQueue *q = client->queue;
    g_mutex_lock(&q->lock);
    for (GList *l = client->jobs.head; l; l = l->next) {
        PeJob *job = l->data;
        q->n_run_now += !job->run_now;
        job->run_now = true;
    }
    g_cond_signal(&q->work);
    g_mutex_unlock(&q->lock);
}

void
pe_queue_wait_job(PeJob *job)
{
    PeQueue *q = job->queue;
    g_mutex_lock(&q->lock);
    while (job->state < JOB_DONE)
        g_cond_wait(&q->changed, &q->lock);
    g_mutex_unlock(&q->lock);
}

bool
pe_queue_run(PeQueue *q, PeTask *task, GError **error)
{
    g_mutex_lock(&q->lock);
    PeTask **end = &q->tasks;
    while (*end)
        end = &(*end)->next;
    *end = task;
    g_cond_signal(&q->work);
    while (!task->done)
        g_cond_wait(&q->changed, &q->lock);
    g_mutex_unlock(&q->lock);
    if (!task->error)
        return true;
    g_propagate_error(error, task->error);
    return false;
}

// ---- The worker -----------------------------------------------------------

static int64_t
oldest_submit_locked(const PeQueue *q)
{
    int64_t oldest = INT64_MAX;
    for (const GList *l = q->turns.head; l; l = l->next) {
        PeClient *client = l->data;
        const PeJob *job = client->jobs.head->data;
        oldest = MIN(oldest, job->times.submitted);
    }
    return oldest;
}

// When the next batch must close; in the past: now.
static int64_t
deadline_locked(const PeQueue *q)
{
    if (q->n_queued == 0)
        return INT64_MAX;
    if (q->n_queued >= q->batch_size || q->n_run_now > 0 ||
        q->timeout_us == 0 || q->failure || q->stopped)
        return INT64_MIN;
    return oldest_submit_locked(q) + q->timeout_us;
}

static int
take_locked(PeQueue *q, PeJob **jobs)
{
    int n = 0;
    while (n < q->batch_size && q->n_queued > 0) {
        PeClient *client = g_queue_peek_head(&q->turns);
        PeJob *job = g_queue_peek_head(&client->jobs);
        unqueue_locked(q, job);
        if (!g_queue_is_empty(&client->jobs)) {
            g_queue_unlink(&q->turns, &client->turn);
            g_queue_push_tail_link(&q->turns, &client->turn);
        }
        g_atomic_int_set(&job->state, JOB_RUNNING);
        jobs[n++] = job;
    }
    return n;
}

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
    client_unref_locked(client);
    g_mutex_unlock(&q->lock);
}

// Jobs that ended without having run: those before them have been called.
static void
call_ended_locked(PeQueue *q)
{
    while (!g_queue_is_empty(&q->ended)) {
        PeJob *job = g_queue_pop_head_link(&q->ended)->data;
        g_mutex_unlock(&q->lock);
        call_client(q, job);
        pe_job_unref(job);
        g_mutex_lock(&q->lock);
    }
}

int
pe_queue_take(PeQueue *q, int64_t now_us, PeJob **jobs, int64_t *deadline)
{
    g_mutex_lock(&q->lock);
    call_ended_locked(q);
    *deadline = deadline_locked(q);
    int n = *deadline <= now_us ? take_locked(q, jobs) : 0;
    g_mutex_unlock(&q->lock);
    return n;
}

int
pe_queue_wait(PeQueue *q, PeJob **jobs, PeTask **task)
{
    int n = 0;
    *task = NULL;
    g_mutex_lock(&q->lock);
    q->worker = g_thread_self();
    for (;;) {
        call_ended_locked(q);
        int64_t deadline = deadline_locked(q);
        bool due = deadline <= g_get_monotonic_time();
        if (q->tasks && (q->task_turn || !due)) {
            *task = q->tasks;
            q->tasks = q->tasks->next;
            q->task_turn = false;
            break;
        }
        if (due && q->n_queued > 0) {
            n = take_locked(q, jobs);
            q->task_turn = true;
            break;
        }
        if (q->stopped)
            break;
        if (deadline == INT64_MAX)
            g_cond_wait(&q->work, &q->lock);
        else
            g_cond_wait_until(&q->work, &q->lock, deadline);
    }
    g_mutex_unlock(&q->lock);
    return n;
}

void
pe_queue_finish(PeQueue *q, PeJob **jobs, int n, const float *embeddings,
                const GError *error)
{
    size_t dim = (size_t)q->dim;
    g_mutex_lock(&q->lock);
    for (int i = 0; i < n; i++) {
        if (error)
            jobs[i]->error = g_error_copy(error);
        else
            memcpy(jobs[i]->embedding, embeddings + (size_t)i * dim,
                   dim * sizeof(float));
        end_locked(q, jobs[i], JOB_DONE);
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

void
pe_queue_fail(PeQueue *q, const GError *error)
{
    g_mutex_lock(&q->lock);
    if (!q->failure)
        q->failure = g_error_copy(error);
    g_mutex_unlock(&q->lock);
}

const GError *
pe_queue_get_failure(const PeQueue *q)
{
    return q->failure;
}

void
pe_queue_stop(PeQueue *q)
{
    g_mutex_lock(&q->lock);
    q->stopped = true;
    g_cond_signal(&q->work);
    g_mutex_unlock(&q->lock);
}
