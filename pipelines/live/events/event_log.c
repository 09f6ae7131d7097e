// SPDX-License-Identifier: LGPL-2.1-or-later
//
// event_log.c - see event_log.h.

#include "event_log.h"

#define MAX_EVENTS 1000

static void
free_event(gpointer data)
{
    LoggedEvent *event = data;
    gst_pe_result_unref(event->result);
    g_free(event->label);
    g_free(event->title);
    g_free(event);
}

void
event_log_clear(EventLog *log)
{
    g_queue_clear_full(&log->events, free_event);
}

bool
event_log_is_over(const LoggedEvent *event)
{
    return event->phase == GST_PE_EVENT_END;
}

// The element's name is another one after each restart.
static LoggedEvent *
find(EventLog *log, const GstPeResult *result, guint64 id)
{
    for (GList *l = log->events.tail; l; l = l->prev) {
        LoggedEvent *event = l->data;
        if (event->id == id && !event_log_is_over(event) &&
            g_strcmp0(gst_pe_result_get_element(event->result),
                      gst_pe_result_get_element(result)) == 0)
            return event;
    }
    return NULL;
}

static void
forget_old(EventLog *log)
{
    gint64 limit = g_get_real_time() - EVENT_LOG_TIME;
    LoggedEvent *event;
    while ((event = g_queue_peek_head(&log->events)) &&
           (g_queue_get_length(&log->events) > MAX_EVENTS ||
            (event_log_is_over(event) && event->end < limit)))
        free_event(g_queue_pop_head(&log->events));
}

// The program's own count, which also tells events of two runs apart.
static guint64
make_serial(void)
{
    static guint64 last;
    last = MAX((guint64)g_get_real_time(), last + 1);
    return last;
}

static LoggedEvent *
append(EventLog *log, GstPeResult *result, const GstPeLabelEvent *source)
{
    LoggedEvent *event = g_new0(LoggedEvent, 1);
    event->serial = make_serial();
    event->result = gst_pe_result_ref(result);
    event->id = source->id;
    event->label = g_strdup(source->label);
    event->title = gst_pe_result_title_label(result, source->label);
    g_queue_push_tail(&log->events, event);
    forget_old(log);
    return event;
}

// Frames without a time of their own are from now.
static gint64
to_unix_time(GstClockTime wall)
{
    return GST_CLOCK_TIME_IS_VALID(wall) ? (gint64)(wall / GST_USECOND)
                                         : g_get_real_time();
}

const LoggedEvent *
event_log_add(EventLog *log, GstPeResult *result, guint index)
{
    const GstPeLabelEvent *source = gst_pe_result_get_event(result, index);
    LoggedEvent *event = find(log, result, source->id);
    if (!event)
        event = append(log, result, source);
    gst_pe_result_ref(result);
    gst_pe_result_unref(event->result);
    event->result = result;
    event->start = to_unix_time(source->wall_start);
    event->end = to_unix_time(source->wall_end);
    event->peak_score = source->peak_score;
    event->phase = source->phase;
    return event;
}

const LoggedEvent *
event_log_end_next(EventLog *log)
{
    for (GList *l = log->events.head; l; l = l->next) {
        LoggedEvent *event = l->data;
        if (event_log_is_over(event))
            continue;
        event->phase = GST_PE_EVENT_END;
        return event;
    }
    return NULL;
}
