// SPDX-License-Identifier: LGPL-2.1-or-later
//
// load.c - copies an archive into a PostgreSQL database. See postgres.h.
//
// DESIGN
//
// A content is there as a whole or not at all: one transaction brings it, with
// the files that have it, and takes away what no file has any more. Which
// contents are there already is told by a digest of everything that the archive
// knows of one, so that a load that was killed goes on where it was, and a
// content that changed is another one. One process loads at a time.

#include "copy.h"
#include "pipelines/index/archive_private.h"
#include "postgres.h"
#include "schema.h"

#include <string.h>

#define LOCK "7305411628091732291" // any number that nobody else has
#define MAX_FRAMES 8192            // of one COPY: 16 MiB of 1024 values

// What the database knows of a file.
typedef struct {
    ArchiveFile file; // but for its content
    char *digest;
} Known;

typedef struct {
    Archive *archive;
    Sql *sql;
    const PeRows *rows;
    GHashTable *known; // Known by file name
    PostgresLoad *load;
} Loader;

// What is loaded at a time.
typedef struct {
    ArchiveContent *content;
    GPtrArray *files; // that have it
    StoredRows stored;
    char *digest;
} Piece;

static void
piece_clear(Piece *piece)
{
    g_clear_pointer(&piece->content, archive_content_free);
    g_clear_pointer(&piece->files, g_ptr_array_unref);
    g_free(piece->stored.sum);
    g_free(piece->digest);
}

// ---- What is there --------------------------------------------------------

static void
known_free(gpointer data)
{
    Known *known = data;
    g_free(known->file.name);
    g_free(known->file.etag);
    g_free(known->file.wall_source);
    g_free(known->digest);
    g_free(known);
}

static GHashTable *
read_known(Sql *sql, GError **error)
{
    g_autoptr(PGresult) result = sql_query(
        sql, error,
        "SELECT name, size, mtime, etag, wall_start, wall_source, digest "
        "FROM perception.files JOIN perception.contents ON id = content",
        "");
    if (!result)
        return NULL;
    GHashTable *all =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, known_free);
    for (int i = 0; i < PQntuples(result); i++) {
        Known *known = g_new0(Known, 1);
        known->file = (ArchiveFile){.name = sql_text(result, i, 0),
                                    .size = sql_int(result, i, 1),
                                    .mtime = sql_int(result, i, 2),
                                    .etag = sql_text(result, i, 3),
                                    .wall_start = sql_int(result, i, 4),
                                    .wall_source = sql_text(result, i, 5)};
        known->digest = sql_text(result, i, 6);
        g_hash_table_insert(all, known->file.name, known);
    }
    return all;
}

static bool
is_known(const Loader *loader, const Piece *piece, const ArchiveFile *file)
{
    const Known *known = g_hash_table_lookup(loader->known, file->name);
    return known && g_str_equal(known->digest, piece->digest) &&
           known->file.size == file->size && known->file.mtime == file->mtime &&
           g_strcmp0(known->file.etag, file->etag) == 0 &&
           known->file.wall_start == file->wall_start &&
           g_strcmp0(known->file.wall_source, file->wall_source) == 0;
}

static bool
is_all_known(const Loader *loader, const Piece *piece)
{
    for (guint i = 0; i < piece->files->len; i++) {
        if (!is_known(loader, piece, piece->files->pdata[i]))
            return false;
    }
    return true;
}

// ---- Copy -----------------------------------------------------------------

static bool
send_copy(Loader *loader, const char *text, GByteArray *copy, GError **error)
{
    copy_end(copy);
    return sql_copy(loader->sql, text, copy, error);
}

// Frames from `from` on, up to MAX_FRAMES.
static bool
copy_some_frames(Loader *loader, const Piece *piece, gint64 first_row,
                 guint from, GError **error)
{
    g_autoptr(GByteArray) copy = copy_begin();
    const GArray *frames = piece->content->frames;
    guint end = MIN(frames->len, from + MAX_FRAMES);
    for (guint i = from; i < end; i++) {
        const ArchiveFrame *frame = &g_array_index(frames, ArchiveFrame, i);
        size_t row = (size_t)piece->stored.first + i;
        copy_row(copy, 5);
        copy_int64(copy, first_row + i);
        copy_int64(copy, frame->start);
        copy_int64(copy, frame->end);
        copy_int64(copy, frame->n_samples);
        copy_halves(copy,
                    loader->rows->values + row * (size_t)loader->rows->dim,
                    archive_get_dim(loader->archive));
    }
    return send_copy(
        loader,
        "COPY perception.frames (\"row\", start_ns, end_ns, n_samples, "
        "vector) FROM STDIN (FORMAT binary)",
        copy, error);
}

static bool
copy_frames(Loader *loader, const Piece *piece, gint64 first_row,
            GError **error)
{
    for (guint i = 0; i < piece->content->frames->len; i += MAX_FRAMES) {
        if (!copy_some_frames(loader, piece, first_row, i, error))
            return false;
    }
    return true;
}

static bool
copy_segments(Loader *loader, const Piece *piece, gint64 id, GError **error)
{
    g_autoptr(GByteArray) copy = copy_begin();
    const GPtrArray *segments = piece->content->segments;
    for (guint i = 0; i < segments->len; i++) {
        const ArchiveSegment *s = segments->pdata[i];
        const gint64 values[] = {id,       i,      s->first, s->n,
                                 s->start, s->end, s->peak};
        copy_row(copy, G_N_ELEMENTS(values) + 1);
        for (size_t k = 0; k < G_N_ELEMENTS(values); k++)
            copy_int64(copy, values[k]);
        copy_bytes(copy, s->thumbnail);
    }
    return send_copy(loader,
                     "COPY perception.segments (content, number, first_frame, "
                     "n_frames, start_ns, end_ns, peak, thumbnail) FROM STDIN "
                     "(FORMAT binary)",
                     copy, error);
}

static bool
copy_labels(Loader *loader, const Piece *piece, gint64 id, GError **error)
{
    g_autoptr(GByteArray) copy = copy_begin();
    const GPtrArray *segments = piece->content->segments;
    for (guint i = 0; i < segments->len; i++) {
        const GArray *labels = ((ArchiveSegment *)segments->pdata[i])->labels;
        for (guint k = 0; k < labels->len; k++) {
            const ArchiveLabel *label = &g_array_index(labels, ArchiveLabel, k);
            copy_row(copy, 4);
            copy_int64(copy, id);
            copy_int64(copy, i);
            copy_text(copy, label->name);
            copy_double(copy, label->score);
        }
    }
    return send_copy(loader,
                     "COPY perception.segment_labels (content, segment, label, "
                     "score) FROM STDIN (FORMAT binary)",
                     copy, error);
}

// ---- A content ------------------------------------------------------------

// The number of the only row's only value; false with the error, also when
// there is no row.
static bool
take_number(PGresult *result, gint64 *number, bool *found)
{
    *found = result && PQntuples(result) > 0;
    *number = *found ? sql_int(result, 0, 0) : -1;
    PQclear(result);
    return result != NULL;
}

static bool
insert_content(Loader *loader, const Piece *piece, gint64 first, gint64 *id,
               GError **error)
{
    const ArchiveContent *c = piece->content;
    gint64 n = c->frames->len;
    bool found;
    return take_number(
               sql_query(loader->sql, error,
                         "INSERT INTO perception.contents (digest, first_row, "
                         "n_rows, key, hash, settings, problem, problem_at, "
                         "duration, width, height, codec, sum, label_set) "
                         "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, "
                         "$11, $12, $13, $14) RETURNING id",
                         "tiittttiiiittt", piece->digest, first, n, c->key,
                         c->hash, c->settings, c->problem, c->problem_at,
                         c->duration, (gint64)c->width, (gint64)c->height,
                         c->codec, piece->stored.sum, c->label_set),
               id, &found) &&
           copy_frames(loader, piece, first, error) &&
           copy_segments(loader, piece, *id, error) &&
           copy_labels(loader, piece, *id, error);
}

// Forget a content that no file has.
static bool
drop_unused(Loader *loader, gint64 id, GError **error)
{
    gint64 n;
    bool used;
    if (!take_number(sql_query(loader->sql, error,
                               "SELECT 1 FROM perception.files WHERE content "
                               "= $1 LIMIT 1",
                               "i", id),
                     &n, &used))
        return false;
    return used ||
           (sql_run(loader->sql, error,
                    "DELETE FROM perception.frames USING perception.contents "
                    "WHERE id = $1 AND \"row\" >= first_row AND \"row\" < "
                    "first_row + n_rows",
                    "i", id) &&
            sql_run(loader->sql, error,
                    "DELETE FROM perception.segment_labels WHERE content = $1",
                    "i", id) &&
            sql_run(loader->sql, error,
                    "DELETE FROM perception.segments WHERE content = $1", "i",
                    id) &&
            sql_run(loader->sql, error,
                    "DELETE FROM perception.contents WHERE id = $1", "i", id));
}

static bool
put_file(Loader *loader, const ArchiveFile *file, gint64 id, GError **error)
{
    gint64 former;
    bool found;
    return take_number(sql_query(loader->sql, error,
                                 "SELECT content FROM perception.files WHERE "
                                 "name = $1",
                                 "n", file->name),
                       &former, &found) &&
           sql_run(loader->sql, error,
                   "INSERT INTO perception.files VALUES ($1, $2, $3, $4, $5, "
                   "$6, $7) ON CONFLICT (name) DO UPDATE SET size = $2, "
                   "mtime = $3, etag = $4, wall_start = $5, wall_source = $6, "
                   "content = $7",
                   "niititi", file->name, file->size, file->mtime, file->etag,
                   file->wall_start, file->wall_source, id) &&
           (!found || former == id || drop_unused(loader, former, error));
}

static bool
put_piece(Loader *loader, const Piece *piece, GError **error)
{
    gint64 id, first;
    bool found;
    if (!sql_execute(loader->sql, "BEGIN", error) ||
        !take_number(sql_query(loader->sql, error,
                               "SELECT id FROM perception.contents WHERE "
                               "digest = $1",
                               "t", piece->digest),
                     &id, &found) ||
        !schema_begin_change(loader->sql,
                             found ? 0 : piece->content->frames->len, &first,
                             error) ||
        (!found && !insert_content(loader, piece, first, &id, error)))
        return false;
    for (guint i = 0; i < piece->files->len; i++) {
        if (!put_file(loader, piece->files->pdata[i], id, error))
            return false;
    }
    return sql_execute(loader->sql, "COMMIT", error);
}

// ---- All ------------------------------------------------------------------

static char *
find_digest(const Piece *piece)
{
    g_autoptr(GString) text = g_string_new(NULL);
    archive_dump_content(piece->content, piece->stored.sum, text);
    return g_compute_checksum_for_string(G_CHECKSUM_SHA256, text->str,
                                         (gssize)text->len);
}

// As it is at one moment. No digest: the content has gone meanwhile.
static bool
read_piece(Loader *loader, gint64 id, Piece *piece, GError **error)
{
    *piece = (Piece){0};
    if (!archive_hold(loader->archive, error))
        return false;
    piece->files = archive_list_copies(loader->archive, id, error);
    bool is_there = piece->files && piece->files->len > 0;
    if (is_there)
        piece->content = archive_read_content(loader->archive, id, error);
    bool ok = piece->files &&
              (!is_there ||
               (piece->content && archive_find_stored(loader->archive, id,
                                                      &piece->stored, error)));
    archive_release(loader->archive);
    // An id may be another content's by now, whose rows come with the next
    // load.
    is_there =
        is_there && ok &&
        (guint64)(piece->stored.first + piece->stored.n) <= loader->rows->n;
    if (is_there)
        piece->digest = find_digest(piece);
    return ok;
}

static void
name_file(const Piece *piece, GError **error)
{
    const ArchiveFile *file = piece->files->pdata[0];
    g_autofree char *name = g_utf8_make_valid(file->name, -1);
    g_prefix_error(error, "%s: ", name);
}

static bool
load_content(Loader *loader, gint64 id, GError **error)
{
    Piece piece;
    bool ok = read_piece(loader, id, &piece, error);
    if (ok && piece.digest) {
        bool known = is_all_known(loader, &piece);
        ok = known || put_piece(loader, &piece, error);
        if (!ok)
            name_file(&piece, error);
        *(known ? &loader->load->n_known : &loader->load->n_loaded) += 1;
        loader->load->n_frames += known ? 0 : piece.content->frames->len;
        if (ok && loader->load->func)
            loader->load->func(loader->load);
    }
    piece_clear(&piece);
    return ok;
}

// The contents, by their first row, so that rows come in the same order as in
// the archive; then those without any. gint64, g_array_unref().
static GArray *
list_contents(Archive *archive, GError **error)
{
    g_autoptr(GArray) rows = archive_list_rows(archive, error);
    g_autoptr(GPtrArray) files =
        rows ? archive_list_files(archive, error) : NULL;
    if (!files)
        return NULL;
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(gint64));
    g_autoptr(GHashTable) seen =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    for (guint i = 0; i < rows->len; i++) {
        gint64 id = g_array_index(rows, ArchiveRows, i).content;
        g_hash_table_add(seen, g_memdup2(&id, sizeof id));
        g_array_append_val(ids, id);
    }
    for (guint i = 0; i < files->len; i++) {
        gint64 id = ((ArchiveFile *)files->pdata[i])->content;
        if (g_hash_table_add(seen, g_memdup2(&id, sizeof id)))
            g_array_append_val(ids, id);
    }
    return ids;
}

static bool
load_all(Loader *loader, GError **error)
{
    if (!archive_hold(loader->archive, error))
        return false;
    g_autoptr(GArray) ids = list_contents(loader->archive, error);
    archive_release(loader->archive);
    loader->rows = ids ? archive_map(loader->archive, error) : NULL;
    loader->known = loader->rows ? read_known(loader->sql, error) : NULL;
    bool ok = loader->known != NULL;
    loader->load->n_contents = ids ? ids->len : 0;
    for (guint i = 0; ok && i < ids->len; i++)
        ok = load_content(loader, g_array_index(ids, gint64, i), error);
    g_clear_pointer(&loader->known, g_hash_table_unref);
    return ok;
}

static bool
check_model(const Archive *archive, const Sql *sql, const SchemaFacts *facts,
            GError **error)
{
    ArchiveModel model = {facts->model, facts->fingerprint, facts->dim,
                          facts->probes, facts->n_probes};
    float cosine = archive_compare_model(archive, &model);
    if (cosine >= ARCHIVE_MIN_COSINE)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                "the vectors of %s were made by %s (%d values, fingerprint "
                "%s), and those of %s by %s (%d values, fingerprint %s): their "
                "probes have a cosine of %.4f, and %.3f is needed; load it "
                "into another database",
                archive->folder, archive->model, archive->dim,
                archive->fingerprint, sql_get_name(sql), facts->model,
                facts->dim, facts->fingerprint, (double)cosine,
                (double)ARCHIVE_MIN_COSINE);
    return false;
}

bool
postgres_load(Archive *archive, const char *uri, PostgresLoad *load,
              GError **error)
{
    ArchiveModel model = archive_describe_model(archive);
    SchemaFacts facts = {0};
    g_autoptr(Sql) sql = sql_open(uri, error);
    Loader loader = {.archive = archive, .sql = sql, .load = load};
    bool ok =
        sql && sql_run(sql, error, "SELECT pg_advisory_lock(" LOCK ")", "") &&
        schema_make(sql, &model, &facts, error) &&
        check_model(archive, sql, &facts, error) && load_all(&loader, error) &&
        (!load->with_index || !load->n_contents ||
         schema_index(sql, &load->has_made_index, error)) &&
        // What the planner knows decides how frames are looked up.
        (!load->n_loaded ||
         sql_execute(sql, "ANALYZE perception.frames", error));
    schema_facts_clear(&facts);
    return ok;
}
