// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemqttsettings.c - see gstpemqttsettings.h.

#include "gst/mqtt/gstpemqttsettings.h"

#include "core/pe.h"
#include "gst/mqtt/gstpeslug.h"

#include <string.h>

#define MAX_PREFIX 200 // bytes

#define READY (G_PARAM_READWRITE | GST_PARAM_MUTABLE_READY)
#define SECRET (G_PARAM_WRITABLE | GST_PARAM_MUTABLE_READY)
#define STRING GST_PE_PROPERTY_STRING
#define UINT GST_PE_PROPERTY_UINT
#define BOOLEAN GST_PE_PROPERTY_BOOLEAN
#define AT(member) .offset = offsetof(GstPeMqttSettings, member)

static GType protocol_get_type(void);
static GType states_get_type(void);

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
              "when it dies (its last will). Empty: none, or with ha-discovery "
              "one of its own"},
    {"status-online", STRING, READY, AT(status_online), .init_string = "online",
     .blurb = "Payload of status-topic"},
    {"status-offline", STRING, READY, AT(status_offline),
     .init_string = "offline", .blurb = "Payload of status-topic"},
    {"ha-discovery", BOOLEAN, READY, AT(ha_discovery),
     .blurb = "Tell Home Assistant what there is, a device for each source, "
              "with the states of its labels, from the records of "
              "pemetaconvert"},
    {"ha-prefix", STRING, READY, AT(ha_prefix), .init_string = "homeassistant",
     .blurb = "Discovery prefix of Home Assistant"},
    {"ha-topic-prefix", STRING, READY, AT(ha_topic_prefix), .init_string = "pe",
     .blurb = "What the topics of states begin with; one of a kind for each "
              "sink whose sources may have the same names"},
    {"ha-states", GST_PE_PROPERTY_ENUM, READY, AT(ha_states),
     .enum_type = states_get_type, .init = GST_PE_HA_STATES_AUTO,
     .blurb = "What decides whether a label is there"},
    {"ha-threshold", GST_PE_PROPERTY_DOUBLE, READY, AT(ha_threshold), .max = 1,
     .init = 0.5,
     .blurb = "Score from which on a label of a clip is there, where clips "
              "decide"},
    {"ha-remove-on-stop", BOOLEAN, READY, AT(ha_remove_on_stop),
     .blurb = "When the sink stops, remove its devices from Home Assistant and "
              "their states from the broker"},
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

static GType
states_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_PE_HA_STATES_AUTO,
         "Events of elements that have made one, else clips", "auto"},
        {GST_PE_HA_STATES_CLIPS, "The score in the newest clip", "clips"},
        {GST_PE_HA_STATES_EVENTS, "An event has begun and has not ended",
         "events"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPeMqttHaStates", values);
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

char *
gst_pe_mqtt_settings_get_status_topic(const GstPeMqttSettings *settings)
{
    if (gst_pe_property_is_set(settings->status_topic))
        return g_strdup(settings->status_topic);
    if (!settings->ha_discovery)
        return NULL;
    g_autofree char *client = gst_pe_slug_new(
        gst_pe_property_is_set(settings->client_id) ? settings->client_id
                                                    : "pemqttsink",
        '_');
    return g_strdup_printf("%s/%s/status", settings->ha_topic_prefix, client);
}

// ---- Home Assistant -------------------------------------------------------

static bool
check_prefix(const char *name, const char *prefix, GError **error)
{
    const char *wrong = NULL;

    if (!gst_pe_property_is_set(prefix))
        wrong = "expected a name";
    else if (!g_utf8_validate(prefix, -1, NULL))
        wrong = "expected UTF-8";
    else if (strlen(prefix) > MAX_PREFIX)
        wrong = "expected at most 200 bytes";
    else if (*prefix == '/' || g_str_has_suffix(prefix, "/"))
        wrong = "expected no / at the beginning or end";
    else
        wrong = gst_pe_mqtt_check_topic(prefix);
    for (const char *c = prefix; !wrong && *c; c++)
        if ((guchar)*c < 0x20 || *c == 0x7f)
            wrong = "expected no control characters";
    if (!wrong)
        return true;
    g_autofree char *shown = g_utf8_make_valid(prefix ? prefix : "", -1);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s \"%s\": %s", name, shown,
                wrong);
    return false;
}

static bool
check_home(const GstPeMqttSettings *settings, GError **error)
{
    if (!settings->ha_discovery)
        return true;
    if (!check_prefix("ha-prefix", settings->ha_prefix, error) ||
        !check_prefix("ha-topic-prefix", settings->ha_topic_prefix, error))
        return false;
    if (gst_pe_property_is_set(settings->status_online) &&
        gst_pe_property_is_set(settings->status_offline) &&
        !g_str_equal(settings->status_online, settings->status_offline))
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "expected status-online and status-offline that differ, by "
                "which Home Assistant knows whether the sink is there");
    return false;
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
           check_status_topic(settings, error) && check_home(settings, error) &&
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
