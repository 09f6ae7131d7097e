// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemessage.c - the "peinference" message. Everything of the result but its
// vectors, which would be too much for a bus, in the words of JSON: the clip's
// `start` is `clip-start` here. What is not known is left out.

#include "gst/result/gstpemessage.h"

// ---- Values ---------------------------------------------------------------

static void
put_string(GstStructure *s, const gchar *name, const gchar *value)
{
    if (value)
        gst_structure_set(s, name, G_TYPE_STRING, value, NULL);
}

static void
put_time(GstStructure *s, const gchar *name, GstClockTime time)
{
    if (GST_CLOCK_TIME_IS_VALID(time))
        gst_structure_set(s, name, G_TYPE_UINT64, time, NULL);
}

static void
append_double(GValue *array, double value)
{
    GValue v = G_VALUE_INIT;

    g_value_init(&v, G_TYPE_DOUBLE);
    g_value_set_double(&v, value);
    gst_value_array_append_and_take_value(array, &v);
}

static void
append_string(GValue *array, const gchar *value)
{
    GValue v = G_VALUE_INIT;

    g_value_init(&v, G_TYPE_STRING);
    g_value_set_string(&v, value);
    gst_value_array_append_and_take_value(array, &v);
}

// ---- Parts of a result ----------------------------------------------------

static void
put_identity(GstStructure *s, const GstPeResult *result)
{
    put_string(s, "source", gst_pe_result_get_source(result));
    put_string(s, "element", gst_pe_result_get_element(result));
    gst_structure_set(s, "sequence", G_TYPE_UINT64,
                      gst_pe_result_get_sequence(result), NULL);
    put_string(s, "stream-id", gst_pe_result_get_stream_id(result));
}

static void
put_clip(GstStructure *s, const GstPeResult *result)
{
    gboolean partial = gst_pe_result_is_partial(result);

    put_time(s, "clip-start", gst_pe_result_get_clip_start(result));
    put_time(s, "clip-end", gst_pe_result_get_clip_end(result));
    put_time(s, "clip-stream-start",
             gst_pe_result_get_clip_stream_start(result));
    put_time(s, "clip-stream-end", gst_pe_result_get_clip_stream_end(result));
    put_time(s, "clip-wall-start", gst_pe_result_get_clip_wall_start(result));
    put_time(s, "clip-wall-end", gst_pe_result_get_clip_wall_end(result));
    gst_structure_set(s, "clip-frames", G_TYPE_UINT,
                      gst_pe_result_get_n_frames(result), "clip-partial",
                      G_TYPE_BOOLEAN, partial, NULL);
    if (partial)
        put_string(s, "clip-reason",
                   gst_pe_reason_to_string(gst_pe_result_get_reason(result)));
}

static void
put_region(GstStructure *s, const GstPeRegion *region)
{
    if (!region)
        return;
    if (region->id != GST_PE_REGION_NO_ID)
        gst_structure_set(s, "region-id", G_TYPE_INT, region->id, NULL);
    put_string(s, "region-name", region->name);
    gst_structure_set(s, "region-x", G_TYPE_INT, region->x, "region-y",
                      G_TYPE_INT, region->y, "region-width", G_TYPE_INT,
                      region->width, "region-height", G_TYPE_INT,
                      region->height, NULL);
    if (region->track_id != GST_PE_REGION_NO_TRACK)
        gst_structure_set(s, "region-track-id", G_TYPE_UINT64, region->track_id,
                          NULL);
}

static void
put_labels(GstStructure *s, const GstPeResult *result)
{
    GValue labels = G_VALUE_INIT;
    GValue scores = G_VALUE_INIT;
    GValue similarities = G_VALUE_INIT;

    g_value_init(&labels, GST_TYPE_ARRAY);
    g_value_init(&scores, GST_TYPE_ARRAY);
    g_value_init(&similarities, GST_TYPE_ARRAY);
    for (guint i = 0; i < gst_pe_result_get_n_labels(result); i++) {
        append_string(&labels, gst_pe_result_get_label(result, i));
        append_double(&scores, gst_pe_result_get_score(result, i));
        append_double(&similarities, gst_pe_result_get_similarity(result, i));
    }
    gst_structure_take_value(s, "labels", &labels);
    gst_structure_take_value(s, "scores", &scores);
    gst_structure_take_value(s, "similarities", &similarities);
}

GstMessage *
gst_pe_message_new(GstObject *source, const GstPeResult *result,
                   const GstPeTimes *times)
{
    GstStructure *s = gst_structure_new_empty("peinference");

    put_time(s, "timestamp", times->pts);
    put_time(s, "duration", times->duration);
    put_time(s, "running-time", times->running_time);
    put_time(s, "stream-time", times->stream_time);
    put_time(s, "wall-clock", times->wall_clock);
    put_identity(s, result);
    put_clip(s, result);
    put_region(s, gst_pe_result_get_region(result));
    put_string(s, "window", gst_pe_result_get_window(result));
    put_string(s, "model", gst_pe_result_get_model(result));
    put_string(s, "model-fingerprint",
               gst_pe_result_get_model_fingerprint(result));
    put_string(s, "device", gst_pe_result_get_device(result));
    put_string(s, "precision", gst_pe_result_get_precision(result));
    put_string(s, "label-set", gst_pe_result_get_label_set(result));
    put_string(s, "label-set-fingerprint",
               gst_pe_result_get_label_set_fingerprint(result));
    put_labels(s, result);
    return gst_message_new_element(source, s);
}
