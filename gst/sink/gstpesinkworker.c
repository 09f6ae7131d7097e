// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpesinkworker.c - see gstpesinkworker.h.

#include "gst/sink/gstpesinkworker.h"

#include "core/pe.h"
#include "gst/sink/gstpebackoff.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define GST_CAT_DEFAULT gst_pe_sink_debug

#define LONGEST_WAIT (G_USEC_PER_SEC / 2)
#define LONGEST_HOLD (G_USEC_PER_SEC / 10) // of answers that are not stored
// Connections in a row that the broker ends while the same record is the first
// on its way: then it is the record that the broker does not bear.
#define MAX_SUSPICIONS 5

typedef struct {
    gint64 id;
    gint64 sent_at; // monotonic us
    bool is_answered;
} OnTheWay;

struct GstPeSinkWorker {
    const GstPeBroker *broker;
    const void *settings;
    GstPeSpool *spool;
    GstElement *element;
    gint64 timeout;
    GstPeSinkWorkerEvents events;
    GstPeBrokerEvents broker_events;
    GCancellable *cancellable;
    int wake_fd;
    GThread *thread;

    GMutex lock;
    GCond ended_cond;
    bool is_quitting, has_ended;
    gint64 quit_at; // monotonic us
    bool is_connected;
    guint64 n_connections, n_forgotten;

    // Of the thread.
    void *handle;
    gint64 opened_at, retry_at; // monotonic us
    GstPeBackoff backoff;
    bool was_connected; // at some time
    bool is_lost;       // since then, and that was told
    GPtrArray *batch;   // GstPeRecord that were peeked at
    guint next;         // the first of them that was not sent
    gint64 after;       // id of the last that was peeked at
    OnTheWay window[GST_PE_BROKER_WINDOW]; // oldest first
    guint n_on_the_way;
    gint64 suspect; // id
    guint n_suspicions;
    bool warned_of_parked;
    GError *failure; // of the spool: the end
};

// ---- The spool ------------------------------------------------------------

// A broken file is put aside, and an empty one goes on. What else went wrong
// with it ends the worker. Takes the error.
static void
take_failure(GstPeSinkWorker *worker, GError *error)
{
    g_autofree char *words = gst_pe_spool_mend(worker->spool, &error);

    if (words)
        worker->events.warn(worker->events.owner, words);
    else if (worker->failure)
        g_error_free(error);
    else
        worker->failure = error;
}

static void
park(GstPeSinkWorker *worker, gint64 id, const char *reason)
{
    GError *error = NULL;

    GST_WARNING_OBJECT(worker->element, "record %" G_GINT64_FORMAT ": %s", id,
                       reason);
    if (!gst_pe_spool_park(worker->spool, id, reason, &error)) {
        take_failure(worker, error);
        return;
    }
    if (!worker->warned_of_parked) {
        g_autofree char *words = g_strdup_printf(
            "a record cannot be sent and is set aside: %s", reason);
        worker->events.warn(worker->events.owner, words);
    }
    worker->warned_of_parked = true;
}

// How many have arrived, of those on the way, without a gap.
static guint
count_answered(const GstPeSinkWorker *worker)
{
    guint n = 0;

    while (n < worker->n_on_the_way && worker->window[n].is_answered)
        n++;
    return n;
}

// More answers will come soon, and can be stored together with these.
static bool
may_hold(const GstPeSinkWorker *worker)
{
    return worker->n_on_the_way == GST_PE_BROKER_WINDOW &&
           count_answered(worker) < GST_PE_BROKER_WINDOW / 2;
}

// Remove those that have arrived, in order.
static void
acknowledge(GstPeSinkWorker *worker)
{
    GError *error = NULL;
    guint n = count_answered(worker);

    if (n == 0)
        return;
    if (!gst_pe_spool_acknowledge(worker->spool, worker->window[n - 1].id,
                                  &error))
        take_failure(worker, error);
    worker->n_on_the_way -= n;
    memmove(worker->window, worker->window + n,
            worker->n_on_the_way * sizeof *worker->window);
    worker->n_suspicions = 0;
    gst_pe_backoff_reset(&worker->backoff);
    worker->events.moved(worker->events.owner);
}

// Borrowed; NULL: none waits.
static const GstPeRecord *
get_next(GstPeSinkWorker *worker)
{
    GError *error = NULL;

    if (worker->batch && worker->next < worker->batch->len)
        return worker->batch->pdata[worker->next];
    g_clear_pointer(&worker->batch, g_ptr_array_unref);
    worker->next = 0;
    worker->batch = gst_pe_spool_peek(worker->spool, worker->after,
                                      GST_PE_BROKER_WINDOW, &error);
    if (!worker->batch) {
        take_failure(worker, error);
        return NULL;
    }
    if (worker->batch->len == 0)
        return NULL;
    const GstPeRecord *last = worker->batch->pdata[worker->batch->len - 1];
    worker->after = last->id;
    return worker->batch->pdata[0];
}

// All that is not acknowledged is sent again.
static void
rewind_spool(GstPeSinkWorker *worker)
{
    g_clear_pointer(&worker->batch, g_ptr_array_unref);
    worker->next = 0;
    worker->after = 0;
    worker->n_on_the_way = 0;
    gst_pe_spool_rewind(worker->spool);
}

// ---- The connection -------------------------------------------------------

static void
set_connected(GstPeSinkWorker *worker, bool is_connected)
{
    g_mutex_lock(&worker->lock);
    worker->is_connected = is_connected;
    worker->n_connections += is_connected;
    g_mutex_unlock(&worker->lock);
}

static void
handle_connected(void *data)
{
    GstPeSinkWorker *worker = data;

    set_connected(worker, true);
    worker->was_connected = true;
    worker->events.connection(worker->events.owner, GST_PE_CONNECTION_CONNECTED,
                              NULL, 0, true);
    worker->is_lost = false;
}

static void
handle_answer(void *data, gint64 id, GstPeBrokerResult result,
              const char *reason)
{
    GstPeSinkWorker *worker = data;

    for (guint i = 0; i < worker->n_on_the_way; i++) {
        if (worker->window[i].id != id || worker->window[i].is_answered)
            continue;
        worker->window[i].is_answered = true;
        if (result == GST_PE_BROKER_UNSENDABLE)
            park(worker, id, reason);
    }
}

static void
handle_loss(void *data, const char *reason)
{
    GstPeSinkWorker *worker = data;
    g_autofree char *words = g_strdup_printf(
        "the broker may have lost records that it had acknowledged: %s",
        reason);

    g_mutex_lock(&worker->lock);
    worker->n_forgotten++;
    g_mutex_unlock(&worker->lock);
    worker->events.warn(worker->events.owner, words);
}

// The broker closes the connection each time that it gets the same record.
static void
suspect_first(GstPeSinkWorker *worker)
{
    if (worker->n_on_the_way == 0 || !worker->broker->hangs_up_on_records)
        return;
    gint64 id = worker->window[0].id;
    worker->n_suspicions = id == worker->suspect ? worker->n_suspicions + 1 : 1;
    worker->suspect = id;
    if (worker->n_suspicions < MAX_SUSPICIONS)
        return;
    worker->n_suspicions = 0;
    park(worker, id, "the broker ends the connection whenever it gets it");
}

// The handle is of no use any more. Takes the error.
static void
end_connection(GstPeSinkWorker *worker, GstPeBrokerResult result, GError *error)
{
    acknowledge(worker);
    if (worker->handle)
        worker->broker->close(worker->handle, false);
    worker->handle = NULL;
    set_connected(worker, false);
    if (result == GST_PE_BROKER_REFUSED && !worker->was_connected) {
        worker->events.failed(worker->events.owner, error, true);
        g_mutex_lock(&worker->lock);
        worker->is_quitting = true;
        worker->quit_at = 0;
        g_mutex_unlock(&worker->lock);
    } else {
        gint64 wait = gst_pe_backoff_next(&worker->backoff);
        worker->retry_at = g_get_monotonic_time() + wait;
        worker->events.connection(worker->events.owner, GST_PE_CONNECTION_LOST,
                                  error->message, wait, !worker->is_lost);
        worker->is_lost = true;
    }
    g_error_free(error);
    rewind_spool(worker);
}

static void
open_connection(GstPeSinkWorker *worker)
{
    GstPeBrokerResult result = GST_PE_BROKER_LOST;
    GError *error = NULL;

    worker->events.connection(worker->events.owner,
                              GST_PE_CONNECTION_CONNECTING, NULL, 0, false);
    worker->opened_at = g_get_monotonic_time();
    worker->handle = worker->broker->open(
        worker->settings, &worker->broker_events, worker->element,
        worker->cancellable, &result, &error);
    if (!worker->handle)
        end_connection(worker, result, error);
}

// us until an answer is late.
static gint64
get_patience(GstPeSinkWorker *worker, bool is_connected)
{
    gint64 since = is_connected ? worker->n_on_the_way > 0
                                      ? worker->window[0].sent_at
                                      : G_MAXINT64 - worker->timeout
                                : worker->opened_at;
    return since + worker->timeout - g_get_monotonic_time();
}

// Hand out records until enough are on their way. Returns LOST and so on with
// the error.
static GstPeBrokerResult
send_records(GstPeSinkWorker *worker, GError **error)
{
    GstPeBrokerResult result = GST_PE_BROKER_OK;
    const GstPeRecord *record;

    while (result == GST_PE_BROKER_OK && !worker->failure &&
           worker->n_on_the_way < GST_PE_BROKER_WINDOW &&
           (record = get_next(worker))) {
        // The answer may come at once.
        worker->window[worker->n_on_the_way++] =
            (OnTheWay){record->id, g_get_monotonic_time(), false};
        result = worker->broker->send(worker->handle, record, error);
        if (result == GST_PE_BROKER_UNSENDABLE) {
            handle_answer(worker, record->id, result, (*error)->message);
            g_clear_error(error);
            result = GST_PE_BROKER_OK;
        }
        if (result == GST_PE_BROKER_OK)
            worker->next++;
        else
            worker->n_on_the_way--;
    }
    return result == GST_PE_BROKER_BUSY ? GST_PE_BROKER_OK : result;
}

static void
step(GstPeSinkWorker *worker)
{
    g_autoptr(GError) error = NULL;
    bool is_connected = gst_pe_sink_worker_is_connected(worker);
    gint64 patience = get_patience(worker, is_connected);
    guint n_held = count_answered(worker);
    gint64 wait = CLAMP(patience, 0, n_held > 0 ? LONGEST_HOLD : LONGEST_WAIT);
    GstPeBrokerResult result = worker->broker->poll(
        worker->handle, worker->wake_fd, (int)(wait / 1000 + 1), &error);

    if (result != GST_PE_BROKER_OK || !may_hold(worker) ||
        count_answered(worker) == n_held)
        acknowledge(worker);
    is_connected = gst_pe_sink_worker_is_connected(worker);
    if (result == GST_PE_BROKER_OK && is_connected)
        result = send_records(worker, &error);
    if (result == GST_PE_BROKER_LOST && is_connected)
        suspect_first(worker);
    if (result == GST_PE_BROKER_OK && get_patience(worker, is_connected) <= 0) {
        result = GST_PE_BROKER_LOST;
        g_set_error(&error, PE_ERROR, PE_ERROR_FILE,
                    "no answer of the broker within %" G_GINT64_FORMAT " s",
                    worker->timeout / G_USEC_PER_SEC);
    }
    if (!may_hold(worker))
        acknowledge(worker);
    if (result != GST_PE_BROKER_OK)
        end_connection(worker, result, g_steal_pointer(&error));
}

// ---- The thread -----------------------------------------------------------

static void
empty_wake_fd(GstPeSinkWorker *worker)
{
    guint64 n;

    while (read(worker->wake_fd, &n, sizeof n) < 0 && errno == EINTR)
        ;
}

static void
wait_for_retry(GstPeSinkWorker *worker)
{
    gint64 wait = worker->retry_at - g_get_monotonic_time();
    struct pollfd fd = {worker->wake_fd, POLLIN, 0};

    // New records wake it, too; they do not make a broker come back.
    poll(&fd, 1, (int)(CLAMP(wait, 0, LONGEST_WAIT) / 1000 + 1));
}

static bool
should_end(GstPeSinkWorker *worker)
{
    g_mutex_lock(&worker->lock);
    bool is_quitting = worker->is_quitting;
    gint64 quit_at = worker->quit_at;
    g_mutex_unlock(&worker->lock);

    return worker->failure ||
           (is_quitting &&
            (!worker->handle || g_get_monotonic_time() >= quit_at ||
             gst_pe_spool_get_counts(worker->spool).n_waiting == 0));
}

static void *
run(void *data)
{
    GstPeSinkWorker *worker = data;
    sigset_t pipe;

    // OpenSSL writes to sockets that may be closed.
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    while (!should_end(worker)) {
        empty_wake_fd(worker);
        if (worker->handle)
            step(worker);
        else if (g_get_monotonic_time() < worker->retry_at)
            wait_for_retry(worker);
        else
            open_connection(worker);
    }
    bool is_connected = gst_pe_sink_worker_is_connected(worker);
    if (worker->handle)
        worker->broker->close(worker->handle, is_connected);
    set_connected(worker, false);
    rewind_spool(worker);
    if (worker->failure)
        worker->events.failed(worker->events.owner, worker->failure, false);
    worker->events.connection(worker->events.owner, GST_PE_CONNECTION_CLOSED,
                              NULL, 0, false);
    g_mutex_lock(&worker->lock);
    worker->has_ended = true;
    g_cond_signal(&worker->ended_cond);
    g_mutex_unlock(&worker->lock);
    return NULL;
}

// ---- From other threads ---------------------------------------------------

GstPeSinkWorker *
gst_pe_sink_worker_new(const GstPeBroker *broker, const void *settings,
                       GstPeSpool *spool, GstElement *element, gint64 timeout,
                       const GstPeSinkWorkerEvents *events)
{
    GstPeSinkWorker *worker = g_new0(GstPeSinkWorker, 1);

    worker->broker = broker;
    worker->settings = settings;
    worker->spool = spool;
    worker->element = element;
    worker->timeout = timeout;
    worker->events = *events;
    worker->broker_events = (GstPeBrokerEvents){worker, handle_connected,
                                                handle_answer, handle_loss};
    worker->cancellable = g_cancellable_new();
    worker->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g_mutex_init(&worker->lock);
    g_cond_init(&worker->ended_cond);
    worker->thread = g_thread_new(broker->element_name, run, worker);
    return worker;
}

static void
wake(GstPeSinkWorker *worker)
{
    guint64 one = 1;

    while (write(worker->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

// Whoever connects looks into the spool then.
void
gst_pe_sink_worker_wake(GstPeSinkWorker *worker)
{
    if (gst_pe_sink_worker_is_connected(worker))
        wake(worker);
}

void
gst_pe_sink_worker_free(GstPeSinkWorker *worker, gint64 patience)
{
    gint64 quit_at = g_get_monotonic_time() + patience;

    g_mutex_lock(&worker->lock);
    if (!worker->is_quitting)
        worker->quit_at = quit_at;
    worker->is_quitting = true;
    wake(worker);
    while (!worker->has_ended &&
           g_cond_wait_until(&worker->ended_cond, &worker->lock, quit_at))
        ;
    g_mutex_unlock(&worker->lock);
    // A name that is being looked up is not waited for.
    g_cancellable_cancel(worker->cancellable);
    g_thread_join(worker->thread);
    g_object_unref(worker->cancellable);
    g_clear_pointer(&worker->batch, g_ptr_array_unref);
    g_clear_error(&worker->failure);
    g_mutex_clear(&worker->lock);
    g_cond_clear(&worker->ended_cond);
    close(worker->wake_fd);
    g_free(worker);
}

bool
gst_pe_sink_worker_is_connected(GstPeSinkWorker *worker)
{
    g_mutex_lock(&worker->lock);
    bool is_connected = worker->is_connected;
    g_mutex_unlock(&worker->lock);
    return is_connected;
}

void
gst_pe_sink_worker_get_counts(GstPeSinkWorker *worker, guint64 *n_connections,
                              guint64 *n_forgotten)
{
    g_mutex_lock(&worker->lock);
    *n_connections = worker->n_connections;
    *n_forgotten = worker->n_forgotten;
    g_mutex_unlock(&worker->lock);
}
