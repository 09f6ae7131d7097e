// SPDX-License-Identifier: LGPL-2.1-or-later
//
// writer.c - contents that grow in a PostgreSQL database. See postgres.h.
//
// DESIGN
//
// The rows of a content are neighbours, and others take rows meanwhile. So each
// takes as many numbers as it may have when it is begun; those that it does not
// need stay free. How many frames are there already is asked of the database,
// in the transaction that adds more. Therefore a transaction of which nobody
// knows whether it was committed, because the connection was lost, is simply
// done again.

#include "parts.h"
#include "pipelines/index/archive_private.h"
#include "postgres.h"
#include "schema.h"

#include <string.h>

struct PostgresWriter {
    Sql *sql;
    int dim;
};

// What is there of a content.
typedef struct {
    gint64 id, first_row, n_rows;
} There;

PostgresWriter *
postgres_writer_open(const char *uri, const ArchiveModel *model, int patience,
                     GError **error)
{
    SchemaFacts facts = {0};
    g_autoptr(Sql) sql = sql_open(uri, error);
    PostgresWriter *writer = NULL;
    if (sql && sql_set_patience(sql, patience, error) &&
        schema_make(sql, model, &facts, error) &&
        schema_check_model(sql, &facts, model, "this program", error)) {
        writer = g_new(PostgresWriter, 1);
        *writer = (PostgresWriter){g_steal_pointer(&sql), facts.dim};
    }
    schema_facts_clear(&facts);
    return writer;
}

void
postgres_writer_close(PostgresWriter *writer)
{
    sql_close(writer->sql);
    g_free(writer);
}

// As an archive has it: of rows that are padded with zeros.
static char *
sum_rows(const uint16_t *vectors, guint n, int dim)
{
    size_t size = sizeof *vectors * (size_t)dim;
    size_t padding = (size_t)(archive_pad_dim(dim) - dim) * sizeof *vectors;
    static const guchar zeros[ARCHIVE_ROW_UNIT * sizeof *vectors];
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    for (guint i = 0; i < n; i++) {
        g_checksum_update(sum, (const guchar *)(vectors + i * (size_t)dim),
                          (gssize)size);
        g_checksum_update(sum, zeros, (gssize)padding);
    }
    return g_strdup(g_checksum_get_string(sum));
}

// *found: is it there?
static bool
find(PostgresWriter *writer, const char *key, There *there, bool *found,
     GError **error)
{
    g_autoptr(PGresult) result =
        sql_query(writer->sql, error,
                  "SELECT id, first_row, n_rows FROM perception.contents "
                  "WHERE digest = $1",
                  "t", key);
    *found = result && PQntuples(result) > 0;
    if (*found)
        *there = (There){sql_int(result, 0, 0), sql_int(result, 0, 1),
                         sql_int(result, 0, 2)};
    return result != NULL;
}

static bool
begin_content(PostgresWriter *writer, const char *key, const ArchiveFile *file,
              const ArchiveContent *c, There *there, GError **error)
{
    bool found;
    there->n_rows = 0;
    return parts_take_number(
               sql_query(writer->sql, error,
                         "INSERT INTO perception.contents (digest, first_row, "
                         "n_rows, settings, problem_at, duration, width, "
                         "height) VALUES ($1, $2, 0, $3, -1, -1, $4, $5) "
                         "RETURNING id",
                         "titii", key, there->first_row, c->settings,
                         (gint64)c->width, (gint64)c->height),
               &there->id, &found) &&
           sql_run(writer->sql, error,
                   "INSERT INTO perception.files (name, size, mtime, "
                   "wall_start, wall_source, content) VALUES ($1, $2, $3, $4, "
                   "$5, $6)",
                   "niiiti", file->name, file->size, file->mtime,
                   file->wall_start, file->wall_source, there->id);
}

// The last frame that is there may last longer by now.
static bool
extend_frame(PostgresWriter *writer, const There *there,
             const ArchiveContent *content, GError **error)
{
    if (there->n_rows == 0)
        return true;
    const ArchiveFrame *frame =
        &g_array_index(content->frames, ArchiveFrame, there->n_rows - 1);
    return sql_run(writer->sql, error,
                   "UPDATE perception.frames SET end_ns = $2, n_samples = $3 "
                   "WHERE \"row\" = $1 AND n_samples <> $3",
                   "iii", there->first_row + there->n_rows - 1, frame->end,
                   frame->n_samples);
}

// From the one on that has the last frame that is there.
static bool
renew_segments(PostgresWriter *writer, const There *there,
               const ArchiveContent *content, GError **error)
{
    guint from = 0;
    while (from < content->segments->len) {
        const ArchiveSegment *segment = content->segments->pdata[from];
        if (segment->first + segment->n >= there->n_rows)
            break;
        from++;
    }
    return parts_drop_segments(writer->sql, there->id, from, error) &&
           parts_copy_segments(writer->sql, content, there->id, from, error);
}

static bool
grow(PostgresWriter *writer, const There *there, const ArchiveContent *content,
     const uint16_t *vectors, GError **error)
{
    guint n = content->frames->len;
    g_autofree char *sum = sum_rows(vectors, n, writer->dim);
    const PartsRows rows = {vectors, (size_t)writer->dim, writer->dim};
    return extend_frame(writer, there, content, error) &&
           parts_copy_frames(writer->sql, content, &rows, (guint)there->n_rows,
                             there->first_row, error) &&
           renew_segments(writer, there, content, error) &&
           sql_run(writer->sql, error,
                   "UPDATE perception.contents SET n_rows = $2, duration = "
                   "$3, sum = $4, label_set = $5 WHERE id = $1",
                   "iiitt", there->id, (gint64)n, content->duration, sum,
                   content->label_set);
}

static bool
put(PostgresWriter *writer, const char *key, const ArchiveFile *file,
    const ArchiveContent *content, const uint16_t *vectors, GError **error)
{
    There there = {0};
    gint64 first;
    bool found;
    if (!find(writer, key, &there, &found, error) ||
        !schema_begin_change(writer->sql, found ? 0 : POSTGRES_MAX_GROWN,
                             &first, error))
        return false;
    if (!found)
        there.first_row = first;
    if (there.n_rows > content->frames->len)
        return true; // said later than more was said
    return (found ||
            begin_content(writer, key, file, content, &there, error)) &&
           grow(writer, &there, content, vectors, error);
}

bool
postgres_writer_put(PostgresWriter *writer, const char *key,
                    const ArchiveFile *file, const ArchiveContent *content,
                    const uint16_t *vectors, GError **error)
{
    g_return_val_if_fail(content->frames->len <= POSTGRES_MAX_GROWN, false);
    if (!sql_execute(writer->sql, "BEGIN", error))
        return false;
    if (put(writer, key, file, content, vectors, error) &&
        sql_execute(writer->sql, "COMMIT", error))
        return true;
    sql_execute(writer->sql, "ROLLBACK", NULL);
    return false;
}
