// SPDX-License-Identifier: LGPL-2.1-or-later
//
// queue_clients.c - clients, their jobs and tasks, as threads other than the
// worker see them.

#include "queue_order.h"
#include "queue_private.h"

// ---- Clients --------------------------------------------------------------

PeClient *
pe_queue_add_client(PeQueue *q, PeDoneFunc done, void *user_data)
{
    PeClient *client = g_new0(PeClient, 1);
    client->queue = pe_queue_ref(q);
    client->done = done;
    client->user_data = user_data;
    client->ref_count = 1;
    client->place = -1;
    client->wait_link.data = client;
    g_queue_init(&client->jobs);
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
        pe_job_cancel_locked(job);
        g_ptr_array_add(cancelled, job);
    }
    for (int i = 0; i < q->n_running; i++) {
        if (q->running[i]->client == client)
            pe_job_drop_locked(q->running[i]);
    }
    while (client->calling && q->worker != g_thread_self())
        g_cond_wait(&q->changed, &q->lock);
    pe_client_unref_locked(client);
    g_cond_broadcast(&q->changed);
    g_mutex_unlock(&q->lock);
    pe_queue_unref(q);
}

// Makes room for another job.
static void
replace_oldest_locked(PeClient *client)
{
    if (client->max_queued > 0 &&
        client->jobs.length >= (guint)client->max_queued)
        pe_job_refuse_locked(g_queue_peek_head(&client->jobs),
                             "a newer frame took the job's place in the queue");
}

bool
pe_queue_push(PeClient *client, PeSlot *const *slots, int n,
              const PeJobTimes *times, PeJob **jobs, GError **error)
{
    PeQueue *q = client->queue;
    for (int i = 0; i < n; i++)
        jobs[i] = pe_job_new(q, slots[i], times);

    g_mutex_lock(&q->lock);
    bool ok = !q->failure;
    for (int i = 0; ok && i < n; i++) {
        replace_oldest_locked(client);
        pe_job_enqueue_locked(client, jobs[i]);
    }
    if (ok) {
        g_cond_broadcast(&q->changed);
        g_cond_signal(&q->work);
    } else {
        g_propagate_error(error, g_error_copy(q->failure));
        for (int i = 0; i < n; i++)
            g_ptr_array_add(q->slots, slots[i]);
    }
    g_mutex_unlock(&q->lock);
    for (int i = 0; !ok && i < n; i++) {
        pe_job_unref(jobs[i]); // the queue's
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

// ---- Tasks ----------------------------------------------------------------

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
