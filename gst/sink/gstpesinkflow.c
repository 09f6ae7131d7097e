// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpesinkflow.c - what comes to a sink, and what its worker tells of it. What
// comes is in the spool before render() returns. The events' tables and two of
// the class's functions are all that gstpesink.c uses.

#include "gst/sink/gstpesink_private.h"

#include "core/pe.h"

#define GST_CAT_DEFAULT gst_pe_sink_debug

// ---- What the worker tells ------------------------------------------------

static void
notify(GstPeSink *self)
{
    g_mutex_lock(&self->lock);
    g_cond_broadcast(&self->changed);
    g_mutex_unlock(&self->lock);
}

static void
take_moved(void *owner)
{
    notify(owner);
}

static void
take_warning(void *owner, const char *message)
{
    GST_ELEMENT_WARNING((GstPeSink *)owner, RESOURCE, WRITE, ("%s", message),
                        (NULL));
}

static void
take_connection(void *owner, GstPeConnection connection, const char *reason,
                gint64 retry_in, bool is_news)
{
    static const char *const names[] = {
        [GST_PE_CONNECTION_CONNECTING] = "connecting",
        [GST_PE_CONNECTION_CONNECTED] = "connected",
        [GST_PE_CONNECTION_LOST] = "lost",
        [GST_PE_CONNECTION_CLOSED] = "closed",
    };
    GstPeSink *self = owner;
    GstStructure *s =
        gst_structure_new(gst_pe_sink_get_table(self)->broker->element_name,
                          "connection", G_TYPE_STRING, names[connection], NULL);

    if (reason)
        gst_structure_set(s, "reason", G_TYPE_STRING, reason, "retry-in",
                          G_TYPE_UINT64, (guint64)retry_in * GST_USECOND, NULL);
    GST_INFO_OBJECT(self, "%" GST_PTR_FORMAT, s);
    gst_element_post_message(GST_ELEMENT(self),
                             gst_message_new_element(GST_OBJECT(self), s));
    if (connection == GST_PE_CONNECTION_LOST && is_news)
        GST_ELEMENT_WARNING(self, RESOURCE, OPEN_WRITE,
                            ("%s; tried again", reason), (NULL));
    notify(self);
}

// After the first error, others follow from it.
static void
post_error(GstPeSink *self, const GError *error, bool refused)
{
    g_mutex_lock(&self->lock);
    bool is_first = !self->has_failed;
    self->has_failed = true;
    g_cond_broadcast(&self->changed);
    g_mutex_unlock(&self->lock);
    if (!is_first)
        return;
    if (refused)
        GST_ELEMENT_ERROR(self, RESOURCE, NOT_AUTHORIZED,
                          ("%s", error->message), (NULL));
    else
        GST_ELEMENT_ERROR(self, RESOURCE, WRITE, ("%s", error->message),
                          (NULL));
}

static void
take_failure(void *owner, const GError *error, bool refused)
{
    post_error(owner, error, refused);
}

// ---- Records --------------------------------------------------------------

static void
warn_of_full(GstPeSink *self, const char *what)
{
    if (self->warned_of_full)
        return;
    self->warned_of_full = true;
    GST_ELEMENT_WARNING(self, RESOURCE, NO_SPACE_LEFT,
                        ("%" G_GUINT64_FORMAT " records wait for the broker, "
                         "which is the limit: %s",
                         gst_pe_spool_get_counts(self->spool).n_waiting, what),
                        (NULL));
}

// Until records have gone or nothing may wait any more. Returns whether it
// makes sense to try again.
static bool
wait_for_room(GstPeSink *self)
{
    warn_of_full(self, "the stream waits");
    g_mutex_lock(&self->lock);
    gint64 until = g_get_monotonic_time() + G_USEC_PER_SEC / 10;
    if (!self->is_unlocked && !self->has_failed)
        g_cond_wait_until(&self->changed, &self->lock, until);
    bool is_unlocked = self->is_unlocked, has_failed = self->has_failed;
    g_mutex_unlock(&self->lock);
    if (has_failed)
        return false;
    return !is_unlocked ||
           gst_base_sink_wait_preroll(GST_BASE_SINK(self)) == GST_FLOW_OK;
}

// The spool's file is broken: it is put aside and the records go into a new
// one, once.
static bool
mend_spool(GstPeSink *self, GError **error)
{
    g_autofree char *words = gst_pe_spool_mend(self->spool, error);

    if (words)
        take_warning(self, words);
    return words != NULL;
}

// Records [n] as one group, or where that is too much for the spool one by one.
static bool
store(void *owner, const GstPeRecord *records, guint n)
{
    GstPeSink *self = owner;
    g_autoptr(GError) error = NULL;
    GstPeSpoolResult result = gst_pe_spool_add(self->spool, records, n, &error);

    if (result == GST_PE_SPOOL_FAILED && mend_spool(self, &error))
        result = gst_pe_spool_add(self->spool, records, n, &error);
    for (guint i = 0; n > 1 && result == GST_PE_SPOOL_FULL && i < n; i++)
        if (!store(self, &records[i], 1))
            return false;
    while (n == 1 && result == GST_PE_SPOOL_FULL) {
        if (!wait_for_room(self))
            return false;
        result = gst_pe_spool_add(self->spool, records, n, &error);
    }
    if (result == GST_PE_SPOOL_FAILED) {
        post_error(self, error, false);
        return false;
    }
    const GstPeBroker *broker = gst_pe_sink_get_table(self)->broker;
    if (result == GST_PE_SPOOL_ADDED && broker->take)
        broker->take(self->used_own, records, n);
    gst_pe_sink_worker_wake(self->worker);
    return true;
}

static void
refuse(void *owner, const GError *error)
{
    GstPeSink *self = owner;

    GST_WARNING_OBJECT(self, "a line is left out: %s", error->message);
    g_mutex_lock(&self->lock);
    self->n_refused++;
    g_mutex_unlock(&self->lock);
    if (!self->warned_of_refused)
        GST_ELEMENT_WARNING(
            self, STREAM, DECODE,
            ("a line is no record and is left out: %s", error->message),
            ("expected one JSON object a line; the next ones are only "
             "counted"));
    self->warned_of_refused = true;
}

static bool
has_failed(GstPeSink *self)
{
    g_mutex_lock(&self->lock);
    bool failed = self->has_failed;
    g_mutex_unlock(&self->lock);
    return failed;
}

static void
warn_of_dropped(GstPeSink *self)
{
    if (gst_pe_spool_get_counts(self->spool).n_dropped > 0)
        warn_of_full(self, "the oldest are dropped");
}

// With caps of JSON, each buffer has whole texts; bytes from a pipe or file
// are cut anywhere.
static bool
has_whole_texts(GstPeSink *self)
{
    g_autoptr(GstCaps) caps = gst_pad_get_current_caps(GST_BASE_SINK_PAD(self));

    if (!caps || gst_caps_is_any(caps) || gst_caps_is_empty(caps))
        return false;
    const char *name = gst_structure_get_name(gst_caps_get_structure(caps, 0));
    return g_str_equal(name, "application/x-json") ||
           g_str_equal(name, "text/x-json");
}

GstFlowReturn
gst_pe_sink_render(GstBaseSink *sink, GstBuffer *buffer)
{
    GstPeSink *self = (GstPeSink *)sink;
    GstMapInfo map;

    if (has_failed(self))
        return GST_FLOW_ERROR;
    if (!gst_buffer_map(buffer, &map, GST_MAP_READ)) {
        GST_ELEMENT_ERROR(self, RESOURCE, READ,
                          ("a buffer cannot be mapped for reading"), (NULL));
        return GST_FLOW_ERROR;
    }
    bool ok = gst_pe_intake_take(&self->intake, (const char *)map.data,
                                 map.size, has_whole_texts(self));
    gst_buffer_unmap(buffer, &map);
    warn_of_dropped(self);
    if (ok)
        return GST_FLOW_OK;
    return has_failed(self) ? GST_FLOW_ERROR : GST_FLOW_FLUSHING;
}

// ---- Events ---------------------------------------------------------------

void
gst_pe_sink_warn_of_waiting(GstPeSink *self)
{
    guint64 n = gst_pe_spool_get_counts(self->spool).n_waiting;
    const char *path = self->used.spool;

    if (n == 0)
        return;
    if (gst_pe_property_is_set(path))
        GST_ELEMENT_WARNING(self, RESOURCE, WRITE,
                            ("%" G_GUINT64_FORMAT " records did not reach the "
                             "broker yet and wait in %s",
                             n, path),
                            (NULL));
    else
        GST_ELEMENT_WARNING(self, RESOURCE, WRITE,
                            ("%" G_GUINT64_FORMAT " records did not reach the "
                             "broker in time and are lost when it stops: there "
                             "is no spool",
                             n),
                            (NULL));
}

// The end of the stream: wait for what is on its way.
static void
drain(GstPeSink *self)
{
    gint64 until =
        g_get_monotonic_time() + (gint64)self->used.drain_timeout * 1000;
    bool in_time = true;

    g_mutex_lock(&self->lock);
    while (in_time && !self->is_unlocked && !self->has_failed &&
           gst_pe_spool_get_counts(self->spool).n_waiting > 0)
        in_time = g_cond_wait_until(&self->changed, &self->lock, until);
    self->has_given_up = !in_time;
    g_mutex_unlock(&self->lock);
    if (!in_time)
        gst_pe_sink_warn_of_waiting(self);
}

gboolean
gst_pe_sink_event(GstBaseSink *sink, GstEvent *event)
{
    GstPeSink *self = (GstPeSink *)sink;

    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_EOS:
        gst_pe_intake_end(&self->intake);
        drain(self);
        break;
    case GST_EVENT_FLUSH_STOP:
    case GST_EVENT_STREAM_START:
        gst_pe_intake_flush(&self->intake);
        break;
    default:
        break;
    }
    return gst_pe_sink_get_parent_class(self)->event(sink, event);
}

const GstPeIntakeEvents gst_pe_sink_intake_events = {NULL, store, refuse};
const GstPeSinkWorkerEvents gst_pe_sink_worker_events = {
    NULL, take_connection, take_moved, take_warning, take_failure};
