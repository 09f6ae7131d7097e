// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpesource.c - see gstpesource.h.

#include "gst/result/gstpesource.h"

#include "gst/video/gstpeuri.h"

void
gst_pe_source_set_stream(GstPeSource *source, const char *stream_id)
{
    g_free(source->stream_id);
    g_free(source->uri);
    *source = (GstPeSource){.stream_id = g_strdup(stream_id)};
}

char *
gst_pe_source_strip_uri(const char *uri)
{
    GstPeUri parts;

    if (g_str_has_prefix(uri, "file:"))
        return g_strdup(uri);
    if (!gst_pe_uri_split(&parts, uri) || !gst_uri_is_valid(uri) ||
        !parts.good_port)
        return NULL;
    return g_strdup_printf("%.*s%.*s", (int)parts.scheme_length, uri,
                           (int)(parts.secret - parts.host), parts.host);
}

static char *
ask_uri(GstPad *sinkpad)
{
    GstQuery *query = gst_query_new_uri();
    g_autofree char *uri = NULL;

    if (gst_pad_peer_query(sinkpad, query))
        gst_query_parse_uri(query, &uri);
    gst_query_unref(query);
    return uri ? gst_pe_source_strip_uri(uri) : NULL;
}

const char *
gst_pe_source_get(GstPeSource *source, const char *given, GstPad *sinkpad)
{
    if (given && *given)
        return given;
    if (!source->asked) {
        source->uri = ask_uri(sinkpad);
        source->asked = TRUE;
    }
    return source->uri ? source->uri : source->stream_id;
}
