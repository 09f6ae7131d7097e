// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpehadevices.h - the devices and entities that Home Assistant is told of:
// a device for each source, with what decides about their states, and the text
// by which Home Assistant gets to know one. Knows no records, no MQTT and no
// GStreamer. Used by gstpehomeassistant.c.

#pragma once

#include <glib.h>
#include <stdbool.h>

// Home Assistant takes no state of more characters than 255.
#define GST_PE_HA_MAX_NAME 250

typedef struct {
    const char *discovery_prefix; // "homeassistant"
    const char *topic_prefix;     // "pe"
    const char *status_topic, *status_online, *status_offline;
    const char *version; // of this program
    bool has_events;     // devices have an entity for events
    guint max_entities;  // of all devices together
} GstPeHaNames;

typedef struct {
    char *id;       // slug
    char *name;     // as it is shown: cut
    GArray *events; // guint64: ids of those that have begun
    bool is_in_clip;
    bool is_on, was_told; // what Home Assistant knows
} GstPeHaLabel;

// The labels that are scored together: of a label set or element, a window and
// a region. It has a best label, as a classification model of Frigate has.
typedef struct {
    char *id;
    char *title;         // what is before the names of its entities, or ""
    char *element;       // slug
    GPtrArray *labels;   // GstPeHaLabel
    GHashTable *by_id;   // borrowed
    guint64 sequence;    // of the newest clip
    char *best, *scores; // as they were told
} GstPeHaGroup;

typedef struct {
    char *id, *name;
    GPtrArray *groups;    // GstPeHaGroup
    GHashTable *by_id;    // borrowed
    GHashTable *elements; // slugs of those that make events
    bool is_watched;      // what the broker has kept of it was asked for
    bool is_new; // or has something new, of which Home Assistant must be told
} GstPeHaDevice;

typedef struct GstPeHaDevices GstPeHaDevices;

// One owner, one thread. Borrows the names.
GstPeHaDevices *gst_pe_ha_devices_new(const GstPeHaNames *names);
void gst_pe_ha_devices_free(GstPeHaDevices *devices);

// Each finds or makes one, and returns NULL when that would be too many, which
// is counted. Borrowed.
//   source, label  as the record has them
//   id             of the group, unique within the device
GstPeHaDevice *gst_pe_ha_devices_get(GstPeHaDevices *devices,
                                     const char *source);
GstPeHaGroup *gst_pe_ha_device_get_group(GstPeHaDevices *devices,
                                         GstPeHaDevice *device, const char *id,
                                         const char *title,
                                         const char *element);
GstPeHaLabel *gst_pe_ha_group_get_label(GstPeHaDevices *devices,
                                        GstPeHaDevice *device,
                                        GstPeHaGroup *group, const char *label);
guint gst_pe_ha_devices_count(const GstPeHaDevices *devices); // entities
guint64 gst_pe_ha_devices_count_refused(const GstPeHaDevices *devices);

// A text of at most GST_PE_HA_MAX_NAME characters. g_free().
char *gst_pe_ha_cut(const char *text);

// Topics and the payload of discovery, g_free(). `label` may be NULL.
char *gst_pe_ha_discovery_topic(const GstPeHaDevices *devices,
                                const GstPeHaDevice *device);
char *gst_pe_ha_state_topic(const GstPeHaDevices *devices,
                            const GstPeHaDevice *device,
                            const GstPeHaGroup *group,
                            const GstPeHaLabel *label);
// A subscription to the states of all its labels.
char *gst_pe_ha_states_filter(const GstPeHaDevices *devices,
                              const GstPeHaDevice *device);
char *gst_pe_ha_scores_topic(const GstPeHaDevices *devices,
                             const GstPeHaDevice *device,
                             const GstPeHaGroup *group);
char *gst_pe_ha_events_topic(const GstPeHaDevices *devices,
                             const GstPeHaDevice *device);
char *gst_pe_ha_make_discovery(const GstPeHaDevices *devices,
                               const GstPeHaDevice *device);
