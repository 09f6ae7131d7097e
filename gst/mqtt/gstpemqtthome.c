// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemqtthome.c - see gstpemqtthome.h.

#include "gst/mqtt/gstpemqtthome.h"

#include "core/pe.h"

#define GST_CAT_DEFAULT gst_pe_sink_debug

// Home Assistant is slow long before that, and a broker keeps them all.
#define MAX_ENTITIES 1000

struct GstPeMqttHome {
    const GstPeMqttSettings *settings;
    GstElement *element;
    char *status_topic;
    GstPeHomeAssistant *ha;  // streaming thread
    GstPeMqttStates *states; // any thread
    bool is_removed;         // worker's thread: or was to be
    bool warned_of_birth;    // worker's thread

    GMutex lock;
    GPtrArray *filters; // texts, of subscriptions
    guint n_entities;
    guint64 n_refused;
};

// ---- What the records say -------------------------------------------------

static void
take_state(void *owner, const char *topic, const char *payload)
{
    GstPeMqttHome *home = owner;

    gst_pe_mqtt_states_put(home->states, topic, payload);
}

static void
take_device(void *owner, const char *filter)
{
    GstPeMqttHome *home = owner;

    g_mutex_lock(&home->lock);
    g_ptr_array_add(home->filters, g_strdup(filter));
    g_mutex_unlock(&home->lock);
}

static void
take_event(void *owner, const char *topic, const char *payload)
{
    GstPeMqttHome *home = owner;

    gst_pe_mqtt_states_add_event(home->states, topic, payload);
}

static void
take_warning(void *owner, const char *message)
{
    GstPeMqttHome *home = owner;

    GST_ELEMENT_WARNING(home->element, STREAM, FORMAT, ("%s", message), (NULL));
}

GstPeMqttHome *
gst_pe_mqtt_home_new(const GstPeMqttSettings *settings, GstElement *element)
{
    if (!settings->ha_discovery)
        return NULL;
    GstPeMqttHome *home = g_new0(GstPeMqttHome, 1);
    home->settings = settings;
    home->element = element;
    home->status_topic = gst_pe_mqtt_settings_get_status_topic(settings);
    home->states = gst_pe_mqtt_states_new();
    home->filters = g_ptr_array_new_with_free_func(g_free);
    g_mutex_init(&home->lock);
    GstPeHomeAssistantOptions options = {
        .discovery_prefix = settings->ha_prefix,
        .topic_prefix = settings->ha_topic_prefix,
        .status_topic = home->status_topic,
        .status_online = settings->status_online,
        .status_offline = settings->status_offline,
        .version = pe_get_version(),
        .states = (GstPeHaStates)settings->ha_states,
        .threshold = settings->ha_threshold,
        .max_entities = MAX_ENTITIES,
    };
    GstPeHomeAssistantEvents events = {home, take_state, take_device,
                                       take_event, take_warning};
    home->ha = gst_pe_home_assistant_new(&options, &events);
    return home;
}

void
gst_pe_mqtt_home_free(GstPeMqttHome *home)
{
    if (!home)
        return;
    if (home->settings->ha_remove_on_stop && home->n_entities > 0 &&
        (!home->is_removed || gst_pe_mqtt_states_has_next(home->states)))
        GST_ELEMENT_WARNING(home->element, RESOURCE, WRITE,
                            ("what Home Assistant was told of is not removed: "
                             "there is no connection to the broker"),
                            (NULL));
    gst_pe_home_assistant_free(home->ha);
    gst_pe_mqtt_states_free(home->states);
    g_ptr_array_unref(home->filters);
    g_mutex_clear(&home->lock);
    g_free(home->status_topic);
    g_free(home);
}

void
gst_pe_mqtt_home_take(GstPeMqttHome *home, const GstPeRecord *records, guint n)
{
    if (!home)
        return;
    for (guint i = 0; i < n; i++)
        gst_pe_home_assistant_take(home->ha, records[i].data, records[i].size);
    g_mutex_lock(&home->lock);
    home->n_entities = gst_pe_home_assistant_count(home->ha);
    home->n_refused = gst_pe_home_assistant_count_refused(home->ha);
    g_mutex_unlock(&home->lock);
}

void
gst_pe_mqtt_home_add_stats(GstPeMqttHome *home, GstStructure *stats)
{
    if (!home)
        return;
    g_mutex_lock(&home->lock);
    guint n_entities = home->n_entities;
    guint64 n_refused = home->n_refused;
    g_mutex_unlock(&home->lock);
    gst_structure_set(stats, "states", G_TYPE_UINT64,
                      gst_pe_mqtt_states_count_sent(home->states), "entities",
                      G_TYPE_UINT64, (guint64)n_entities, "entities-left-out",
                      G_TYPE_UINT64, n_refused, "events-left-out",
                      G_TYPE_UINT64,
                      gst_pe_mqtt_states_count_dropped(home->states), NULL);
}

// ---- What the worker sends ------------------------------------------------

GstPeMqttStates *
gst_pe_mqtt_home_get_states(GstPeMqttHome *home)
{
    return home ? home->states : NULL;
}

char *
gst_pe_mqtt_home_get_birth_topic(const GstPeMqttHome *home)
{
    return home ? g_strconcat(home->settings->ha_prefix, "/status", NULL)
                : NULL;
}

char *
gst_pe_mqtt_home_get_filter(GstPeMqttHome *home, guint i)
{
    if (!home)
        return NULL;
    g_mutex_lock(&home->lock);
    char *filter =
        i < home->filters->len ? g_strdup(home->filters->pdata[i]) : NULL;
    g_mutex_unlock(&home->lock);
    return filter;
}

void
gst_pe_mqtt_home_miss_birth(GstPeMqttHome *home, const char *broker)
{
    g_autofree char *topic = gst_pe_mqtt_home_get_birth_topic(home);

    if (!home || home->warned_of_birth)
        return;
    home->warned_of_birth = true;
    GST_ELEMENT_WARNING(home->element, RESOURCE, NOT_AUTHORIZED,
                        ("MQTT broker %s: no permission to subscribe to %s, "
                         "where Home Assistant says that it has started",
                         broker, topic),
                        (NULL));
}

void
gst_pe_mqtt_home_end(GstPeMqttHome *home)
{
    if (!home || !home->settings->ha_remove_on_stop)
        return;
    gst_pe_mqtt_states_remove(home->states);
    home->is_removed = true;
}
