// SPDX-License-Identifier: LGPL-2.1-or-later
//
// database.c - see database.h. Knows no table.

#include "database.h"

#include <string.h>

#include "core/pe.h"
#include "database_private.h"

#define PATIENCE 60000 // ms that another process may hold the file

// In SQLite's words, and the system's where it knows more.
bool
database_fail(Database *database, GError **error)
{
    int code = sqlite3_errcode(database->handle);
    int cause = sqlite3_system_errno(database->handle);
    PeError kind = code == SQLITE_NOTADB || code == SQLITE_CORRUPT
                       ? PE_ERROR_FORMAT
                       : PE_ERROR_FILE;
    const char *words = sqlite3_errmsg(database->handle);
    if (code == SQLITE_FULL)
        words = "no space left on its device";
    else if (code == SQLITE_BUSY)
        words = "another process keeps it locked";
    bool by_system = cause && (code == SQLITE_IOERR || code == SQLITE_CANTOPEN);
    g_set_error(error, PE_ERROR, (gint)kind, "%s: %s%s%s", database->path,
                words, by_system ? ": " : "",
                by_system ? g_strerror(cause) : "");
    return false;
}

static void
free_statement(gpointer statement)
{
    sqlite3_finalize(statement);
}

// ---- Open -----------------------------------------------------------------

// `setup`: statements that must succeed.
static Database *
open_file(const char *path, int flags, int patience, const char *setup,
          GError **error)
{
    Database *database = g_new0(Database, 1);
    database->path = g_strdup(path);
    database->statements = g_hash_table_new_full(g_direct_hash, g_direct_equal,
                                                 NULL, free_statement);
    // A thread at a time needs no locks of SQLite's.
    int code = sqlite3_open_v2(path, &database->handle,
                               flags | SQLITE_OPEN_NOMUTEX, NULL);
    sqlite3_busy_timeout(database->handle, patience);
    if (code != SQLITE_OK)
        database_fail(database, error);
    else if (database_execute(database, setup, error))
        return database;
    database_close(database);
    return NULL;
}

Database *
database_open(const char *path, bool write, GError **error)
{
    // A reader may have to roll back what a killed writer has left.
    return open_file(path,
                     SQLITE_OPEN_READWRITE | (write ? SQLITE_OPEN_CREATE : 0),
                     PATIENCE,
                     write ? "PRAGMA journal_mode = DELETE;"
                             "PRAGMA synchronous = EXTRA;"
                             "PRAGMA foreign_keys = ON;"
                           : "PRAGMA query_only = ON;",
                     error);
}

Database *
database_open_alone(const char *path, GError **error)
{
    // The lock is taken by the first statement that reads.
    return open_file(
        path ? path : ":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, 0,
        "PRAGMA locking_mode = EXCLUSIVE;"
        "PRAGMA journal_mode = WAL;"
        // Pages in the log; each move of it waits for the disk.
        "PRAGMA wal_autocheckpoint = 4000;"
        "PRAGMA synchronous = NORMAL;",
        error);
}

void
database_close(Database *database)
{
    g_hash_table_unref(database->statements);
    sqlite3_close(database->handle);
    g_free(database->path);
    g_free(database);
}

// ---- Statements -----------------------------------------------------------

bool
database_execute(Database *database, const char *sql, GError **error)
{
    return sqlite3_exec(database->handle, sql, NULL, NULL, NULL) == SQLITE_OK ||
           database_fail(database, error);
}

// Compiled once; `sql` is a literal.
static sqlite3_stmt *
prepare(Database *database, const char *sql, GError **error)
{
    sqlite3_stmt *statement = g_hash_table_lookup(database->statements, sql);
    if (statement)
        return statement;
    if (sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL) !=
        SQLITE_OK) {
        database_fail(database, error);
        return NULL;
    }
    g_hash_table_insert(database->statements, (void *)sql, statement);
    return statement;
}

static void
bind_value(sqlite3_stmt *statement, int i, char kind, va_list *values)
{
    const char *text;
    GBytes *bytes;
    switch (kind) {
    case 'i':
        sqlite3_bind_int64(statement, i, va_arg(*values, gint64));
        break;
    case 'd':
        sqlite3_bind_double(statement, i, va_arg(*values, double));
        break;
    case 't':
        text = va_arg(*values, const char *);
        sqlite3_bind_text(statement, i, text, -1, SQLITE_TRANSIENT);
        break;
    default:
        bytes = va_arg(*values, GBytes *);
        if (bytes)
            sqlite3_bind_blob64(statement, i, g_bytes_get_data(bytes, NULL),
                                g_bytes_get_size(bytes), SQLITE_TRANSIENT);
        else
            sqlite3_bind_null(statement, i);
    }
}

static sqlite3_stmt *
start(Database *database, GError **error, const char *sql, const char *kinds,
      va_list *values)
{
    sqlite3_stmt *statement = prepare(database, sql, error);
    for (int i = 0; statement && kinds[i]; i++)
        bind_value(statement, i + 1, kinds[i], values);
    return statement;
}

sqlite3_stmt *
database_query(Database *database, GError **error, const char *sql,
               const char *kinds, ...)
{
    va_list values;
    va_start(values, kinds);
    sqlite3_stmt *statement = start(database, error, sql, kinds, &values);
    va_end(values);
    return statement;
}

bool
database_is_fine(GError *e, GError **error)
{
    if (e)
        g_propagate_error(error, e);
    return !e;
}

bool
database_next(Database *database, sqlite3_stmt *statement, GError **error)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return true;
    if (code != SQLITE_DONE)
        database_fail(database, error);
    database_end(statement);
    return false;
}

void
database_end(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

bool
database_run(Database *database, GError **error, const char *sql,
             const char *kinds, ...)
{
    va_list values;
    va_start(values, kinds);
    sqlite3_stmt *statement = start(database, error, sql, kinds, &values);
    va_end(values);
    if (!statement)
        return false;
    int code = sqlite3_step(statement);
    bool ok = code == SQLITE_DONE || code == SQLITE_ROW;
    if (!ok)
        database_fail(database, error);
    database_end(statement);
    return ok;
}

bool
database_add_function(Database *database, const char *name, int n_values,
                      void (*func)(sqlite3_context *context, int n,
                                   sqlite3_value **values),
                      GError **error)
{
    return sqlite3_create_function(database->handle, name, n_values,
                                   SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                   func, NULL, NULL) == SQLITE_OK ||
           database_fail(database, error);
}

gint64
database_last_id(Database *database)
{
    return sqlite3_last_insert_rowid(database->handle);
}

char *
database_text(sqlite3_stmt *statement, int column)
{
    return g_strdup((const char *)sqlite3_column_text(statement, column));
}

GBytes *
database_blob(sqlite3_stmt *statement, int column)
{
    const void *data = sqlite3_column_blob(statement, column);
    return data ? g_bytes_new(data,
                              (gsize)sqlite3_column_bytes(statement, column))
                : NULL;
}

bool
database_add_texts(Database *database, GPtrArray *texts, GError **error,
                   const char *sql)
{
    GError *e = NULL;
    sqlite3_stmt *row = database_query(database, &e, sql, "");
    while (row && database_next(database, row, &e))
        g_ptr_array_add(texts, database_text(row, 0));
    return database_is_fine(e, error);
}
