// SPDX-License-Identifier: LGPL-2.1-or-later
//
// engine_device.h - a model loaded on a device, as the engine's worker drives
// it. Knows no queue. The table exists so that tests can put a device below the
// engine that sleeps, counts and fails on demand.

#pragma once

#include "backend.h"
#include "pe.h"

typedef struct PeDevice PeDevice;

typedef struct {
    // All on the worker thread.
    // Find the device and its precision; quick, no weights yet.
    PeDevice *(*open)(const PeEngineParams *params, GError **error);
    // Upload the weights and check known answers.
    bool (*load)(PeDevice *device, GError **error);
    void (*close)(PeDevice *device);
    //   out  [n, dim]
    bool (*embed_images)(PeDevice *device, PeSlot *const *slots, int n,
                         float *out, GError **error);
    //   ids  [n, context]   out  [n, dim]
    bool (*embed_texts)(PeDevice *device, const int *ids, int n, int context,
                        float *out, GError **error);
    double (*measure_gemm)(PeDevice *device, int batch);

    // Any thread, at the same time on different slots.
    PeSlot *(*slot_new)(PeDevice *device);
    void (*slot_free)(PeDevice *device, PeSlot *slot);
    bool (*ingest)(PeDevice *device, PeSlot *slot, const PeFrame *frame,
                   GError **error);
} PeDeviceOps;

struct PeDevice {
    const PeDeviceOps *ops;
    char *name; // "cpu", "cuda:0"
    char *description;
    void *context;         // pe_engine_get_device_context()
    PePrecision precision; // never AUTO
    int batch_size;        // final after load()
};

extern const PeDeviceOps pe_device_ops;

// Texts of one call of embed_texts(): short enough that live video does not
// have to wait long behind a label list.
#define PE_TEXT_CHUNK 32

// "cuda:1" of backend "cuda" and the device that the user asked for. Returns,
// g_free().
char *pe_device_make_name(const PeBackend *be, const char *asked);
