// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeloader.h - the engine of an element, loaded while the application goes
// on. Loading takes seconds, so a thread does it from READY on and tells about
// it with progress messages; the first to need the engine waits. It stays
// loaded until the element is in NULL. Owned by whoever changes the state.

#pragma once

#include "gst/inference/flow/gstpeshared.h"

typedef struct _GstPeLoader GstPeLoader;

GstPeLoader *gst_pe_loader_new(GstPeShared *shared);
void gst_pe_loader_free(GstPeLoader *loader);

// Open the model of the settings and begin to load its engine. false, with the
// error posted, when there is no such model.
bool gst_pe_loader_start(GstPeLoader *loader);

// Wait for the engine; loads again when the settings have changed, or when
// loading has failed before. Returns a reference; NULL after the error was
// posted.
PeEngine *gst_pe_loader_wait(GstPeLoader *loader);

// Let go of the engine, or leave a loading thread to itself. Does not wait for
// the thread.
void gst_pe_loader_stop(GstPeLoader *loader);
