// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpesource.c - see gstpesource.h.

#include "gst/result/gstpesource.h"

#include <string.h>

void
gst_pe_source_set_stream(GstPeSource *source, const char *stream_id)
{
    g_free(source->stream_id);
    g_free(source->uri);
    *source = (GstPeSource){.stream_id = g_strdup(stream_id)};
}

// Does the authority's host end in a port, and if so in a number? What looks
// like a port and is none is a password with a slash in it.
static gboolean
has_good_port(const char *host, size_t length)
{
    const char *bracket = memchr(host, ']', length); // of an IPv6 address
    const char *end = host + length;
    const char *p = bracket ? bracket + 1 : memchr(host, ':', length);

    if (!p || p == end)
        return TRUE;
    if (*p++ != ':')
        return FALSE;
    for (; p < end; p++) {
        if (!g_ascii_isdigit(*p))
            return FALSE;
    }
    return TRUE;
}

char *
gst_pe_source_strip_uri(const char *uri)
{
    if (g_str_has_prefix(uri, "file:"))
        return g_strdup(uri);

    const char *authority = strstr(uri, "://");
    if (!authority || !gst_uri_is_valid(uri))
        return NULL;
    authority += strlen("://");
    size_t length = strcspn(authority, "/?#");
    const char *host = authority;
    for (const char *p = authority; p < authority + length; p++) {
        if (*p == '@')
            host = p + 1;
    }
    length -= (size_t)(host - authority);
    if (!has_good_port(host, length))
        return NULL;
    length += strcspn(host + length, "?#");
    return g_strdup_printf("%.*s%.*s", (int)(authority - uri), uri, (int)length,
                           host);
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
