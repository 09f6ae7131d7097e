// SPDX-License-Identifier: LGPL-2.1-or-later
//
// queue.h - jobs on their way to the worker. Knows no device and no
// model: slots are only carried. Private to the engine; the rules are in the
// DESIGN comment of engine.c.

#pragma once

#include "core/device/backend.h"
#include "core/pe.h"

typedef struct PeQueue PeQueue;

// Something else than images that the worker does between two batches.
typedef struct PeTask PeTask;
struct PeTask {
    // On the worker. Returns false when it is finished, true to be called again
    // after the next image batch.
    bool (*run)(PeTask *task);
    GError *error; // set by run() or because the engine is dead
    bool done;     // under the queue's lock
    PeTask *next;
};

struct PeClient {
    PeEngine *engine; // its reference; NULL in tests of the queue
    PeQueue *queue;   // its reference
    PeDoneFunc done;
    void *user_data;
    // Under the queue's lock:
    int ref_count;  // the owner, and every job that has not ended
    bool closed;    // by its owner: no callbacks any more
    bool calling;   // `done` runs
    int max_queued; // 0: no limit
    GQueue jobs;    // PeJob, oldest first
    GList turn;     // in the queue's `turns` while `jobs` is not empty
};

//   dim          floats of a result
//   batch_size   most jobs of one batch
//   timeout_us   how long a job may wait for company
PeQueue *pe_queue_new(int dim, int batch_size, int64_t timeout_us);
PeQueue *pe_queue_ref(PeQueue *q);
void pe_queue_unref(PeQueue *q);

// ---- Clients, any thread ---------------------------------------------------

PeClient *pe_queue_add_client(PeQueue *q, PeDoneFunc done, void *user_data);
// Everything of pe_client_free() but the engine's reference.
void pe_queue_remove_client(PeClient *client);

// Monotonic us.
typedef struct {
    int64_t submitted;
    int64_t deadline; // INT64_MAX: none
    int64_t expire;   // INT64_MAX: never
} PeJobTimes;

// Queues n jobs, all or none. Takes the slots, also on failure.
//   slots  [n]    jobs  [n], gets references
bool pe_queue_push(PeClient *client, PeSlot *const *slots, int n,
                   const PeJobTimes *times, PeJob **jobs, GError **error);
void pe_queue_wait_job(PeJob *job);

// Runs the task on the worker and waits for it. False with its error.
bool pe_queue_run(PeQueue *q, PeTask *task, GError **error);

// A slot that an ended job gave back, or NULL. It belongs to the caller, who
// hands it to pe_queue_push() or returns it.
PeSlot *pe_queue_get_slot(PeQueue *q);
void pe_queue_put_slot(PeQueue *q, PeSlot *slot);

// ---- The worker ------------------------------------------------------------

// The jobs of the next batch, if it is to be closed now. Otherwise 0 and
// *deadline is when it must be (INT64_MAX: no job is queued).
//   jobs  [batch_size], each with a reference
int pe_queue_take(PeQueue *q, int64_t now_us, PeJob **jobs, int64_t *deadline);

// Waits for something to do. Returns how many jobs the batch has; 0 with a task
// in *task; 0 and NULL after pe_queue_stop().
int pe_queue_wait(PeQueue *q, PeJob **jobs, PeTask **task);

PeSlot *pe_job_get_slot(const PeJob *job);
int64_t pe_job_get_submit_time(const PeJob *job); // us

// End a batch with `embeddings` [n, dim] or with `error`, call every client
// that still listens, and release the jobs.
void pe_queue_finish(PeQueue *q, PeJob **jobs, int n, const float *embeddings,
                     const GError *error);
void pe_queue_finish_task(PeQueue *q, PeTask *task, bool again);

// From here on nothing is accepted; what is queued comes out at once.
void pe_queue_fail(PeQueue *q, const GError *error);
// The error given to pe_queue_fail(), or NULL. Worker only.
const GError *pe_queue_get_failure(const PeQueue *q);

void pe_queue_stop(PeQueue *q);
