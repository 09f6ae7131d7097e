// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nearest.c - see nearest.h.
//
// DESIGN
//
// There are three ways. The index (HNSW) looks at about k / f vectors for k of
// a selection that is the fraction f of all, and in any case at LEAST, one here
// and one there; comparing all of the selection looks at f * n, one behind the
// other. The one that looks at less is taken; behind a narrow filter the index
// would also miss some, because in strict_order it leaves out what it comes
// across too late (bench/results/pgvector.md). As the index may end before it
// has found k, as many as there are, comparing all follows then. And when the
// selection is so large a part that the tables are read as a whole, ranges of
// rows are tested instead of looked up.

#include "nearest.h"

#include <inttypes.h>

#define MORE 64     // rows besides k, whose order the server sees less exactly
#define MAX_EF 1000 // pgvector's limit
#define LEAST (MAX_EF * 16) // the neighbours of as many vectors, see schema.c

// ---- Session --------------------------------------------------------------

// A setting that the server does not know is taken, and ignored; so it is read
// back, after the extension is there for sure.
static bool
set(Sql *sql, const char *name, const char *value, GError **error)
{
    g_autofree char *text = g_strdup_printf("SET %s = %s", name, value);
    g_autofree char *ask = g_strdup_printf("SHOW %s", name);
    GError *e = NULL;
    g_autoptr(PGresult) result =
        sql_execute(sql, text, &e) ? sql_query(sql, &e, ask, "") : NULL;
    g_autofree char *is = result ? sql_text(result, 0, 0) : NULL;
    if (g_strcmp0(is, value) == 0)
        return true;
    if (e && e->code == PE_ERROR_FILE) {
        g_propagate_error(error, e);
        return false;
    }
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: the server does not take %s = %s%s%s; pgvector 0.8 or "
                "later is needed",
                sql_get_name(sql), name, value, e ? ": " : ", but has ",
                e    ? e->message
                : is ? is
                     : "nothing");
    g_clear_error(&e);
    return false;
}

bool
nearest_prepare(const Nearest *nearest, GError **error)
{
    Sql *sql = nearest->sql;
    // Whose settings are not known before it is used; only some may LOAD.
    return sql_run(sql, error, "SELECT '[1]'::halfvec <#> '[1]'::halfvec",
                   "") &&
           set(sql, "hnsw.iterative_scan", "strict_order", error) &&
           set(sql, "hnsw.ef_search", G_STRINGIFY(MAX_EF), error) &&
           set(sql, "hnsw.max_scan_tuples", "2147483647", error);
}

// ---- Parameters -----------------------------------------------------------

// "[0.1,-0.2]", each value exactly.
static char *
write_vector(const float *query, int dim)
{
    char number[G_ASCII_DTOSTR_BUF_SIZE];
    GString *text = g_string_new("[");
    for (int i = 0; i < dim; i++)
        g_string_append_printf(
            text, "%s%s", i ? "," : "",
            g_ascii_formatd(number, sizeof number, "%.9g", (double)query[i]));
    return g_string_free(g_string_append_c(text, ']'), FALSE);
}

// An int8multirange.
static char *
write_ranges(const uint64_t *rows, size_t n)
{
    GString *text = g_string_new("{");
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && rows[end] == rows[end - 1] + 1;)
            end++;
        g_string_append_printf(text, "%s[%" PRIu64 ",%" PRIu64 ")",
                               i ? "," : "", rows[i], rows[end - 1] + 1);
    }
    return g_string_free(g_string_append_c(text, '}'), FALSE);
}

// ---- Find -----------------------------------------------------------------

// Equal vectors come in the order of their rows, as in every archive.
#define BY_ALL " ORDER BY vector::vector <#> $1::vector, \"row\" LIMIT $2"

static PGresult *
compare_all(const Nearest *nearest, const char *query, gint64 k,
            const char *ranges, bool look_up, GError **error)
{
    if (!ranges)
        return sql_query(nearest->sql, error,
                         "SELECT \"row\", vector FROM perception.frames" BY_ALL,
                         "ti", query, k);
    return sql_query(
        nearest->sql, error,
        look_up ? "SELECT \"row\", vector FROM unnest($3::int8multirange) AS r "
                  "JOIN perception.frames ON \"row\" >= lower(r) AND "
                  "\"row\" < upper(r)" BY_ALL
                : "SELECT \"row\", vector FROM perception.frames "
                  "WHERE \"row\" <@ $3::int8multirange" BY_ALL,
        "tit", query, k, ranges);
}

#define BY_INDEX " ORDER BY vector <#> $1::vector::halfvec LIMIT $2"

static PGresult *
ask_index(const Nearest *nearest, const char *query, gint64 k,
          const char *ranges, GError **error)
{
    return ranges ? sql_query(nearest->sql, error,
                              "SELECT \"row\", vector FROM perception.frames "
                              "WHERE \"row\" <@ $3::int8multirange" BY_INDEX,
                              "tit", query, k, ranges)
                  : sql_query(nearest->sql, error,
                              "SELECT \"row\", vector FROM "
                              "perception.frames" BY_INDEX,
                              "ti", query, k);
}

// Which way is taken is decided here, not by the planner.
static bool
let_read_all(Nearest *nearest, bool reads_all, GError **error)
{
    if (nearest->reads_all == reads_all)
        return true;
    nearest->reads_all = reads_all;
    return sql_execute(nearest->sql,
                       reads_all ? "SET LOCAL enable_seqscan = on"
                                 : "SET LOCAL enable_seqscan = off",
                       error);
}

PGresult *
nearest_find(Nearest *nearest, const float *query, int k,
             const uint64_t *selected, size_t n_selected, GError **error)
{
    double all = (double)nearest->n_frames;
    double n = selected ? (double)n_selected : all;
    gint64 limit = k + MORE, least = (gint64)MIN(n, (double)limit);
    g_autofree char *text = write_vector(query, nearest->dim);
    g_autofree char *ranges =
        selected ? write_ranges(selected, n_selected) : NULL;
    bool by_index = !nearest->exact && n > LEAST && n * n > (double)limit * all;
    bool look_up = selected && n < all / 4;
    PGresult *result = NULL;
    if (by_index) {
        result = let_read_all(nearest, false, error)
                     ? ask_index(nearest, text, limit, ranges, error)
                     : NULL;
        if (!result || PQntuples(result) >= least)
            return result;
    }
    if (result)
        pe_log(PE_LOG_DEBUG, "the index found %d of %" PRId64 " frames",
               PQntuples(result), least);
    PQclear(result);
    return let_read_all(nearest, !look_up, error)
               ? compare_all(nearest, text, limit, ranges, look_up, error)
               : NULL;
}
