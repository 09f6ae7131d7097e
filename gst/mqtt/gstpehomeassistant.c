// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpehomeassistant.c - see gstpehomeassistant.h.

#include "gst/mqtt/gstpehomeassistant.h"

#include "gst/mqtt/gstpehadevices.h"
#include "gst/mqtt/gstpeharecord.h"
#include "gst/mqtt/gstpeslug.h"

#include <math.h>
#include <string.h>

#define UNKNOWN "unknown"
#define MAX_EVENTS 256 // of a label, that have begun and not ended

typedef enum {
    WARNED_OF_TYPE = 1 << 0,
    WARNED_OF_LABELS = 1 << 1,
    WARNED_OF_LIMIT = 1 << 2,
    WARNED_OF_JSON = 1 << 3,
} Warned;

struct GstPeHomeAssistant {
    GstPeHomeAssistantOptions options;
    GstPeHomeAssistantEvents events;
    GstPeHaDevices *devices;
    guint warned; // Warned
};

GstPeHomeAssistant *
gst_pe_home_assistant_new(const GstPeHomeAssistantOptions *options,
                          const GstPeHomeAssistantEvents *events)
{
    GstPeHomeAssistant *ha = g_new0(GstPeHomeAssistant, 1);
    GstPeHaNames names = {
        .discovery_prefix = options->discovery_prefix,
        .topic_prefix = options->topic_prefix,
        .status_topic = options->status_topic,
        .status_online = options->status_online,
        .status_offline = options->status_offline,
        .version = options->version,
        .has_events = options->states != GST_PE_HA_STATES_CLIPS,
        .max_entities = options->max_entities,
    };

    ha->options = *options;
    ha->events = *events;
    ha->devices = gst_pe_ha_devices_new(&names);
    return ha;
}

void
gst_pe_home_assistant_free(GstPeHomeAssistant *ha)
{
    gst_pe_ha_devices_free(ha->devices);
    g_free(ha);
}

guint
gst_pe_home_assistant_count(const GstPeHomeAssistant *ha)
{
    return gst_pe_ha_devices_count(ha->devices);
}

guint64
gst_pe_home_assistant_count_refused(const GstPeHomeAssistant *ha)
{
    return gst_pe_ha_devices_count_refused(ha->devices);
}

// Takes the message.
static void
warn(GstPeHomeAssistant *ha, Warned what, char *message)
{
    if (!(ha->warned & what))
        ha->events.warn(ha->events.owner, message);
    ha->warned |= what;
    g_free(message);
}

// ---- Whose it is ----------------------------------------------------------

static void
append_title(GString *title, const char *text)
{
    if (!text)
        return;
    g_autofree char *cut = gst_pe_ha_cut(text);
    g_string_append_printf(title, "%s%s", title->len > 0 ? ": " : "", cut);
}

// A window's slug follows a dot, and a region's two _, which slugs do not have.
static GstPeHaGroup *
get_group(GstPeHomeAssistant *ha, GstPeHaDevice *device, JsonObject *record)
{
    const char *element = gst_pe_ha_record_get_string(record, "element");
    const char *label_set = gst_pe_ha_record_get_string(record, "label-set");
    const char *window = gst_pe_ha_record_get_string(record, "window");
    const char *set = label_set ? label_set : element ? element : "labels";
    g_autofree char *region = gst_pe_ha_record_name_region(record);
    g_autofree char *element_id = gst_pe_slug_new(element ? element : "", '_');
    g_autofree char *set_id = gst_pe_slug_new(set, '_');
    g_autofree char *window_id = window ? gst_pe_slug_new(window, '_') : NULL;
    g_autofree char *region_id = region ? gst_pe_slug_new(region, '_') : NULL;
    g_autofree char *id =
        g_strconcat(set_id, window_id ? "." : "", window_id ? window_id : "",
                    region_id ? "__" : "", region_id ? region_id : "", NULL);
    g_autoptr(GString) title = g_string_new(NULL);

    append_title(title, label_set);
    append_title(title, window);
    append_title(title, region);
    return gst_pe_ha_device_get_group(ha->devices, device, id, title->str,
                                      element_id);
}

// ---- Tell -----------------------------------------------------------------

static void
tell_discovery(GstPeHomeAssistant *ha, GstPeHaDevice *device)
{
    if (!device->is_new)
        return;
    g_autofree char *topic = gst_pe_ha_discovery_topic(ha->devices, device);
    g_autofree char *payload = gst_pe_ha_make_discovery(ha->devices, device);
    device->is_new = false;
    ha->events.state(ha->events.owner, topic, payload);
}

// Behind its first states, which what the broker has kept must not replace.
static void
watch(GstPeHomeAssistant *ha, GstPeHaDevice *device)
{
    if (device->is_watched)
        return;
    g_autofree char *filter = gst_pe_ha_states_filter(ha->devices, device);
    ha->events.device(ha->events.owner, filter);
    device->is_watched = true;
}

static void
tell_labels(GstPeHomeAssistant *ha, const GstPeHaDevice *device,
            const GstPeHaGroup *group)
{
    GstPeHaStates states = ha->options.states;
    bool by_events = states == GST_PE_HA_STATES_EVENTS ||
                     (states == GST_PE_HA_STATES_AUTO &&
                      g_hash_table_contains(device->elements, group->element));

    for (guint i = 0; i < group->labels->len; i++) {
        GstPeHaLabel *label = group->labels->pdata[i];
        bool is_on = by_events ? label->events->len > 0 : label->is_in_clip;
        if (label->was_told && is_on == label->is_on)
            continue;
        g_autofree char *topic =
            gst_pe_ha_state_topic(ha->devices, device, group, label);
        label->was_told = true;
        label->is_on = is_on;
        ha->events.state(ha->events.owner, topic, is_on ? "ON" : "OFF");
    }
}

// Tell it if it is not what was told before. Takes the topic and payload.
static void
tell_once(GstPeHomeAssistant *ha, char **told, char *topic, char *payload)
{
    if (g_strcmp0(*told, payload) != 0) {
        ha->events.state(ha->events.owner, topic, payload);
        g_free(*told);
        *told = g_steal_pointer(&payload);
    }
    g_free(topic);
    g_free(payload);
}

// ---- Clips ----------------------------------------------------------------

// Elements that are made anew count from the beginning, and so do their events.
static void
forget_old_events(GstPeHaGroup *group, guint64 sequence)
{
    if (sequence < group->sequence)
        for (guint i = 0; i < group->labels->len; i++) {
            GstPeHaLabel *label = group->labels->pdata[i];
            g_array_set_size(label->events, 0);
        }
    group->sequence = sequence;
}

static void
take_scores(GstPeHomeAssistant *ha, GstPeHaDevice *device, GstPeHaGroup *group,
            JsonObject *record, bool is_unknown)
{
    JsonObject *entry;

    for (guint i = 0; i < group->labels->len; i++)
        ((GstPeHaLabel *)group->labels->pdata[i])->is_in_clip = false;
    for (guint i = 0;
         (entry = gst_pe_ha_record_get_element(record, "labels", i)); i++) {
        const char *name = gst_pe_ha_record_get_string(entry, "label");
        GstPeHaLabel *label =
            name ? gst_pe_ha_group_get_label(ha->devices, device, group, name)
                 : NULL;
        if (label)
            label->is_in_clip =
                !is_unknown && gst_pe_ha_record_get_number(entry, "score") >=
                                   ha->options.threshold;
    }
}

static void
take_clip(GstPeHomeAssistant *ha, GstPeHaDevice *device, GstPeHaGroup *group,
          JsonObject *record)
{
    JsonObject *first = gst_pe_ha_record_get_element(record, "labels", 0);
    const char *best =
        first ? gst_pe_ha_record_get_string(first, "label") : NULL;
    bool is_unknown = gst_pe_ha_record_is_true(record, "unknown") || !best;

    if (!best && !json_object_has_member(record, "label-set-fingerprint"))
        warn(ha, WARNED_OF_LABELS,
             g_strdup_printf("there are no labels in a record of %s, so that "
                             "Home Assistant has no states to show: expected "
                             "labels of peinference or pescore",
                             device->name));
    forget_old_events(group, gst_pe_ha_record_get_count(record, "sequence"));
    take_scores(ha, device, group, record, is_unknown);
    tell_discovery(ha, device);
    tell_once(ha, &group->best,
              gst_pe_ha_state_topic(ha->devices, device, group, NULL),
              gst_pe_ha_cut(is_unknown ? UNKNOWN : best));
    tell_once(ha, &group->scores,
              gst_pe_ha_scores_topic(ha->devices, device, group),
              gst_pe_ha_record_make_scores(record, is_unknown));
    tell_labels(ha, device, group);
}

// ---- Events ---------------------------------------------------------------

static void
move_events(GstPeHaLabel *label, guint64 id, bool has_ended)
{
    for (guint i = 0; i < label->events->len; i++)
        if (g_array_index(label->events, guint64, i) == id)
            g_array_remove_index(label->events, i--);
    if (has_ended)
        return;
    if (label->events->len == MAX_EVENTS)
        g_array_remove_index(label->events, 0);
    g_array_append_val(label->events, id);
}

static void
take_event(GstPeHomeAssistant *ha, GstPeHaDevice *device, GstPeHaGroup *group,
           JsonObject *record)
{
    const char *phase = gst_pe_ha_record_get_string(record, "event");
    const char *name = gst_pe_ha_record_get_string(record, "label");

    if (!phase || !name || ha->options.states == GST_PE_HA_STATES_CLIPS ||
        !(g_str_equal(phase, "start") || g_str_equal(phase, "update") ||
          g_str_equal(phase, "end")))
        return;
    GstPeHaLabel *label =
        gst_pe_ha_group_get_label(ha->devices, device, group, name);
    if (label)
        move_events(label, gst_pe_ha_record_get_count(record, "id"),
                    g_str_equal(phase, "end"));
    g_hash_table_add(device->elements, g_strdup(group->element));
    tell_discovery(ha, device);
    for (guint i = 0; i < device->groups->len; i++)
        tell_labels(ha, device, device->groups->pdata[i]);
    g_autofree char *topic = gst_pe_ha_events_topic(ha->devices, device);
    g_autofree char *payload = gst_pe_ha_record_make_event(record);
    ha->events.event(ha->events.owner, topic, payload);
}

// ---- Records --------------------------------------------------------------

static void
take_record(GstPeHomeAssistant *ha, JsonObject *record)
{
    const char *type = gst_pe_ha_record_get_string(record, "type");
    bool is_clip = type && g_str_equal(type, "clip");
    const char *source = gst_pe_ha_record_get_string(record, "source");

    if (!is_clip && !(type && g_str_equal(type, "event"))) {
        if (!type || !g_str_equal(type, "frame"))
            warn(ha, WARNED_OF_TYPE,
                 g_strdup("a record has no states for Home Assistant: expected "
                          "one of pemetaconvert, of the type clip or event"));
        return;
    }
    if (!source)
        source = gst_pe_ha_record_get_string(record, "stream-id");
    guint64 n_refused = gst_pe_home_assistant_count_refused(ha);
    GstPeHaDevice *device =
        gst_pe_ha_devices_get(ha->devices, source ? source : UNKNOWN);
    GstPeHaGroup *group = device ? get_group(ha, device, record) : NULL;
    if (group && is_clip)
        take_clip(ha, device, group, record);
    else if (group)
        take_event(ha, device, group, record);
    if (group)
        watch(ha, device);
    if (gst_pe_home_assistant_count_refused(ha) > n_refused)
        warn(ha, WARNED_OF_LIMIT,
             g_strdup_printf("Home Assistant is told of %u entities, which is "
                             "the limit: what sources, regions and labels "
                             "there are besides has no states",
                             ha->options.max_entities));
}

// A NUL would end a text early, and make two labels one.
static bool
has_nul(const char *text, gsize size)
{
    for (gsize i = 0; i + 6 <= size; i++) {
        if (text[i] != '\\')
            continue;
        if (memcmp(text + i, "\\u0000", 6) == 0)
            return true;
        i++;
    }
    return false;
}

void
gst_pe_home_assistant_take(GstPeHomeAssistant *ha, const char *text, gsize size)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GError) error = NULL;

    if (has_nul(text, size)) {
        warn(ha, WARNED_OF_JSON,
             g_strdup("a record has no states for Home Assistant: expected no "
                      "NUL in its text"));
        return;
    }
    if (!json_parser_load_from_data(parser, text, (gssize)size, &error)) {
        warn(ha, WARNED_OF_JSON,
             g_strdup_printf("a record has no states for Home Assistant: %s",
                             error->message));
        return;
    }
    JsonNode *root = json_parser_get_root(parser);
    if (root && JSON_NODE_HOLDS_OBJECT(root))
        take_record(ha, json_node_get_object(root));
}
