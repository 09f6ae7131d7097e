// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpekafkabroker.c - an idempotent producer of librdkafka, which connects,
// looks for brokers and sends in threads of its own. All that it tells comes
// through one queue, which the worker's thread empties in poll(). It would
// send again for ever: when no broker can be reached, or it can go on no more,
// the whole producer is thrown away.

#include "gst/kafka/gstpekafkabroker.h"

#include "core/pe.h"
#include "gst/kafka/gstpekafkaerrors.h"
#include "gst/kafka/gstpekafkasettings.h"

#include <errno.h>
#include <openssl/x509.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define GST_CAT_DEFAULT gst_pe_sink_debug

#define GOODBYE (G_USEC_PER_SEC / 5)
// Without any broker, while all addresses of each are tried.
#define MAX_DOWN G_USEC_PER_SEC
#define CONNECT_STEP 20 // ms between looks at whether a broker has answered
#define DOWN_STEP 100   // ms between looks at how long all have been away

typedef struct {
    gint64 id; // 0: free
} Sent;

typedef struct {
    const GstPeBrokerEvents *events;
    GstElement *element; // a reference: threads of librdkafka may outlive it
    char *servers;
    rd_kafka_t *producer;
    rd_kafka_queue_t *queue;
    int fd; // can be read when there is something in the queue
    bool is_connected;
    gint64 down_at;         // monotonic us; 0: a broker can be reached
    gint64 moved_at;        // the same: of the last answer or first record
    GstPeBrokerResult ends; // not OK: why it must end
    char *reason;           // of that; or what librdkafka said last
    Sent sent[GST_PE_BROKER_WINDOW];
    guint n_sent;

    GMutex lock; // of what librdkafka's threads and the last one touch
    GCond ended;
    char *certificate; // what is wrong with a broker's
    bool has_ended, is_abandoned;
} Handle;

static GstPeBrokerResult
fail(const Handle *handle, GstPeBrokerResult result, const char *words,
     GError **error)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FILE, "Kafka at %s: %s",
                handle->servers, words);
    return result;
}

static void
note(Handle *handle, const char *reason)
{
    if (handle->ends != GST_PE_BROKER_OK)
        return;
    g_free(handle->reason);
    handle->reason = g_strdup(reason);
}

// The first reason counts.
static void
end(Handle *handle, GstPeBrokerResult result, const char *reason)
{
    note(handle, reason);
    if (handle->ends == GST_PE_BROKER_OK)
        handle->ends = result;
}

// ---- What librdkafka says -------------------------------------------------

static void
on_delivery(rd_kafka_t *producer, const rd_kafka_message_t *message, void *data)
{
    Handle *handle = data;
    Sent *sent = message->_private;
    gint64 id = sent->id;
    GstPeBrokerResult result = gst_pe_kafka_errors_of_record(message->err);
    const char *words = rd_kafka_err2str(message->err);

    if (result == GST_PE_BROKER_OK || result == GST_PE_BROKER_UNSENDABLE) {
        sent->id = 0;
        handle->n_sent--;
        handle->down_at = 0;
        handle->moved_at = g_get_monotonic_time();
        handle->events->answered(handle->events->worker, id, result,
                                 result == GST_PE_BROKER_OK ? NULL : words);
        return;
    }
    g_autofree char *reason = g_strdup_printf(
        "topic %s: %s", rd_kafka_topic_name(message->rkt), words);
    end(handle, result, reason);
}

// Some are of a single connection, which librdkafka tries again.
static void
on_error(rd_kafka_t *producer, int code, const char *reason, void *data)
{
    Handle *handle = data;

    GST_DEBUG_OBJECT(handle->element, "%s: %s", rd_kafka_err2name(code),
                     reason);
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        return; // poll() asks for it
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
        if (handle->down_at == 0)
            handle->down_at = g_get_monotonic_time();
        return;
    }
    GstPeBrokerResult result = gst_pe_kafka_errors_is_alert(reason)
                                   ? GST_PE_BROKER_REFUSED
                                   : gst_pe_kafka_errors_of_producer(code);
    if (result == GST_PE_BROKER_REFUSED)
        end(handle, result, reason);
    else
        note(handle, reason);
}

// Holds no credentials: those are not written by librdkafka's "debug" either,
// as far as set_debug() asks for it.
static void
on_log(const rd_kafka_t *producer, int level, const char *facility,
       const char *text)
{
    Handle *handle = rd_kafka_opaque(producer);

    GST_LOG_OBJECT(handle->element, "%s: %s", facility, text);
}

// On a thread of librdkafka. Keeps what was wrong at first, with whose
// certificate.
static int
on_certificate(rd_kafka_t *producer, const char *broker, int32_t number,
               int *reason, int depth, const char *bytes, size_t size,
               char *words, size_t words_size, void *data)
{
    Handle *handle = data;
    const unsigned char *at = (const unsigned char *)bytes;

    if (*reason == X509_V_OK)
        return 1;
    X509 *certificate = d2i_X509(NULL, &at, (long)size);
    char *described = gst_pe_certificates_describe(certificate, *reason);
    X509_free(certificate);
    g_strlcpy(words, described, words_size);
    g_mutex_lock(&handle->lock);
    if (handle->certificate)
        g_free(described);
    else
        handle->certificate = described;
    g_mutex_unlock(&handle->lock);
    return 0;
}

// ---- Connect --------------------------------------------------------------

static void
set_debug(rd_kafka_conf_t *conf)
{
    if (gst_debug_category_get_threshold(gst_pe_sink_debug) >= GST_LEVEL_TRACE)
        rd_kafka_conf_set(conf, "debug", "broker,topic,eos", NULL, 0);
}

// What comes into the queue makes the file readable.
static void
watch_queue(Handle *handle)
{
    static const guint64 one = 1;

    rd_kafka_set_log_queue(handle->producer, NULL);
    handle->queue = rd_kafka_queue_get_main(handle->producer);
    rd_kafka_queue_io_event_enable(handle->queue, handle->fd, &one, sizeof one);
}

static void
free_handle(Handle *handle)
{
    close(handle->fd);
    gst_object_unref(handle->element);
    g_mutex_clear(&handle->lock);
    g_cond_clear(&handle->ended);
    g_free(handle->certificate);
    g_free(handle->servers);
    g_free(handle->reason);
    g_free(handle);
}

static void *
open_connection(const void *data, const GstPeBrokerEvents *events,
                GstElement *element, GCancellable *cancellable,
                GstPeBrokerResult *result, GError **error)
{
    const GstPeKafkaSettings *settings = data;
    Handle *handle = g_new0(Handle, 1);
    char words[512];

    handle->events = events;
    handle->element = gst_object_ref(element);
    handle->servers = g_strdup(settings->servers);
    handle->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g_mutex_init(&handle->lock);
    g_cond_init(&handle->ended);
    *result = GST_PE_BROKER_REFUSED;
    rd_kafka_conf_t *conf = gst_pe_kafka_settings_configure(settings, error);
    if (conf) {
        set_debug(conf);
        rd_kafka_conf_set_opaque(conf, handle);
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
        rd_kafka_conf_set_error_cb(conf, on_error);
        rd_kafka_conf_set_log_cb(conf, on_log);
        if (gst_pe_certificates_are_wanted(&settings->files))
            rd_kafka_conf_set_ssl_cert_verify_cb(conf, on_certificate);
        handle->producer =
            rd_kafka_new(RD_KAFKA_PRODUCER, conf, words, sizeof words);
    }
    if (handle->producer) {
        watch_queue(handle);
        return handle;
    }
    if (conf) {
        fail(handle, *result, words, error);
        rd_kafka_conf_destroy(conf);
    }
    free_handle(handle);
    return NULL;
}

// ---- Poll -----------------------------------------------------------------

// A broker has told who is there: librdkafka asks on its own, so that nothing
// waits here.
static bool
has_answer(Handle *handle)
{
    char *cluster = rd_kafka_clusterid(handle->producer, 0);
    bool is_known = cluster || rd_kafka_controllerid(handle->producer, 0) >= 0;

    if (cluster)
        rd_kafka_mem_free(handle->producer, cluster);
    return is_known;
}

static void
look_for_answer(Handle *handle)
{
    if (handle->is_connected || handle->ends != GST_PE_BROKER_OK ||
        !has_answer(handle))
        return;
    handle->is_connected = true;
    handle->down_at = 0;
    handle->events->connected(handle->events->worker);
}

// The producer goes on no more.
static GstPeBrokerResult
tell_fatal(Handle *handle, rd_kafka_resp_err_t code, const char *words,
           GError **error)
{
    if (gst_pe_kafka_errors_is_loss(code))
        handle->events->forgot(handle->events->worker, words);
    return fail(handle, gst_pe_kafka_errors_of_producer(code), words, error);
}

static bool
is_down_for_too_long(const Handle *handle)
{
    gint64 since = MAX(handle->down_at, handle->moved_at);

    return handle->down_at != 0 &&
           (!handle->is_connected || handle->n_sent > 0) &&
           g_get_monotonic_time() - since > MAX_DOWN;
}

static GstPeBrokerResult
tell_end(Handle *handle, GError **error)
{
    char words[512];
    rd_kafka_resp_err_t code =
        rd_kafka_fatal_error(handle->producer, words, sizeof words);

    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        return tell_fatal(handle, code, words, error);
    g_mutex_lock(&handle->lock);
    g_autofree char *certificate = g_strdup(handle->certificate);
    g_mutex_unlock(&handle->lock);
    if (certificate)
        return fail(handle, GST_PE_BROKER_REFUSED, certificate, error);
    if (handle->ends != GST_PE_BROKER_OK)
        return fail(handle, handle->ends, handle->reason, error);
    if (is_down_for_too_long(handle))
        return fail(handle, GST_PE_BROKER_LOST,
                    handle->reason ? handle->reason
                                   : "no broker can be reached",
                    error);
    return GST_PE_BROKER_OK;
}

static GstPeBrokerResult
poll_connection(void *data, int wake_fd, int timeout, GError **error)
{
    Handle *handle = data;
    struct pollfd fds[2] = {{handle->fd, POLLIN, 0}, {wake_fd, POLLIN, 0}};
    guint64 n;

    if (!handle->is_connected)
        timeout = MIN(timeout, CONNECT_STEP);
    else if (handle->down_at != 0 && handle->n_sent > 0)
        timeout = MIN(timeout, DOWN_STEP);
    poll(fds, 2, timeout);
    while (read(handle->fd, &n, sizeof n) < 0 && errno == EINTR)
        ;
    rd_kafka_poll(handle->producer, 0);
    look_for_answer(handle);
    return tell_end(handle, error);
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

// By name alone, librdkafka asks only within the next second where a new topic
// is.
static rd_kafka_resp_err_t
produce(Handle *handle, const GstPeRecord *record, Sent *sent)
{
    rd_kafka_topic_t *topic =
        rd_kafka_topic_new(handle->producer, record->topic, NULL);

    if (!topic)
        return rd_kafka_last_error();
    rd_kafka_resp_err_t code =
        rd_kafka_producev(handle->producer, RD_KAFKA_V_RKT(topic),
                          RD_KAFKA_V_KEY(record->key, strlen(record->key)),
                          RD_KAFKA_V_VALUE((void *)record->data, record->size),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_OPAQUE(sent), RD_KAFKA_V_END);
    rd_kafka_topic_destroy(topic);
    return code;
}

static GstPeBrokerResult
send_record(void *data, const GstPeRecord *record, GError **error)
{
    Handle *handle = data;
    Sent *sent = find_free(handle);

    if (!sent)
        return GST_PE_BROKER_BUSY;
    rd_kafka_resp_err_t code = produce(handle, record, sent);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (handle->n_sent++ == 0)
            handle->moved_at = g_get_monotonic_time();
        sent->id = record->id;
        return GST_PE_BROKER_OK;
    }
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return GST_PE_BROKER_BUSY;
    if (code == RD_KAFKA_RESP_ERR__FATAL)
        return tell_end(handle, error);
    g_autofree char *words =
        g_strdup_printf("topic %s: %s", record->topic, rd_kafka_err2str(code));
    return fail(handle, gst_pe_kafka_errors_of_record(code), words, error);
}

// librdkafka waits for its threads, one of which may wait for a name server.
static void *
destroy_producer(void *data)
{
    Handle *handle = data;

    rd_kafka_queue_destroy(handle->queue);
    rd_kafka_destroy(handle->producer);
    g_mutex_lock(&handle->lock);
    bool is_abandoned = handle->is_abandoned;
    handle->has_ended = true;
    g_cond_signal(&handle->ended);
    g_mutex_unlock(&handle->lock);
    if (is_abandoned)
        free_handle(handle);
    return NULL;
}

// What is still on its way may yet arrive: it counts as not sent.
static void
close_connection(void *data, bool in_peace)
{
    Handle *handle = data;
    gint64 until = g_get_monotonic_time() + GOODBYE;
    bool in_time = true;

    rd_kafka_queue_io_event_enable(handle->queue, -1, NULL, 0);
    rd_kafka_purge(handle->producer, RD_KAFKA_PURGE_F_QUEUE |
                                         RD_KAFKA_PURGE_F_INFLIGHT |
                                         RD_KAFKA_PURGE_F_NON_BLOCKING);
    GThread *thread = g_thread_new("pekafkasink-end", destroy_producer, handle);
    g_mutex_lock(&handle->lock);
    while (!handle->has_ended && in_time)
        in_time = g_cond_wait_until(&handle->ended, &handle->lock, until);
    bool has_ended = handle->has_ended;
    handle->is_abandoned = !has_ended;
    g_mutex_unlock(&handle->lock);
    if (!has_ended) {
        GST_DEBUG_OBJECT(handle->element, "librdkafka takes its time to end");
        g_thread_unref(thread);
        return;
    }
    g_thread_join(thread);
    free_handle(handle);
}

const GstPeBroker gst_pe_kafka_broker = {
    .type_name = "GstPeKafkaSink",
    .element_name = "pekafkasink",
    .long_name = "Sink of JSON lines to Kafka",
    .description = "Sends each line of a JSON stream to Apache Kafka, at least "
                   "once",
    .default_topic = "pe",
    .rows = gst_pe_kafka_rows,
    .n_rows = GST_PE_KAFKA_N_ROWS,
    .settings_size = sizeof(GstPeKafkaSettings),
    .check = gst_pe_kafka_settings_check,
    .append_topic = gst_pe_kafka_append_topic,
    .max_topic = GST_PE_KAFKA_MAX_TOPIC,
    .check_topic = gst_pe_kafka_check_topic,
    .open = open_connection,
    .poll = poll_connection,
    .send = send_record,
    .close = close_connection,
};
