// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpesource.h - the name that a person finds a stream by again: what the user
// called it, else its URI without secrets, else the stream's id.

#pragma once

#include <gst/gst.h>

// One owner. Zeros are a stream that is not known.
typedef struct {
    char *stream_id; // NULL: not known
    char *uri;       // NULL: none, or not asked for yet
    gboolean asked;
} GstPeSource;

// Another stream begins, or with NULL none is there any more.
void gst_pe_source_set_stream(GstPeSource *source, const char *stream_id);

// given    what the user calls the stream; NULL or "": nothing
// sinkpad  asked for the URI once a stream (GST_QUERY_URI upstream)
// Returns a string that is valid until the next call with `source`, or NULL.
const char *gst_pe_source_get(GstPeSource *source, const char *given,
                              GstPad *sinkpad);

// A URI without user, password, query string and fragment; of a file, as it is.
// Returns, g_free(); NULL when it is no URI that can be taken apart safely.
char *gst_pe_source_strip_uri(const char *uri);
