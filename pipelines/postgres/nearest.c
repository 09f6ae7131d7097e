// SPDX-License-Identifier: LGPL-2.1-or-later
//
// nearest.c - see nearest.h.
//
// DESIGN
//
// Comparing all of a selection misses nothing, and is what is done up to
// MOST_COMPARED vectors. Behind that, there is the index (HNSW). It does not
// find the nearest for sure: where very many vectors are nearly the same, as
// those of a camera that stays where it is, its graph falls apart into islands,
// and a search that has come to one never leaves it
// (bench/results/pgvector.md). So it goes on until it has SEEN many, in
// relaxed_order, which unlike strict_order keeps what it comes across late, and
// the nearest of those are taken. It looks at about k / f vectors for k of a
// selection that is the fraction f of all; comparing looks at f * n. As the
// index may end before it has found k, as many as there are, comparing all
// follows then. And when the selection is so large a part that the tables are
// read as a whole, ranges of rows are tested instead of looked up.

#include "nearest.h"

#include <inttypes.h>

#define MORE 64     // rows besides k, whose order the server sees less exactly
#define MAX_EF 1000 // pgvector's limit
// With about so many, comparing takes as long for a text and the everyday ones
// as the index, which has to be asked for each of them.
#define MOST_COMPARED 500000
#define SEEN 8192 // vectors that the index looks for at least

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

static bool
read_most_compared(Nearest *nearest, GError **error)
{
    const char *text = g_getenv("PE_POSTGRES_COMPARED");
    g_autoptr(GError) e = NULL;
    nearest->most_compared = MOST_COMPARED;
    if (!text || g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT32,
                                            &nearest->most_compared, &e))
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "PE_POSTGRES_COMPARED is \"%s\", but must be a number of "
                "frames: %s",
                text, e->message);
    return false;
}

bool
nearest_prepare(Nearest *nearest, GError **error)
{
    Sql *sql = nearest->sql;
    if (!read_most_compared(nearest, error))
        return false;
    // Whose settings are not known before it is used; only some may LOAD.
    return sql_run(sql, error, "SELECT '[1]'::halfvec <#> '[1]'::halfvec",
                   "") &&
           set(sql, "hnsw.iterative_scan", "relaxed_order", error) &&
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

// ---- Compare --------------------------------------------------------------

// What is read: all, or ranges of rows, which are the parameter.
static char *
write_from(const char *ranges, bool look_up, int parameter)
{
    if (!ranges)
        return g_strdup("perception.frames");
    return look_up
               ? g_strdup_printf("unnest($%d::int8multirange) AS r JOIN "
                                 "perception.frames ON \"row\" >= lower(r) AND "
                                 "\"row\" < upper(r)",
                                 parameter)
               : g_strdup_printf("perception.frames WHERE \"row\" <@ "
                                 "$%d::int8multirange",
                                 parameter);
}

// Equal vectors come in the order of their rows, as in every archive.
static PGresult *
compare_all(const Nearest *nearest, const char *query, gint64 k,
            const char *ranges, bool look_up, GError **error)
{
    g_autofree char *from = write_from(ranges, look_up, 3);
    g_autofree char *text =
        g_strdup_printf("SELECT \"row\", vector FROM %s ORDER BY "
                        "vector::vector <#> $1::vector, \"row\" LIMIT $2",
                        from);
    return ranges
               ? sql_query(nearest->sql, error, text, "tit", query, k, ranges)
               : sql_query(nearest->sql, error, text, "ti", query, k);
}

// Reads once what compare_all() would read for each query. OFFSET keeps the
// planner from converting each vector once a query.
static PGresult *
compare_all_with_many(const Nearest *nearest, const float *queries, int n,
                      const char *ranges, bool look_up, GError **error)
{
    size_t dim = (size_t)nearest->row_dim;
    g_autofree char *from = write_from(ranges, look_up, 1);
    g_autoptr(GString) text =
        g_string_new("SELECT \"row\", vector FROM perception.frames WHERE "
                     "\"row\" = ANY ((SELECT ARRAY[");
    for (int i = 0; i < n; i++) {
        g_autofree char *query =
            write_vector(queries + (size_t)i * dim, nearest->dim);
        g_string_append_printf(text, "%s(min(ARRAY[x <#> '%s'::vector, n]))[2]",
                               i ? "," : "", query);
    }
    g_string_append_printf(text,
                           "] FROM (SELECT vector::vector AS x, "
                           "\"row\"::double precision AS n FROM %s OFFSET 0) "
                           "f)::bigint[])",
                           from);
    return ranges ? sql_query(nearest->sql, error, text->str, "t", ranges)
                  : sql_query(nearest->sql, error, text->str, "");
}

// ---- Find -----------------------------------------------------------------

#define NEAR "vector <#> $1::vector::halfvec"
#define NAMED \
    " ORDER BY " NEAR " LIMIT $3) f ORDER BY " NEAR ", \"row\" LIMIT $2"

static PGresult *
ask_index(const Nearest *nearest, const char *query, gint64 k, gint64 seen,
          const char *ranges, GError **error)
{
    return ranges ? sql_query(nearest->sql, error,
                              "SELECT \"row\", vector FROM (SELECT \"row\", "
                              "vector FROM perception.frames WHERE \"row\" <@ "
                              "$4::int8multirange" NAMED,
                              "tiit", query, k, seen, ranges)
                  : sql_query(nearest->sql, error,
                              "SELECT \"row\", vector FROM (SELECT \"row\", "
                              "vector FROM perception.frames" NAMED,
                              "tii", query, k, seen);
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

bool
nearest_is_many(const Nearest *nearest, double n)
{
    return !nearest->exact && n > (double)nearest->most_compared;
}

PGresult *
nearest_find(Nearest *nearest, const float *query, int k,
             const uint64_t *selected, size_t n_selected, GError **error)
{
    double all = (double)nearest->n_frames;
    double n = selected ? (double)n_selected : all;
    gint64 limit = k + MORE;
    gint64 seen = MAX(limit, (gint64)(SEEN * n / all)); // that pass
    gint64 least = (gint64)MIN(n, (double)limit);
    g_autofree char *text = write_vector(query, nearest->dim);
    g_autofree char *ranges =
        selected ? write_ranges(selected, n_selected) : NULL;
    bool by_index = nearest_is_many(nearest, n) && n * n > (double)limit * all;
    bool look_up = selected && n < all / 4;
    PGresult *result = NULL;
    if (by_index) {
        result = let_read_all(nearest, false, error)
                     ? ask_index(nearest, text, limit, seen, ranges, error)
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

PGresult *
nearest_find_best(Nearest *nearest, const float *queries, int n_queries,
                  const uint64_t *selected, size_t n_selected, GError **error)
{
    double all = (double)nearest->n_frames;
    bool look_up = selected && (double)n_selected < all / 4;
    g_autofree char *ranges =
        selected ? write_ranges(selected, n_selected) : NULL;
    return let_read_all(nearest, !look_up, error)
               ? compare_all_with_many(nearest, queries, n_queries, ranges,
                                       look_up, error)
               : NULL;
}
