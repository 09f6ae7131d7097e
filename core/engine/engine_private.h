// SPDX-License-Identifier: LGPL-2.1-or-later
//
// engine_private.h - the engine's inside, shared by its files and their tests:
// load.c stands on worker.c, that on registry.c, and that on engine.c; client.c
// and texts.c use an engine that is ready.

#pragma once

#include "core/pe.h"
#include "core/queue/queue.h"
#include "runner.h"
#include "stats.h"

typedef enum {
    ENGINE_LOADING,
    ENGINE_READY,
    ENGINE_FAILED,
    ENGINE_SAME_AS, // another engine is the one that this would become
} EngineState;

struct PeEngine {
    // Immutable after pe_engine_get():
    PeEngineParams params; // own references
    const PeRunnerOps *ops;
    PeRunner *runner;
    PeQueue *queue;
    int dim;
    GThread *worker;

    // Under the registry's lock:
    int ref_count;
    EngineState state;
    GError *load_error;
    PeEngine *same_as; // a reference
    int lingers;       // atomic bool: nobody uses it, but somebody might again
    int64_t linger_end;
    bool orphaned; // nobody joins the worker, which frees the engine itself

    // The worker's own:
    int64_t batch_us;  // what the last image batch took; 0: none has run
    int text_chunk;    // texts of the next call of embed_texts(); 0: not known
    bool has_texts;    // the text tower, or a part of it, is loaded
    bool in_texts;     // between the first and the last step of a task
    int64_t last_text; // monotonic us of the last step

    GMutex stats_lock;
    PeEngineStats stats;
    PeRecent wait_ms;
    PeRecent compute_ms;
};

// What pe_engine_get() makes from now on, for tests that cannot pass it; NULL:
// devices again. While no other thread calls it.
void pe_engine_set_ops_for_tests(const PeRunnerOps *ops);

// pe_engine_get() with a device of the caller's making: the seam for tests.
// Such engines are shared only among callers that give the same `ops`.
PeEngine *pe_engine_get_with(const PeEngineParams *params,
                             const PeRunnerOps *ops, GError **error);

// ---- engine.c --------------------------------------------------------------

// With one reference; not in the registry, without a thread.
PeEngine *pe_engine_new(const PeEngineParams *params, const PeRunnerOps *ops);
// After its worker has ended.
void pe_engine_destroy(PeEngine *e);
void pe_engine_log_use(PeEngine *e);

// ---- registry.c, called to get an engine -----------------------------------

// A reference to the engine that these parameters lead to, or to a new one,
// which `worker` is to load and to serve on a thread of its own. *shared tells
// whether somebody else uses it.
PeEngine *pe_registry_join(const PeEngineParams *params, const PeRunnerOps *ops,
                           GThreadFunc worker, bool *shared);
// Waits until the engine is loaded. Takes the reference and returns one, maybe
// of another engine, or NULL.
PeEngine *pe_registry_wait(PeEngine *e, GError **error);

// ---- registry.c, called by the worker --------------------------------------

// What the engine is about to be. False: another engine already is, which the
// callers get instead; the runner stays the caller's.
bool pe_registry_set_runner(PeEngine *e, PeRunner *runner);
// Takes the error; NULL: the engine is ready.
void pe_registry_set_loaded(PeEngine *e, GError *error);
// Nobody gets the engine any more.
void pe_registry_forget(PeEngine *e);
// When the engine has lingered long enough; INT64_MAX: it has a user.
int64_t pe_registry_get_end(PeEngine *e);
// True when that is over: then nobody has the engine any more, and the worker
// is to end.
bool pe_registry_retire(PeEngine *e, int64_t now);
// The last that the worker of an orphaned engine does.
void pe_registry_end_orphan(PeEngine *e);

// ---- worker.c --------------------------------------------------------------

// Serve the queue until it is stopped; the body of the worker.
void pe_engine_work(PeEngine *engine);
