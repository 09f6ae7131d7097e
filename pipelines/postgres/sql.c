// SPDX-License-Identifier: LGPL-2.1-or-later
//
// sql.c - see sql.h.

#include "sql.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>

#define MAX_PARAMS 16
#define PATIENCE 600 // s, of a statement
#define GRACE 20     // s longer than the server, which says more

struct Sql {
    PGconn *connection;
    char *name;
    int patience; // s
};

// ---- Connect --------------------------------------------------------------

// Libpq's own words on what is wrong with a URI may have its password.
static bool
check_uri(const char *uri, GError **error)
{
    char *words = NULL;
    PQconninfoOption *options = PQconninfoParse(uri, &words);
    PQfreemem(words);
    if (options) {
        PQconninfoFree(options);
        return true;
    }
    g_set_error(
        error, PE_ERROR, PE_ERROR_FORMAT,
        "the URI of the database is none; write "
        "postgresql://user@host:5432/database, with other characters "
        "than letters and digits as %%40 (it is not shown, as it may have "
        "a password in it)");
    return false;
}

// The URI is behind what it may change, and before what it may not.
static PGconn *
connect_to(const char *uri)
{
    static const char *const keys[] = {"connect_timeout",
                                       "keepalives_idle",
                                       "tcp_user_timeout",
                                       "fallback_application_name",
                                       "dbname",
                                       "client_encoding",
                                       NULL};
    const char *const values[] = {"10", "30",   "60000", "perception-encoder",
                                  uri,  "UTF8", NULL};
    return PQconnectdbParams(keys, values, 1);
}

static void
on_notice(void *data, const char *message)
{
    g_autofree char *text = g_strchomp(g_strdup(message));
    pe_log(PE_LOG_DEBUG, "%s: %s", ((Sql *)data)->name, text);
}

static char *
describe(PGconn *connection)
{
    const char *host = PQhost(connection), *port = PQport(connection);
    const char *database = PQdb(connection);
    return g_strdup_printf("postgresql://%s:%s/%s", host ? host : "",
                           port ? port : "", database ? database : "");
}

// A line of what libpq says.
static char *
get_words(const Sql *sql)
{
    char *text = g_strchomp(g_strdup(PQerrorMessage(sql->connection)));
    return g_strdelimit(text, "\n\t", ' ');
}

static bool
fail(const Sql *sql, const char *words, GError **error)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: %s", sql->name, words);
    return false;
}

static bool
prepare(Sql *sql, GError **error)
{
    PGconn *connection = sql->connection;
    const char *encoding = PQparameterStatus(connection, "server_encoding");
    if (PQserverVersion(connection) < 140000 ||
        g_strcmp0(encoding, "UTF8") != 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: has the version %s and the encoding %s; PostgreSQL 14 "
                    "or later and a database in UTF8 are needed",
                    sql->name, PQparameterStatus(connection, "server_version"),
                    encoding);
        return false;
    }
    // What a killed program has begun ends soon, where the server can tell.
    return PQsetnonblocking(connection, 1) == 0 &&
           sql_execute(sql, "SET lock_timeout = '30s'", error) &&
           (sql_execute(sql, "SET client_connection_check_interval = '2s'",
                        NULL) ||
            PQstatus(connection) == CONNECTION_OK) &&
           sql_set_patience(sql, PATIENCE, error);
}

Sql *
sql_open(const char *uri, GError **error)
{
    if (!check_uri(uri, error))
        return NULL;
    g_autoptr(Sql) sql = g_new0(Sql, 1);
    sql->patience = PATIENCE;
    sql->connection = connect_to(uri);
    sql->name = describe(sql->connection);
    if (PQstatus(sql->connection) != CONNECTION_OK) {
        g_autofree char *words = get_words(sql);
        fail(sql, words, error);
        return NULL;
    }
    PQsetNoticeProcessor(sql->connection, on_notice, sql);
    return prepare(sql, error) ? g_steal_pointer(&sql) : NULL;
}

void
sql_close(Sql *sql)
{
    PQfinish(sql->connection);
    g_free(sql->name);
    g_free(sql);
}

const char *
sql_get_name(const Sql *sql)
{
    return sql->name;
}

bool
sql_set_patience(Sql *sql, int seconds, GError **error)
{
    g_autofree char *text =
        g_strdup_printf("SET statement_timeout = '%ds'", seconds);
    sql->patience = seconds;
    return sql_execute(sql, text, error);
}

// ---- Wait -----------------------------------------------------------------

static gint64
get_deadline(const Sql *sql)
{
    gint64 seconds = sql->patience + GRACE; // a day is too many us for an int
    return g_get_monotonic_time() + seconds * G_USEC_PER_SEC;
}

// Until the socket has something to read, or, with `write`, room. false with
// the error at the deadline.
static bool
wait_socket(const Sql *sql, bool write, gint64 deadline, GError **error)
{
    struct pollfd fd = {.fd = PQsocket(sql->connection),
                        .events = (short)(write ? POLLIN | POLLOUT : POLLIN)};
    gint64 left = (deadline - g_get_monotonic_time()) / 1000;
    int n = left > 0 ? poll(&fd, 1, (int)left) : 0;
    if (n > 0 || (n < 0 && errno == EINTR))
        return true;
    if (n < 0)
        return fail(sql, g_strerror(errno), error);
    g_autofree char *words = g_strdup_printf(
        "has not answered for %d s; look whether the server hangs",
        sql->patience + GRACE);
    return fail(sql, words, error);
}

static bool
fail_connection(const Sql *sql, GError **error)
{
    g_autofree char *words = get_words(sql);
    return fail(sql, *words ? words : "the connection was lost", error);
}

// Send all that libpq still has.
static bool
flush(const Sql *sql, gint64 deadline, GError **error)
{
    int left;
    while ((left = PQflush(sql->connection)) == 1) {
        if (!wait_socket(sql, true, deadline, error))
            return false;
        if (!PQconsumeInput(sql->connection))
            return fail_connection(sql, error);
    }
    return left == 0 || fail_connection(sql, error);
}

// The next result; NULL without an error: that was the last one.
static PGresult *
take_result(const Sql *sql, gint64 deadline, GError **error)
{
    if (!flush(sql, deadline, error))
        return NULL;
    while (PQisBusy(sql->connection)) {
        if (!wait_socket(sql, false, deadline, error))
            return NULL;
        if (!PQconsumeInput(sql->connection)) {
            fail_connection(sql, error);
            return NULL;
        }
    }
    return PQgetResult(sql->connection);
}

// Classes of SQLSTATE that another time may not have: connection, transaction,
// privileges of a standby, resources, operator, system.
static bool
may_pass(const char *state)
{
    static const char *const classes[] = {"08", "25", "40", "53",
                                          "55", "57", "58"};
    for (size_t i = 0; state && i < G_N_ELEMENTS(classes); i++) {
        if (g_str_has_prefix(state, classes[i]))
            return true;
    }
    return !state;
}

// false with the error when the result is one.
static bool
check_result(const Sql *sql, const PGresult *result, GError **error)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK ||
        status == PGRES_COPY_IN)
        return true;
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (!words)
        return fail_connection(sql, error);
    g_set_error(error, PE_ERROR,
                may_pass(state) ? PE_ERROR_FILE : PE_ERROR_FORMAT,
                "%s: %s (SQLSTATE %s)", sql->name, words, state ? state : "?");
    return false;
}

// All results of what has been sent; the last one that is none of an error.
// NULL with the first error.
static PGresult *
take_results(const Sql *sql, GError **error)
{
    GError *first = NULL;
    PGresult *last = NULL, *result;
    gint64 deadline = get_deadline(sql);
    for (;;) {
        GError *e = NULL;
        result = take_result(sql, deadline, &e);
        if (!result) {
            if (e && !first)
                first = e;
            else
                g_clear_error(&e);
            break;
        }
        if (!check_result(sql, result, first ? NULL : &first)) {
            PQclear(result);
            continue;
        }
        PQclear(last);
        last = result;
        if (PQresultStatus(result) == PGRES_COPY_IN)
            break;
    }
    if (first) {
        g_propagate_error(error, first);
        g_clear_pointer(&last, PQclear);
    }
    return last;
}

// ---- Statements -----------------------------------------------------------

typedef struct {
    const char *values[MAX_PARAMS];
    int lengths[MAX_PARAMS], formats[MAX_PARAMS], n;
    char *owned[MAX_PARAMS];
} Params;

static void
add_param(Params *params, char kind, va_list *list)
{
    int i = params->n++;
    char number[G_ASCII_DTOSTR_BUF_SIZE];
    if (kind == 'i') {
        params->owned[i] =
            g_strdup_printf("%" G_GINT64_FORMAT, va_arg(*list, gint64));
    } else if (kind == 'd') {
        params->owned[i] = g_strdup(
            g_ascii_dtostr(number, sizeof number, va_arg(*list, double)));
    } else if (kind == 't') {
        const char *text = va_arg(*list, const char *);
        params->owned[i] = text ? g_utf8_make_valid(text, -1) : NULL;
    } else if (kind == 'n') {
        const char *name = va_arg(*list, const char *);
        params->owned[i] = g_strdup(name);
        params->lengths[i] = (int)strlen(name);
        params->formats[i] = 1;
    } else {
        GBytes *bytes = va_arg(*list, GBytes *);
        gsize size = 0;
        params->values[i] = bytes ? g_bytes_get_data(bytes, &size) : NULL;
        if (bytes && !params->values[i])
            params->values[i] = ""; // empty, but not null
        params->lengths[i] = (int)size;
        params->formats[i] = 1;
        return;
    }
    params->values[i] = params->owned[i];
}

static PGresult *
query(Sql *sql, GError **error, const char *text, const char *kinds,
      va_list *list)
{
    Params params = {.n = 0};
    for (const char *kind = kinds; *kind; kind++)
        add_param(&params, *kind, list);
    int sent =
        PQsendQueryParams(sql->connection, text, params.n, NULL, params.values,
                          params.lengths, params.formats, 1);
    for (int i = 0; i < params.n; i++)
        g_free(params.owned[i]);
    if (sent)
        return take_results(sql, error);
    fail_connection(sql, error);
    return NULL;
}

PGresult *
sql_query(Sql *sql, GError **error, const char *text, const char *kinds, ...)
{
    va_list list;
    va_start(list, kinds);
    PGresult *result = query(sql, error, text, kinds, &list);
    va_end(list);
    return result;
}

bool
sql_run(Sql *sql, GError **error, const char *text, const char *kinds, ...)
{
    va_list list;
    va_start(list, kinds);
    g_autoptr(PGresult) result = query(sql, error, text, kinds, &list);
    va_end(list);
    return result != NULL;
}

bool
sql_execute(Sql *sql, const char *text, GError **error)
{
    if (!PQsendQuery(sql->connection, text))
        return fail_connection(sql, error);
    g_autoptr(PGresult) result = take_results(sql, error);
    return result != NULL;
}

// ---- Copy -----------------------------------------------------------------

#define PIECE (1 << 20) // bytes

static bool
send_piece(const Sql *sql, const char *data, int size, GError **error)
{
    int sent;
    gint64 deadline = get_deadline(sql);
    while ((sent = PQputCopyData(sql->connection, data, size)) == 0) {
        if (!wait_socket(sql, true, deadline, error) ||
            !flush(sql, deadline, error))
            return false;
    }
    // So that libpq does not keep all of it.
    return sent > 0 ? flush(sql, deadline, error) : fail_connection(sql, error);
}

static bool
send_end(const Sql *sql, GError **error)
{
    int sent;
    gint64 deadline = get_deadline(sql);
    while ((sent = PQputCopyEnd(sql->connection, NULL)) == 0) {
        if (!wait_socket(sql, true, deadline, error))
            return false;
    }
    return sent > 0 || fail_connection(sql, error);
}

bool
sql_copy(Sql *sql, const char *text, const GByteArray *data, GError **error)
{
    if (!sql_execute(sql, text, error))
        return false;
    for (guint at = 0; at < data->len; at += PIECE) {
        if (!send_piece(sql, (const char *)data->data + at,
                        (int)MIN(PIECE, data->len - at), error))
            return false;
    }
    if (!send_end(sql, error))
        return false;
    g_autoptr(PGresult) result = take_results(sql, error);
    return result != NULL;
}

// ---- Values ---------------------------------------------------------------

gint64
sql_int(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return 0;
    const char *value = PQgetvalue(result, row, column);
    gint64 eight;
    gint32 four;
    if (PQgetlength(result, row, column) == sizeof four) {
        memcpy(&four, value, sizeof four);
        return GINT32_FROM_BE(four);
    }
    memcpy(&eight, value, sizeof eight);
    return GINT64_FROM_BE(eight);
}

double
sql_double(const PGresult *result, int row, int column)
{
    gint64 bits = sql_int(result, row, column);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

char *
sql_text(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return NULL;
    return g_strndup(PQgetvalue(result, row, column),
                     (gsize)PQgetlength(result, row, column));
}

GBytes *
sql_bytes(const PGresult *result, int row, int column)
{
    if (PQgetisnull(result, row, column))
        return NULL;
    return g_bytes_new(PQgetvalue(result, row, column),
                       (gsize)PQgetlength(result, row, column));
}
