// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemqttbroker.c - a connection to an MQTT broker by libmosquitto, whose
// sockets are looked after here so that nothing waits in it. Its own queue has
// no limit and is in memory: never more than GST_PE_BROKER_WINDOW records are
// given to it, and after a failure it is thrown away with what it holds.

#include "gst/mqtt/gstpemqttbroker.h"

#include "gst/mqtt/gstpemqtthandle.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define GST_CAT_DEFAULT gst_pe_sink_debug

#define GOODBYE (G_USEC_PER_SEC / 5)
#define MAX_STATES 20 // between two looks at the records
#define MAX_HANGUPS 3 // what was received before is read first

// ---- Connect --------------------------------------------------------------

// Start with the next address that takes it. Returns LOST with the error when
// there is none.
static GstPeBrokerResult
try_addresses(GstPeMqttHandle *handle, GError **error)
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
    return gst_pe_mqtt_handle_fail(handle, GST_PE_BROKER_LOST, words, error);
}

static bool
find_addresses(GstPeMqttHandle *handle, GCancellable *cancellable,
               GError **error)
{
    g_autoptr(GResolver) resolver = g_resolver_get_default();
    g_autoptr(GError) failure = NULL;

    handle->addresses = g_resolver_lookup_by_name(
        resolver, handle->settings->host, cancellable, &failure);
    if (!handle->addresses)
        gst_pe_mqtt_handle_fail(handle, GST_PE_BROKER_LOST, failure->message,
                                error);
    return handle->addresses != NULL;
}

static void *
open_connection(const void *settings, const GstPeBrokerEvents *events,
                GstElement *element, GCancellable *cancellable,
                GstPeBrokerResult *result, GError **error)
{
    GstPeMqttHandle *handle =
        gst_pe_mqtt_handle_new(settings, events, element, error);

    *result = handle ? GST_PE_BROKER_LOST : GST_PE_BROKER_REFUSED;
    if (!handle)
        return NULL;
    if (find_addresses(handle, cancellable, error) &&
        try_addresses(handle, error) == GST_PE_BROKER_OK)
        return handle;
    gst_pe_mqtt_handle_free(handle);
    return NULL;
}

// ---- Poll -----------------------------------------------------------------

// The socket is connected or not. OK without has_tcp: another address is tried.
static GstPeBrokerResult
finish_tcp(GstPeMqttHandle *handle, GError **error)
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
    return gst_pe_mqtt_handle_fail(handle, GST_PE_BROKER_LOST, g_strerror(code),
                                   error);
}

static int
do_network(GstPeMqttHandle *handle, int ready)
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
    GstPeMqttHandle *handle = data;
    struct pollfd fds[2] = {{mosquitto_socket(handle->mosq), 0, 0},
                            {wake_fd, POLLIN, 0}};

    if (fds[0].fd < 0)
        return gst_pe_mqtt_handle_tell_end(handle, MOSQ_ERR_NO_CONN, error);
    fds[0].events = handle->has_tcp ? POLLIN : POLLOUT;
    bool has_states = handle->is_connected && handle->states &&
                      gst_pe_mqtt_states_has_next(handle->states);
    if (mosquitto_want_write(handle->mosq) || has_states)
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
    if (code == MOSQ_ERR_SUCCESS)
        gst_pe_mqtt_handle_publish_states(handle, MAX_STATES);
    if (code == MOSQ_ERR_SUCCESS && handle->ends == GST_PE_BROKER_OK &&
        handle->refused == 0 && mosquitto_socket(handle->mosq) >= 0)
        return GST_PE_BROKER_OK;
    return gst_pe_mqtt_handle_tell_end(handle, code, error);
}

// ---- Send and close -------------------------------------------------------

static GstPeMqttSent *
find_free(GstPeMqttHandle *handle)
{
    for (guint i = 0; i < GST_PE_BROKER_WINDOW; i++)
        if (handle->sent[i].id == 0)
            return &handle->sent[i];
    return NULL;
}

// What the broker has said before it ended the connection, such as that a
// record is too large, is worth more than that it has ended.
static void
read_last_words(GstPeMqttHandle *handle)
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
    GstPeMqttHandle *handle = data;
    GstPeMqttSent *sent = find_free(handle);

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
        return gst_pe_mqtt_handle_fail(handle, GST_PE_BROKER_UNSENDABLE,
                                       mosquitto_strerror(code), error);
    case MOSQ_ERR_QOS_NOT_SUPPORTED:
    case MOSQ_ERR_RETAIN_NOT_SUPPORTED:
        return gst_pe_mqtt_handle_fail(handle, GST_PE_BROKER_REFUSED,
                                       mosquitto_strerror(code), error);
    default:
        read_last_words(handle);
        return gst_pe_mqtt_handle_tell_end(handle, code, error);
    }
}

// What is still to be written, for a moment.
static void
write_rest(GstPeMqttHandle *handle)
{
    gint64 until = g_get_monotonic_time() + GOODBYE;
    struct pollfd fd = {-1, POLLOUT, 0};

    while (mosquitto_want_write(handle->mosq) &&
           (fd.fd = mosquitto_socket(handle->mosq)) >= 0 &&
           g_get_monotonic_time() < until && poll(&fd, 1, 20) >= 0)
        if (fd.revents && mosquitto_loop_write(handle->mosq, 1) != 0)
            return;
}

// States that are still to be sent, for a moment.
static void
publish_rest(GstPeMqttHandle *handle)
{
    gint64 until = g_get_monotonic_time() + GOODBYE;

    while (handle->states && gst_pe_mqtt_states_has_next(handle->states) &&
           mosquitto_socket(handle->mosq) >= 0 &&
           g_get_monotonic_time() < until) {
        write_rest(handle);
        gst_pe_mqtt_handle_publish_states(handle, MAX_STATES);
    }
}

// A client that says goodbye has no last will: it says so itself.
static void
close_connection(void *data, bool in_peace)
{
    GstPeMqttHandle *handle = data;

    if (in_peace && handle->is_connected) {
        gst_pe_mqtt_home_end(handle->settings->home);
        publish_rest(handle);
        gst_pe_mqtt_handle_publish_status(handle,
                                          handle->settings->status_offline, 0);
        write_rest(handle);
        mosquitto_disconnect(handle->mosq);
        write_rest(handle);
    }
    gst_pe_mqtt_handle_free(handle);
}

// ---- Home Assistant -------------------------------------------------------

static void
start(void *data, GstElement *element)
{
    GstPeMqttSettings *settings = data;

    settings->home = gst_pe_mqtt_home_new(settings, element);
}

static void
stop(void *data)
{
    GstPeMqttSettings *settings = data;

    g_clear_pointer(&settings->home, gst_pe_mqtt_home_free);
}

static void
take(void *data, const GstPeRecord *records, guint n)
{
    GstPeMqttSettings *settings = data;

    gst_pe_mqtt_home_take(settings->home, records, n);
}

static void
add_stats(const void *data, GstStructure *stats)
{
    const GstPeMqttSettings *settings = data;

    gst_pe_mqtt_home_add_stats(settings->home, stats);
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
    .start = start,
    .stop = stop,
    .take = take,
    .add_stats = add_stats,
    .check = gst_pe_mqtt_settings_check,
    .append_topic = gst_pe_mqtt_append_topic,
    .max_topic = 65535,
    .check_topic = gst_pe_mqtt_check_topic,
    .open = open_connection,
    .poll = poll_connection,
    .send = send_record,
    .close = close_connection,
};
