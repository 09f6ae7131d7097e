// SPDX-License-Identifier: LGPL-2.1-or-later
//
// reply.h - answers to requests.

#pragma once

#include <libsoup/soup.h>
#include <stdbool.h>

void http_reply_text(SoupServerMessage *message, guint status, const char *type,
                     const char *text);
void http_reply_bytes(SoupServerMessage *message, guint status,
                      const char *type, GBytes *bytes);

// A file of the disk, or what of it the request's Range names. It is read in
// pieces by another thread, as fast as the client takes them; a file that
// becomes shorter meanwhile ends the connection.
//   fd    of a regular file; takes
//   size  bytes of the file
void http_reply_file(SoupServerMessage *message, const char *type, int fd,
                     goffset size);
