// SPDX-License-Identifier: LGPL-2.1-or-later
//
// stream.c - see stream.h.

#include "stream.h"

// Of a file, of which a picture may be due once in a long while.
#define FILE_WATCHDOG (60 * G_USEC_PER_SEC)
#define RATE_PERIOD (2 * G_USEC_PER_SEC)

const double histogram_bounds[HISTOGRAM_BOUNDS] = {0.1, 0.25, 0.5, 1, 2.5,
                                                   5,   10,   30,  60};

static void on_event(Attempt *attempt, const AttemptEvent *event, void *data);

static void
tell_status(Stream *stream)
{
    stream->told = stream->supervisor.status;
    listeners_status(stream->listeners, stream);
}

static void
set_detail(Stream *stream, const char *text)
{
    g_free(stream->detail);
    stream->detail = g_strdup(text);
}

Stream *
stream_new(const LiveConfig *common, StreamConfig *config,
           StreamListeners *listeners, guint32 seed)
{
    Stream *stream = g_new0(Stream, 1);
    SupervisorLimits limits = config->limits;
    if (!address_is_live(config->address))
        limits.watchdog = MAX(limits.watchdog, FILE_WATCHDOG);
    stream->name = g_strdup(config->name);
    stream->config = config;
    stream->common = common;
    stream->listeners = listeners;
    stream->added = stream->rate_time = g_get_monotonic_time();
    supervisor_init(&stream->supervisor, &limits, seed, stream->added);
    return stream;
}

Stream *
stream_new_wrong(const char *name, const char *problem,
                 StreamListeners *listeners)
{
    const SupervisorLimits limits = SUPERVISOR_LIMITS;
    Stream *stream = g_new0(Stream, 1);
    stream->name = g_strdup(name);
    stream->listeners = listeners;
    stream->added = g_get_monotonic_time();
    supervisor_init(&stream->supervisor, &limits, 0, stream->added);
    supervisor_stop(&stream->supervisor, stream->added);
    stream->supervisor.reason = REASON_ERROR;
    stream->detail = address_redact(NULL, problem);
    return stream;
}

void
stream_free(Stream *stream)
{
    g_assert(stream->n_alive == 0);
    if (stream->config)
        stream_config_free(stream->config);
    supervisor_clear(&stream->supervisor);
    g_free(stream->name);
    g_free(stream->detail);
    g_clear_pointer(&stream->newest, gst_pe_result_unref);
    event_log_clear(&stream->events);
    g_free(stream);
}

// ---- What the supervisor decides --------------------------------------------

// What its events were is known until the last that they told.
static void
end_events(Stream *stream)
{
    const LoggedEvent *event;
    while ((event = event_log_end_next(&stream->events)))
        listeners_event(stream->listeners, stream, event);
}

static void
let_go(Stream *stream)
{
    end_events(stream);
    stream->n_frames_before += attempt_get_n_frames(stream->attempt);
    attempt_unref(stream->attempt);
    stream->attempt = NULL;
}

static void
tell_note(Stream *stream, const char *text)
{
    listeners_note(stream->listeners, stream, text);
}

static void
act(Stream *stream, Action action, bool drain)
{
    switch (action) {
    case DO_START:
        stream->attempt =
            attempt_new(stream->common, stream->config, on_event, stream);
        stream->n_alive++;
        break;
    case DO_STOP:
        attempt_stop(stream->attempt, drain);
        break;
    case DO_ABANDON:
        let_go(stream);
        tell_note(stream, "the old pipeline hangs and does not stop; the "
                          "stream goes on without it");
        break;
    case DO_NOTHING:
        break;
    }
}

static void
fault(Stream *stream, gint64 now, Reason reason, FaultKind kind,
      const char *detail)
{
    Action action = supervisor_fault(&stream->supervisor, now, reason, kind);
    if (action == DO_NOTHING)
        return;
    stream->fault_time = now;
    set_detail(stream, detail);
    act(stream, action, false);
    tell_status(stream);
}

static void
on_timeout(Stream *stream, gint64 now, Action action)
{
    g_autofree char *detail = g_strdup_printf(
        "no picture for %.1f s", (double)stream->supervisor.noticed / 1e6);
    stream->fault_time = now;
    set_detail(stream, detail);
    act(stream, action, false);
    tell_status(stream);
}

static void
measure_rate(Stream *stream, gint64 now)
{
    gint64 period = now - stream->rate_time;
    if (period < RATE_PERIOD)
        return;
    guint64 n = stream_get_n_frames(stream);
    stream->fps =
        (double)(n - stream->rate_frames) * G_USEC_PER_SEC / (double)period;
    stream->rate_frames = n;
    stream->rate_time = now;
}

void
stream_tick(Stream *stream, gint64 now)
{
    Supervisor *supervisor = &stream->supervisor;
    Attempt *attempt = stream->attempt;
    bool was_stuck = supervisor->stuck;
    bool was_open = supervisor->phase == PHASE_OPEN;
    Action action = supervisor_tick(
        supervisor, now, attempt ? attempt_get_prepared(attempt) : 0,
        attempt ? attempt_get_last_frame(attempt) : 0);
    if (was_open && action == DO_STOP)
        on_timeout(stream, now, action);
    else
        act(stream, action, false);
    if (supervisor->stuck && !was_stuck)
        tell_note(stream, "several old pipelines hang; the stream waits until "
                          "one of them ends");
    if (supervisor->status != stream->told)
        tell_status(stream);
    measure_rate(stream, now);
}

void
stream_stop(Stream *stream, bool drain)
{
    act(stream, supervisor_stop(&stream->supervisor, g_get_monotonic_time()),
        drain);
}

void
stream_set_labels(Stream *stream, const char *labels)
{
    g_hash_table_remove(stream->config->settings, "labels-file");
    g_hash_table_insert(stream->config->settings, g_strdup("labels"),
                        g_strdup(labels));
    if (stream->attempt)
        attempt_set_labels(stream->attempt, labels);
}

// ---- What attempts tell -----------------------------------------------------

static void
on_closed(Stream *stream, Attempt *attempt)
{
    stream->n_alive--;
    if (attempt == stream->attempt) {
        let_go(stream);
        supervisor_closed(&stream->supervisor);
    } else {
        supervisor_abandoned_closed(&stream->supervisor);
    }
}

static void
count_interval(Histogram *histogram, double seconds)
{
    int i = 0;
    while (i < HISTOGRAM_BOUNDS && seconds > histogram_bounds[i])
        i++;
    histogram->counts[i]++;
    histogram->sum += seconds;
}

static void
on_clip(Stream *stream, GstPeResult *result, gint64 time)
{
    if (stream->last_result)
        count_interval(&stream->intervals,
                       (double)(time - stream->last_result) / 1e6);
    stream->n_results++;
    stream->last_result = time;
    g_clear_pointer(&stream->newest, gst_pe_result_unref);
    stream->newest = gst_pe_result_ref(result);
}

static void
on_result(Stream *stream, GstPeResult *result, gint64 time)
{
    if (gst_pe_result_get_n_frames(result) > 0)
        on_clip(stream, result, time);
    listeners_result(stream->listeners, stream, result);
    for (guint i = 0; i < gst_pe_result_get_n_events(result); i++) {
        const LoggedEvent *event = event_log_add(&stream->events, result, i);
        listeners_event(stream->listeners, stream, event);
    }
}

static void
on_event(Attempt *attempt, const AttemptEvent *event, void *data)
{
    Stream *stream = data;
    switch (event->type) {
    case ATTEMPT_RESULT:
        on_result(stream, event->result, event->time);
        break;
    case ATTEMPT_LINE:
        listeners_line(stream->listeners, stream, event->text);
        break;
    case ATTEMPT_FAULT:
        if (attempt == stream->attempt)
            fault(stream, g_get_monotonic_time(), event->reason, event->kind,
                  event->text);
        break;
    case ATTEMPT_NOTE:
        tell_note(stream, event->text);
        break;
    case ATTEMPT_CLOSED:
        on_closed(stream, attempt);
        break;
    }
}

// ---- What is known ----------------------------------------------------------

bool
stream_is_done(const Stream *stream)
{
    return stream->supervisor.phase == PHASE_DONE;
}

bool
stream_has_failed(const Stream *stream)
{
    return stream->supervisor.status == STATUS_STOPPED &&
           (stream->supervisor.reason == REASON_ERROR ||
            stream->supervisor.reason == REASON_TIMEOUT) &&
           !stream->removed;
}

guint64
stream_get_n_frames(const Stream *stream)
{
    return stream->n_frames_before +
           (stream->attempt ? attempt_get_n_frames(stream->attempt) : 0);
}

const char *
stream_get_shown(const Stream *stream)
{
    return stream->config ? stream->config->address->shown : NULL;
}
