// SPDX-License-Identifier: LGPL-2.1-or-later
//
// copy.h - rows of one database into another, of which neither need know the
// other's file: several times as fast as one statement for each row.

#pragma once

#include "database.h"

// Run `insert`, a statement that inserts what it selects FROM rows: a table
// with the columns a to g, which has what `query` says in another database. The
// first value of either statement is `id` and `other_id`.
//   *n  gets how many were inserted
bool database_copy_rows(Database *database, const char *insert, gint64 id,
                        Database *other, const char *query, gint64 other_id,
                        gint64 *n, GError **error);
