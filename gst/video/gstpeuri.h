// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeuri.h - where the secrets of a URI are. Other parsers refuse passwords
// that people have; this one finds them.

#pragma once

#include <glib.h>

// Points into a URI. It is scheme, login, host, path and what is behind:
// "rtsp://" "user:password@" "host:554" "/live" "?token=1".
typedef struct {
    gsize scheme_length; // with its "://"
    const char *login;   // [login_length], without the "@"
    gsize login_length;
    gboolean has_login;
    const char *host; // [host_length], with the port
    gsize host_length;
    const char *secret; // "?" or "#" and what is behind, or the end
    // Is what looks like a port one? If not, it is a password with a slash in
    // it, and the host cannot be told.
    gboolean good_port;
} GstPeUri;

// FALSE: there is no "://" in it.
gboolean gst_pe_uri_split(GstPeUri *parts, const char *uri);
