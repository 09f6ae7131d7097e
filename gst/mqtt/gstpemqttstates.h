// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemqttstates.h - the newest state of each topic, and what is to be sent of
// them: each once, and all again where the other side may have lost them. And
// things that happen, which are sent once. Knows no MQTT library and no
// GStreamer.

#pragma once

#include <glib.h>
#include <stdbool.h>

// Things that happened and wait: no more than these, the newest.
#define GST_PE_MQTT_STATES_MAX_EVENTS 100

// Topics that are known only from what the broker keeps, at most.
#define GST_PE_MQTT_STATES_MAX_FOUND 1000

typedef struct GstPeMqttStates GstPeMqttStates;

typedef struct {
    char *topic, *payload; // NULL: empty, which removes what a broker keeps
    bool is_state;         // to be kept by the broker
} GstPeMqttState;

// All of it: any threads.

GstPeMqttStates *gst_pe_mqtt_states_new(void);
void gst_pe_mqtt_states_free(GstPeMqttStates *states);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstPeMqttStates, gst_pe_mqtt_states_free)

// So it is from now on. What was not sent of the topic before is not sent any
// more. Borrows.
void gst_pe_mqtt_states_put(GstPeMqttStates *states, const char *topic,
                            const char *payload);
// The same for a topic that the broker keeps, unless there has been a state.
void gst_pe_mqtt_states_put_found(GstPeMqttStates *states, const char *topic,
                                  const char *payload);
// It happened. Sent after the states that wait now. Borrows.
void gst_pe_mqtt_states_add_event(GstPeMqttStates *states, const char *topic,
                                  const char *payload);

// The next to be sent, which counts as sent. Returns false when there is none,
// else `next` is to be cleared.
bool gst_pe_mqtt_states_next(GstPeMqttStates *states, GstPeMqttState *next);
void gst_pe_mqtt_state_clear(GstPeMqttState *state);
// Is there a next?
bool gst_pe_mqtt_states_has_next(GstPeMqttStates *states);

// All states are to be sent again, in the order in which their topics came.
void gst_pe_mqtt_states_resend(GstPeMqttStates *states);
// All are to be removed from the broker; what happened is forgotten.
void gst_pe_mqtt_states_remove(GstPeMqttStates *states);

guint64 gst_pe_mqtt_states_count_sent(GstPeMqttStates *states);
// Things that happened and were left out, as too many waited.
guint64 gst_pe_mqtt_states_count_dropped(GstPeMqttStates *states);
