// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemqtthandle.h - one client of libmosquitto, and what it has heard of its
// broker. gstpemqttbroker.c looks after its socket.

#pragma once

#include "gst/mqtt/gstpemqtthome.h"
#include "gst/mqtt/gstpemqttsettings.h"
#include "gst/mqtt/gstpemqtttls.h"

#include <mosquitto.h>

typedef struct {
    gint64 id; // 0: free
    int mid;   // libmosquitto's number
} GstPeMqttSent;

typedef struct {
    const GstPeMqttSettings *settings;
    const GstPeBrokerEvents *events;
    GstElement *element;
    struct mosquitto *mosq;
    GstPeMqttTls *tls;
    GList *addresses;        // GInetAddress that were not tried yet
    char *name;              // HOST:PORT, for messages
    bool has_tcp;            // the socket is connected
    guint n_hangups;         // that poll() saw before the broker said anything
    bool is_connected;       // and the broker has said yes
    int refused;             // or no: its code
    GstPeBrokerResult ends;  // not OK: why the connection must end
    char *reason;            // of that; or what libmosquitto logged last
    char *status_topic;      // or NULL
    GstPeMqttStates *states; // of Home Assistant, or NULL; borrowed
    char *birth_topic;       // with them
    int birth_mid;           // of the subscription to that
    guint n_filters;         // that were subscribed to
    int state_mid;           // of the state that is being written; 0: none
    GstPeMqttSent sent[GST_PE_BROKER_WINDOW];
} GstPeMqttHandle;

// All of it on the worker's thread.

// With credentials, the last will and encryption, but no connection. Borrows
// all. Returns NULL with the error, which the broker or this side would not get
// over.
GstPeMqttHandle *gst_pe_mqtt_handle_new(const GstPeMqttSettings *settings,
                                        const GstPeBrokerEvents *events,
                                        GstElement *element, GError **error);
void gst_pe_mqtt_handle_free(GstPeMqttHandle *handle);

// Set an error that names the broker. Returns the result.
GstPeBrokerResult gst_pe_mqtt_handle_fail(const GstPeMqttHandle *handle,
                                          GstPeBrokerResult result,
                                          const char *words, GError **error);
// Why there was an end while there was a socket; `code` is libmosquitto's.
// Returns LOST or REFUSED with the error.
GstPeBrokerResult gst_pe_mqtt_handle_tell_end(GstPeMqttHandle *handle, int code,
                                              GError **error);

// Ask for what the broker has kept of new devices, and hand over states of Home
// Assistant, until there are no more or `max` were, or
// one cannot be written at once: libmosquitto never keeps more than that one.
// They have no acknowledgements, and take nothing of the window of records.
void gst_pe_mqtt_handle_publish_states(GstPeMqttHandle *handle, guint max);

// On the status topic, where there is one.
void gst_pe_mqtt_handle_publish_status(GstPeMqttHandle *handle,
                                       const char *status, int qos);
