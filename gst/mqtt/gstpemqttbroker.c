// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemqttbroker.c - a connection to an MQTT broker by libmosquitto, whose
// sockets are looked after here so that nothing waits in it. Its own queue has
// no limit and is in memory: never more than GST_PE_BROKER_WINDOW records are
// given to it, and after a failure it is thrown away with what it holds.

#include "gst/mqtt/gstpemqttbroker.h"

#include "core/pe.h"
#include "gst/mqtt/gstpemqttsettings.h"
#include "gst/mqtt/gstpemqtttls.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define GST_CAT_DEFAULT gst_pe_sink_debug

#define GOODBYE (G_USEC_PER_SEC / 5)
#define MAX_HANGUPS 3 // what was received before is read first

typedef struct {
    gint64 id; // 0: free
    int mid;   // libmosquitto's number
} Sent;

typedef struct {
    const GstPeMqttSettings *settings;
    const GstPeBrokerEvents *events;
    GstElement *element;
    struct mosquitto *mosq;
    GstPeMqttTls *tls;
    GList *addresses;       // GInetAddress that were not tried yet
    char *name;             // HOST:PORT, for messages
    bool has_tcp;           // the socket is connected
    guint n_hangups;        // that poll() saw before the broker said anything
    bool is_connected;      // and the broker has said yes
    int refused;            // or no: its code
    GstPeBrokerResult ends; // not OK: why the connection must end
    char *reason;           // of that; or what libmosquitto logged last
    Sent sent[GST_PE_BROKER_WINDOW];
} Handle;

static GstPeBrokerResult
fail(const Handle *handle, GstPeBrokerResult result, const char *words,
     GError **error)
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

static void
publish_status(Handle *handle, const char *status, int qos)
{
    if (gst_pe_property_is_set(handle->settings->status_topic))
        mosquitto_publish(handle->mosq, NULL, handle->settings->status_topic,
                          status ? (int)strlen(status) : 0, status, qos, true);
}

static void
on_connect(struct mosquitto *mosq, void *data, int code, int flags,
           const mosquitto_property *properties)
{
    Handle *handle = data;

    if (code != 0) {
        handle->refused = code;
        return;
    }
    handle->is_connected = true;
    publish_status(handle, handle->settings->status_online, 1);
    handle->events->connected(handle->events->worker);
}

// Some codes are about the record, others about the broker.
static void
on_publish(struct mosquitto *mosq, void *data, int mid, int code,
           const mosquitto_property *properties)
{
    Handle *handle = data;
    const char *words = mosquitto_reason_string(code);
    bool is_bad = code >= MQTT_RC_UNSPECIFIED;
    bool is_record = code == MQTT_RC_PACKET_TOO_LARGE ||
                     code == MQTT_RC_PAYLOAD_FORMAT_INVALID ||
                     code == MQTT_RC_TOPIC_NAME_INVALID ||
                     code == MQTT_RC_NOT_AUTHORIZED;

    for (guint i = 0; i < GST_PE_BROKER_WINDOW; i++) {
        Sent *sent = &handle->sent[i];
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

// Nothing here holds credentials: libmosquitto names packets and clients.
static void
on_log(struct mosquitto *mosq, void *data, int level, const char *text)
{
    Handle *handle = data;

    GST_LOG_OBJECT(handle->element, "%s", text);
    if (level != MOSQ_LOG_ERR || handle->ends != GST_PE_BROKER_OK)
        return;
    g_free(handle->reason);
    handle->reason = g_strdup(text);
}

// ---- Connect --------------------------------------------------------------

// Start with the next address that takes it. Returns LOST with the error when
// there is none.
static GstPeBrokerResult
try_addresses(Handle *handle, GError **error)
{
    g_autofree char *words = g_strdup("there is no address");

    while (handle->addresses) {
        g_autoptr(GInetAddress) address = handle->addresses->data;
        g_autofree char *text = g_inet_address_to_string(address);
        handle->addresses =
            g_list_delete_link(handle->addresses, handle->addresses);
        handle->has_tcp = false;
        int code = mosquitto_connect_async(
            handle->mosq, text,
            (int)gst_pe_mqtt_settings_get_port(handle->settings),
            (int)handle->settings->keep_alive);
        if (code == MOSQ_ERR_SUCCESS)
            return GST_PE_BROKER_OK;
        g_free(words);
        words = g_strdup(code == MOSQ_ERR_ERRNO ? g_strerror(errno)
                                                : mosquitto_strerror(code));
    }
    return fail(handle, GST_PE_BROKER_LOST, words, error);
}

// Credentials, the last will, encryption. False with the error.
static bool
set_up(Handle *handle, GError **error)
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
    if (gst_pe_property_is_set(settings->status_topic))
        mosquitto_will_set(handle->mosq, settings->status_topic,
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
make_client(Handle *handle, GError **error)
{
    const GstPeMqttSettings *settings = handle->settings;
    const char *id = gst_pe_property_is_set(settings->client_id)
                         ? settings->client_id
                         : NULL;

    handle->mosq = mosquitto_new(id, true, handle);
    if (!handle->mosq) {
        fail(handle, GST_PE_BROKER_REFUSED, g_strerror(errno), error);
        return false;
    }
    mosquitto_int_option(handle->mosq, MOSQ_OPT_PROTOCOL_VERSION,
                         settings->protocol == GST_PE_MQTT_PROTOCOL_5
                             ? MQTT_PROTOCOL_V5
                             : MQTT_PROTOCOL_V311);
    mosquitto_int_option(handle->mosq, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_connect_v5_callback_set(handle->mosq, on_connect);
    mosquitto_publish_v5_callback_set(handle->mosq, on_publish);
    mosquitto_log_callback_set(handle->mosq, on_log);
    return set_up(handle, error);
}

static bool
find_addresses(Handle *handle, GCancellable *cancellable, GError **error)
{
    g_autoptr(GResolver) resolver = g_resolver_get_default();
    g_autoptr(GError) failure = NULL;

    handle->addresses = g_resolver_lookup_by_name(
        resolver, handle->settings->host, cancellable, &failure);
    if (!handle->addresses)
        fail(handle, GST_PE_BROKER_LOST, failure->message, error);
    return handle->addresses != NULL;
}

static void
free_handle(Handle *handle)
{
    if (handle->mosq)
        mosquitto_destroy(handle->mosq);
    g_clear_pointer(&handle->tls, gst_pe_mqtt_tls_free);
    g_list_free_full(handle->addresses, g_object_unref);
    g_free(handle->name);
    g_free(handle->reason);
    g_free(handle);
}

static void *
open_connection(const void *settings, const GstPeBrokerEvents *events,
                GstElement *element, GCancellable *cancellable,
                GstPeBrokerResult *result, GError **error)
{
    Handle *handle = g_new0(Handle, 1);

    handle->settings = settings;
    handle->events = events;
    handle->element = element;
    handle->name =
        g_strdup_printf("%s:%u", handle->settings->host,
                        gst_pe_mqtt_settings_get_port(handle->settings));
    *result = GST_PE_BROKER_REFUSED;
    if (make_client(handle, error)) {
        *result = GST_PE_BROKER_LOST;
        if (find_addresses(handle, cancellable, error) &&
            try_addresses(handle, error) == GST_PE_BROKER_OK)
            return handle;
    }
    free_handle(handle);
    return NULL;
}

// ---- Poll -----------------------------------------------------------------

// Why there was an end while there was a socket.
static GstPeBrokerResult
tell_end(Handle *handle, int code, GError **error)
{
    const char *certificate =
        handle->tls ? gst_pe_mqtt_tls_get_reason(handle->tls) : NULL;
    const char *logged = handle->reason;

    if (certificate)
        return fail(handle, GST_PE_BROKER_REFUSED, certificate, error);
    if (handle->refused) {
        bool is_new = handle->refused >= MQTT_RC_UNSPECIFIED;
        return fail(handle,
                    is_for_ever(handle->refused) ? GST_PE_BROKER_REFUSED
                                                 : GST_PE_BROKER_LOST,
                    is_new ? mosquitto_reason_string(handle->refused)
                           : mosquitto_connack_string(handle->refused),
                    error);
    }
    if (handle->ends != GST_PE_BROKER_OK)
        return fail(handle, handle->ends, handle->reason, error);
    // An alert is the broker's no to our certificate.
    if (handle->tls && logged && !handle->is_connected)
        return fail(handle,
                    strstr(logged, "alert") || strstr(logged, "version")
                        ? GST_PE_BROKER_REFUSED
                        : GST_PE_BROKER_LOST,
                    logged, error);
    return fail(handle, GST_PE_BROKER_LOST,
                code == MOSQ_ERR_ERRNO && errno ? g_strerror(errno)
                : code                          ? mosquitto_strerror(code)
                                                : "the connection has ended",
                error);
}

// The socket is connected or not. OK without has_tcp: another address is tried.
static GstPeBrokerResult
finish_tcp(Handle *handle, GError **error)
{
    int fd = mosquitto_socket(handle->mosq), code = 0;
    struct sockaddr_storage peer;
    socklen_t size = sizeof code, peer_size = sizeof peer;

    // An early write of OpenSSL's may have taken the socket's error away.
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size);
    if (code == 0 && getpeername(fd, (struct sockaddr *)&peer, &peer_size) != 0)
        code = errno == ENOTCONN ? ECONNREFUSED : errno;
    handle->has_tcp = code == 0;
    if (code == 0)
        return GST_PE_BROKER_OK;
    if (handle->addresses)
        return try_addresses(handle, error);
    return fail(handle, GST_PE_BROKER_LOST, g_strerror(code), error);
}

static int
do_network(Handle *handle, int ready)
{
    int code = MOSQ_ERR_SUCCESS;

    errno = 0;
    if (ready & (POLLIN | POLLHUP | POLLERR))
        code = mosquitto_loop_read(handle->mosq, 1);
    if (code == MOSQ_ERR_SUCCESS && (ready & POLLOUT))
        code = mosquitto_loop_write(handle->mosq, 1);
    if (code == MOSQ_ERR_SUCCESS)
        code = mosquitto_loop_misc(handle->mosq);
    // libmosquitto tries a handshake again whose socket has ended.
    if (code == MOSQ_ERR_SUCCESS && !handle->is_connected &&
        (ready & (POLLHUP | POLLERR)) && ++handle->n_hangups > MAX_HANGUPS)
        code = MOSQ_ERR_CONN_LOST;
    return code;
}

// A broker that lets Nagle's algorithm hold its second PUBACK back until the
// first is acknowledged would otherwise wait for the kernel here, which delays
// that by up to 40 ms, once for each window. The kernel forgets the option.
static void
acknowledge_at_once(int fd)
{
#ifdef TCP_QUICKACK
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes);
#endif
}

static GstPeBrokerResult
poll_connection(void *data, int wake_fd, int timeout, GError **error)
{
    Handle *handle = data;
    struct pollfd fds[2] = {{mosquitto_socket(handle->mosq), 0, 0},
                            {wake_fd, POLLIN, 0}};

    if (fds[0].fd < 0)
        return tell_end(handle, MOSQ_ERR_NO_CONN, error);
    fds[0].events = handle->has_tcp ? POLLIN : POLLOUT;
    if (mosquitto_want_write(handle->mosq))
        fds[0].events |= POLLOUT;
    if (handle->has_tcp)
        acknowledge_at_once(fds[0].fd);
    if (poll(fds, 2, timeout) < 0)
        fds[0].revents = 0; // a signal
    if (!handle->has_tcp) {
        if (fds[0].revents == 0)
            return GST_PE_BROKER_OK;
        GstPeBrokerResult result = finish_tcp(handle, error);
        if (result != GST_PE_BROKER_OK || !handle->has_tcp)
            return result;
    }
    int code = do_network(handle, fds[0].revents);
    if (code == MOSQ_ERR_SUCCESS && handle->ends == GST_PE_BROKER_OK &&
        handle->refused == 0 && mosquitto_socket(handle->mosq) >= 0)
        return GST_PE_BROKER_OK;
    return tell_end(handle, code, error);
}

// ---- Send and close -------------------------------------------------------

static Sent *
find_free(Handle *handle)
{
    for (guint i = 0; i < GST_PE_BROKER_WINDOW; i++)
        if (handle->sent[i].id == 0)
            return &handle->sent[i];
    return NULL;
}

// What the broker has said before it ended the connection, such as that a
// record is too large, is worth more than that it has ended.
static void
read_last_words(Handle *handle)
{
    int error = errno;
    struct pollfd fd = {mosquitto_socket(handle->mosq), POLLIN, 0};

    for (int i = 0; i < GST_PE_BROKER_WINDOW && fd.fd >= 0; i++) {
        if (poll(&fd, 1, 0) <= 0 || mosquitto_loop_read(handle->mosq, 1) != 0)
            break;
        fd.fd = mosquitto_socket(handle->mosq);
    }
    errno = error;
}

static GstPeBrokerResult
send_record(void *data, const GstPeRecord *record, GError **error)
{
    Handle *handle = data;
    Sent *sent = find_free(handle);

    if (!sent)
        return GST_PE_BROKER_BUSY;
    sent->id = record->id;
    // It sets `mid` before it may call on_publish().
    int code = mosquitto_publish(
        handle->mosq, &sent->mid, record->topic, (int)record->size,
        record->data, (int)handle->settings->qos, handle->settings->retain);
    if (code == MOSQ_ERR_SUCCESS)
        return GST_PE_BROKER_OK;
    sent->id = 0;
    switch (code) {
    case MOSQ_ERR_PAYLOAD_SIZE:
    case MOSQ_ERR_OVERSIZE_PACKET:
    case MOSQ_ERR_INVAL:
    case MOSQ_ERR_MALFORMED_UTF8:
        return fail(handle, GST_PE_BROKER_UNSENDABLE, mosquitto_strerror(code),
                    error);
    case MOSQ_ERR_QOS_NOT_SUPPORTED:
    case MOSQ_ERR_RETAIN_NOT_SUPPORTED:
        return fail(handle, GST_PE_BROKER_REFUSED, mosquitto_strerror(code),
                    error);
    default:
        read_last_words(handle);
        return tell_end(handle, code, error);
    }
}

// What is still to be written, for a moment.
static void
write_rest(Handle *handle)
{
    gint64 until = g_get_monotonic_time() + GOODBYE;
    struct pollfd fd = {-1, POLLOUT, 0};

    while (mosquitto_want_write(handle->mosq) &&
           (fd.fd = mosquitto_socket(handle->mosq)) >= 0 &&
           g_get_monotonic_time() < until && poll(&fd, 1, 20) >= 0)
        if (fd.revents && mosquitto_loop_write(handle->mosq, 1) != 0)
            return;
}

// A client that says goodbye has no last will: it says so itself.
static void
close_connection(void *data, bool in_peace)
{
    Handle *handle = data;

    if (in_peace && handle->is_connected) {
        publish_status(handle, handle->settings->status_offline, 0);
        write_rest(handle);
        mosquitto_disconnect(handle->mosq);
        write_rest(handle);
    }
    free_handle(handle);
}

const GstPeBroker gst_pe_mqtt_broker = {
    .type_name = "GstPeMqttSink",
    .element_name = "pemqttsink",
    .long_name = "Sink of JSON lines to MQTT",
    .description = "Sends each line of a JSON stream to an MQTT broker, at "
                   "least once",
    .default_topic = "pe/{source}",
    .hangs_up_on_records = true,
    .rows = gst_pe_mqtt_rows,
    .n_rows = GST_PE_MQTT_N_ROWS,
    .settings_size = sizeof(GstPeMqttSettings),
    .check = gst_pe_mqtt_settings_check,
    .append_topic = gst_pe_mqtt_append_topic,
    .max_topic = 65535,
    .check_topic = gst_pe_mqtt_check_topic,
    .open = open_connection,
    .poll = poll_connection,
    .send = send_record,
    .close = close_connection,
};
