// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpespoolfile.h - the file of a spool: its tables, opening it so that what
// is wrong is known at once, and putting a broken one aside. For gstpespool.c.

#pragma once

#include "gst/database/database.h"

// The bytes of a record that count against a limit, with some for its row.
#define GST_PE_SPOOL_OVERHEAD 64
#define GST_PE_SPOOL_SIZE \
    "(LENGTH(payload) + LENGTH(CAST(topic AS BLOB)) + " \
    "LENGTH(CAST(key AS BLOB)) + 64)"

typedef struct {
    gint64 first_id; // ids above this one are free, in this and later sessions
    gint64 n_waiting, n_parked;
    gint64 size, parked_size; // bytes
} GstPeSpoolFound;

// Open or make the file, and write to it. `path` NULL: in memory. Nothing
// below `after` is `first_id`. Returns NULL with an error that names the file;
// PE_ERROR_FORMAT: it is broken.
Database *gst_pe_spool_file_open(const char *path, bool sync, gint64 after,
                                 GstPeSpoolFound *found, GError **error);

// Rename a file that is closed, and SQLite's beside it, to one that says when.
// Returns that name, g_free(), or NULL with the error.
char *gst_pe_spool_file_put_aside(const char *path, GError **error);
