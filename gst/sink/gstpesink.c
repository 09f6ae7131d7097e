// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpesink.c - see gstpesink.h. What comes is put into the spool before
// render() returns; the worker sends it. docs/mqtt.md and docs/kafka.md say
// what is promised.

#include "gst/sink/gstpesink.h"

#include "core/pe.h"
#include "gst/sink/gstpesink_private.h"

GST_DEBUG_CATEGORY(gst_pe_sink_debug);
#define GST_CAT_DEFAULT gst_pe_sink_debug

#define MIB ((guint64)1 << 20)
#define MAX_LINE (16 * MIB)

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

// ---- Events and states ----------------------------------------------------

static gboolean
set_unlocked(GstPeSink *self, bool is_unlocked)
{
    g_mutex_lock(&self->lock);
    self->is_unlocked = is_unlocked;
    g_cond_broadcast(&self->changed);
    g_mutex_unlock(&self->lock);
    return TRUE;
}

static gboolean
unlock(GstBaseSink *sink)
{
    return set_unlocked((GstPeSink *)sink, true);
}

static gboolean
unlock_stop(GstBaseSink *sink)
{
    return set_unlocked((GstPeSink *)sink, false);
}

static void
copy_settings(GstPeSink *self)
{
    const GstPeSinkTable *table = gst_pe_sink_get_table(self);

    GST_OBJECT_LOCK(self);
    gst_pe_sink_table_copy(table, &self->settings, self->own, &self->used,
                           self->used_own);
    GST_OBJECT_UNLOCK(self);
}

static GstPeSpool *
open_spool(GstPeSink *self, GError **error)
{
    const GstPeSinkSettings *used = &self->used;
    bool on_disk = gst_pe_property_is_set(used->spool);
    guint limit = used->spool_limit > 0 ? used->spool_limit
                  : on_disk             ? 1024
                                        : 16;
    GstPeSpoolOptions options = {
        .path = on_disk ? used->spool : NULL,
        .limit = limit * MIB,
        .drop_oldest = used->spool_full == GST_PE_SPOOL_FULL_DROP_OLDEST,
        .sync = used->spool_sync == GST_PE_SPOOL_SYNC_FULL,
        .max_size = (guint64)used->max_record << 10,
    };
    g_autofree char *aside = NULL;
    GstPeSpool *spool = gst_pe_spool_open(&options, &aside, error);

    if (spool && aside)
        GST_ELEMENT_WARNING(self, RESOURCE, OPEN_READ_WRITE,
                            ("%s is no spool any more, and was renamed to %s",
                             used->spool, aside),
                            (NULL));
    return spool;
}

static bool
open_all(GstPeSink *self, GError **error)
{
    const GstPeBroker *broker = gst_pe_sink_get_table(self)->broker;
    GstPeSinkWorkerEvents worker_events = gst_pe_sink_worker_events;

    self->topic = gst_pe_topic_new(self->used.topic, broker, error);
    if (!self->topic || !broker->check(self->used_own, error))
        return false;
    GstPeSpool *spool = open_spool(self, error);
    if (!spool)
        return false;
    if (broker->start)
        broker->start(self->used_own, GST_ELEMENT(self));
    self->intake.topic = self->topic;
    self->intake.max_line = MAX(MAX_LINE, (gsize)self->used.max_record << 10);
    self->intake.events = gst_pe_sink_intake_events;
    self->intake.events.owner = self;
    gst_pe_intake_init(&self->intake);
    worker_events.owner = self;
    GST_OBJECT_LOCK(self);
    self->spool = spool;
    self->worker = gst_pe_sink_worker_new(
        broker, self->used_own, spool, GST_ELEMENT(self),
        (gint64)self->used.timeout * G_USEC_PER_SEC, &worker_events);
    GST_OBJECT_UNLOCK(self);
    return true;
}

static gboolean
start(GstBaseSink *sink)
{
    GstPeSink *self = (GstPeSink *)sink;
    g_autoptr(GError) error = NULL;

    self->has_failed = self->has_given_up = false;
    self->warned_of_full = self->warned_of_refused = false;
    self->n_refused = 0;
    copy_settings(self);
    if (open_all(self, &error))
        return TRUE;
    g_clear_pointer(&self->topic, gst_pe_topic_free);
    if (g_error_matches(error, PE_ERROR, PE_ERROR_FILE))
        GST_ELEMENT_ERROR(self, RESOURCE, OPEN_READ_WRITE,
                          ("%s", error->message), (NULL));
    else
        GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("%s", error->message),
                          (NULL));
    return FALSE;
}

static gboolean
stop(GstBaseSink *sink)
{
    GstPeSink *self = (GstPeSink *)sink;
    const GstPeBroker *broker = gst_pe_sink_get_table(self)->broker;

    gst_pe_sink_worker_free(
        self->worker,
        self->has_given_up ? 0 : (gint64)self->used.drain_timeout * 1000);
    if (!self->has_given_up)
        gst_pe_sink_warn_of_waiting(self);
    GST_OBJECT_LOCK(self);
    GstPeSpool *spool = self->spool;
    self->spool = NULL;
    self->worker = NULL;
    GST_OBJECT_UNLOCK(self);
    if (broker->stop)
        broker->stop(self->used_own);
    gst_pe_spool_close(spool);
    gst_pe_intake_clear(&self->intake);
    g_clear_pointer(&self->topic, gst_pe_topic_free);
    return TRUE;
}

// ---- Object ---------------------------------------------------------------

static GstStructure *
make_stats(const GstPeSpoolCounts *counts, guint64 n_refused)
{
    return gst_structure_new(
        "application/x-pe-sink-stats", "added", G_TYPE_UINT64, counts->n_added,
        "acknowledged", G_TYPE_UINT64, counts->n_acknowledged, "dropped",
        G_TYPE_UINT64, counts->n_dropped, "parked", G_TYPE_UINT64,
        counts->n_parked, "refused", G_TYPE_UINT64, n_refused, "waiting",
        G_TYPE_UINT64, counts->n_waiting, "bytes", G_TYPE_UINT64, counts->size,
        NULL);
}

static GstStructure *
get_stats(GstPeSink *self)
{
    const GstPeBroker *broker = gst_pe_sink_get_table(self)->broker;
    GstPeSpoolCounts counts = {0};
    bool is_connected = false;
    guint64 n_connections = 0, n_forgotten = 0;

    g_mutex_lock(&self->lock);
    guint64 n_refused = self->n_refused;
    g_mutex_unlock(&self->lock);
    GST_OBJECT_LOCK(self);
    if (self->spool) {
        counts = gst_pe_spool_get_counts(self->spool);
        is_connected = gst_pe_sink_worker_is_connected(self->worker);
        gst_pe_sink_worker_get_counts(self->worker, &n_connections,
                                      &n_forgotten);
    }
    GstStructure *stats = make_stats(&counts, n_refused);
    gst_structure_set(stats, "connections", G_TYPE_UINT64, n_connections,
                      "forgotten", G_TYPE_UINT64, n_forgotten, "connected",
                      G_TYPE_BOOLEAN, (gboolean)is_connected, NULL);
    if (self->spool && broker->add_stats)
        broker->add_stats(self->used_own, stats);
    GST_OBJECT_UNLOCK(self);
    return stats;
}

static void
set_property(GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
    GstPeSink *self = (GstPeSink *)object;

    GST_OBJECT_LOCK(self);
    gst_pe_sink_table_set(gst_pe_sink_get_table(self), id, &self->settings,
                          self->own, value);
    GST_OBJECT_UNLOCK(self);
}

static void
get_property(GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
    GstPeSink *self = (GstPeSink *)object;

    if (id == gst_pe_sink_get_table(self)->stats) {
        g_value_take_boxed(value, get_stats(self));
        return;
    }
    GST_OBJECT_LOCK(self);
    gst_pe_sink_table_get(gst_pe_sink_get_table(self), id, &self->settings,
                          self->own, value);
    GST_OBJECT_UNLOCK(self);
}

static void
finalize(GObject *object)
{
    GstPeSink *self = (GstPeSink *)object;
    const GstPeSinkTable *table = gst_pe_sink_get_table(self);
    GObjectClass *parent_class =
        (GObjectClass *)gst_pe_sink_get_parent_class(self);

    gst_pe_sink_table_clear(table, &self->settings, self->own);
    gst_pe_sink_table_clear(table, &self->used, self->used_own);
    g_free(self->own);
    g_free(self->used_own);
    g_mutex_clear(&self->lock);
    g_cond_clear(&self->changed);
    parent_class->finalize(object);
}

static void
init_class(gpointer klass, gpointer broker)
{
    GObjectClass *object_class = klass;
    GstBaseSinkClass *sink_class = klass;
    const GstPeBroker *own = broker;

    object_class->set_property = set_property;
    object_class->get_property = get_property;
    object_class->finalize = finalize;
    sink_class->start = start;
    sink_class->stop = stop;
    sink_class->unlock = unlock;
    sink_class->unlock_stop = unlock_stop;
    sink_class->event = gst_pe_sink_event;
    sink_class->render = gst_pe_sink_render;
    gst_pe_sink_table_init(&((GstPeSinkClass *)klass)->table, own,
                           object_class);
    gst_element_class_add_static_pad_template(klass, &sink_template);
    gst_element_class_set_static_metadata(
        klass, own->long_name, "Sink/Network", own->description,
        "gst-perception-encoder contributors");
}

static void
init_instance(GTypeInstance *instance, gpointer klass)
{
    GstPeSink *self = (GstPeSink *)instance;
    const GstPeSinkTable *table = &((GstPeSinkClass *)klass)->table;

    self->own = g_malloc0(table->broker->settings_size);
    self->used_own = g_malloc0(table->broker->settings_size);
    gst_pe_sink_table_set_defaults(table, &self->settings, self->own);
    g_mutex_init(&self->lock);
    g_cond_init(&self->changed);
    gst_base_sink_set_sync(GST_BASE_SINK(self), FALSE);
}

gboolean
gst_pe_sink_register(GstPlugin *plugin, const GstPeBroker *broker)
{
    GTypeInfo info = {
        .class_size = sizeof(GstPeSinkClass),
        .class_init = init_class,
        .class_data = broker,
        .instance_size = sizeof(GstPeSink),
        .instance_init = init_instance,
    };

    GST_DEBUG_CATEGORY_INIT(gst_pe_sink_debug, broker->element_name, 0,
                            broker->long_name);
    GType type = g_type_from_name(broker->type_name);
    if (!type)
        type = g_type_register_static(GST_TYPE_BASE_SINK, broker->type_name,
                                      &info, 0);
    return gst_element_register(plugin, broker->element_name, GST_RANK_NONE,
                                type);
}
