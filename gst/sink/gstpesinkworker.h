// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpesinkworker.h - the thread of a sink that takes records out of the spool
// and sends them: connects, waits longer after each failure, hands out at most
// GST_PE_BROKER_WINDOW records at a time and removes them in order when the
// broker has them. Knows no broker's kind and not the sink.

#pragma once

#include "gst/sink/gstpebroker.h"

typedef struct GstPeSinkWorker GstPeSinkWorker;

typedef enum {
    GST_PE_CONNECTION_CONNECTING,
    GST_PE_CONNECTION_CONNECTED,
    GST_PE_CONNECTION_LOST, // or never came; tried again after `retry_in`
    GST_PE_CONNECTION_CLOSED,
} GstPeConnection;

// Called on the worker's thread, without a lock.
typedef struct {
    void *owner;
    // `reason` and `retry_in` (us): of LOST. `is_news`: it was well before.
    void (*connection)(void *owner, GstPeConnection connection,
                       const char *reason, gint64 retry_in, bool is_news);
    // Records have left the spool.
    void (*moved)(void *owner);
    // Something that a person should know; of most kinds once.
    void (*warn)(void *owner, const char *message);
    // It cannot work, and the thread has ended: the spool's file, or `refused`
    // by the broker before the first connection.
    void (*failed)(void *owner, const GError *error, bool refused);
} GstPeSinkWorkerEvents;

// Start. Borrows all, until it is freed; `settings` are the broker's.
//   timeout  us that a connection or an answer may take
GstPeSinkWorker *gst_pe_sink_worker_new(const GstPeBroker *broker,
                                        const void *settings, GstPeSpool *spool,
                                        GstElement *element, gint64 timeout,
                                        const GstPeSinkWorkerEvents *events);
// End within `patience` us, and some for closing: until then the worker goes on
// sending what waits, if it has or makes a connection.
void gst_pe_sink_worker_free(GstPeSinkWorker *worker, gint64 patience);

// There is something new in the spool. Any thread.
void gst_pe_sink_worker_wake(GstPeSinkWorker *worker);
bool gst_pe_sink_worker_is_connected(GstPeSinkWorker *worker);
// So far: connections, and times that the broker may have lost records that it
// had acknowledged.
void gst_pe_sink_worker_get_counts(GstPeSinkWorker *worker,
                                   guint64 *n_connections,
                                   guint64 *n_forgotten);
