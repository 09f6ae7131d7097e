// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nearest.h - the stored vectors that are nearest to a query, as pgvector finds
// them.

#pragma once

#include "sql.h"

typedef struct {
    Sql *sql;
    int dim;
    gint64 n_frames; // in the database
    bool exact;      // never the index
    bool reads_all;  // the planner may read whole tables, in this transaction
    bool holds;      // a transaction is open
    gint64 change;   // see schema_read_change(); of what was read first
} Nearest;

// Make the session ask the index as long as it takes to find what is asked for,
// also behind a filter, and read back that the server does it.
bool nearest_prepare(const Nearest *nearest, GError **error);

// k rows, or all there are when they are fewer: their numbers and vectors, as
// columns. The server compares with less precision than is known here, so these
// are some more than k. NULL with the error. Returns, PQclear().
//   query     [dim] of unit length
//   selected  [n_selected] ascending, the only rows that count; NULL: all
PGresult *nearest_find(Nearest *nearest, const float *query, int k,
                       const uint64_t *selected, size_t n_selected,
                       GError **error);
