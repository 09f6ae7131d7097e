// SPDX-License-Identifier: LGPL-2.1-or-later
//
// remote.c - see remote.h. The body is asked for and not read: a presigned URI
// allows nothing else.

#include "remote.h"

#include <gst/gst.h>
#include <string.h>

#define PATIENCE (10 * GST_SECOND)

typedef struct {
    gint64 size;
    char *etag;
} Answer;

// The headers' names are in any case.
static gboolean
take_header(GQuark field, const GValue *value, gpointer data)
{
    Answer *answer = data;
    const char *name = g_quark_to_string(field);
    if (!G_VALUE_HOLDS_STRING(value))
        return TRUE;
    const char *text = g_value_get_string(value);
    if (g_ascii_strcasecmp(name, "etag") == 0 && !answer->etag)
        answer->etag = g_strdup(text);
    else if (g_ascii_strcasecmp(name, "content-length") == 0)
        answer->size = g_ascii_strtoll(text, NULL, 10);
    return TRUE;
}

static GstPadProbeReturn
on_event(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
    const GstStructure *s = gst_event_get_structure(event);
    GstStructure *headers = NULL;
    if (s && gst_structure_has_name(s, "http-headers") &&
        gst_structure_get(s, "response-headers", GST_TYPE_STRUCTURE, &headers,
                          NULL)) {
        gst_structure_foreach(headers, take_header, data);
        gst_structure_free(headers);
    }
    return GST_PAD_PROBE_OK;
}

void
remote_look(const char *uri, gint64 *size, char **etag)
{
    Answer answer = {.size = -1};
    g_autoptr(GstElement) pipeline =
        g_str_has_prefix(uri, "http")
            ? gst_parse_launch("souphttpsrc name=source ! "
                               "fakesink name=sink num-buffers=1 sync=false",
                               NULL)
            : NULL;
    if (pipeline) {
        g_autoptr(GstElement) source =
            gst_bin_get_by_name(GST_BIN(pipeline), "source");
        g_autoptr(GstPad) pad = gst_element_get_static_pad(source, "src");
        g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_event,
                          &answer, NULL);
        g_object_set(source, "location", uri, NULL);
        gst_element_set_state(pipeline, GST_STATE_PLAYING);
        GstMessage *message = gst_bus_timed_pop_filtered(
            bus, PATIENCE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
        gst_element_set_state(pipeline, GST_STATE_NULL);
        if (message)
            gst_message_unref(message);
    }
    *size = answer.size;
    *etag = answer.etag;
}

// ---- Presigned URIs -------------------------------------------------------

// Of the query, without regard to case; NULL: it is not there. Returns,
// g_free().
static char *
find_parameter(const char *uri, const char *name)
{
    const char *query = strchr(uri, '?');
    g_auto(GStrv) parts = g_strsplit(query ? query + 1 : "", "&", -1);
    for (char **part = parts; *part; part++) {
        char *value = strchr(*part, '=');
        if (!value)
            continue;
        *value++ = '\0';
        if (g_ascii_strcasecmp(*part, name) == 0)
            return g_uri_unescape_string(value, NULL);
    }
    return NULL;
}

// Signed at a time and valid for so many seconds.
static GDateTime *
read_expiry(const char *uri, const char *date_name, const char *seconds_name)
{
    g_autofree char *date = find_parameter(uri, date_name);
    g_autofree char *seconds = find_parameter(uri, seconds_name);
    g_autoptr(GDateTime) start =
        date ? g_date_time_new_from_iso8601(date, NULL) : NULL;
    return start && seconds
               ? g_date_time_add_seconds(start, g_ascii_strtod(seconds, NULL))
               : NULL;
}

char *
remote_find_expiry(const char *uri)
{
    g_autoptr(GDateTime) end = read_expiry(uri, "X-Amz-Date", "X-Amz-Expires");
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *seconds = find_parameter(uri, "Expires");
    g_autofree char *date = find_parameter(uri, "se");
    if (!end)
        end = read_expiry(uri, "X-Goog-Date", "X-Goog-Expires");
    if (!end && seconds)
        end = g_date_time_new_from_unix_utc(g_ascii_strtoll(seconds, NULL, 10));
    if (!end && date)
        end = g_date_time_new_from_iso8601(date, NULL);
    if (!end || g_date_time_compare(end, now) > 0)
        return NULL;
    return g_date_time_format(end, "%Y-%m-%dT%H:%M:%SZ");
}
