// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpehadevices.c - see gstpehadevices.h.

#include "gst/mqtt/gstpehadevices.h"

#include "gst/mqtt/gstpeslug.h"

#include <json-glib/json-glib.h>

struct GstPeHaDevices {
    GstPeHaNames names;
    char *prefix;      // slug of the topics' prefix
    GPtrArray *all;    // GstPeHaDevice
    GHashTable *by_id; // borrowed
    guint n_entities;
    guint64 n_refused;
};

// ---- Make and find --------------------------------------------------------

static void
free_label(void *data)
{
    GstPeHaLabel *label = data;

    g_free(label->id);
    g_free(label->name);
    g_array_unref(label->events);
    g_free(label);
}

static void
free_group(void *data)
{
    GstPeHaGroup *group = data;

    g_free(group->id);
    g_free(group->title);
    g_free(group->element);
    g_free(group->best);
    g_free(group->scores);
    g_hash_table_unref(group->by_id);
    g_ptr_array_unref(group->labels);
    g_free(group);
}

static void
free_device(void *data)
{
    GstPeHaDevice *device = data;

    g_free(device->id);
    g_free(device->name);
    g_hash_table_unref(device->by_id);
    g_hash_table_unref(device->elements);
    g_ptr_array_unref(device->groups);
    g_free(device);
}

GstPeHaDevices *
gst_pe_ha_devices_new(const GstPeHaNames *names)
{
    GstPeHaDevices *devices = g_new0(GstPeHaDevices, 1);

    devices->names = *names;
    devices->prefix = gst_pe_slug_new(names->topic_prefix, '_');
    devices->all = g_ptr_array_new_with_free_func(free_device);
    devices->by_id = g_hash_table_new(g_str_hash, g_str_equal);
    return devices;
}

void
gst_pe_ha_devices_free(GstPeHaDevices *devices)
{
    g_hash_table_unref(devices->by_id);
    g_ptr_array_unref(devices->all);
    g_free(devices->prefix);
    g_free(devices);
}

static bool
has_room(GstPeHaDevices *devices)
{
    if (devices->n_entities >= devices->names.max_entities) {
        devices->n_refused++;
        return false;
    }
    devices->n_entities++;
    return true;
}

char *
gst_pe_ha_cut(const char *text)
{
    if (g_utf8_strlen(text, -1) <= GST_PE_HA_MAX_NAME)
        return g_strdup(text);
    g_autofree char *start = g_utf8_substring(text, 0, GST_PE_HA_MAX_NAME - 1);
    return g_strconcat(start, "…", NULL);
}

GstPeHaDevice *
gst_pe_ha_devices_get(GstPeHaDevices *devices, const char *source)
{
    g_autofree char *id = gst_pe_slug_new(source, '_');
    GstPeHaDevice *device = g_hash_table_lookup(devices->by_id, id);

    if (device || !has_room(devices))
        return device;
    device = g_new0(GstPeHaDevice, 1);
    device->id = g_steal_pointer(&id);
    device->name = gst_pe_ha_cut(source);
    device->groups = g_ptr_array_new_with_free_func(free_group);
    device->by_id = g_hash_table_new(g_str_hash, g_str_equal);
    device->elements =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    device->is_new = true;
    g_ptr_array_add(devices->all, device);
    g_hash_table_insert(devices->by_id, device->id, device);
    return device;
}

GstPeHaGroup *
gst_pe_ha_device_get_group(GstPeHaDevices *devices, GstPeHaDevice *device,
                           const char *id, const char *title,
                           const char *element)
{
    GstPeHaGroup *group = g_hash_table_lookup(device->by_id, id);

    if (group || !has_room(devices))
        return group;
    group = g_new0(GstPeHaGroup, 1);
    group->id = g_strdup(id);
    group->title = g_strdup(title);
    group->element = g_strdup(element);
    group->labels = g_ptr_array_new_with_free_func(free_label);
    group->by_id = g_hash_table_new(g_str_hash, g_str_equal);
    device->is_new = true;
    g_ptr_array_add(device->groups, group);
    g_hash_table_insert(device->by_id, group->id, group);
    return group;
}

GstPeHaLabel *
gst_pe_ha_group_get_label(GstPeHaDevices *devices, GstPeHaDevice *device,
                          GstPeHaGroup *group, const char *name)
{
    g_autofree char *id = gst_pe_slug_new(name, ' ');
    GstPeHaLabel *label = g_hash_table_lookup(group->by_id, id);

    if (label || !has_room(devices))
        return label;
    label = g_new0(GstPeHaLabel, 1);
    label->id = g_steal_pointer(&id);
    label->name = gst_pe_ha_cut(name);
    label->events = g_array_new(FALSE, FALSE, sizeof(guint64));
    device->is_new = true;
    g_ptr_array_add(group->labels, label);
    g_hash_table_insert(group->by_id, label->id, label);
    return label;
}

guint
gst_pe_ha_devices_count(const GstPeHaDevices *devices)
{
    return devices->n_entities;
}

guint64
gst_pe_ha_devices_count_refused(const GstPeHaDevices *devices)
{
    return devices->n_refused;
}

// ---- Topics ---------------------------------------------------------------

// Slugs have no two _ in a row, so that no two devices have the same id.
static char *
make_object_id(const GstPeHaDevices *devices, const GstPeHaDevice *device)
{
    return g_strdup_printf("%s__%s", devices->prefix, device->id);
}

char *
gst_pe_ha_discovery_topic(const GstPeHaDevices *devices,
                          const GstPeHaDevice *device)
{
    g_autofree char *id = make_object_id(devices, device);

    return g_strdup_printf("%s/device/%s/config",
                           devices->names.discovery_prefix, id);
}

char *
gst_pe_ha_state_topic(const GstPeHaDevices *devices,
                      const GstPeHaDevice *device, const GstPeHaGroup *group,
                      const GstPeHaLabel *label)
{
    return g_strdup_printf("%s/%s/classification/%s%s%s",
                           devices->names.topic_prefix, device->id, group->id,
                           label ? "/" : "", label ? label->id : "");
}

char *
gst_pe_ha_states_filter(const GstPeHaDevices *devices,
                        const GstPeHaDevice *device)
{
    return g_strdup_printf("%s/%s/classification/+/+",
                           devices->names.topic_prefix, device->id);
}

char *
gst_pe_ha_scores_topic(const GstPeHaDevices *devices,
                       const GstPeHaDevice *device, const GstPeHaGroup *group)
{
    return g_strdup_printf("%s/%s/scores/%s", devices->names.topic_prefix,
                           device->id, group->id);
}

char *
gst_pe_ha_events_topic(const GstPeHaDevices *devices,
                       const GstPeHaDevice *device)
{
    return g_strdup_printf("%s/%s/events", devices->names.topic_prefix,
                           device->id);
}

// ---- Discovery ------------------------------------------------------------

// A member. Takes the value.
static void
put(JsonBuilder *out, const char *name, char *value)
{
    json_builder_set_member_name(out, name);
    json_builder_add_string_value(out, value);
    g_free(value);
}

// Begin an entity. Takes the name and topic.
static void
begin_entity(JsonBuilder *out, const char *object_id, const char *key,
             const char *platform, char *name, char *topic)
{
    json_builder_set_member_name(out, key);
    json_builder_begin_object(out);
    put(out, "platform", g_strdup(platform));
    put(out, "unique_id", g_strdup_printf("%s__%s", object_id, key));
    put(out, "name", name);
    put(out, "state_topic", topic);
}

static char *
make_name(const GstPeHaGroup *group, const char *name)
{
    return g_strconcat(group->title, *group->title ? ": " : "", name, NULL);
}

static void
put_group(const GstPeHaDevices *devices, const GstPeHaDevice *device,
          const GstPeHaGroup *group, const char *object_id, JsonBuilder *out)
{
    g_autofree char *best = g_strdup_printf("best__%s", group->id);

    begin_entity(out, object_id, best, "sensor", make_name(group, "best label"),
                 gst_pe_ha_state_topic(devices, device, group, NULL));
    put(out, "json_attributes_topic",
        gst_pe_ha_scores_topic(devices, device, group));
    json_builder_end_object(out);
    for (guint i = 0; i < group->labels->len; i++) {
        const GstPeHaLabel *label = group->labels->pdata[i];
        g_autofree char *key =
            g_strdup_printf("label__%s__%s", group->id, label->id);
        begin_entity(out, object_id, key, "binary_sensor",
                     make_name(group, label->name),
                     gst_pe_ha_state_topic(devices, device, group, label));
        put(out, "payload_on", g_strdup("ON"));
        put(out, "payload_off", g_strdup("OFF"));
        json_builder_end_object(out);
    }
}

static void
put_events(const GstPeHaDevices *devices, const GstPeHaDevice *device,
           const char *object_id, JsonBuilder *out)
{
    static const char *const types[] = {"start", "update", "end"};

    begin_entity(out, object_id, "events", "event", g_strdup("events"),
                 gst_pe_ha_events_topic(devices, device));
    json_builder_set_member_name(out, "event_types");
    json_builder_begin_array(out);
    for (guint i = 0; i < G_N_ELEMENTS(types); i++)
        json_builder_add_string_value(out, types[i]);
    json_builder_end_array(out);
    json_builder_end_object(out);
}

static void
put_device(const GstPeHaDevices *devices, const GstPeHaDevice *device,
           const char *object_id, JsonBuilder *out)
{
    const char *program = "gst-perception-encoder";

    json_builder_set_member_name(out, "device");
    json_builder_begin_object(out);
    json_builder_set_member_name(out, "identifiers");
    json_builder_begin_array(out);
    json_builder_add_string_value(out, object_id);
    json_builder_end_array(out);
    put(out, "name", g_strdup(device->name));
    put(out, "manufacturer", g_strdup(program));
    put(out, "model", g_strdup("pemqttsink"));
    put(out, "sw_version", g_strdup(devices->names.version));
    json_builder_end_object(out);
    json_builder_set_member_name(out, "origin");
    json_builder_begin_object(out);
    put(out, "name", g_strdup(program));
    put(out, "sw_version", g_strdup(devices->names.version));
    json_builder_end_object(out);
}

static void
put_availability(const GstPeHaNames *names, JsonBuilder *out)
{
    json_builder_set_member_name(out, "availability");
    json_builder_begin_array(out);
    json_builder_begin_object(out);
    put(out, "topic", g_strdup(names->status_topic));
    put(out, "payload_available", g_strdup(names->status_online));
    put(out, "payload_not_available", g_strdup(names->status_offline));
    json_builder_end_object(out);
    json_builder_end_array(out);
}

char *
gst_pe_ha_make_discovery(const GstPeHaDevices *devices,
                         const GstPeHaDevice *device)
{
    g_autoptr(JsonBuilder) out = json_builder_new();
    g_autofree char *object_id = make_object_id(devices, device);

    json_builder_begin_object(out);
    put_device(devices, device, object_id, out);
    put_availability(&devices->names, out);
    json_builder_set_member_name(out, "components");
    json_builder_begin_object(out);
    if (devices->names.has_events)
        put_events(devices, device, object_id, out);
    for (guint i = 0; i < device->groups->len; i++)
        put_group(devices, device, device->groups->pdata[i], object_id, out);
    json_builder_end_object(out);
    json_builder_end_object(out);
    g_autoptr(JsonNode) root = json_builder_get_root(out);
    return json_to_string(root, FALSE);
}
