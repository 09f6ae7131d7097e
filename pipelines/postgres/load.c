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

#include "parts.h"
#include "pipelines/index/archive_private.h"
#include "postgres.h"
#include "schema.h"

#include <stdlib.h>
#include <string.h>

#define LOCK "7305411628091732291" // any number that nobody else has

// What the database knows of a file.
typedef struct {
    ArchiveFile file;
    char *digest;
    char *source; // NULL: not known
} Known;

typedef struct {
    Archive *archive;
    Sql *sql;
    const PeRows *rows;
    GHashTable *known; // Known by file name
    char *source;      // what the files of this archive are told by
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
    g_free(known->source);
    g_free(known);
}

static GHashTable *
read_known(Sql *sql, GError **error)
{
    g_autoptr(PGresult) result = sql_query(
        sql, error,
        "SELECT name, size, mtime, etag, wall_start, wall_source, digest, "
        "content, source "
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
                                    .wall_source = sql_text(result, i, 5),
                                    .content = sql_int(result, i, 7)};
        known->digest = sql_text(result, i, 6);
        known->source = sql_text(result, i, 8);
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
           g_strcmp0(known->file.wall_source, file->wall_source) == 0 &&
           g_strcmp0(known->source, loader->source) == 0;
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

// ---- A content ------------------------------------------------------------

static bool
insert_content(Loader *loader, const Piece *piece, gint64 first, gint64 *id,
               GError **error)
{
    const ArchiveContent *c = piece->content;
    gint64 n = c->frames->len;
    size_t row_dim = (size_t)loader->rows->dim;
    const PartsRows rows = {loader->rows->values +
                                (size_t)piece->stored.first * row_dim,
                            row_dim, archive_get_dim(loader->archive)};
    bool found;
    return parts_take_number(
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
           parts_copy_frames(loader->sql, c, &rows, 0, first, error) &&
           parts_copy_segments(loader->sql, c, *id, 0, error);
}

// Forget a content that no file has.
static bool
drop_unused(Loader *loader, gint64 id, GError **error)
{
    gint64 n;
    bool used;
    return parts_take_number(sql_query(loader->sql, error,
                                       "SELECT 1 FROM perception.files WHERE "
                                       "content = $1 LIMIT 1",
                                       "i", id),
                             &n, &used) &&
           (used || parts_drop(loader->sql, id, error));
}

static bool
put_file(Loader *loader, const ArchiveFile *file, gint64 id, GError **error)
{
    gint64 former;
    bool found;
    return parts_take_number(
               sql_query(loader->sql, error,
                         "SELECT content FROM perception.files WHERE "
                         "name = $1",
                         "n", file->name),
               &former, &found) &&
           sql_run(loader->sql, error,
                   "INSERT INTO perception.files (name, size, mtime, etag, "
                   "wall_start, wall_source, content, source) VALUES ($1, $2, "
                   "$3, $4, $5, $6, $7, $8) ON CONFLICT (name) DO UPDATE SET "
                   "size = $2, mtime = $3, etag = $4, wall_start = $5, "
                   "wall_source = $6, content = $7, source = $8",
                   "niititit", file->name, file->size, file->mtime, file->etag,
                   file->wall_start, file->wall_source, id, loader->source) &&
           (!found || former == id || drop_unused(loader, former, error));
}

static bool
put_piece(Loader *loader, const Piece *piece, GError **error)
{
    gint64 id, first;
    bool found;
    if (!sql_execute(loader->sql, "BEGIN", error) ||
        !parts_take_number(sql_query(loader->sql, error,
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

// ---- Prune ----------------------------------------------------------------

static bool
prune_file(Loader *loader, const ArchiveFile *file, GError **error)
{
    gint64 first;
    return sql_execute(loader->sql, "BEGIN", error) &&
           schema_begin_change(loader->sql, 0, &first, error) &&
           sql_run(loader->sql, error,
                   "DELETE FROM perception.files WHERE name = $1 AND content = "
                   "$2 AND source = $3",
                   "nit", file->name, file->content, loader->source) &&
           drop_unused(loader, file->content, error) &&
           sql_execute(loader->sql, "COMMIT", error);
}

// What was there before this load, from this folder, and is not in it.
static bool
prune(Loader *loader, GPtrArray *files, GError **error)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    GHashTableIter iter;
    gpointer value;
    for (guint i = 0; i < files->len; i++)
        g_hash_table_add(names, ((ArchiveFile *)files->pdata[i])->name);
    g_hash_table_iter_init(&iter, loader->known);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Known *known = value;
        if (g_strcmp0(known->source, loader->source) != 0 ||
            g_hash_table_contains(names, known->file.name))
            continue;
        if (!prune_file(loader, &known->file, error))
            return false;
        loader->load->n_pruned++;
    }
    return true;
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
    g_autoptr(GPtrArray) files =
        ok && loader->load->prune ? archive_list_files(loader->archive, error)
                                  : NULL;
    if (ok && loader->load->prune)
        ok = files && prune(loader, files, error);
    g_clear_pointer(&loader->known, g_hash_table_unref);
    return ok;
}

// By which folder of which machine.
static char *
name_source(const Archive *archive)
{
    g_autofree char *path = realpath(archive->folder, NULL);
    g_autofree char *valid =
        g_utf8_make_valid(path ? path : archive->folder, -1);
    return g_strdup_printf("%s:%s", g_get_host_name(), valid);
}

bool
postgres_load(Archive *archive, const char *uri, PostgresLoad *load,
              GError **error)
{
    ArchiveModel model = archive_describe_model(archive);
    SchemaFacts facts = {0};
    g_autoptr(Sql) sql = sql_open(uri, error);
    g_autofree char *source = name_source(archive);
    Loader loader = {
        .archive = archive, .sql = sql, .source = source, .load = load};
    bool ok = sql &&
              sql_run(sql, error, "SELECT pg_advisory_lock(" LOCK ")", "") &&
              schema_make(sql, &model, &facts, error) &&
              schema_check_model(sql, &facts, &model, archive->folder, error) &&
              load_all(&loader, error) &&
              (!load->with_index || !load->n_contents ||
               schema_index(sql, &load->has_made_index, error)) &&
              // What the planner knows decides how frames are looked up.
              (!load->n_loaded ||
               sql_execute(sql, "ANALYZE perception.frames", error));
    schema_facts_clear(&facts);
    return ok;
}
