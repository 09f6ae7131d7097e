// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemqttsettings.h - the properties of pemqttsink besides those of every
// sink.

#pragma once

#include "gst/sink/gstpebroker.h"
#include "gst/sink/gstpecertificates.h"
#include "gst/sink/gstpepassword.h"

typedef enum {
    GST_PE_MQTT_PROTOCOL_5,
    GST_PE_MQTT_PROTOCOL_3_1_1,
} GstPeMqttProtocol;

typedef struct {
    char *host;
    guint port; // 0: the usual one
    int protocol;
    GstPeUser user;
    char *client_id;
    guint qos;
    bool retain;
    guint keep_alive; // s
    GstPeCertificates files;
    char *status_topic, *status_online, *status_offline;
} GstPeMqttSettings;

#define GST_PE_MQTT_N_ROWS 17
extern const GstPeProperty gst_pe_mqtt_rows[GST_PE_MQTT_N_ROWS];

// The port in use.
guint gst_pe_mqtt_settings_get_port(const GstPeMqttSettings *settings);

// For GstPeBroker.
bool gst_pe_mqtt_settings_check(const void *settings, GError **error);
void gst_pe_mqtt_append_topic(GString *topic, const char *value);
const char *gst_pe_mqtt_check_topic(const char *topic);
