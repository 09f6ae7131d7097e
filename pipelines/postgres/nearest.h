// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nearest.h - the stored vectors that are nearest to a query, as pgvector finds
// them.

#pragma once

#include "sql.h"

typedef struct {
    Sql *sql;
    int dim, row_dim;      // row_dim: from one query to the next
    gint64 n_frames;       // in the database
    bool exact;            // never the index
    guint64 most_compared; // frames; of more, the index is asked
    bool reads_all; // the planner may read whole tables, in this transaction
    bool holds;     // a transaction is open
    gint64 change;  // see schema_read_change(); of what was read first
} Nearest;

// Make the session ask the index as long as it takes to find what is asked for,
// also behind a filter, and read back that the server does it. The environment
// variable PE_POSTGRES_COMPARED may say from how many frames on it is asked.
bool nearest_prepare(Nearest *nearest, GError **error);

// Whether so many frames are more than are compared with each query.
bool nearest_is_many(const Nearest *nearest, double n);

// k rows, or all there are when they are fewer: their numbers and vectors, as
// columns. The server compares with less precision than is known here, so these
// are some more than k. NULL with the error. Returns, PQclear().
//   query     [dim] of unit length
//   selected  [n_selected] ascending, the only rows that count; NULL: all
PGresult *nearest_find(Nearest *nearest, const float *query, int k,
                       const uint64_t *selected, size_t n_selected,
                       GError **error);

// The nearest row of each of several queries, by comparing all: columns as
// above, each row once. Much faster than one query after the other; of rows
// that are as near but for rounding, it may be another. NULL with the error.
// Returns, PQclear().
//   queries  [n_queries, row_dim] of unit length
PGresult *nearest_find_best(Nearest *nearest, const float *queries,
                            int n_queries, const uint64_t *selected,
                            size_t n_selected, GError **error);
