// SPDX-License-Identifier: LGPL-2.1-or-later
//
// parts.h - what belongs to a content in a PostgreSQL database: its frames, and
// its segments with their labels. All in the transaction of the caller.

#pragma once

#include "pipelines/index/archive.h"
#include "sql.h"

// The vectors of a content, borrowed.
typedef struct {
    const uint16_t *values; // [n_frames, row_dim]
    size_t row_dim;
    int dim; // of them that count
} PartsRows;

// Add the frames of a content from number `from` on.
//   first_row  of the content
bool parts_copy_frames(Sql *sql, const ArchiveContent *content,
                       const PartsRows *rows, guint from, gint64 first_row,
                       GError **error);
// Add its segments, with their labels, from number `from` on.
//   id  of the content in the database
bool parts_copy_segments(Sql *sql, const ArchiveContent *content, gint64 id,
                         guint from, GError **error);
// Remove its segments from number `from` on.
bool parts_drop_segments(Sql *sql, gint64 id, guint from, GError **error);
// Remove a content with all of these. No file may have it any more.
bool parts_drop(Sql *sql, gint64 id, GError **error);

// The only value of a result with one row at most; takes the result. false:
// that was an error. *found: is there a row?
bool parts_take_number(PGresult *result, gint64 *number, bool *found);
