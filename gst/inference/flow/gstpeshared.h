// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeshared.h - what both halves of the data flow use, and the application's
// threads with them. Whatever belongs to one thread alone is in GstPeInput (the
// streaming thread of the sink pad) or GstPeOutput (the task of the source
// pad).

#pragma once

#include "core/pe.h"
#include "gst/inference/flow/gstpequeue.h"
#include "gst/inference/gstpelabelsource.h"
#include "gst/inference/gstpesettings.h"
#include "gst/inference/gstpestats.h"
#include "gst/video/gstpecuda.h"

typedef struct {
    // Immutable, borrowed.
    GstElement *element;
    GstPad *sinkpad;
    GstPad *srcpad;

    // Each has a lock of its own.
    GstPeLabelSource labels;
    GstPeStats stats;
    GstPeQueue queue;
    GstPeCuda cuda;

    GMutex lock; // of all below; never held while anything else is called
                 // that waits
    GstPeSettings settings;
    char *model_path;
    char *device;
    PePrecision precision;
    guint batch_timeout; // ms
    char *source_id;     // what the user calls the source; may be NULL
    PeEngine *engine;    // NULL: not started
    PeClient *client;    // NULL: not started
    int max_held;        // frames that may wait in the queue
    int n_ingesting;     // frames that may be held besides
    bool paced;          // a sink shows frames when their time has come
    bool pace_known;
    bool
        failed; // an error is on the bus, and those that follow from it are not
} GstPeShared;

// The queue and the settings are set up by who knows what belongs in them.
void gst_pe_shared_init(GstPeShared *shared, GstElement *element,
                        GstPad *sinkpad, GstPad *srcpad);
void gst_pe_shared_clear(GstPeShared *shared);

GstPeSettings gst_pe_shared_get_settings(GstPeShared *shared);
// Return copies, g_free(), or NULL.
char *gst_pe_shared_dup_device(GstPeShared *shared);
char *gst_pe_shared_dup_source_id(GstPeShared *shared);

// Takes both; the source pad is inactive.
void gst_pe_shared_set_engine(GstPeShared *shared, PeEngine *engine,
                              PeClient *client);
// The opposite. Waits for a running callback.
void gst_pe_shared_drop_engine(GstPeShared *shared);
// Returns a reference, or NULL when there is no engine.
PeEngine *gst_pe_shared_ref_engine(GstPeShared *shared);

// What has been submitted does not wait for fuller batches. Does nothing when
// the element is not started.
void gst_pe_shared_run_now(GstPeShared *shared);

// How many frames may wait in the queue, and how many for preprocessing.
void gst_pe_shared_set_held(GstPeShared *shared, int max_held, int n_ingesting);
int gst_pe_shared_get_max_held(GstPeShared *shared);
// Both together, for whoever allocates the frames.
int gst_pe_shared_count_held(GstPeShared *shared);

// Does the pipeline want frames when their time has come? Looks for sinks when
// it does not know.
bool gst_pe_shared_is_paced(GstPeShared *shared);
// Look again; the pipeline may have changed.
void gst_pe_shared_look_for_pace(GstPeShared *shared);
// It does.
void gst_pe_shared_set_paced(GstPeShared *shared);

// Post an error on the bus with the code that fits a PeError, or a description
// of frames that are not what they should be. After the first error others are
// only logged, because most follow from it.
void gst_pe_shared_post_error(GstPeShared *shared, const GError *error);
void gst_pe_shared_post_format_error(GstPeShared *shared, const char *format,
                                     ...) G_GNUC_PRINTF(2, 3);
// A new start: the next error is posted again.
void gst_pe_shared_forget_failure(GstPeShared *shared);
