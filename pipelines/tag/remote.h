// SPDX-License-Identifier: LGPL-2.1-or-later
//
// remote.h - what a server says of a video before it is read.

#pragma once

#include <glib.h>

// Ask for the size (-1: not known) and the ETag (NULL: none; g_free()) of an
// http URI; of others nothing is known. Waits for ten seconds at most.
void remote_look(const char *uri, gint64 *size, char **etag);

// When a presigned URI has expired, by this machine's clock and what its query
// says, as those of S3, Google and Azure do: "2026-01-31T12:00:00Z", g_free().
// NULL: it has not, or nobody knows.
char *remote_find_expiry(const char *uri);
