// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeshared.h - what both halves of the data flow use, and the application's
// threads with them. Whatever belongs to one thread alone is in GstPeStream
// (the streaming thread of the sink pad) or GstPeOutput (the task of the source
// pad).

#pragma once

#include "core/pe.h"
#include "gst/engine/gstpefailure.h"
#include "gst/engine/gstpeloader.h"
#include "gst/inference/flow/gstpequeue.h"
#include "gst/inference/gstpesettings.h"
#include "gst/inference/gstpestats.h"
#include "gst/labels/gstpelabelsource.h"
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
    GstPeFailure failure;

    GMutex lock; // of all below; never held while anything else is called
                 // that waits
    GstPeSettings settings;
    GstPeEngineSettings engine_settings;
    char *source_id;    // what the user calls the source; may be NULL
    char *event_state;  // file of the history of events; may be NULL
    char *object_class; // of objects that are looked at; may be NULL
    int flushed;        // atomic: since the source pad's task looked
    guint owed; // atomic, bit n: of named region n nothing was embedded when
                // its turn came
    PeEngine *engine; // NULL: not started
    PeClient *client; // NULL: not started
    int max_held;     // frames that may wait in the queue
    int n_ingesting;  // frames that may be held besides
    bool paced;       // a sink shows frames when their time has come
    bool pace_known;
    bool whole; // every frame of a source that can wait is to be analysed
} GstPeShared;

// The queue and the settings are set up by who knows what belongs in them.
void gst_pe_shared_init(GstPeShared *shared, GstElement *element,
                        GstPad *sinkpad, GstPad *srcpad);
void gst_pe_shared_clear(GstPeShared *shared);

GstPeSettings gst_pe_shared_get_settings(GstPeShared *shared);
// Return copies, g_free(), or NULL.
char *gst_pe_shared_dup_source_id(GstPeShared *shared);
char *gst_pe_shared_dup_object_class(GstPeShared *shared);
char *gst_pe_shared_dup_event_state(GstPeShared *shared);

// Returns a copy, gst_pe_engine_settings_clear().
GstPeEngineSettings gst_pe_shared_dup_engine_settings(GstPeShared *shared);

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

// Is every frame that upstream can deliver wanted? Then a sink that is late
// does not make a decoder drop some, unless the property says so.
void gst_pe_shared_set_whole(GstPeShared *shared, bool whole);
bool gst_pe_shared_stops_qos(GstPeShared *shared);

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

// Post an error on the bus: a description of frames that are not what they
// should be.
void gst_pe_shared_post_format_error(GstPeShared *shared, const char *format,
                                     ...) G_GNUC_PRINTF(2, 3);
