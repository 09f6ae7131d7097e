// SPDX-License-Identifier: LGPL-2.1-or-later
//
// schema.c - see schema.h. docs/scale.md has the tables for those who ask them
// by SQL.

#include "schema.h"

#include <stdio.h>
#include <string.h>

#include "pipelines/index/archive_private.h"

#define VERSION 1    // of the tables
#define MAX_DIM 4000 // that pgvector indexes as halfvec
// The index: neighbours of a vector, and how many are looked at when one is
// added. These are pgvector's own defaults.
#define HNSW "m = 16, ef_construction = 64"
#define INDEX_PATIENCE 86400       // s
#define LOCK "7305411628091732292" // any number that nobody else has

// A file name may have any bytes. Vectors stay in their rows: elsewhere, each
// would cost a look into another table.
static const char tables[] =
    "CREATE SCHEMA perception;"
    "CREATE TABLE perception.facts (name text PRIMARY KEY, number bigint,"
    " text text, bytes bytea);"
    "CREATE TABLE perception.contents (id bigint GENERATED ALWAYS AS IDENTITY"
    " PRIMARY KEY, digest text NOT NULL UNIQUE, first_row bigint NOT NULL,"
    " n_rows bigint NOT NULL, key text, hash text, settings text, problem text,"
    " problem_at bigint, duration bigint, width integer, height integer,"
    " codec text, sum text, label_set text);"
    "CREATE TABLE perception.files (name bytea PRIMARY KEY, size bigint,"
    " mtime bigint, etag text, wall_start bigint, wall_source text,"
    " content bigint NOT NULL REFERENCES perception.contents, source text);"
    "CREATE INDEX files_by_content ON perception.files (content);"
    "CREATE TABLE perception.frames (\"row\" bigint PRIMARY KEY,"
    " start_ns bigint NOT NULL, end_ns bigint NOT NULL,"
    " n_samples bigint NOT NULL, vector halfvec(%d) NOT NULL);"
    "ALTER TABLE perception.frames ALTER COLUMN vector SET STORAGE PLAIN;"
    "CREATE TABLE perception.segments (content bigint, number bigint,"
    " first_frame bigint, n_frames bigint, start_ns bigint, end_ns bigint,"
    " peak bigint, thumbnail bytea, PRIMARY KEY (content, number));"
    "CREATE TABLE perception.segment_labels (content bigint, segment bigint,"
    " label text, score double precision,"
    " PRIMARY KEY (content, segment, label));";

void
schema_facts_clear(SchemaFacts *facts)
{
    g_free(facts->model);
    g_free(facts->fingerprint);
    g_free(facts->probes);
    *facts = (SchemaFacts){0};
}

// ---- pgvector -------------------------------------------------------------

static bool
fail_pgvector(Sql *sql, const char *found, const char *words, GError **error)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: %s; pgvector 0.8 or later is needed (Debian 13 has it as "
                "postgresql-17-pgvector)%s%s",
                sql_get_name(sql), found, words ? ": " : "",
                words ? words : "");
    return false;
}

// The version of the extension in this database; NULL with or without an error.
static char *
find_version(Sql *sql, GError **error)
{
    g_autoptr(PGresult) result = sql_query(
        sql, error,
        "SELECT extversion FROM pg_extension WHERE extname = 'vector'", "");
    return result && PQntuples(result) ? sql_text(result, 0, 0) : NULL;
}

static bool
check_pgvector(Sql *sql, GError **error)
{
    GError *e = NULL;
    int major = 0, minor = 0;
    g_autofree char *version = find_version(sql, &e);
    if (e) {
        g_propagate_error(error, e);
        return false;
    }
    if (!version)
        return fail_pgvector(sql, "this database has no extension pgvector",
                             NULL, error);
    g_autofree char *found =
        g_strdup_printf("this database has pgvector %s", version);
    if (sscanf(version, "%d.%d", &major, &minor) != 2 ||
        (major == 0 && minor < 8))
        return fail_pgvector(sql, found, NULL, error);
    return true;
}

// The user of the database may make it, or somebody has made it.
static bool
make_pgvector(Sql *sql, GError **error)
{
    g_autoptr(GError) e = NULL;
    if (sql_execute(sql, "CREATE EXTENSION IF NOT EXISTS vector", &e))
        return check_pgvector(sql, error);
    return fail_pgvector(sql,
                         "the extension pgvector is not there and cannot be "
                         "made by this user",
                         e->message, error);
}

// ---- Facts ----------------------------------------------------------------

static void
take_fact(SchemaFacts *facts, const PGresult *result, int i, gint64 *version)
{
    g_autofree char *name = sql_text(result, i, 0);
    gint64 number = sql_int(result, i, 1);
    g_autofree char *text = sql_text(result, i, 2);
    if (g_str_equal(name, "version")) {
        *version = number;
    } else if (g_str_equal(name, "dim")) {
        facts->dim = (int)number;
    } else if (g_str_equal(name, "rows")) {
        facts->n_rows = number;
    } else if (g_str_equal(name, "model")) {
        facts->model = g_steal_pointer(&text);
    } else if (g_str_equal(name, "fingerprint")) {
        facts->fingerprint = g_steal_pointer(&text);
    } else if (g_str_equal(name, "probes")) {
        facts->n_probes = (int)number;
        facts->probes = g_memdup2(PQgetvalue(result, i, 3),
                                  (gsize)PQgetlength(result, i, 3));
        if (PQgetlength(result, i, 3) !=
            (int)sizeof(float) * facts->n_probes * facts->dim)
            facts->n_probes = 0;
    }
}

static bool
has_tables(Sql *sql, bool *has, GError **error)
{
    g_autoptr(PGresult) result =
        sql_query(sql, error,
                  "SELECT 1 FROM pg_tables WHERE schemaname = 'perception' "
                  "AND tablename = 'facts'",
                  "");
    *has = result && PQntuples(result) > 0;
    return result != NULL;
}

// The dimension is before the probes, which need it.
static bool
read_facts(Sql *sql, SchemaFacts *facts, GError **error)
{
    gint64 version = 0;
    g_autoptr(PGresult) result =
        sql_query(sql, error,
                  "SELECT name, number, text, bytes FROM perception.facts "
                  "ORDER BY name COLLATE \"C\"",
                  "");
    if (!result)
        return false;
    for (int i = 0; i < PQntuples(result); i++)
        take_fact(facts, result, i, &version);
    if (version == VERSION && facts->dim > 0 && facts->n_probes > 0 &&
        facts->model && facts->fingerprint)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: the schema perception is of version %" G_GINT64_FORMAT
                ", this program reads version %d; load the archive into "
                "another database, or drop that schema first",
                sql_get_name(sql), version, VERSION);
    return false;
}

bool
schema_read(Sql *sql, SchemaFacts *facts, GError **error)
{
    bool has;
    *facts = (SchemaFacts){0};
    if (!check_pgvector(sql, error) || !has_tables(sql, &has, error))
        return false;
    if (has && read_facts(sql, facts, error))
        return true;
    if (!has)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: there is no archive in this database; \"pe-tag load\" "
                    "brings one into it",
                    sql_get_name(sql));
    schema_facts_clear(facts);
    return false;
}

// ---- Make -----------------------------------------------------------------

static bool
put_fact(Sql *sql, const char *name, gint64 number, const char *text,
         GBytes *bytes, GError **error)
{
    return sql_run(sql, error,
                   "INSERT INTO perception.facts VALUES ($1, $2, $3, $4)",
                   "titb", name, number, text, bytes);
}

static bool
make_tables(Sql *sql, const ArchiveModel *model, GError **error)
{
    g_autofree char *text = g_strdup_printf(tables, model->dim);
    g_autoptr(GBytes) probes =
        g_bytes_new(model->probes, sizeof(float) * (size_t)model->n_probes *
                                       (size_t)model->dim);
    return sql_execute(sql, text, error) &&
           put_fact(sql, "version", VERSION, NULL, NULL, error) &&
           put_fact(sql, "rows", 0, NULL, NULL, error) &&
           put_fact(sql, "dim", model->dim, NULL, NULL, error) &&
           put_fact(sql, "model", 0, model->name, NULL, error) &&
           put_fact(sql, "fingerprint", 0, model->fingerprint, NULL, error) &&
           put_fact(sql, "probes", model->n_probes, NULL, probes, error);
}

// The first tables did not tell from which folder a file is.
static bool
add_source(Sql *sql, GError **error)
{
    g_autoptr(PGresult) result =
        sql_query(sql, error,
                  "SELECT 1 FROM information_schema.columns WHERE "
                  "table_schema = 'perception' AND table_name = 'files' AND "
                  "column_name = 'source'",
                  "");
    return result &&
           (PQntuples(result) > 0 ||
            sql_execute(sql,
                        "ALTER TABLE perception.files ADD COLUMN IF NOT "
                        "EXISTS source text",
                        error));
}

bool
schema_make(Sql *sql, const ArchiveModel *model, SchemaFacts *facts,
            GError **error)
{
    bool has;
    if (model->dim > MAX_DIM) {
        g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                    "%s: pgvector indexes vectors of at most %d values, and "
                    "those of %s have %d",
                    sql_get_name(sql), MAX_DIM, model->name, model->dim);
        return false;
    }
    // Others may find that there is nothing, too.
    return sql_execute(sql, "BEGIN", error) &&
           sql_run(sql, error, "SELECT pg_advisory_xact_lock(" LOCK ")", "") &&
           make_pgvector(sql, error) && has_tables(sql, &has, error) &&
           (has || make_tables(sql, model, error)) &&
           schema_read(sql, facts, error) && add_source(sql, error) &&
           sql_execute(sql, "COMMIT", error);
}

bool
schema_index(Sql *sql, bool *made, GError **error)
{
    g_autoptr(PGresult) result =
        sql_query(sql, error,
                  "SELECT 1 FROM pg_indexes WHERE schemaname = 'perception' "
                  "AND indexname = 'frames_by_vector'",
                  "");
    if (!result)
        return false;
    *made = PQntuples(result) == 0;
    return !*made ||
           (sql_set_patience(sql, INDEX_PATIENCE, error) &&
            sql_execute(sql,
                        "CREATE INDEX frames_by_vector ON perception.frames "
                        "USING hnsw (vector halfvec_ip_ops) WITH (" HNSW ")",
                        error));
}

bool
schema_check_model(Sql *sql, const SchemaFacts *facts,
                   const ArchiveModel *model, const char *whose, GError **error)
{
    const ArchiveModel there = {facts->model, facts->fingerprint, facts->dim,
                                facts->probes, facts->n_probes};
    float cosine = archive_compare_models(model, &there);
    if (cosine >= ARCHIVE_MIN_COSINE)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                "the vectors of %s were made by %s (%d values, fingerprint "
                "%s), and those of %s by %s (%d values, fingerprint %s): their "
                "probes have a cosine of %.4f, and %.3f is needed; take "
                "another database",
                whose, model->name, model->dim, model->fingerprint,
                sql_get_name(sql), facts->model, facts->dim, facts->fingerprint,
                (double)cosine, (double)ARCHIVE_MIN_COSINE);
    return false;
}

// ---- Changes --------------------------------------------------------------

bool
schema_begin_change(Sql *sql, gint64 n, gint64 *first, GError **error)
{
    g_autoptr(PGresult) result =
        sql_query(sql, error,
                  "UPDATE perception.facts SET number = number + $1 WHERE name "
                  "= 'rows' RETURNING number - $1",
                  "i", n);
    *first = result && PQntuples(result) ? sql_int(result, 0, 0) : 0;
    return result != NULL;
}

// Each writes the row anew, in its own transaction.
bool
schema_read_change(Sql *sql, gint64 *change, GError **error)
{
    g_autoptr(PGresult) result =
        sql_query(sql, error,
                  "SELECT xmin FROM perception.facts WHERE name = 'rows'", "");
    *change = result && PQntuples(result) ? sql_int(result, 0, 0) : -1;
    return result != NULL;
}
