// SPDX-License-Identifier: LGPL-2.1-or-later
//
// sql.h - statements to a PostgreSQL server. Nothing waits without a deadline,
// and errors name the server, but never a password. Knows no archive.

#pragma once

#include <glib.h>
#include <libpq-fe.h>
#include <stdbool.h>

#include "core/pe.h"

typedef struct Sql Sql;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(PGresult, PQclear)

// Connect. What the URI leaves open is asked of the environment and of
// ~/.pgpass, as every program that uses libpq does. A server that does not
// answer is given up after 10 s, unless the URI has another connect_timeout.
// One owner; a thread at a time. NULL with the error.
Sql *sql_open(const char *uri, GError **error);
void sql_close(Sql *sql);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Sql, sql_close)
// "postgresql://host:port/database"
const char *sql_get_name(const Sql *sql);

// From here on a statement may take so many seconds.
bool sql_set_patience(Sql *sql, int seconds, GError **error);

// What the parameters behind `kinds` are, a letter each: i gint64, d double,
// t const char * (NULL: null; made valid UTF-8), n const char *, any bytes but
// 0, b GBytes * (NULL: null). Rows are binary, for the functions below.
// NULL with the error: PE_ERROR_FILE may pass by itself, PE_ERROR_FORMAT will
// not. Returns, PQclear().
PGresult *sql_query(Sql *sql, GError **error, const char *text,
                    const char *kinds, ...);
// The same without rows.
bool sql_run(Sql *sql, GError **error, const char *text, const char *kinds,
             ...);
// Begin, commit or the like: no parameters, but several statements.
bool sql_execute(Sql *sql, const char *text, GError **error);

// Send what a "COPY ... FROM STDIN (FORMAT binary)" takes: see copy.h.
bool sql_copy(Sql *sql, const char *text, const GByteArray *data,
              GError **error);

// Values of a row. Numbers are of any size; null is 0.
gint64 sql_int(const PGresult *result, int row, int column);
double sql_double(const PGresult *result, int row, int column);
// NULL for null. Return copies, g_free() and g_bytes_unref().
char *sql_text(const PGresult *result, int row, int column);
GBytes *sql_bytes(const PGresult *result, int row, int column);
