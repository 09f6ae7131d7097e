// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemqttsettings.c - see gstpemqttsettings.h.

#include "gst/mqtt/gstpemqttsettings.h"

#include "core/pe.h"

#include <string.h>

#define READY (G_PARAM_READWRITE | GST_PARAM_MUTABLE_READY)
#define SECRET (G_PARAM_WRITABLE | GST_PARAM_MUTABLE_READY)
#define STRING GST_PE_PROPERTY_STRING
#define UINT GST_PE_PROPERTY_UINT
#define BOOLEAN GST_PE_PROPERTY_BOOLEAN
#define AT(member) .offset = offsetof(GstPeMqttSettings, member)

static GType protocol_get_type(void);

const GstPeProperty gst_pe_mqtt_rows[GST_PE_MQTT_N_ROWS] = {
    {"host", STRING, READY, AT(host), .init_string = "localhost",
     .blurb = "Name or address of the broker"},
    {"port", UINT, READY, AT(port), .max = 65535,
     .blurb = "Its TCP port. 0: 1883, with TLS 8883"},
    {"protocol", GST_PE_PROPERTY_ENUM, READY, AT(protocol),
     .enum_type = protocol_get_type, .init = GST_PE_MQTT_PROTOCOL_5,
     .blurb = "Version of MQTT. A broker says only in version 5 that it "
              "refuses a record, and why"},
    {"user", STRING, READY, AT(user.name), .blurb = "Name of the user"},
    {"password", STRING, SECRET, AT(user.password),
     .blurb = "Password of the user; cannot be read again. GStreamer itself "
              "logs the text of a pipeline: see password-file"},
    {"password-file", STRING, READY, AT(user.password_file),
     .blurb = "File whose first line is the password"},
    {"client-id", STRING, READY, AT(client_id),
     .blurb = "Name of this client, one of a kind at the broker. Empty: one is "
              "made up"},
    {"mqtt-qos", UINT, READY, AT(qos), .max = 2, .init = 1,
     .blurb = "Quality of service. 0: a record that is sent counts as arrived, "
              "and may be lost; 1: it arrives at least once; 2: as 1, by a "
              "longer exchange"},
    {"retain", BOOLEAN, READY, AT(retain),
     .blurb = "The broker keeps the last record of each topic for who "
              "subscribes later"},
    {"keep-alive", UINT, READY, AT(keep_alive), .min = 5, .max = 65535,
     .init = 60,
     .blurb = "Seconds of silence after which the broker and this client ask "
              "each other whether they are there"},
    {"tls", BOOLEAN, READY, AT(files.tls),
     .blurb = "Encrypt the connection and check the broker's certificate. Also "
              "when ca or cert is set"},
    {"ca", STRING, READY, AT(files.ca),
     .blurb = "PEM file with the certificates of who signed the broker's. "
              "Empty: those that the system trusts"},
    {"cert", STRING, READY, AT(files.cert),
     .blurb = "PEM file with the certificate of this client"},
    {"key", STRING, READY, AT(files.key),
     .blurb = "PEM file with the key to cert, without a passphrase"},
    {"status-topic", STRING, READY, AT(status_topic),
     .blurb = "Topic that says whether this client is there, retained: "
              "status-online while it is connected, else status-offline, also "
              "when it dies (its last will). Empty: none"},
    {"status-online", STRING, READY, AT(status_online), .init_string = "online",
     .blurb = "Payload of status-topic"},
    {"status-offline", STRING, READY, AT(status_offline),
     .init_string = "offline", .blurb = "Payload of status-topic"},
};

static GType
protocol_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_PE_MQTT_PROTOCOL_5, "MQTT 5", "5"},
        {GST_PE_MQTT_PROTOCOL_3_1_1, "MQTT 3.1.1, for old brokers", "3.1.1"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPeMqttProtocol", values);
        g_once_init_leave(&type, t);
    }
    return type;
}

guint
gst_pe_mqtt_settings_get_port(const GstPeMqttSettings *settings)
{
    if (settings->port > 0)
        return settings->port;
    return gst_pe_certificates_are_wanted(&settings->files) ? 8883 : 1883;
}

static bool
check_status_topic(const GstPeMqttSettings *settings, GError **error)
{
    const char *wrong = gst_pe_property_is_set(settings->status_topic)
                            ? gst_pe_mqtt_check_topic(settings->status_topic)
                            : NULL;

    if (wrong)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "status-topic \"%s\": %s",
                    settings->status_topic, wrong);
    return !wrong;
}

bool
gst_pe_mqtt_settings_check(const void *data, GError **error)
{
    const GstPeMqttSettings *settings = data;

    if (!gst_pe_property_is_set(settings->host)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "expected the host of a broker, found none");
        return false;
    }
    return gst_pe_password_check(&settings->user, error) &&
           check_status_topic(settings, error) &&
           gst_pe_certificates_check(&settings->files, error);
}

// ---- Topics ---------------------------------------------------------------

// What has a meaning in topics or is no text: % and two hexadecimal digits, as
// in a URI. A $ has a meaning at the beginning.
void
gst_pe_mqtt_append_topic(GString *topic, const char *value)
{
    for (const char *c = value; *c; c++) {
        if ((guchar)*c < 0x20 || *c == 0x7f || strchr("+#/%", *c) ||
            (*c == '$' && topic->len == 0))
            g_string_append_printf(topic, "%%%02X", (guchar)*c);
        else
            g_string_append_c(topic, *c);
    }
}

const char *
gst_pe_mqtt_check_topic(const char *topic)
{
    if (strpbrk(topic, "+#"))
        return "expected no + and no #, which only subscriptions have";
    if (*topic == '$')
        return "expected no $ at the beginning, which is the broker's";
    if (strlen(topic) > 65535)
        return "expected at most 65535 bytes";
    return NULL;
}
