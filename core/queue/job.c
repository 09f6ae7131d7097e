// SPDX-License-Identifier: LGPL-2.1-or-later
//
// job.c - one embedding on its way through the queue: from queued to running to
// done, or to cancelled.

#include "queue_private.h"

#include "queue_order.h"

PeJob *
pe_job_new(PeQueue *q, PeSlot *slot, const PeJobTimes *times)
{
    PeJob *job = g_malloc0(sizeof *job + sizeof(float) * (size_t)q->dim);
    job->ref_count = 2;
    job->queue = pe_queue_ref(q);
    job->slot = slot;
    job->times = *times;
    job->due = times->deadline;
    job->link.data = job;
    return job;
}

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

void
pe_job_set_run(PeJob *job, int64_t started, int64_t ended)
{
    job->started = started;
    job->ended = ended;
}

void
pe_job_get_run(const PeJob *job, PeJobRun *run)
{
    g_return_if_fail(job && pe_job_is_done(job) && run);
    *run = (PeJobRun){job->times.submitted, job->started, job->ended};
}

// ---- In the queue ----------------------------------------------------------

void
pe_job_enqueue_locked(PeClient *client, PeJob *job)
{
    PeQueue *q = client->queue;
    job->client = client;
    client->ref_count++;
    g_queue_push_tail_link(&client->jobs, &job->link);
    // It cannot overtake those before it, so they are as urgent.
    for (GList *l = job->link.prev; l; l = l->prev) {
        PeJob *before = l->data;
        if (before->due <= job->due)
            break;
        before->due = job->due;
    }
    q->n_queued++;
    q->first_expire = MIN(q->first_expire, job->times.expire);
    pe_client_order_update(q->order, client);
}

void
pe_job_unqueue_locked(PeJob *job)
{
    PeQueue *q = job->queue;
    g_queue_unlink(&job->client->jobs, &job->link);
    q->n_queued--;
    q->n_run_now -= job->run_now;
    pe_client_order_update(q->order, job->client);
}

void
pe_job_end_locked(PeJob *job, JobState state)
{
    g_ptr_array_add(job->queue->slots, job->slot);
    job->slot = NULL;
    g_atomic_int_set(&job->state, state);
}

void
pe_job_refuse_locked(PeJob *job, const char *why)
{
    pe_job_unqueue_locked(job);
    g_set_error_literal(&job->error, PE_ERROR, PE_ERROR_CANCELLED, why);
    pe_job_end_locked(job, JOB_CANCELLED);
    g_queue_push_tail_link(&job->queue->ended, &job->link);
}

void
pe_client_unref_locked(PeClient *client)
{
    if (--client->ref_count == 0)
        g_free(client);
}

void
pe_job_cancel_locked(PeJob *job)
{
    pe_job_unqueue_locked(job);
    g_set_error_literal(&job->error, PE_ERROR, PE_ERROR_CANCELLED,
                        "the job was cancelled before it started");
    pe_job_end_locked(job, JOB_CANCELLED);
    pe_client_unref_locked(job->client);
    job->client = NULL;
}

void
pe_job_drop_locked(PeJob *job)
{
    PeQueue *q = job->queue;
    if (job->dropped)
        return;
    job->dropped = true;
    bool last = false; // of what the worker took last
    for (int i = 0; i < q->n_running; i++)
        last |= q->running[i] == job;
    if (last && --q->n_wanted == 0)
        g_atomic_int_set(&q->abandon, 1);
}

void
pe_job_cancel(PeJob *job)
{
    g_return_if_fail(job);
    PeQueue *q = job->queue;
    g_mutex_lock(&q->lock);
    bool queued = job->state == JOB_QUEUED;
    if (queued)
        pe_job_cancel_locked(job);
    else if (job->state == JOB_RUNNING)
        pe_job_drop_locked(job);
    g_cond_broadcast(&q->changed);
    g_mutex_unlock(&q->lock);
    if (queued)
        pe_job_unref(job);
}
