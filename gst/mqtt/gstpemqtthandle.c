// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemqtthandle.c - see gstpemqtthandle.h.

#include "gst/mqtt/gstpemqtthandle.h"

#include "core/pe.h"

#include <errno.h>
#include <mqtt_protocol.h>
#include <string.h>

#define GST_CAT_DEFAULT gst_pe_sink_debug

GstPeBrokerResult
gst_pe_mqtt_handle_fail(const GstPeMqttHandle *handle, GstPeBrokerResult result,
                        const char *words, GError **error)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FILE, "MQTT broker %s: %s",
                handle->name, words);
    return result;
}

// ---- What the broker says -------------------------------------------------

// Codes of versions 3 and 5, as libmosquitto gives them.
static bool
is_for_ever(int code)
{
    static const int codes[] = {
        CONNACK_REFUSED_PROTOCOL_VERSION,
        CONNACK_REFUSED_IDENTIFIER_REJECTED,
        CONNACK_REFUSED_BAD_USERNAME_PASSWORD,
        CONNACK_REFUSED_NOT_AUTHORIZED,
        MQTT_RC_UNSUPPORTED_PROTOCOL_VERSION,
        MQTT_RC_CLIENTID_NOT_VALID,
        MQTT_RC_BAD_USERNAME_OR_PASSWORD,
        MQTT_RC_NOT_AUTHORIZED,
        MQTT_RC_BANNED,
        MQTT_RC_BAD_AUTHENTICATION_METHOD,
        MQTT_RC_TOPIC_NAME_INVALID,
        MQTT_RC_PACKET_TOO_LARGE,
        MQTT_RC_RETAIN_NOT_SUPPORTED,
        MQTT_RC_QOS_NOT_SUPPORTED,
    };

    for (guint i = 0; i < G_N_ELEMENTS(codes); i++)
        if (codes[i] == code)
            return true;
    return false;
}

void
gst_pe_mqtt_handle_publish_status(GstPeMqttHandle *handle, const char *status,
                                  int qos)
{
    if (handle->status_topic)
        mosquitto_publish(handle->mosq, NULL, handle->status_topic,
                          status ? (int)strlen(status) : 0, status, qos, true);
}

static void
on_connect(struct mosquitto *mosq, void *data, int code, int flags,
           const mosquitto_property *properties)
{
    GstPeMqttHandle *handle = data;

    if (code != 0) {
        handle->refused = code;
        return;
    }
    handle->is_connected = true;
    gst_pe_mqtt_handle_publish_status(handle, handle->settings->status_online,
                                      1);
    if (handle->states) {
        gst_pe_mqtt_states_resend(handle->states);
        mosquitto_subscribe(mosq, &handle->birth_mid, handle->birth_topic, 0);
    }
    handle->events->connected(handle->events->worker);
}

// Some codes are about the record, others about the broker.
static void
on_publish(struct mosquitto *mosq, void *data, int mid, int code,
           const mosquitto_property *properties)
{
    GstPeMqttHandle *handle = data;
    const char *words = mosquitto_reason_string(code);
    bool is_bad = code >= MQTT_RC_UNSPECIFIED;
    bool is_record = code == MQTT_RC_PACKET_TOO_LARGE ||
                     code == MQTT_RC_PAYLOAD_FORMAT_INVALID ||
                     code == MQTT_RC_TOPIC_NAME_INVALID ||
                     code == MQTT_RC_NOT_AUTHORIZED;

    if (mid == handle->state_mid) {
        handle->state_mid = 0;
        return;
    }
    for (guint i = 0; i < GST_PE_BROKER_WINDOW; i++) {
        GstPeMqttSent *sent = &handle->sent[i];
        if (sent->id == 0 || sent->mid != mid)
            continue;
        if (is_bad && !is_record) {
            handle->ends = GST_PE_BROKER_LOST;
            g_free(handle->reason);
            handle->reason = g_strdup(words);
            return;
        }
        gint64 id = sent->id;
        sent->id = 0;
        handle->events->answered(handle->events->worker, id,
                                 is_bad ? GST_PE_BROKER_UNSENDABLE
                                        : GST_PE_BROKER_OK,
                                 is_bad ? words : NULL);
        return;
    }
}

static bool
says(const struct mosquitto_message *message, const char *words)
{
    return (gsize)message->payloadlen == strlen(words) &&
           memcmp(message->payload, words, strlen(words)) == 0;
}

// Home Assistant says that it has started, and may know nothing of us. What a
// broker kept of that is old: everything is sent anyway after a connection.
// What it kept of a label that we have not seen is of a process that is no
// more, and whose events nobody will end.
static void
on_message(struct mosquitto *mosq, void *data,
           const struct mosquitto_message *message)
{
    GstPeMqttHandle *handle = data;

    if (!handle->states)
        return;
    if (!message->retain && says(message, "online"))
        gst_pe_mqtt_states_resend(handle->states);
    else if (message->retain && says(message, "ON"))
        gst_pe_mqtt_states_put_found(handle->states, message->topic, "OFF");
}

// Without it there is no birth message, and all else works.
static void
on_subscribe(struct mosquitto *mosq, void *data, int mid, int n,
             const int *granted)
{
    GstPeMqttHandle *handle = data;

    if (n > 0 && granted[0] > 2 && mid == handle->birth_mid)
        gst_pe_mqtt_home_miss_birth(handle->settings->home, handle->name);
}

// Nothing here holds credentials: libmosquitto names packets and clients.
static void
on_log(struct mosquitto *mosq, void *data, int level, const char *text)
{
    GstPeMqttHandle *handle = data;

    GST_LOG_OBJECT(handle->element, "%s", text);
    if (level != MOSQ_LOG_ERR || handle->ends != GST_PE_BROKER_OK)
        return;
    g_free(handle->reason);
    handle->reason = g_strdup(text);
}

// ---- Make, and end --------------------------------------------------------

// Credentials, the last will, encryption. False with the error.
static bool
set_up(GstPeMqttHandle *handle, GError **error)
{
    const GstPeMqttSettings *settings = handle->settings;
    GError *failure = NULL;
    g_autofree char *password = gst_pe_password_get(&settings->user, &failure);

    if (failure) {
        g_propagate_error(error, failure);
        return false;
    }
    if (gst_pe_property_is_set(settings->user.name))
        mosquitto_username_pw_set(handle->mosq, settings->user.name, password);
    if (handle->status_topic)
        mosquitto_will_set(handle->mosq, handle->status_topic,
                           (int)strlen(settings->status_offline
                                           ? settings->status_offline
                                           : ""),
                           settings->status_offline, 1, true);
    if (!gst_pe_certificates_are_wanted(&settings->files))
        return true;
    handle->tls = gst_pe_mqtt_tls_new(settings, error);
    if (!handle->tls)
        return false;
    mosquitto_void_option(handle->mosq, MOSQ_OPT_SSL_CTX,
                          gst_pe_mqtt_tls_get_context(handle->tls));
    mosquitto_int_option(handle->mosq, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0);
    return true;
}

static bool
make_client(GstPeMqttHandle *handle, GError **error)
{
    const GstPeMqttSettings *settings = handle->settings;
    const char *id = gst_pe_property_is_set(settings->client_id)
                         ? settings->client_id
                         : NULL;

    handle->mosq = mosquitto_new(id, true, handle);
    if (!handle->mosq) {
        gst_pe_mqtt_handle_fail(handle, GST_PE_BROKER_REFUSED,
                                g_strerror(errno), error);
        return false;
    }
    mosquitto_int_option(handle->mosq, MOSQ_OPT_PROTOCOL_VERSION,
                         settings->protocol == GST_PE_MQTT_PROTOCOL_5
                             ? MQTT_PROTOCOL_V5
                             : MQTT_PROTOCOL_V311);
    mosquitto_int_option(handle->mosq, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_connect_v5_callback_set(handle->mosq, on_connect);
    mosquitto_publish_v5_callback_set(handle->mosq, on_publish);
    mosquitto_message_callback_set(handle->mosq, on_message);
    mosquitto_subscribe_callback_set(handle->mosq, on_subscribe);
    mosquitto_log_callback_set(handle->mosq, on_log);
    return set_up(handle, error);
}

GstPeMqttHandle *
gst_pe_mqtt_handle_new(const GstPeMqttSettings *settings,
                       const GstPeBrokerEvents *events, GstElement *element,
                       GError **error)
{
    GstPeMqttHandle *handle = g_new0(GstPeMqttHandle, 1);

    handle->settings = settings;
    handle->events = events;
    handle->element = element;
    handle->name = g_strdup_printf("%s:%u", settings->host,
                                   gst_pe_mqtt_settings_get_port(settings));
    handle->status_topic = gst_pe_mqtt_settings_get_status_topic(settings);
    handle->states = gst_pe_mqtt_home_get_states(settings->home);
    handle->birth_topic = gst_pe_mqtt_home_get_birth_topic(settings->home);
    if (make_client(handle, error))
        return handle;
    gst_pe_mqtt_handle_free(handle);
    return NULL;
}

void
gst_pe_mqtt_handle_free(GstPeMqttHandle *handle)
{
    if (handle->mosq)
        mosquitto_destroy(handle->mosq);
    g_clear_pointer(&handle->tls, gst_pe_mqtt_tls_free);
    g_list_free_full(handle->addresses, g_object_unref);
    g_free(handle->name);
    g_free(handle->reason);
    g_free(handle->status_topic);
    g_free(handle->birth_topic);
    g_free(handle);
}

GstPeBrokerResult
gst_pe_mqtt_handle_tell_end(GstPeMqttHandle *handle, int code, GError **error)
{
    const char *certificate =
        handle->tls ? gst_pe_mqtt_tls_get_reason(handle->tls) : NULL;
    const char *logged = handle->reason;

    if (certificate)
        return gst_pe_mqtt_handle_fail(handle, GST_PE_BROKER_REFUSED,
                                       certificate, error);
    if (handle->refused) {
        bool is_new = handle->refused >= MQTT_RC_UNSPECIFIED;
        return gst_pe_mqtt_handle_fail(
            handle,
            is_for_ever(handle->refused) ? GST_PE_BROKER_REFUSED
                                         : GST_PE_BROKER_LOST,
            is_new ? mosquitto_reason_string(handle->refused)
                   : mosquitto_connack_string(handle->refused),
            error);
    }
    if (handle->ends != GST_PE_BROKER_OK)
        return gst_pe_mqtt_handle_fail(handle, handle->ends, handle->reason,
                                       error);
    // An alert is the broker's no to our certificate.
    if (handle->tls && logged && !handle->is_connected)
        return gst_pe_mqtt_handle_fail(handle,
                                       strstr(logged, "alert") ||
                                               strstr(logged, "version")
                                           ? GST_PE_BROKER_REFUSED
                                           : GST_PE_BROKER_LOST,
                                       logged, error);
    return gst_pe_mqtt_handle_fail(handle, GST_PE_BROKER_LOST,
                                   code == MOSQ_ERR_ERRNO && errno
                                       ? g_strerror(errno)
                                   : code ? mosquitto_strerror(code)
                                          : "the connection has ended",
                                   error);
}

// ---- States of Home Assistant ---------------------------------------------

// One that cannot be sent is left out: the others are worth no less for it.
static void
publish_state(GstPeMqttHandle *handle, const GstPeMqttState *state)
{
    gsize size = state->payload ? strlen(state->payload) : 0;
    int code = mosquitto_publish(handle->mosq, &handle->state_mid, state->topic,
                                 (int)size, state->payload, 0, state->is_state);

    if (code == MOSQ_ERR_SUCCESS)
        return;
    handle->state_mid = 0;
    GST_WARNING_OBJECT(handle->element, "%s is not sent: %s", state->topic,
                       mosquitto_strerror(code));
}

static bool
can_write(GstPeMqttHandle *handle)
{
    return handle->is_connected && mosquitto_socket(handle->mosq) >= 0 &&
           !mosquitto_want_write(handle->mosq);
}

// Without our own messages, where the version of MQTT knows that.
static void
watch_devices(GstPeMqttHandle *handle)
{
    int options = handle->settings->protocol == GST_PE_MQTT_PROTOCOL_5
                      ? MQTT_SUB_OPT_NO_LOCAL
                      : 0;
    char *filter;

    while (can_write(handle) &&
           (filter = gst_pe_mqtt_home_get_filter(handle->settings->home,
                                                 handle->n_filters))) {
        handle->n_filters++;
        mosquitto_subscribe_v5(handle->mosq, NULL, filter, 0, options, NULL);
        g_free(filter);
    }
}

void
gst_pe_mqtt_handle_publish_states(GstPeMqttHandle *handle, guint max)
{
    GstPeMqttState state;

    if (!handle->states)
        return;
    watch_devices(handle);
    while (max-- > 0 && can_write(handle) &&
           gst_pe_mqtt_states_next(handle->states, &state)) {
        publish_state(handle, &state);
        gst_pe_mqtt_state_clear(&state);
    }
}
