// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemessage.c - the messages of elements, such as "peinference" and
// "peinference-event". Everything of the result but its vectors, which would be
// too much for a bus, in the words of JSON: the clip's `start` is `clip-start`
// here. What is not known is left out.

#include "gst/result/gstpemessage.h"

#include <math.h>

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

// Either all labels have one, or none.
static void
put_p_values(GstStructure *s, const GstPeResult *result)
{
    GValue p_values = G_VALUE_INIT;
    guint n = gst_pe_result_get_n_labels(result);

    if (n == 0 || isnan(gst_pe_result_get_p_value(result, 0)))
        return;
    g_value_init(&p_values, GST_TYPE_ARRAY);
    for (guint i = 0; i < n; i++)
        append_double(&p_values, gst_pe_result_get_p_value(result, i));
    gst_structure_take_value(s, "p-values", &p_values);
}

static void
put_labels(GstStructure *s, const GstPeResult *result)
{
    GValue labels = G_VALUE_INIT;
    GValue scores = G_VALUE_INIT;
    GValue similarities = G_VALUE_INIT;
    GValue probabilities = G_VALUE_INIT;

    g_value_init(&labels, GST_TYPE_ARRAY);
    g_value_init(&scores, GST_TYPE_ARRAY);
    g_value_init(&similarities, GST_TYPE_ARRAY);
    g_value_init(&probabilities, GST_TYPE_ARRAY);
    for (guint i = 0; i < gst_pe_result_get_n_labels(result); i++) {
        append_string(&labels, gst_pe_result_get_label(result, i));
        append_double(&scores, gst_pe_result_get_score(result, i));
        append_double(&similarities, gst_pe_result_get_similarity(result, i));
        append_double(&probabilities, gst_pe_result_get_probability(result, i));
    }
    gst_structure_take_value(s, "labels", &labels);
    gst_structure_take_value(s, "scores", &scores);
    gst_structure_take_value(s, "similarities", &similarities);
    gst_structure_take_value(s, "probabilities", &probabilities);
    put_p_values(s, result);
}

static void
put_verdict(GstStructure *s, const GstPeResult *result)
{
    if (!gst_pe_result_get_calibration(result))
        return;
    put_string(s, "calibration", gst_pe_result_get_calibration(result));
    gst_structure_set(s, "negative-mass", G_TYPE_DOUBLE,
                      gst_pe_result_get_negative_mass(result), "unknown",
                      G_TYPE_BOOLEAN, gst_pe_result_is_unknown(result), NULL);
}

GstMessage *
gst_pe_message_new(GstObject *source, const char *name,
                   const GstPeResult *result, const GstPeTimes *times)
{
    GstStructure *s = gst_structure_new_empty(name);

    gst_pe_times_to_structure(times, s);
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
    put_verdict(s, result);
    put_labels(s, result);
    return gst_message_new_element(source, s);
}

GstMessage *
gst_pe_message_new_event(GstObject *source, const char *name,
                         const GstPeResult *result,
                         const GstPeLabelEvent *event)
{
    g_autofree char *full_name = g_strconcat(name, "-event", NULL);
    GstStructure *s = gst_structure_new(
        full_name, "event", G_TYPE_STRING,
        gst_pe_event_phase_to_string(event->phase), "id", G_TYPE_UINT64,
        event->id, "label", G_TYPE_STRING, event->label, "peak-score",
        G_TYPE_DOUBLE, event->peak_score, "threshold", G_TYPE_DOUBLE,
        event->threshold, "clips", G_TYPE_UINT, event->n_clips, NULL);

    put_identity(s, result);
    put_region(s, gst_pe_result_get_region(result));
    put_time(s, "start", event->start);
    put_time(s, "end", event->end);
    put_time(s, "peak", event->peak);
    put_time(s, "stream-start", event->stream_start);
    put_time(s, "stream-end", event->stream_end);
    put_time(s, "stream-peak", event->stream_peak);
    put_time(s, "wall-start", event->wall_start);
    put_time(s, "wall-end", event->wall_end);
    put_time(s, "wall-peak", event->wall_peak);
    if (!isnan(event->p_value))
        gst_structure_set(s, "p-value", G_TYPE_DOUBLE, event->p_value, NULL);
    put_string(s, "model", gst_pe_result_get_model(result));
    put_string(s, "model-fingerprint",
               gst_pe_result_get_model_fingerprint(result));
    put_string(s, "label-set", gst_pe_result_get_label_set(result));
    put_string(s, "label-set-fingerprint",
               gst_pe_result_get_label_set_fingerprint(result));
    return gst_message_new_element(source, s);
}
