// SPDX-License-Identifier: LGPL-2.1-or-later
//
// queue.h - jobs on their way to the worker. Knows no device and no
// model: slots are only carried. Private to core; the rules are in the DESIGN
// comment of core/engine/engine.c.

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

typedef struct PeClientOrder PeClientOrder;

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
    // Its place in the queue's order, see queue_order.c:
    int place;        // -1: nowhere, `jobs` is empty
    uint64_t turn;    // when it was served last, 0: never
    uint64_t arrival; // when it began to wait, for those never served
    uint64_t waits_since;
    GList wait_link;
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

// The jobs of the next batch, if it is to be closed now. Otherwise 0 and *wake
// is when to ask again (INT64_MAX: no job is queued). Ends what has expired and
// calls the clients of jobs that never ran.
//   jobs  [batch_size], each with a reference; borrowed until they are finished
int pe_queue_take(PeQueue *q, int64_t now_us, PeJob **jobs, int64_t *wake);

typedef enum {
    PE_WORK_NONE,  // `until` has come, or somebody poked
    PE_WORK_BATCH, // *n jobs
    PE_WORK_TASK,  // *task
    PE_WORK_STOP,  // after pe_queue_stop(), when nothing is queued
} PeWork;

// Waits for something to do, but not longer than until `until`. jobs as above.
PeWork pe_queue_wait(PeQueue *q, int64_t until, PeJob **jobs, int *n,
                     PeTask **task);
// Are there jobs enough for a whole batch?
bool pe_queue_is_full(PeQueue *q);
// Any thread: pe_queue_wait() returns.
void pe_queue_poke(PeQueue *q);

// Becomes 1 when nobody waits for any job of the batch that was taken last. To
// be read atomically, until that is finished.
const int *pe_queue_get_abandon(const PeQueue *q);
// A batch of n jobs took so long: what the rule that closes batches counts on.
void pe_queue_add_time(PeQueue *q, int n, int64_t us);

PeSlot *pe_job_get_slot(const PeJob *job);
int64_t pe_job_get_submit_time(const PeJob *job); // us
// When its batch ran, us; before pe_queue_finish().
void pe_job_set_run(PeJob *job, int64_t started, int64_t ended);

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
