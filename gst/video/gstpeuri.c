// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeuri.c - see gstpeuri.h.

#include "gst/video/gstpeuri.h"

#include <string.h>

static gboolean
has_good_port(const char *host, gsize length)
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

gboolean
gst_pe_uri_split(GstPeUri *parts, const char *uri)
{
    const char *authority = strstr(uri, "://");

    if (!authority)
        return FALSE;
    authority += strlen("://");
    gsize length = strcspn(authority, "/?#");
    const char *at = g_strrstr_len(authority, (gssize)length, "@");
    const char *host = at ? at + 1 : authority;
    length -= (gsize)(host - authority);
    *parts = (GstPeUri){
        .scheme_length = (gsize)(authority - uri),
        .login = authority,
        .login_length = at ? (gsize)(at - authority) : 0,
        .has_login = at != NULL,
        .host = host,
        .host_length = length,
        .secret = host + length + strcspn(host + length, "?#"),
        .good_port = has_good_port(host, length),
    };
    return TRUE;
}
