// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetelling.c - see gstpetelling.h.

#include "gst/health/gstpetelling.h"

void
gst_pe_telling_init(GstPeTelling *telling, GstElement *element)
{
    *telling = (GstPeTelling){.element = element};
    g_queue_init(&telling->waiting);
}

void
gst_pe_telling_clear(GstPeTelling *telling)
{
    GstPeResult *result;

    while ((result = g_queue_pop_head(&telling->waiting)))
        gst_pe_result_unref(result);
    gst_pe_source_set_stream(&telling->source, NULL);
    gst_pe_timeline_clear(&telling->stream_times);
    gst_pe_timeline_clear(&telling->wall_times);
    telling->sequence = 0;
    telling->in_segment = false;
}

void
gst_pe_telling_add_times(GstPeTelling *telling, const GstPeTimes *times)
{
    gst_pe_timeline_add(&telling->stream_times, times->running_time,
                        times->running_end, times->stream_time,
                        times->stream_end);
    gst_pe_timeline_add(&telling->wall_times, times->running_time,
                        times->running_end, times->wall_clock, times->wall_end);
}

// ---- Downstream -------------------------------------------------------------

static void
send(GstPeTelling *telling)
{
    g_autoptr(GstPad) pad = gst_element_get_static_pad(telling->element, "src");
    GstPeResult *result;

    while (telling->in_segment &&
           (result = g_queue_pop_head(&telling->waiting))) {
        gst_pad_push_event(pad, gst_event_new_pe_result(result));
        gst_pe_result_unref(result);
    }
}

void
gst_pe_telling_passed(GstPeTelling *telling, GstEvent *event)
{
    const char *id;

    switch (GST_EVENT_TYPE(event)) {
    case GST_EVENT_STREAM_START:
        gst_event_parse_stream_start(event, &id);
        gst_pe_source_set_stream(&telling->source, id);
        break;
    case GST_EVENT_SEGMENT:
        telling->in_segment = true;
        send(telling);
        break;
    case GST_EVENT_FLUSH_STOP:
        telling->in_segment = false;
        break;
    default:
        break;
    }
}

static GstPeResult *
make_result(GstPeTelling *telling, const char *source_id,
            const GstPeLabelEvent *event, GstPeReason reason)
{
    g_autofree char *name = gst_element_get_name(telling->element);
    g_autoptr(GstPad) pad =
        gst_element_get_static_pad(telling->element, "sink");
    const GstPeResultFields fields = {
        .source = gst_pe_source_get(&telling->source, source_id, pad),
        .element = name,
        .sequence = telling->sequence++,
        .stream_id = telling->source.stream_id,
        .clip_start = event->start,
        .clip_end = event->end,
        .clip_stream_start = event->stream_start,
        .clip_stream_end = event->stream_end,
        .clip_wall_start = event->wall_start,
        .clip_wall_end = event->wall_end,
        .reason = reason,
        .events = event,
        .n_events = 1,
    };

    return gst_pe_result_new(&fields);
}

// ---- The bus ----------------------------------------------------------------

static void
post(GstPeTelling *telling, const PeEvent *told, guint64 since)
{
    GstStructure *s = gst_structure_new(
        "pehealth-event", "event", G_TYPE_STRING,
        gst_pe_event_phase_to_string((GstPeEventPhase)told->phase), "id",
        G_TYPE_UINT64, told->id, "label", G_TYPE_STRING, told->name, "start",
        G_TYPE_UINT64, told->start, "end", G_TYPE_UINT64, told->end, "since",
        G_TYPE_UINT64, since, NULL);

    gst_element_post_message(
        telling->element,
        gst_message_new_element(GST_OBJECT(telling->element), s));
}

void
gst_pe_telling_tell(GstPeTelling *telling, const char *source_id,
                    const PeEvent *told, const guint64 *since, int n,
                    GstPeReason reason)
{
    for (int i = 0; i < n; i++) {
        const GstPeLabelEvent event = gst_pe_timeline_convert_event(
            &told[i], &telling->stream_times, &telling->wall_times);

        post(telling, &told[i], since[i]);
        g_queue_push_tail(&telling->waiting,
                          make_result(telling, source_id, &event, reason));
    }
    send(telling);
}
