// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemessage.c - the "peinference" message. Everything of the result but its
// vector, which would be too much for a bus.

#include "gst/inference/gstpemessage.h"

// The value is moved into the structure.
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

static void
set_labels(GstStructure *s, const GstPeResult *result)
{
    GValue labels = G_VALUE_INIT;
    GValue scores = G_VALUE_INIT;
    GValue similarities = G_VALUE_INIT;

    g_value_init(&labels, GST_TYPE_ARRAY);
    g_value_init(&scores, GST_TYPE_ARRAY);
    g_value_init(&similarities, GST_TYPE_ARRAY);
    for (guint i = 0; i < gst_pe_result_get_n_labels(result); i++) {
        append_string(&labels, gst_pe_result_get_label(result, i));
        append_double(&scores, gst_pe_result_get_probability(result, i));
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
    GstStructure *s = gst_structure_new(
        "peinference", "timestamp", G_TYPE_UINT64, times->pts, "stream-time",
        G_TYPE_UINT64, times->stream_time, "running-time", G_TYPE_UINT64,
        times->running_time, "duration", G_TYPE_UINT64, times->duration,
        "sequence", G_TYPE_UINT64, gst_pe_result_get_sequence(result),
        "clip-start", G_TYPE_UINT64, gst_pe_result_get_clip_start(result),
        "clip-end", G_TYPE_UINT64, gst_pe_result_get_clip_end(result),
        "n-frames", G_TYPE_UINT, gst_pe_result_get_n_frames(result), "partial",
        G_TYPE_BOOLEAN, gst_pe_result_is_partial(result), "model",
        G_TYPE_STRING, gst_pe_result_get_model(result), "model-fingerprint",
        G_TYPE_STRING, gst_pe_result_get_model_fingerprint(result), "device",
        G_TYPE_STRING, gst_pe_result_get_device(result), "labels-version",
        G_TYPE_UINT64, gst_pe_result_get_labels_version(result), NULL);

    set_labels(s, result);
    return gst_message_new_element(source, s);
}
