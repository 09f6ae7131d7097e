// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpejson.c - writes JSON by hand: numbers keep the digits that a float32
// has, whatever the locale, and nothing that is not known is written.

#include "gst/convert/gstpejson.h"

#include <math.h>

// Nine significant digits give every float32 back exactly.
#define FLOAT_FORMAT "%.9g"

static void
put_escaped(GString *out, const gchar *text)
{
    g_autofree gchar *valid = g_utf8_make_valid(text, -1);

    g_string_append_c(out, '"');
    for (const gchar *p = valid; *p; p++) {
        if (*p == '"' || *p == '\\')
            g_string_append_printf(out, "\\%c", *p);
        else if ((guchar)*p < 0x20 || *p == 0x7f)
            g_string_append_printf(out, "\\u%04x", (guint)(guchar)*p);
        else
            g_string_append_c(out, *p);
    }
    g_string_append_c(out, '"');
}

// JSON has no NaN and no infinity.
static void
put_double(GString *out, double value)
{
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];

    g_string_append(
        out, isfinite(value)
                 ? g_ascii_formatd(buffer, sizeof buffer, FLOAT_FORMAT, value)
                 : "null");
}

static void
put_key(GString *out, const gchar *key)
{
    gchar last = out->str[out->len - 1];

    if (last != '{' && last != '[')
        g_string_append_c(out, ',');
    g_string_append_printf(out, "\"%s\":", key);
}

static void
put_string(GString *out, const gchar *key, const gchar *value)
{
    if (!value)
        return;
    put_key(out, key);
    put_escaped(out, value);
}

static void
put_uint(GString *out, const gchar *key, guint64 value)
{
    put_key(out, key);
    g_string_append_printf(out, "%" G_GUINT64_FORMAT, value);
}

static void
put_int(GString *out, const gchar *key, gint value)
{
    put_key(out, key);
    g_string_append_printf(out, "%d", value);
}

static void
put_time(GString *out, const gchar *key, GstClockTime time)
{
    if (GST_CLOCK_TIME_IS_VALID(time))
        put_uint(out, key, time);
}

static void
put_bool(GString *out, const gchar *key, gboolean value)
{
    put_key(out, key);
    g_string_append(out, value ? "true" : "false");
}

// ISO 8601 in UTC with every digit: as a number of nanoseconds it would be more
// than many readers of JSON can hold.
static void
put_wall_clock(GString *out, const gchar *key, GstClockTime time)
{
    if (!GST_CLOCK_TIME_IS_VALID(time))
        return;
    g_autoptr(GDateTime) utc =
        g_date_time_new_from_unix_utc((gint64)(time / GST_SECOND));
    if (!utc)
        return;
    g_autofree gchar *seconds = g_date_time_format(utc, "%Y-%m-%dT%H:%M:%S");
    g_autofree gchar *text =
        g_strdup_printf("%s.%09uZ", seconds, (guint)(time % GST_SECOND));
    put_string(out, key, text);
}

static void
put_clip(GString *out, const GstPeResult *result)
{
    gboolean partial = gst_pe_result_is_partial(result);

    put_key(out, "clip");
    g_string_append_c(out, '{');
    put_time(out, "start", gst_pe_result_get_clip_start(result));
    put_time(out, "end", gst_pe_result_get_clip_end(result));
    put_time(out, "stream-start", gst_pe_result_get_clip_stream_start(result));
    put_time(out, "stream-end", gst_pe_result_get_clip_stream_end(result));
    put_wall_clock(out, "wall-start",
                   gst_pe_result_get_clip_wall_start(result));
    put_wall_clock(out, "wall-end", gst_pe_result_get_clip_wall_end(result));
    put_uint(out, "frames", gst_pe_result_get_n_frames(result));
    put_bool(out, "partial", partial);
    if (partial)
        put_string(out, "reason",
                   gst_pe_reason_to_string(gst_pe_result_get_reason(result)));
    g_string_append_c(out, '}');
}

static void
put_region(GString *out, const GstPeRegion *region)
{
    if (!region)
        return;
    put_key(out, "region");
    g_string_append_c(out, '{');
    if (region->id != GST_PE_REGION_NO_ID)
        put_int(out, "id", region->id);
    put_string(out, "name", region->name);
    put_int(out, "x", region->x);
    put_int(out, "y", region->y);
    put_int(out, "width", region->width);
    put_int(out, "height", region->height);
    if (region->track_id != GST_PE_REGION_NO_TRACK)
        put_uint(out, "track-id", region->track_id);
    g_string_append_c(out, '}');
}

static void
put_verdict(GString *out, const GstPeResult *result)
{
    if (!gst_pe_result_get_calibration(result))
        return;
    put_string(out, "calibration", gst_pe_result_get_calibration(result));
    put_key(out, "negative-mass");
    put_double(out, gst_pe_result_get_negative_mass(result));
    put_bool(out, "unknown", gst_pe_result_is_unknown(result));
}

static void
put_labels(GString *out, const GstPeResult *result)
{
    put_key(out, "labels");
    g_string_append_c(out, '[');
    for (guint i = 0; i < gst_pe_result_get_n_labels(result); i++) {
        g_string_append(out, i ? ",{" : "{");
        put_string(out, "label", gst_pe_result_get_label(result, i));
        put_key(out, "score");
        put_double(out, gst_pe_result_get_score(result, i));
        if (!isnan(gst_pe_result_get_probability(result, i))) {
            put_key(out, "probability");
            put_double(out, gst_pe_result_get_probability(result, i));
        }
        put_key(out, "similarity");
        put_double(out, gst_pe_result_get_similarity(result, i));
        if (!isnan(gst_pe_result_get_p_value(result, i))) {
            put_key(out, "p-value");
            put_double(out, gst_pe_result_get_p_value(result, i));
        }
        g_string_append_c(out, '}');
    }
    g_string_append_c(out, ']');
}

static void
put_embedding(GString *out, const GstPeVectors *embedding,
              GstPeEmbeddingFormat format)
{
    gsize n;
    g_autofree gfloat *values = gst_pe_vectors_to_floats(embedding, &n);

    put_uint(out, "dim", n);
    put_key(out, "embedding");
    if (format == GST_PE_EMBEDDING_BASE64) {
        for (gsize i = 0; i < n; i++)
            GST_WRITE_FLOAT_LE((guint8 *)(values + i), values[i]);
        g_autofree gchar *text =
            g_base64_encode((const guchar *)values, n * sizeof *values);
        g_string_append_printf(out, "\"%s\"", text);
        return;
    }
    g_string_append_c(out, '[');
    for (gsize i = 0; i < n; i++) {
        if (i > 0)
            g_string_append_c(out, ',');
        put_double(out, values[i]);
    }
    g_string_append_c(out, ']');
}

static void
put_identity(GString *out, const GstPeResult *result, const gchar *stream_id)
{
    if (result) {
        put_string(out, "source", gst_pe_result_get_source(result));
        put_string(out, "element", gst_pe_result_get_element(result));
        put_uint(out, "sequence", gst_pe_result_get_sequence(result));
        if (gst_pe_result_get_stream_id(result))
            stream_id = gst_pe_result_get_stream_id(result);
    }
    put_string(out, "stream-id", stream_id);
}

static void
put_result(GString *out, const GstPeResult *result, GstPeEmbeddingFormat format)
{
    const GstPeVectors *embedding = gst_pe_result_get_embedding(result);

    put_clip(out, result);
    put_region(out, gst_pe_result_get_region(result));
    put_string(out, "window", gst_pe_result_get_window(result));
    put_string(out, "model", gst_pe_result_get_model(result));
    put_string(out, "model-fingerprint",
               gst_pe_result_get_model_fingerprint(result));
    put_string(out, "device", gst_pe_result_get_device(result));
    put_string(out, "precision", gst_pe_result_get_precision(result));
    put_string(out, "label-set", gst_pe_result_get_label_set(result));
    put_string(out, "label-set-fingerprint",
               gst_pe_result_get_label_set_fingerprint(result));
    put_verdict(out, result);
    put_labels(out, result);
    if (embedding && format != GST_PE_EMBEDDING_NONE)
        put_embedding(out, embedding, format);
}

static void
put_event_times(GString *out, const GstPeLabelEvent *event)
{
    put_time(out, "start", event->start);
    put_time(out, "end", event->end);
    put_time(out, "peak", event->peak);
    put_time(out, "stream-start", event->stream_start);
    put_time(out, "stream-end", event->stream_end);
    put_time(out, "stream-peak", event->stream_peak);
    put_wall_clock(out, "wall-start", event->wall_start);
    put_wall_clock(out, "wall-end", event->wall_end);
    put_wall_clock(out, "wall-peak", event->wall_peak);
}

static void
put_number(GString *out, const gchar *key, double value)
{
    put_key(out, key);
    put_double(out, value);
}

GString *
gst_pe_json_new_event(const GstPeResult *result, const GstPeLabelEvent *event,
                      const gchar *stream_id, GstPeEmbeddingFormat format)
{
    GString *out = g_string_new("{\"schema\":\"pe-1\"");

    put_string(out, "type", "event");
    put_string(out, "event", gst_pe_event_phase_to_string(event->phase));
    put_uint(out, "id", event->id);
    put_string(out, "label", event->label);
    put_identity(out, result, stream_id);
    put_region(out, gst_pe_result_get_region(result));
    put_event_times(out, event);
    put_number(out, "peak-score", event->peak_score);
    put_number(out, "threshold", event->threshold);
    if (!isnan(event->p_value))
        put_number(out, "p-value", event->p_value);
    put_uint(out, "clips", event->n_clips);
    put_string(out, "model", gst_pe_result_get_model(result));
    put_string(out, "model-fingerprint",
               gst_pe_result_get_model_fingerprint(result));
    put_string(out, "label-set", gst_pe_result_get_label_set(result));
    put_string(out, "label-set-fingerprint",
               gst_pe_result_get_label_set_fingerprint(result));
    if (event->embedding && format != GST_PE_EMBEDDING_NONE)
        put_embedding(out, event->embedding, format);
    g_string_append(out, "}\n");
    return out;
}

GString *
gst_pe_json_new(const GstPeResult *result, const gchar *stream_id,
                const GstPeTimes *times, GstClockTime age,
                GstPeEmbeddingFormat format)
{
    GString *out = g_string_new("{\"schema\":\"pe-1\"");

    put_string(out, "type", result ? "clip" : "frame");
    put_identity(out, result, stream_id);
    put_time(out, "pts", times->pts);
    put_time(out, "duration", times->duration);
    put_time(out, "running-time", times->running_time);
    put_time(out, "stream-time", times->stream_time);
    put_wall_clock(out, "wall-clock", times->wall_clock);
    put_time(out, "age", age);
    if (result)
        put_result(out, result, format);
    g_string_append(out, "}\n");
    return out;
}
