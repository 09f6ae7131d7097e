// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemqtthome.h - what one sink tells Home Assistant, from its start to its
// stop: records come in on the streaming thread, and the worker's thread sends
// what there is to say. NULL stands for a sink that tells nothing, in all
// functions.

#pragma once

#include "gst/mqtt/gstpemqttsettings.h"
#include "gst/mqtt/gstpemqttstates.h"

// NULL unless the settings ask for it. Borrows the settings and the element.
GstPeMqttHome *gst_pe_mqtt_home_new(const GstPeMqttSettings *settings,
                                    GstElement *element);
// Posts a warning when something was to be removed and could not be.
void gst_pe_mqtt_home_free(GstPeMqttHome *home);

// Streaming thread. Borrows.
void gst_pe_mqtt_home_take(GstPeMqttHome *home, const GstPeRecord *records,
                           guint n);
// Any thread: "states", "entities", "entities-left-out", "events-left-out".
void gst_pe_mqtt_home_add_stats(GstPeMqttHome *home, GstStructure *stats);

// Worker's thread. NULL where there is nothing to tell.
GstPeMqttStates *gst_pe_mqtt_home_get_states(GstPeMqttHome *home);
// The topic of Home Assistant's birth message; NULL as above. g_free().
char *gst_pe_mqtt_home_get_birth_topic(const GstPeMqttHome *home);
// Subscription number `i` to what the broker has kept of our devices, g_free(),
// or NULL when there are no more.
char *gst_pe_mqtt_home_get_filter(GstPeMqttHome *home, guint i);
// The broker, named as in messages, does not let us have it: a warning, once.
void gst_pe_mqtt_home_miss_birth(GstPeMqttHome *home, const char *broker);
// The sink is about to say goodbye: remove what it is asked to remove.
void gst_pe_mqtt_home_end(GstPeMqttHome *home);
