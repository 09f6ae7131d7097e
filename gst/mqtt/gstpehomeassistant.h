// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpehomeassistant.h - from records, as pemetaconvert writes them, to what
// Home Assistant is told: which devices there are, and their states, in the
// topics that Frigate would have. Knows no MQTT library and no GStreamer.

#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct GstPeHomeAssistant GstPeHomeAssistant;

// What decides whether a label is there.
typedef enum {
    GST_PE_HA_STATES_AUTO,   // events of elements that make them, else clips
    GST_PE_HA_STATES_CLIPS,  // the scores of the newest clip
    GST_PE_HA_STATES_EVENTS, // events that have begun and not ended
} GstPeHaStates;

typedef struct {
    const char *discovery_prefix; // such as "homeassistant"
    const char *topic_prefix;     // of states, such as "pe"
    // Where it is said whether the records' sender is there, and in what words.
    const char *status_topic, *status_online, *status_offline;
    const char *version; // of this program
    GstPeHaStates states;
    double threshold;   // score of a clip's label that is there
    guint max_entities; // in all; what would be more is left out, and counted
} GstPeHomeAssistantOptions;

// Called from within take(). All text is borrowed, in UTF-8.
typedef struct {
    void *owner;
    // What is so from now on, to be kept by the broker. Discovery comes before
    // the states that it tells of.
    void (*state)(void *owner, const char *topic, const char *payload);
    // A new device, of which the broker may keep states of an earlier process:
    // a subscription to those of its labels, all of which are "ON" or "OFF".
    void (*device)(void *owner, const char *filter);
    // What happens now.
    void (*event)(void *owner, const char *topic, const char *payload);
    // Something that a person should know; of each kind once.
    void (*warn)(void *owner, const char *message);
} GstPeHomeAssistantEvents;

// One owner, one thread. Borrows the strings of `options`, which live as long.
GstPeHomeAssistant *
gst_pe_home_assistant_new(const GstPeHomeAssistantOptions *options,
                          const GstPeHomeAssistantEvents *events);
void gst_pe_home_assistant_free(GstPeHomeAssistant *ha);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstPeHomeAssistant, gst_pe_home_assistant_free)

// A record, of which gst_pe_json_line_read() has found that it is one JSON
// object in UTF-8 and not nested too deeply. Borrows. One that has no states,
// or is not JSON after all, changes nothing.
void gst_pe_home_assistant_take(GstPeHomeAssistant *ha, const char *text,
                                gsize size);

// How many entities there are, and how often one was left out.
guint gst_pe_home_assistant_count(const GstPeHomeAssistant *ha);
guint64 gst_pe_home_assistant_count_refused(const GstPeHomeAssistant *ha);
