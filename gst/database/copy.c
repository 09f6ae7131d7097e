// SPDX-License-Identifier: LGPL-2.1-or-later
//
// copy.c - see copy.h: a virtual table whose rows are those of a statement of
// another database.

#include "copy.h"

#include "core/pe.h"
#include "database_private.h"

// What `rows` has, while a statement reads it.
typedef struct {
    Database *other;
    sqlite3_stmt *row; // NULL: at the end
    gint64 number;
    GError *error; // of the other
} Rows;

typedef struct {
    sqlite3_vtab base;
    Rows *rows;
} Table;

typedef struct {
    sqlite3_vtab_cursor base;
    Rows *rows;
} Cursor;

static int
connect_table(sqlite3 *handle, void *data, int argc, const char *const *argv,
              sqlite3_vtab **table, char **message)
{
    int code =
        sqlite3_declare_vtab(handle, "CREATE TABLE rows (a, b, c, d, e, f, g)");
    if (code != SQLITE_OK)
        return code;
    Table *made = g_new0(Table, 1);
    made->rows = data;
    *table = &made->base;
    return SQLITE_OK;
}

static int
disconnect_table(sqlite3_vtab *table)
{
    g_free(table);
    return SQLITE_OK;
}

static int
choose_plan(sqlite3_vtab *table, sqlite3_index_info *info)
{
    info->estimatedCost = 1000; // there is one way
    return SQLITE_OK;
}

static int
open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor)
{
    Cursor *made = g_new0(Cursor, 1);
    made->rows = ((Table *)table)->rows;
    *cursor = &made->base;
    return SQLITE_OK;
}

static int
close_cursor(sqlite3_vtab_cursor *cursor)
{
    g_free(cursor);
    return SQLITE_OK;
}

static int
next_row(sqlite3_vtab_cursor *cursor)
{
    Rows *rows = ((Cursor *)cursor)->rows;
    rows->number++;
    if (!database_next(rows->other, rows->row, &rows->error))
        rows->row = NULL;
    return rows->error ? SQLITE_ABORT : SQLITE_OK;
}

static int
start_rows(sqlite3_vtab_cursor *cursor, int number, const char *name, int argc,
           sqlite3_value **argv)
{
    return next_row(cursor);
}

static int
is_at_end(sqlite3_vtab_cursor *cursor)
{
    return ((Cursor *)cursor)->rows->row == NULL;
}

static int
get_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int i)
{
    sqlite3_stmt *row = ((Cursor *)cursor)->rows->row;
    if (i < sqlite3_column_count(row))
        sqlite3_result_value(context, sqlite3_column_value(row, i));
    return SQLITE_OK;
}

static int
get_number(sqlite3_vtab_cursor *cursor, sqlite3_int64 *number)
{
    *number = ((Cursor *)cursor)->rows->number;
    return SQLITE_OK;
}

// Without xCreate, it is there without being made.
static const sqlite3_module module = {
    .xConnect = connect_table,
    .xBestIndex = choose_plan,
    .xDisconnect = disconnect_table,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = start_rows,
    .xNext = next_row,
    .xEof = is_at_end,
    .xColumn = get_column,
    .xRowid = get_number,
};

// What `rows` of a database has; made when it is first asked for.
static Rows *
get_rows(Database *database, GError **error)
{
    if (database->rows)
        return database->rows;
    Rows *rows = g_new0(Rows, 1);
    // SQLite frees it, also when it fails.
    if (sqlite3_create_module_v2(database->handle, "rows", &module, rows,
                                 g_free) != SQLITE_OK) {
        database_fail(database, error);
        return NULL;
    }
    return database->rows = rows;
}

bool
database_copy_rows(Database *database, const char *insert, gint64 id,
                   Database *other, const char *query, gint64 other_id,
                   gint64 *n, GError **error)
{
    Rows *rows = get_rows(database, error);
    sqlite3_stmt *row =
        rows ? database_query(other, error, query, "i", other_id) : NULL;
    if (!row)
        return false;
    *rows = (Rows){.other = other, .row = row};
    GError *e = NULL;
    bool ok = database_run(database, &e, insert, "i", id);
    *n = ok ? sqlite3_changes(database->handle) : 0;
    if (!ok && rows->row)
        database_end(rows->row);
    if (ok)
        return true;
    // What went wrong there explains what went wrong here.
    if (rows->error) {
        g_error_free(e);
        e = g_steal_pointer(&rows->error);
    }
    g_propagate_error(error, e);
    return false;
}
