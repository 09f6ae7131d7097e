// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeloader.h - the engine of an element, loaded while the application goes
// on. Loading takes seconds, so a thread does it from READY on and tells about
// it with progress messages; the first to need the engine waits. It stays
// loaded until the element is in NULL. Owned by whoever changes the state.

#pragma once

#include "core/pe.h"
#include "gst/engine/gstpefailure.h"

// Which engine.
typedef struct {
    char *path;   // of the model; NULL or "": the demo model
    char *device; // NULL: auto
    PePrecision precision;
    guint batch_size;    // 0: chosen for the device
    guint batch_timeout; // ms
    guint threads;       // 0: all cores
} GstPeEngineSettings;

// Returns a copy.
GstPeEngineSettings
gst_pe_engine_settings_copy(const GstPeEngineSettings *settings);
void gst_pe_engine_settings_clear(GstPeEngineSettings *settings);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(GstPeEngineSettings,
                                 gst_pe_engine_settings_clear)

typedef struct _GstPeLoader GstPeLoader;

// Errors go to `failure`, progress to its element; borrows it.
GstPeLoader *gst_pe_loader_new(GstPeFailure *failure);
void gst_pe_loader_free(GstPeLoader *loader);

// Open the model of the settings and begin to load its engine. false, with the
// error posted, when there is no such model.
bool gst_pe_loader_start(GstPeLoader *loader,
                         const GstPeEngineSettings *wanted);

// Wait for the engine; loads again when the settings are others, or when
// loading has failed before. Returns a reference; NULL after the error was
// posted.
PeEngine *gst_pe_loader_wait(GstPeLoader *loader,
                             const GstPeEngineSettings *wanted);

// Let go of the engine, or leave a loading thread to itself. Does not wait for
// the thread.
void gst_pe_loader_stop(GstPeLoader *loader);
