// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpesink_private.h - what the two halves of a sink share: gstpesink.c has
// its properties and states, gstpesinkflow.c what comes and goes.

#pragma once

#include "gst/sink/gstpeintake.h"
#include "gst/sink/gstpesinksettings.h"
#include "gst/sink/gstpesinkworker.h"

#include <gst/base/gstbasesink.h>

typedef struct {
    GstBaseSinkClass parent;
    GstPeSinkTable table;
} GstPeSinkClass;

typedef struct {
    GstBaseSink parent;

    // Properties, object lock.
    GstPeSinkSettings settings;
    void *own; // the broker's

    // From start() to stop().
    GstPeSinkSettings used; // a copy
    void *used_own;
    GstPeTopic *topic;
    GstPeSpool *spool;       // object lock, for who reads "stats"
    GstPeSinkWorker *worker; // the same
    GstPeIntake intake;      // streaming thread
    bool warned_of_full, warned_of_refused;

    GMutex lock;
    GCond changed;     // any of the following, or the spool has room
    bool is_unlocked;  // nothing may wait
    bool has_failed;   // and said so
    bool has_given_up; // what is left was waited for in vain
    guint64 n_refused; // lines
} GstPeSink;

static inline const GstPeSinkTable *
gst_pe_sink_get_table(GstPeSink *self)
{
    return &((GstPeSinkClass *)G_OBJECT_GET_CLASS(self))->table;
}

static inline GstBaseSinkClass *
gst_pe_sink_get_parent_class(GstPeSink *self)
{
    return g_type_class_peek_parent(G_OBJECT_GET_CLASS(self));
}

// Of the intake and the worker; the owner is the sink.
extern const GstPeIntakeEvents gst_pe_sink_intake_events;
extern const GstPeSinkWorkerEvents gst_pe_sink_worker_events;

// Of GstBaseSinkClass.
GstFlowReturn gst_pe_sink_render(GstBaseSink *sink, GstBuffer *buffer);
gboolean gst_pe_sink_event(GstBaseSink *sink, GstEvent *event);

// There is no more time to send what waits: say what becomes of it.
void gst_pe_sink_warn_of_waiting(GstPeSink *self);
