// SPDX-License-Identifier: LGPL-2.1-or-later
//
// contents.c - writes files and their contents into an archive. See archive.h.

#include "words.h"

#include <string.h>

#include "records.h"

static const char tables[] =
    "CREATE TABLE facts (name TEXT PRIMARY KEY, number INTEGER, text TEXT,"
    " bytes BLOB) WITHOUT ROWID;"
    "CREATE TABLE contents (id INTEGER PRIMARY KEY, key TEXT, hash TEXT,"
    " settings TEXT, problem TEXT, problem_at INTEGER, duration INTEGER,"
    " width INTEGER, height INTEGER, codec TEXT, first_row INTEGER,"
    " n_rows INTEGER, sum TEXT, label_set TEXT);"
    "CREATE INDEX contents_by_key ON contents (key);"
    "CREATE TABLE files (name TEXT PRIMARY KEY, size INTEGER, mtime INTEGER,"
    " etag TEXT, wall_start INTEGER, wall_source TEXT,"
    " content INTEGER NOT NULL REFERENCES contents) WITHOUT ROWID;"
    "CREATE INDEX files_by_content ON files (content);";

// What they hold is in records.h.
static const char parts_tables[] =
    "CREATE TABLE frames (content INTEGER PRIMARY KEY, n_samples INTEGER,"
    " records BLOB);"
    "CREATE TABLE segments (content INTEGER PRIMARY KEY, records BLOB,"
    " names BLOB, labels BLOB);"
    "CREATE TABLE thumbnails (content INTEGER, piece INTEGER, bytes BLOB,"
    " PRIMARY KEY (content, piece)) WITHOUT ROWID;";

bool
archive_make_tables(Database *database, GError **error)
{
    return database_execute(database, tables, error) &&
           archive_make_parts_tables(database, error);
}

bool
archive_make_parts_tables(Database *database, GError **error)
{
    return database_execute(database, parts_tables, error);
}

bool
archive_change(Archive *archive, ArchiveStep func, void *data, GError **error)
{
    Database *database = archive->database;
    if (!database_execute(database, "BEGIN IMMEDIATE", error))
        return false;
    if (func(archive, data, error) &&
        database_execute(database, "COMMIT", error))
        return true;
    // SQLite may have rolled back by itself.
    database_execute(database, "ROLLBACK", NULL);
    return false;
}

char *
archive_sum_rows(const void *rows, size_t size)
{
    return g_compute_checksum_for_data(G_CHECKSUM_SHA256, rows, size);
}

// ---- Contents -------------------------------------------------------------

static bool
add_records(Database *database, gint64 id, const Records *records,
            GError **error)
{
    if (!database_run(database, error, "INSERT INTO frames VALUES (?, ?, ?)",
                      "iib", id, records->n_samples, records->frames) ||
        !database_run(database, error,
                      "INSERT INTO segments VALUES (?, ?, ?, ?)", "ibbb", id,
                      records->segments, records->names, records->labels))
        return false;
    for (guint i = 0; i < records->pieces->len; i++) {
        if (!database_run(database, error,
                          "INSERT INTO thumbnails VALUES (?, ?, ?)", "iib", id,
                          (gint64)i, records->pieces->pdata[i]))
            return false;
    }
    return true;
}

bool
archive_insert_parts(Archive *archive, gint64 id, const ArchiveContent *content,
                     GError **error)
{
    g_auto(Records) records;
    records_pack(content, &records);
    return add_records(archive->database, id, &records, error);
}

static bool
remove_content(Database *database, gint64 id, GError **error)
{
    return database_run(database, error,
                        "DELETE FROM thumbnails WHERE content = ?", "i", id) &&
           database_run(database, error,
                        "DELETE FROM segments WHERE content = ?", "i", id) &&
           database_run(database, error, "DELETE FROM frames WHERE content = ?",
                        "i", id) &&
           database_run(database, error, "DELETE FROM contents WHERE id = ?",
                        "i", id);
}

// Remove the content that a file had, if no other file has it.
static bool
drop_content(Database *database, gint64 id, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row = database_query(
        database, &e, "SELECT 1 FROM files WHERE content = ? LIMIT 1", "i", id);
    bool used = row && database_next(database, row, &e);
    if (used)
        database_end(row);
    if (!database_is_fine(e, error))
        return false;
    return used || remove_content(database, id, error);
}

bool
archive_insert_content(Archive *archive, const ArchiveContent *c,
                       gint64 first_row, gint64 n, const char *sum, gint64 *id,
                       GError **error)
{
    Database *database = archive->database;
    if (!database_run(database, error,
                      "INSERT INTO contents (key, hash, settings, problem, "
                      "problem_at, duration, width, height, codec, first_row, "
                      "n_rows, sum, label_set) "
                      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      "ttttiiiitiitt", c->key, c->hash, c->settings, c->problem,
                      c->problem_at, c->duration, (gint64)c->width,
                      (gint64)c->height, c->codec, first_row, n, sum,
                      c->label_set))
        return false;
    *id = database_last_id(database);
    return true;
}

// ---- Files ----------------------------------------------------------------

// What a change of a file needs, and what it leaves.
typedef struct {
    const ArchiveFile *file;
    const ArchiveContent *content; // NULL: the file's
    const char *sum;               // of the content's rows
    const char *text;              // hash, name or label set
} Change;

// Sets the file's row; its former content is dropped.
static bool
put_file(Archive *archive, const ArchiveFile *file, gint64 content,
         GError **error)
{
    GError *e = NULL;
    g_autoptr(ArchiveFile) former = archive_find(archive, file->name, &e);
    if (!database_is_fine(e, error))
        return false;
    return database_run(archive->database, error,
                        "INSERT OR REPLACE INTO files VALUES "
                        "(?, ?, ?, ?, ?, ?, ?)",
                        "tiititi", file->name, file->size, file->mtime,
                        file->etag, file->wall_start, file->wall_source,
                        content) &&
           words_put_file(archive->database, file->name, error) &&
           (!former || former->content == content ||
            drop_content(archive->database, former->content, error));
}

static bool
add_step(Archive *archive, void *data, GError **error)
{
    const Change *change = data;
    const ArchiveContent *content = change->content;
    gint64 id, n = content->frames->len;
    return archive_insert_content(archive, content, archive->n_rows, n,
                                  change->sum, &id, error) &&
           archive_insert_parts(archive, id, content, error) &&
           put_file(archive, change->file, id, error) &&
           database_run(archive->database, error,
                        "UPDATE facts SET number = ? WHERE name = 'rows'", "i",
                        archive->n_rows + n);
}

// The rows, each padded with zeros. Returns, g_free().
static uint16_t *
pad(const Archive *archive, const uint16_t *vectors, size_t n)
{
    size_t dim = (size_t)archive->dim;
    size_t row_dim = (size_t)archive_get_row_dim(archive);
    uint16_t *rows = g_malloc0_n(MAX(n, 1) * row_dim, sizeof *rows);
    for (size_t i = 0; i < n; i++)
        memcpy(rows + i * row_dim, vectors + i * dim, dim * sizeof *rows);
    return rows;
}

// After a transaction that failed: it may still be on the disk, when only the
// end of it went wrong. What the database says is what counts.
static void
recover(Archive *archive)
{
    g_autoptr(GError) error = NULL;
    sqlite3_stmt *row =
        database_query(archive->database, &error,
                       "SELECT number FROM facts WHERE name = 'rows'", "");
    if (!row || !database_next(archive->database, row, &error))
        return; // the next writer cuts
    archive->n_rows = sqlite3_column_int64(row, 0);
    database_end(row);
    packs_cut(&archive->packs, archive->n_rows, NULL);
}

bool
archive_add(Archive *archive, const ArchiveFile *file,
            const ArchiveContent *content, const uint16_t *vectors,
            GError **error)
{
    gint64 n = content->frames->len;
    g_autofree uint16_t *rows = pad(archive, vectors, (size_t)n);
    g_autofree char *sum =
        archive_sum_rows(rows, (size_t)n * archive->packs.stride);
    Change change = {.file = file, .content = content, .sum = sum};
    if (!packs_append(&archive->packs, archive->n_rows, rows, n, error))
        return false;
    if (!archive_change(archive, add_step, &change, error)) {
        recover(archive);
        return false;
    }
    archive->n_rows += n;
    return true;
}

static bool
link_step(Archive *archive, void *data, GError **error)
{
    const Change *change = data;
    return (!change->text ||
            database_run(archive->database, error,
                         "UPDATE contents SET hash = ? WHERE id = ?", "ti",
                         change->text, change->file->content)) &&
           put_file(archive, change->file, change->file->content, error);
}

bool
archive_link(Archive *archive, const ArchiveFile *file, const char *hash,
             GError **error)
{
    Change change = {.file = file, .text = hash};
    return archive_change(archive, link_step, &change, error);
}

static bool
remove_step(Archive *archive, void *data, GError **error)
{
    const Change *change = data;
    GError *e = NULL;
    g_autoptr(ArchiveFile) file = archive_find(archive, change->text, &e);
    if (!file)
        return database_is_fine(e, error);
    return database_run(archive->database, error,
                        "DELETE FROM files WHERE name = ?", "t", file->name) &&
           words_remove_file(archive->database, file->name, error) &&
           drop_content(archive->database, file->content, error);
}

bool
archive_remove(Archive *archive, const char *name, GError **error)
{
    Change change = {.text = name};
    return archive_change(archive, remove_step, &change, error);
}

static bool
labels_step(Archive *archive, void *data, GError **error)
{
    const Change *change = data;
    gint64 id = change->content->id;
    g_auto(Records) records = {0};
    records_pack_labels(change->content, &records);
    return database_run(archive->database, error,
                        "UPDATE segments SET names = ?, labels = ? "
                        "WHERE content = ?",
                        "bbi", records.names, records.labels, id) &&
           database_run(archive->database, error,
                        "UPDATE contents SET label_set = ? WHERE id = ?", "ti",
                        change->content->label_set, id) &&
           words_put_content(archive->database, id, error);
}

bool
archive_set_labels(Archive *archive, const ArchiveContent *content,
                   GError **error)
{
    Change change = {.content = content};
    return archive_change(archive, labels_step, &change, error);
}
