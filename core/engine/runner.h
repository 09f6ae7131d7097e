// SPDX-License-Identifier: LGPL-2.1-or-later
//
// runner.h - a model loaded on a device, as the engine's worker drives
// it. Knows no queue. The table exists so that tests can put a device below the
// engine that sleeps, counts and fails on demand.

#pragma once

#include "core/device/backend.h"
#include "core/pe.h"

typedef struct PeRunner PeRunner;

typedef struct {
    // All on the worker thread.
    // Find the device and its precision; quick, no weights yet.
    PeRunner *(*open)(const PeEngineParams *params, GError **error);
    // Upload the weights and check known answers.
    bool (*load)(PeRunner *runner, GError **error);
    void (*close)(PeRunner *runner);
    //   out  [n, dim]
    bool (*embed_images)(PeRunner *runner, PeSlot *const *slots, int n,
                         float *out, GError **error);
    //   ids  [n, context]   out  [n, dim]
    bool (*embed_texts)(PeRunner *runner, const int *ids, int n, int context,
                        float *out, GError **error);
    double (*measure_gemm)(PeRunner *runner, int batch);

    // Any thread, at the same time on different slots.
    PeSlot *(*slot_new)(PeRunner *runner);
    void (*slot_free)(PeRunner *runner, PeSlot *slot);
    bool (*ingest)(PeRunner *runner, PeSlot *slot, const PeFrame *frame,
                   GError **error);
} PeRunnerOps;

struct PeRunner {
    const PeRunnerOps *ops;
    char *name; // "cpu", "cuda:0"
    char *description;
    char **notes;          // pe_engine_get_notes(); NULL: none
    void *context;         // pe_engine_get_device_context()
    PePrecision precision; // never AUTO
    int batch_size;        // final after load()
};

extern const PeRunnerOps pe_runner_ops;

// Texts of one call of embed_texts(): short enough that live video does not
// have to wait long behind a label list.
#define PE_TEXT_CHUNK 32
