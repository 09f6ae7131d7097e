// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelabelevent.c - an event of a label, the words for its phases, and the
// events of a result.

#include "gstpelabelevent.h"

#include "gstperesult_private.h"

G_DEFINE_BOXED_TYPE(GstPeLabelEvent, gst_pe_label_event,
                    gst_pe_label_event_copy, gst_pe_label_event_free)

GType
gst_pe_event_phase_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_PE_EVENT_START, "The event has begun", "start"},
        {GST_PE_EVENT_UPDATE, "It goes on", "update"},
        {GST_PE_EVENT_END, "It is over", "end"},
        {GST_PE_EVENT_UNKNOWN, "A phase of a newer version", "unknown"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPeEventPhase", values);
        g_once_init_leave(&type, t);
    }
    return type;
}

/**
 * gst_pe_event_phase_to_string:
 * @phase: what is told about an event
 *
 * Returns: the word for it in JSON and messages: "start", "update", "end" or
 *     "unknown"
 *
 * Since: 0.1
 */
const gchar *
gst_pe_event_phase_to_string(GstPeEventPhase phase)
{
    switch (phase) {
    case GST_PE_EVENT_START:
        return "start";
    case GST_PE_EVENT_UPDATE:
        return "update";
    case GST_PE_EVENT_END:
        return "end";
    case GST_PE_EVENT_UNKNOWN:
        break;
    }
    return "unknown";
}

/**
 * gst_pe_label_event_copy:
 * @event: an event
 *
 * Returns: (transfer full): a copy
 *
 * Since: 0.1
 */
GstPeLabelEvent *
gst_pe_label_event_copy(const GstPeLabelEvent *event)
{
    g_return_val_if_fail(event != NULL, NULL);

    GstPeLabelEvent *copy = g_new(GstPeLabelEvent, 1);
    *copy = *event;
    copy->label = g_utf8_make_valid(event->label ? event->label : "", -1);
    if (copy->embedding)
        gst_pe_vectors_ref(copy->embedding);
    return copy;
}

/**
 * gst_pe_label_event_free:
 * @event: (transfer full): a copy of an event
 *
 * Since: 0.1
 */
void
gst_pe_label_event_free(GstPeLabelEvent *event)
{
    g_return_if_fail(event != NULL);
    g_free((gpointer)event->label);
    g_clear_pointer(&event->embedding, gst_pe_vectors_unref);
    g_free(event);
}

/**
 * gst_pe_result_get_n_events:
 * @result: a result
 *
 * A result whose clip has no frames, see gst_pe_result_get_n_frames(), is there
 * for its events alone: they ended without another clip, as at the end of the
 * stream.
 *
 * Returns: how many events it makes known
 *
 * Since: 0.1
 */
guint
gst_pe_result_get_n_events(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, 0);
    return result->fields.n_events;
}

/**
 * gst_pe_result_get_event:
 * @result: a result
 * @index: of the event, 0 is told first
 *
 * Returns: (transfer none): that an event has begun, goes on or is over
 *
 * Since: 0.1
 */
const GstPeLabelEvent *
gst_pe_result_get_event(const GstPeResult *result, guint index)
{
    g_return_val_if_fail(result != NULL, NULL);
    g_return_val_if_fail(index < result->fields.n_events, NULL);
    return &result->fields.events[index];
}
