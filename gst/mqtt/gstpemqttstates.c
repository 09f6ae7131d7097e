// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemqttstates.c - see gstpemqttstates.h.

#include "gst/mqtt/gstpemqttstates.h"

typedef struct {
    char *topic, *payload;
    bool waits;
} Entry;

struct GstPeMqttStates {
    GMutex lock;
    GHashTable *by_topic; // Entry, borrowed
    GPtrArray *all;       // the same, in the order in which they came
    GQueue waiting;       // the same, borrowed
    GQueue events;        // GstPeMqttState, as owned
    guint64 n_sent, n_dropped;
    guint n_found;
};

static void
free_entry(void *data)
{
    Entry *entry = data;

    g_free(entry->topic);
    g_free(entry->payload);
    g_free(entry);
}

static void
free_event(void *data)
{
    gst_pe_mqtt_state_clear(data);
    g_free(data);
}

GstPeMqttStates *
gst_pe_mqtt_states_new(void)
{
    GstPeMqttStates *states = g_new0(GstPeMqttStates, 1);

    g_mutex_init(&states->lock);
    states->by_topic = g_hash_table_new(g_str_hash, g_str_equal);
    states->all = g_ptr_array_new_with_free_func(free_entry);
    g_queue_init(&states->waiting);
    g_queue_init(&states->events);
    return states;
}

void
gst_pe_mqtt_states_free(GstPeMqttStates *states)
{
    g_queue_clear(&states->waiting);
    g_queue_clear_full(&states->events, free_event);
    g_hash_table_unref(states->by_topic);
    g_ptr_array_unref(states->all);
    g_mutex_clear(&states->lock);
    g_free(states);
}

void
gst_pe_mqtt_state_clear(GstPeMqttState *state)
{
    g_free(state->topic);
    g_free(state->payload);
}

static void
let_wait(GstPeMqttStates *states, Entry *entry)
{
    if (!entry->waits)
        g_queue_push_tail(&states->waiting, entry);
    entry->waits = true;
}

static void
put(GstPeMqttStates *states, const char *topic, const char *payload)
{
    Entry *entry = g_hash_table_lookup(states->by_topic, topic);
    if (!entry) {
        entry = g_new0(Entry, 1);
        entry->topic = g_strdup(topic);
        g_ptr_array_add(states->all, entry);
        g_hash_table_insert(states->by_topic, entry->topic, entry);
    }
    g_free(entry->payload);
    entry->payload = g_strdup(payload);
    let_wait(states, entry);
}

void
gst_pe_mqtt_states_put(GstPeMqttStates *states, const char *topic,
                       const char *payload)
{
    g_mutex_lock(&states->lock);
    put(states, topic, payload);
    g_mutex_unlock(&states->lock);
}

void
gst_pe_mqtt_states_put_found(GstPeMqttStates *states, const char *topic,
                             const char *payload)
{
    g_mutex_lock(&states->lock);
    if (!g_hash_table_contains(states->by_topic, topic) &&
        states->n_found < GST_PE_MQTT_STATES_MAX_FOUND) {
        states->n_found++;
        put(states, topic, payload);
    }
    g_mutex_unlock(&states->lock);
}

void
gst_pe_mqtt_states_add_event(GstPeMqttStates *states, const char *topic,
                             const char *payload)
{
    GstPeMqttState *event = g_new0(GstPeMqttState, 1);

    event->topic = g_strdup(topic);
    event->payload = g_strdup(payload);
    g_mutex_lock(&states->lock);
    g_queue_push_tail(&states->events, event);
    if (states->events.length > GST_PE_MQTT_STATES_MAX_EVENTS) {
        free_event(g_queue_pop_head(&states->events));
        states->n_dropped++;
    }
    g_mutex_unlock(&states->lock);
}

bool
gst_pe_mqtt_states_next(GstPeMqttStates *states, GstPeMqttState *next)
{
    g_mutex_lock(&states->lock);
    Entry *entry = g_queue_pop_head(&states->waiting);
    GstPeMqttState *event = entry ? NULL : g_queue_pop_head(&states->events);
    if (entry) {
        entry->waits = false;
        *next = (GstPeMqttState){g_strdup(entry->topic),
                                 g_strdup(entry->payload), true};
    } else if (event) {
        *next = *event;
        g_free(event);
    }
    states->n_sent += entry || event;
    g_mutex_unlock(&states->lock);
    return entry || event;
}

bool
gst_pe_mqtt_states_has_next(GstPeMqttStates *states)
{
    g_mutex_lock(&states->lock);
    bool has_next = states->waiting.length + states->events.length > 0;
    g_mutex_unlock(&states->lock);
    return has_next;
}

void
gst_pe_mqtt_states_resend(GstPeMqttStates *states)
{
    g_mutex_lock(&states->lock);
    g_queue_clear(&states->waiting);
    for (guint i = 0; i < states->all->len; i++) {
        Entry *entry = states->all->pdata[i];
        entry->waits = false;
        let_wait(states, entry);
    }
    g_mutex_unlock(&states->lock);
}

void
gst_pe_mqtt_states_remove(GstPeMqttStates *states)
{
    g_mutex_lock(&states->lock);
    g_queue_clear_full(&states->events, free_event);
    for (guint i = 0; i < states->all->len; i++) {
        Entry *entry = states->all->pdata[i];
        g_clear_pointer(&entry->payload, g_free);
        let_wait(states, entry);
    }
    g_mutex_unlock(&states->lock);
}

guint64
gst_pe_mqtt_states_count_sent(GstPeMqttStates *states)
{
    g_mutex_lock(&states->lock);
    guint64 n = states->n_sent;
    g_mutex_unlock(&states->lock);
    return n;
}

guint64
gst_pe_mqtt_states_count_dropped(GstPeMqttStates *states)
{
    g_mutex_lock(&states->lock);
    guint64 n = states->n_dropped;
    g_mutex_unlock(&states->lock);
    return n;
}
