// SPDX-License-Identifier: LGPL-2.1-or-later
//
// schema.h - the tables of an archive in a PostgreSQL database. They are in a
// schema of their own, "perception", and need pgvector.

#pragma once

#include "pipelines/index/archive.h"
#include "sql.h"

// From the database. Ends with schema_facts_clear().
typedef struct {
    char *model, *fingerprint;
    int dim, n_probes;
    float *probes; // [n_probes, dim]
    gint64 n_rows; // a row's number is below, and never used again
} SchemaFacts;

void schema_facts_clear(SchemaFacts *facts);

// Is there what is needed to search? Fails with PE_ERROR_FORMAT when pgvector
// is missing or too old, when there are no tables, or those of another version.
bool schema_read(Sql *sql, SchemaFacts *facts, GError **error);

// The same to write, and make what is not there: the extension, if the user
// may, and the tables for the vectors of a model.
bool schema_make(Sql *sql, const ArchiveModel *model, SchemaFacts *facts,
                 GError **error);

// Are they the vectors of this model? Fails with PE_ERROR_SHAPE when not.
//   whose  model it is, for the error
bool schema_check_model(Sql *sql, const SchemaFacts *facts,
                        const ArchiveModel *model, const char *whose,
                        GError **error);

// In a transaction that changes what the tables say of contents and files, and
// before that: take n numbers of rows, of which *first is the first, and let
// others see that there is a change. Others that do so wait.
bool schema_begin_change(Sql *sql, gint64 n, gint64 *first, GError **error);
// Which was the last change. Only "the same" has a meaning.
bool schema_read_change(Sql *sql, gint64 *change, GError **error);

// Make the index of vectors, if it is not there: that of a million vectors of
// 1024 values takes an hour or so. *made: it was not.
bool schema_index(Sql *sql, bool *made, GError **error);
