// SPDX-License-Identifier: LGPL-2.1-or-later
//
// folder.h - a folder of the user's with a folder for each stream in it, and a
// bound of what all files in there may take. Only files that have names as we
// give them are ever removed. Used by one thread at a time.

#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct {
    char *path;
    guint64 limit; // bytes
    guint64 used;  // bytes, by the last count and what was added since
} Folder;

// Makes it if it is not there. Returns NULL and sets `error` when nothing can
// be written there.
Folder *folder_open(const char *path, guint64 limit, GError **error);
void folder_free(Folder *folder);

// The folder for a stream's files, which is made if it is not there. Returns,
// g_free(), or NULL and sets `error`.
char *folder_get_place(const Folder *folder, const char *stream,
                       GError **error);

// n more bytes are about to be written: removes the oldest files until there is
// room. False with `error`: not even that is enough.
//   kept  a path that is not removed; NULL: none
bool folder_make_room(Folder *folder, guint64 n, const char *kept,
                      GError **error);

// A text as a name of a file: letters and digits stay, and what had others gets
// four digits of its hash, so that different texts have different names.
// Returns, g_free().
char *folder_safe_name(const char *text);
