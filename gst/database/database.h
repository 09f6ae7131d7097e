// SPDX-License-Identifier: LGPL-2.1-or-later
//
// database.h - SQLite with errors that name the file: for the index of an
// archive and for the spool of a sink. Knows no GStreamer.

#pragma once

#include <glib.h>
#include <sqlite3.h>
#include <stdbool.h>

typedef struct Database Database;

// One owner; a thread at a time.
//   write  make the file if it is not there, with a rollback journal (the
//          other kind breaks on network file systems). Readers of a file
//          without write permission work too.
// Returns NULL with the error.
Database *database_open(const char *path, bool write, GError **error);
// The same for a file on a local disk that no other process, and nothing else
// in this one, may have open: with a write-ahead log, whose commits are there
// after the process was killed, though not after a power cut. Does not wait for
// who has it. A NULL path: in memory.
Database *database_open_alone(const char *path, GError **error);
void database_close(Database *database);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Database, database_close)

// Statements without values.
bool database_execute(Database *database, const char *sql, GError **error);

// What the values behind `kinds` are, a letter each: i gint64, d double,
// t const char * (NULL: null), b GBytes * (NULL: null).
// Run a statement that has no rows.
bool database_run(Database *database, GError **error, const char *sql,
                  const char *kinds, ...);
// The statement, for database_next(); the database keeps it, and it must not
// be asked for again before it has ended. NULL with the error.
sqlite3_stmt *database_query(Database *database, GError **error,
                             const char *sql, const char *kinds, ...);
// Is there another row? At the end, and when it fails (`error` is set), the
// statement has ended.
bool database_next(Database *database, sqlite3_stmt *statement, GError **error);
// Behind a loop over rows: hand `e` on (taken). Is there none?
bool database_is_fine(GError *e, GError **error);
// End a statement before its last row.
void database_end(sqlite3_stmt *statement);

// Add the first column of every row that a query without values gives to
// `texts`, g_free() each. false with the error; then some may be missing.
bool database_add_texts(Database *database, GPtrArray *texts, GError **error,
                        const char *sql);

// Give the database's statements a function with so many values, which depends
// on nothing but these.
bool database_add_function(Database *database, const char *name, int n_values,
                           void (*func)(sqlite3_context *context, int n,
                                        sqlite3_value **values),
                           GError **error);

gint64 database_last_id(Database *database);

// Texts and blobs of a row. Return copies, g_free() and g_bytes_unref(); NULL
// for null.
char *database_text(sqlite3_stmt *statement, int column);
GBytes *database_blob(sqlite3_stmt *statement, int column);
