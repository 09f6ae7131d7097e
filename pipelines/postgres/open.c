// SPDX-License-Identifier: LGPL-2.1-or-later
//
// open.c - an archive in a PostgreSQL database as one that can be searched. See
// postgres.h. It is read in one transaction, so as it is at one moment; one
// that stays open is not kept in a transaction between searches, because the
// server could not clear away meanwhile what is not needed any more.

#include "copy.h"
#include "nearest.h"
#include "pipelines/index/remote.h"
#include "postgres.h"
#include "schema.h"

// ---- Rows -----------------------------------------------------------------

// Columns: row and vector. Adds the rows to a list, if there is one.
static bool
take_rows(Archive *archive, const Nearest *nearest, const PGresult *result,
          GArray *rows, GError **error)
{
    guint64 end = (guint64)MAX(archive_map(archive, NULL)->n, 0);
    for (int i = 0; i < PQntuples(result); i++) {
        guint64 row = (guint64)sql_int(result, i, 0);
        if (row >= end ||
            !copy_unpack_halves(PQgetvalue(result, i, 1),
                                PQgetlength(result, i, 1), nearest->dim,
                                archive_put_row(archive, row))) {
            g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                        "%s: has a frame %" G_GUINT64_FORMAT
                        " that is no vector of %d values below row "
                        "%" G_GUINT64_FORMAT,
                        sql_get_name(nearest->sql), row, nearest->dim, end);
            return false;
        }
        if (rows)
            g_array_append_val(rows, row);
    }
    return true;
}

static bool
find_near(Archive *archive, void *data, const float *queries, int n_queries,
          int k, const uint64_t *selected, size_t n_selected, GArray *rows,
          GError **error)
{
    Nearest *nearest = data;
    double n = selected ? (double)n_selected : (double)nearest->n_frames;
    if (k == 1 && n_queries > 1 && !nearest_is_many(nearest, n)) {
        g_autoptr(PGresult) result = nearest_find_best(
            nearest, queries, n_queries, selected, n_selected, error);
        return result && take_rows(archive, nearest, result, rows, error);
    }
    for (int i = 0; i < n_queries; i++) {
        g_autoptr(PGresult) result = nearest_find(
            nearest, queries + (size_t)i * (size_t)nearest->row_dim, k,
            selected, n_selected, error);
        if (!result || !take_rows(archive, nearest, result, rows, error))
            return false;
    }
    return true;
}

static bool
read_rows(Archive *archive, void *data, const uint64_t *rows, size_t n,
          GError **error)
{
    const Nearest *nearest = data;
    g_autoptr(GString) list = g_string_new("{");
    for (size_t i = 0; i < n; i++)
        g_string_append_printf(list, "%s%" G_GUINT64_FORMAT, i ? "," : "",
                               rows[i]);
    g_string_append_c(list, '}');
    g_autoptr(PGresult) result =
        sql_query(nearest->sql, error,
                  "SELECT \"row\", vector FROM perception.frames "
                  "WHERE \"row\" = ANY ($1::bigint[])",
                  "t", list->str);
    return result && take_rows(archive, nearest, result, NULL, error);
}

// ---- Contents -------------------------------------------------------------

static bool
read_facts(Sql *sql, ArchiveContent *c, GError **error)
{
    g_autoptr(PGresult) result = sql_query(
        sql, error,
        "SELECT key, hash, settings, problem, problem_at, duration, width, "
        "height, codec, label_set FROM perception.contents WHERE id = $1",
        "i", c->id);
    if (!result)
        return false;
    if (PQntuples(result) == 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: has no content %" G_GINT64_FORMAT, sql_get_name(sql),
                    c->id);
        return false;
    }
    c->key = sql_text(result, 0, 0);
    c->hash = sql_text(result, 0, 1);
    c->settings = sql_text(result, 0, 2);
    c->problem = sql_text(result, 0, 3);
    c->problem_at = sql_int(result, 0, 4);
    c->duration = sql_int(result, 0, 5);
    c->width = (int)sql_int(result, 0, 6);
    c->height = (int)sql_int(result, 0, 7);
    c->codec = sql_text(result, 0, 8);
    c->label_set = sql_text(result, 0, 9);
    return true;
}

static bool
read_frames(Sql *sql, ArchiveContent *content, GError **error)
{
    g_autoptr(PGresult) result = sql_query(
        sql, error,
        "SELECT start_ns, end_ns, n_samples FROM perception.contents JOIN "
        "perception.frames ON \"row\" >= first_row AND \"row\" < first_row + "
        "n_rows WHERE id = $1 ORDER BY \"row\"",
        "i", content->id);
    for (int i = 0; result && i < PQntuples(result); i++) {
        ArchiveFrame frame = {sql_int(result, i, 0), sql_int(result, i, 1),
                              sql_int(result, i, 2)};
        g_array_append_val(content->frames, frame);
    }
    return result != NULL;
}

static bool
read_segments(Sql *sql, ArchiveContent *content, GError **error)
{
    g_autoptr(PGresult) result =
        sql_query(sql, error,
                  "SELECT first_frame, n_frames, start_ns, end_ns, peak, "
                  "thumbnail FROM perception.segments WHERE content = $1 "
                  "ORDER BY number",
                  "i", content->id);
    for (int i = 0; result && i < PQntuples(result); i++) {
        ArchiveSegment *segment = archive_segment_new();
        segment->first = sql_int(result, i, 0);
        segment->n = sql_int(result, i, 1);
        segment->start = sql_int(result, i, 2);
        segment->end = sql_int(result, i, 3);
        segment->peak = sql_int(result, i, 4);
        segment->thumbnail = sql_bytes(result, i, 5);
        g_ptr_array_add(content->segments, segment);
    }
    return result != NULL;
}

// In the order of archive_read_content().
static bool
read_labels(Sql *sql, ArchiveContent *content, GError **error)
{
    g_autoptr(PGresult) result =
        sql_query(sql, error,
                  "SELECT segment, label, score FROM perception.segment_labels "
                  "WHERE content = $1 ORDER BY segment, score DESC, label "
                  "COLLATE \"C\"",
                  "i", content->id);
    for (int i = 0; result && i < PQntuples(result); i++) {
        gint64 segment = sql_int(result, i, 0);
        g_autofree char *label = sql_text(result, i, 1);
        if (segment >= 0 && segment < content->segments->len)
            archive_segment_add_label(content->segments->pdata[segment], label,
                                      sql_double(result, i, 2));
    }
    return result != NULL;
}

static ArchiveContent *
read_content(void *data, gint64 id, GError **error)
{
    Sql *sql = ((Nearest *)data)->sql;
    ArchiveContent *content = archive_content_new();
    content->id = id;
    if (read_facts(sql, content, error) && read_frames(sql, content, error) &&
        read_segments(sql, content, error) && read_labels(sql, content, error))
        return content;
    archive_content_free(content);
    return NULL;
}

static GBytes *
read_thumbnail(void *data, gint64 content, gint64 frame, GError **error)
{
    g_autoptr(PGresult) result =
        sql_query(((Nearest *)data)->sql, error,
                  "SELECT thumbnail FROM perception.segments WHERE content = "
                  "$1 AND first_frame <= $2 AND $2 < first_frame + n_frames",
                  "ii", content, frame);
    return result && PQntuples(result) ? sql_bytes(result, 0, 0) : NULL;
}

static bool
read_all_labels(Archive *archive, void *data, double least, GError **error)
{
    g_autoptr(PGresult) result =
        sql_query(((Nearest *)data)->sql, error,
                  "SELECT content, string_agg(label, E'\\n' ORDER BY label "
                  "COLLATE \"C\") FROM (SELECT DISTINCT content, label FROM "
                  "perception.segment_labels WHERE score >= $1) l "
                  "GROUP BY content",
                  "d", least);
    bool ok = result != NULL;
    for (int i = 0; ok && i < PQntuples(result); i++) {
        g_autofree char *labels = sql_text(result, i, 1);
        ok = archive_put_remote_labels(archive, sql_int(result, i, 0), labels,
                                       error);
    }
    return ok;
}

// ---- One moment -----------------------------------------------------------

#define BEGIN "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

static void
release(void *data)
{
    Nearest *nearest = data;
    if (nearest->holds)
        sql_execute(nearest->sql, "COMMIT", NULL);
    nearest->holds = false;
    nearest->reads_all = true; // that was for this transaction
}

static bool
hold(void *data, bool *same, GError **error)
{
    Nearest *nearest = data;
    gint64 change = nearest->change;
    if (!nearest->holds) {
        if (!sql_execute(nearest->sql, BEGIN, error))
            return false;
        nearest->holds = true;
        if (!schema_read_change(nearest->sql, &change, error)) {
            release(nearest);
            return false;
        }
    }
    *same = change == nearest->change;
    return true;
}

// ---- Open -----------------------------------------------------------------

static void
close_database(void *data)
{
    Nearest *nearest = data;
    sql_close(nearest->sql);
    g_free(nearest);
}

static bool
read_contents(Archive *archive, Nearest *nearest, GError **error)
{
    g_autoptr(PGresult) result = sql_query(
        nearest->sql, error,
        "SELECT id, first_row, n_rows, sum FROM perception.contents", "");
    bool ok = result != NULL;
    for (int i = 0; ok && i < PQntuples(result); i++) {
        ArchiveRows rows = {sql_int(result, i, 0), sql_int(result, i, 1),
                            sql_int(result, i, 2)};
        g_autofree char *sum = sql_text(result, i, 3);
        nearest->n_frames += rows.n_rows;
        ok = archive_put_remote_content(archive, &rows, sum, error);
    }
    return ok;
}

static bool
read_files(Archive *archive, Sql *sql, GError **error)
{
    g_autoptr(PGresult) result = sql_query(
        sql, error,
        "SELECT name, size, mtime, etag, wall_start, wall_source, content "
        "FROM perception.files",
        "");
    bool ok = result != NULL;
    for (int i = 0; ok && i < PQntuples(result); i++) {
        g_autoptr(ArchiveFile) file = g_new0(ArchiveFile, 1);
        *file = (ArchiveFile){.name = sql_text(result, i, 0),
                              .size = sql_int(result, i, 1),
                              .mtime = sql_int(result, i, 2),
                              .etag = sql_text(result, i, 3),
                              .wall_start = sql_int(result, i, 4),
                              .wall_source = sql_text(result, i, 5),
                              .content = sql_int(result, i, 6)};
        ok = archive_put_remote_file(archive, file, error);
    }
    return ok;
}

// Takes `sql`.
static Archive *
open_with(Sql *sql, const SchemaFacts *facts, bool exact, GError **error)
{
    static const ArchiveRemote remote = {
        find_near,       read_rows, read_content, read_thumbnail,
        read_all_labels, hold,      release,      close_database};
    ArchiveModel model = {facts->model, facts->fingerprint, facts->dim,
                          facts->probes, facts->n_probes};
    Nearest *nearest = g_new(Nearest, 1);
    *nearest = (Nearest){.sql = sql,
                         .dim = facts->dim,
                         .exact = exact,
                         .reads_all = true,
                         .holds = true};
    g_autoptr(Archive) archive = archive_open_remote(
        sql_get_name(sql), &model, facts->n_rows, &remote, nearest, error);
    if (archive)
        nearest->row_dim = archive_get_row_dim(archive);
    if (archive && schema_read_change(sql, &nearest->change, error) &&
        (exact || nearest_prepare(nearest, error)) &&
        archive_begin_remote(archive, error) &&
        read_contents(archive, nearest, error) &&
        read_files(archive, sql, error) && archive_end_remote(archive, error))
        return g_steal_pointer(&archive);
    return NULL;
}

Archive *
postgres_open(const char *uri, bool exact, GError **error)
{
    SchemaFacts facts = {0};
    Archive *archive = NULL;
    Sql *sql = sql_open(uri, error);
    if (sql && sql_execute(sql, BEGIN, error) &&
        schema_read(sql, &facts, error))
        archive = open_with(sql, &facts, exact, error);
    else if (sql)
        sql_close(sql);
    schema_facts_clear(&facts);
    return archive;
}
