// SPDX-License-Identifier: LGPL-2.1-or-later
//
// engine_private.h - the engine's inside, shared by engine*.c and their tests.

#pragma once

#include "core/pe.h"
#include "queue.h"
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

    bool orphaned; // the worker itself gave back the last reference

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

// Serve the queue until it is stopped; the body of the worker.
void pe_engine_work(PeEngine *engine);
