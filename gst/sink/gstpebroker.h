// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpebroker.h - what a kind of broker must implement so that there is a sink
// for it. The sink (gstpesink.h) does everything else: records from bytes, the
// spool, the back-off, what is posted on the bus.
//
// One worker thread of the sink makes all calls but append_topic(). A handle is
// one connection, or one attempt at it, and is never used again after a
// failure: the worker closes it, waits, opens another one and sends again from
// the first record that was not acknowledged. No call waits longer than it
// says.

#pragma once

#include "gst/labels/gstpeproperty.h"
#include "gst/spool/gstpespool.h"

#include <gio/gio.h>
#include <gst/gst.h>

// Of all files of the plugin; named as the element.
GST_DEBUG_CATEGORY_EXTERN(gst_pe_sink_debug);

// At most so many records are handed out without having been acknowledged, and
// so many may come twice when a connection is lost or the process is killed.
#define GST_PE_BROKER_WINDOW 20

typedef enum {
    GST_PE_BROKER_OK,
    // send(): not now; the same record is offered again after the next poll().
    GST_PE_BROKER_BUSY,
    // The connection has ended or did not come to be. Another one may work.
    GST_PE_BROKER_LOST,
    // The broker or this side says no: password, certificate, version. An error
    // of the element when there was no connection yet, else tried again.
    GST_PE_BROKER_REFUSED,
    // This record alone cannot be sent: it is parked, and the next one follows.
    GST_PE_BROKER_UNSENDABLE,
} GstPeBrokerResult;

// Called by a handle from within poll() or send(), on the worker's thread.
typedef struct {
    void *worker;
    // Records may be sent. Once for each handle.
    void (*connected)(void *worker);
    // What became of a record that was sent: OK, or UNSENDABLE with a reason in
    // words. In any order.
    void (*answered)(void *worker, gint64 id, GstPeBrokerResult result,
                     const char *reason);
    // The broker seems to have lost records that it had acknowledged, which are
    // no more in the spool: counted, and a warning with the reason.
    void (*forgot)(void *worker, const char *reason);
} GstPeBrokerEvents;

typedef struct {
    const char *type_name;    // "GstPeMqttSink"
    const char *element_name; // "pemqttsink", and the name of its messages
    const char *long_name, *description;
    const char *default_topic;
    // The broker ends connections because of a record that it does not bear,
    // and does not say so: one at which that happens five times in a row is
    // parked. Not of brokers that say what is wrong with a record.
    bool hangs_up_on_records;

    // Properties besides those of every sink, as rows whose offsets are in the
    // broker's own settings, and what a user may not read again (passwords) is
    // G_PARAM_WRITABLE only.
    const GstPeProperty *rows;
    guint n_rows;
    size_t settings_size;

    // What the broker's side keeps besides its handles while the sink is
    // started, in a member of the settings in use that no row sets. All NULL:
    // nothing. start() and stop() are in the changes of state, after check()
    // and when there is no worker any more.
    void (*start)(void *settings, GstElement *element);
    void (*stop)(void *settings);
    // These records are in the spool. Streaming thread; waits for nothing. The
    // worker is woken behind it. Borrows.
    void (*take)(void *settings, const GstPeRecord *records, guint n);
    // More members of "stats". Any thread, between start() and stop().
    void (*add_stats)(const void *settings, GstStructure *stats);

    // What is wrong with the settings, or with files that they name, without
    // connecting. In the state change to READY. Returns false with the error.
    bool (*check)(const void *settings, GError **error);

    // Append a value of a record to a topic's name, escaped where the broker's
    // names may not have it. Any thread.
    void (*append_topic)(GString *topic, const char *value);
    gsize max_topic; // bytes
    // What is wrong with a topic's template besides its braces, or NULL.
    const char *(*check_topic)(const char *topic);

    // Start to connect; that may go on in poll(). `settings` (of settings_size
    // bytes) and `events` live until close(). The element is for the debug log
    // only. Waits for names at most, until `cancellable` is cancelled. Returns
    // NULL with `result` LOST or REFUSED and the error.
    void *(*open)(const void *settings, const GstPeBrokerEvents *events,
                  GstElement *element, GCancellable *cancellable,
                  GstPeBrokerResult *result, GError **error);

    // Do what there is to do on the network, and wait for more until `timeout`
    // ms have passed or wake_fd can be read (the worker empties it). Returns
    // OK, or LOST or REFUSED with the error in words that name the broker.
    GstPeBrokerResult (*poll)(void *handle, int wake_fd, int timeout,
                              GError **error);

    // Hand out one record, which is borrowed; events->answered() tells what
    // became of it, from here on. Returns OK, BUSY, or else with the error.
    GstPeBrokerResult (*send)(void *handle, const GstPeRecord *record,
                              GError **error);

    // Also of a lost connection. `in_peace`: say goodbye, but do not wait for
    // an answer longer than 200 ms.
    void (*close)(void *handle, bool in_peace);
} GstPeBroker;
