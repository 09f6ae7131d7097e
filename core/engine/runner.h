// SPDX-License-Identifier: LGPL-2.1-or-later
//
// runner.h - a model loaded on a device, as the engine's worker drives
// it. Knows no queue. The table exists so that tests can put a device below the
// engine that sleeps, counts and fails on demand.

#pragma once

#include "core/device/backend.h"
#include "core/pe.h"
#include "core/pebench.h"

typedef struct PeRunner PeRunner;

typedef struct {
    // All on the worker thread.
    // Find the device and its precision; quick, no weights yet.
    PeRunner *(*open)(const PeEngineParams *params, GError **error);
    // Upload the weights and check known answers.
    bool (*load)(PeRunner *runner, GError **error);
    void (*close)(PeRunner *runner);
    // Stops between two layers, with PE_ERROR_CANCELLED, when *abandon (read
    // atomically) becomes 1 and the device allows.
    //   out  [n, dim]
    bool (*embed_images)(PeRunner *runner, PeSlot *const *slots, int n,
                         const int *abandon, float *out, GError **error);
    // The same in two steps, so that the next batch can begin, with the other
    // turn (0 or 1), before this one has ended. NULL, both: the device has
    // nothing to gain. begin_images() may also return false without an error:
    // then this batch is one for embed_images(). Neither that nor anything else
    // may be called before what has begun has ended.
    bool (*begin_images)(PeRunner *runner, PeSlot *const *slots, int n,
                         int turn, GError **error);
    bool (*end_images)(PeRunner *runner, int n, int turn, float *out,
                       GError **error);
    // Load the next piece of what embed_texts() needs, one matrix or so; *ready
    // becomes true with the last.
    bool (*load_texts)(PeRunner *runner, bool *ready, GError **error);
    // After load_texts().
    //   ids  [n, context]   out  [n, dim]
    bool (*embed_texts)(PeRunner *runner, const int *ids, int n, int context,
                        float *out, GError **error);
    // Free what load_texts() has loaded, also when it is not yet all.
    void (*drop_texts)(PeRunner *runner);
    double (*measure_gemm)(PeRunner *runner, int batch);
    double (*measure_peak)(PeRunner *runner, int n_threads);
    int (*profile)(PeRunner *runner, PeOperation *operations, int n);
    // The clock that tells how long the above took, in us.
    int64_t (*now)(PeRunner *runner);

    // Any thread, at the same time on different slots.
    PeSlot *(*slot_new)(PeRunner *runner);
    void (*slot_free)(PeRunner *runner, PeSlot *slot);
    // As PeBackendOps.ingest.
    bool (*ingest)(PeRunner *runner, PeSlot *const *slots, const PeFrame *frame,
                   const PeRect *regions, int n, GError **error);
} PeRunnerOps;

struct PeRunner {
    const PeRunnerOps *ops;
    char *name; // "cpu", "cuda:0"
    char *description;
    char **notes;          // pe_engine_get_notes(); NULL: none
    void *context;         // pe_engine_get_device_context()
    PePrecision precision; // never AUTO
    int batch_size;        // final after load()
    int64_t text_idle_us;  // drop_texts() after this time without texts
};

extern const PeRunnerOps pe_runner_ops;

// Most texts of one call of embed_texts().
#define PE_TEXT_CHUNK 32
