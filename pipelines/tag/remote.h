// SPDX-License-Identifier: LGPL-2.1-or-later
//
// remote.h - what a server says of a video before it is read.

#pragma once

#include <glib.h>

// Ask for the size (-1: not known) and the ETag (NULL: none; g_free()) of an
// http URI; of others nothing is known. Waits for ten seconds at most.
void remote_look(const char *uri, gint64 *size, char **etag);
