// SPDX-License-Identifier: LGPL-2.1-or-later
//
// queue_private.h - the queue's inside. queue_clients.c (what users do) and
// queue_worker.c (what the worker does) stand on job.c, that on queue_order.c
// (who is next) and queue.c (the queue itself). Functions that end in _locked
// are called with the queue's lock held.

#pragma once

#include "batch_times.h"
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
    int64_t started, ended; // when its batch did; 0: not yet
    int64_t due; // the earliest deadline of this job and of those of its client
                 // that are behind it
    bool run_now;
    bool dropped; // while it runs: nobody waits for it
    GList link;   // in client->jobs, then in queue->ended
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
    PeClientOrder *order; // clients with queued jobs
    GQueue ended; // PeJob that never ran, whose clients are to be called
    int n_queued;
    int n_run_now;        // of those
    int64_t first_expire; // no queued job expires before this
    bool overloaded;      // not all deadlines could be met since it was empty
    PeBatchTimes *times;

    PeJob **running; // [n_running], the worker's array of what it took last
    int n_running;
    int n_wanted; // of those: not dropped
    int abandon;  // atomic: n_wanted has become 0

    PeTask *tasks; // oldest first
    bool task_turn;
    bool poked;
    bool stopped;
    GError *failure;
    GThread *worker; // that runs callbacks
    GPtrArray *slots;
};

// ---- job.c -----------------------------------------------------------------

// With two references, one for the caller and one for the queue. Takes the
// slot.
PeJob *pe_job_new(PeQueue *q, PeSlot *slot, const PeJobTimes *times);
// Puts it behind its client's other jobs.
void pe_job_enqueue_locked(PeClient *client, PeJob *job);
// It leaves its client's list; the list's reference goes to the caller.
void pe_job_unqueue_locked(PeJob *job);
// Its slot is free again; it keeps its client for the callback.
void pe_job_end_locked(PeJob *job, JobState state);
// A queued job ends with PE_ERROR_CANCELLED. The worker calls its client.
void pe_job_refuse_locked(PeJob *job, const char *why);
// A queued job ends with PE_ERROR_CANCELLED. Its client is not called; the
// list's reference goes to the caller.
void pe_job_cancel_locked(PeJob *job);
// Nobody waits for the running job any more.
void pe_job_drop_locked(PeJob *job);

void pe_client_unref_locked(PeClient *client);
