// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemqttsettings.h - the properties of pemqttsink besides those of every
// sink.

#pragma once

#include "gst/mqtt/gstpehomeassistant.h"
#include "gst/sink/gstpebroker.h"
#include "gst/sink/gstpecertificates.h"
#include "gst/sink/gstpepassword.h"

typedef enum {
    GST_PE_MQTT_PROTOCOL_5,
    GST_PE_MQTT_PROTOCOL_3_1_1,
} GstPeMqttProtocol;

typedef struct GstPeMqttHome GstPeMqttHome;

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
    bool ha_discovery, ha_remove_on_stop;
    char *ha_prefix, *ha_topic_prefix;
    int ha_states; // GstPeHaStates
    double ha_threshold;
    GstPeMqttHome *home; // no property: of a sink that is started, or NULL
} GstPeMqttSettings;

#define GST_PE_MQTT_N_ROWS 23
extern const GstPeProperty gst_pe_mqtt_rows[GST_PE_MQTT_N_ROWS];

// The port in use.
guint gst_pe_mqtt_settings_get_port(const GstPeMqttSettings *settings);

// The topic that says whether this client is there, g_free(), or NULL.
char *gst_pe_mqtt_settings_get_status_topic(const GstPeMqttSettings *settings);

// For GstPeBroker.
bool gst_pe_mqtt_settings_check(const void *settings, GError **error);
void gst_pe_mqtt_append_topic(GString *topic, const char *value);
const char *gst_pe_mqtt_check_topic(const char *topic);
