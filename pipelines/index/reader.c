// SPDX-License-Identifier: LGPL-2.1-or-later
//
// reader.c - reads files, contents and rows of an archive. See archive.h.

#include "archive_private.h"
#include "records.h"
#include "words.h"

// ---- One moment ------------------------------------------------------------

static bool
hold_remote(Archive *archive, GError **error)
{
    bool same;
    if (!archive->remote->hold(archive->remote_data, &same, error))
        return false;
    if (same)
        return true;
    archive->remote->release(archive->remote_data);
    g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                "%s: has changed meanwhile; try again", archive->folder);
    return false;
}

bool
archive_hold(Archive *archive, GError **error)
{
    // What is held is what the first statement that reads finds.
    return (!archive->remote || hold_remote(archive, error)) &&
           database_execute(archive->database,
                            "BEGIN; SELECT count(*) FROM facts", error);
}

void
archive_release(Archive *archive)
{
    database_execute(archive->database, "COMMIT", NULL);
    if (archive->remote)
        archive->remote->release(archive->remote_data);
}

// ---- Files ----------------------------------------------------------------

// Of the columns of `files` in their order.
static ArchiveFile *
take_file(sqlite3_stmt *row)
{
    ArchiveFile *file = g_new0(ArchiveFile, 1);
    file->name = database_text(row, 0);
    file->size = sqlite3_column_int64(row, 1);
    file->mtime = sqlite3_column_int64(row, 2);
    file->etag = database_text(row, 3);
    file->wall_start = sqlite3_column_int64(row, 4);
    file->wall_source = database_text(row, 5);
    file->content = sqlite3_column_int64(row, 6);
    return file;
}

ArchiveFile *
archive_find(Archive *archive, const char *name, GError **error)
{
    sqlite3_stmt *row =
        database_query(archive->database, error,
                       "SELECT * FROM files WHERE name = ?", "t", name);
    if (!row || !database_next(archive->database, row, error))
        return NULL;
    ArchiveFile *file = take_file(row);
    database_end(row);
    return file;
}

ArchiveFile *
archive_find_by_content(Archive *archive, gint64 content, char **hash,
                        GError **error)
{
    sqlite3_stmt *row = database_query(
        archive->database, error,
        "SELECT files.*, hash FROM files JOIN contents ON id = content "
        "WHERE content = ? ORDER BY name LIMIT 1",
        "i", content);
    if (!row || !database_next(archive->database, row, error))
        return NULL;
    ArchiveFile *file = take_file(row);
    if (hash)
        *hash = database_text(row, 7);
    database_end(row);
    return file;
}

bool
archive_list_problems(Archive *archive, ArchiveProblemFunc func,
                      void *user_data, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row = database_query(
        archive->database, &e,
        "SELECT name, problem, problem_at, n_rows FROM files "
        "JOIN contents ON id = content WHERE problem IS NOT NULL "
        "ORDER BY name",
        "");
    while (row && database_next(archive->database, row, &e))
        func((const char *)sqlite3_column_text(row, 0),
             (const char *)sqlite3_column_text(row, 1),
             sqlite3_column_int64(row, 2), sqlite3_column_int64(row, 3) > 0,
             user_data);
    return database_is_fine(e, error);
}

// All files of a statement, which may have failed with `e`; takes that.
static GPtrArray *
take_files(Archive *archive, sqlite3_stmt *row, GError *e, GError **error)
{
    GPtrArray *files =
        g_ptr_array_new_with_free_func((GDestroyNotify)archive_file_free);
    while (row && database_next(archive->database, row, &e))
        g_ptr_array_add(files, take_file(row));
    if (database_is_fine(e, error))
        return files;
    g_ptr_array_unref(files);
    return NULL;
}

GPtrArray *
archive_list_files(Archive *archive, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row = database_query(archive->database, &e,
                                       "SELECT * FROM files ORDER BY name", "");
    return take_files(archive, row, e, error);
}

GPtrArray *
archive_list_files_with(Archive *archive, const char *words, GError **error)
{
    GError *e = NULL;
    g_autofree char *match = !archive->remote || words_fetch(archive, error)
                                 ? words_make_match(archive, words, error)
                                 : NULL;
    if (!match)
        return NULL;
    sqlite3_stmt *row = database_query(
        archive->database, &e,
        "SELECT * FROM files WHERE name IN (SELECT file FROM texts WHERE id IN "
        "(SELECT rowid FROM words WHERE words MATCH ?)) ORDER BY name",
        "t", match);
    return take_files(archive, row, e, error);
}

GPtrArray *
archive_list_copies(Archive *archive, gint64 content, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row = database_query(
        archive->database, &e,
        "SELECT * FROM files WHERE content = ? ORDER BY name", "i", content);
    return take_files(archive, row, e, error);
}

// ---- Contents -------------------------------------------------------------

// All ids of a statement, which may have failed with `e`; takes that.
static GArray *
take_ids(Archive *archive, sqlite3_stmt *row, GError *e, GError **error)
{
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(gint64));
    while (row && database_next(archive->database, row, &e)) {
        gint64 id = sqlite3_column_int64(row, 0);
        g_array_append_val(ids, id);
    }
    if (database_is_fine(e, error))
        return ids;
    g_array_unref(ids);
    return NULL;
}

GArray *
archive_list_contents(Archive *archive, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row = database_query(
        archive->database, &e, "SELECT id FROM contents ORDER BY id", "");
    return take_ids(archive, row, e, error);
}

GArray *
archive_find_contents(Archive *archive, const char *key, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row = database_query(
        archive->database, &e,
        "SELECT id FROM contents WHERE key = ? ORDER BY id", "t", key);
    return take_ids(archive, row, e, error);
}

// *pieces: of thumbnails.
static bool
read_pieces(Archive *archive, gint64 content, GPtrArray *pieces, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row = database_query(archive->database, &e,
                                       "SELECT bytes FROM thumbnails "
                                       "WHERE content = ? ORDER BY piece",
                                       "i", content);
    while (row && database_next(archive->database, row, &e))
        g_ptr_array_add(pieces, database_blob(row, 0));
    return database_is_fine(e, error);
}

static bool
fail_damaged(const Archive *archive, gint64 content, const char *what,
             GError **error)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: the %s of content %" G_GINT64_FORMAT
                " are damaged; restore the folder from a copy, or tag the "
                "files again into a new one",
                archive->folder, what, content);
    return false;
}

static bool
read_records(Archive *archive, gint64 content, Records *records, gint64 *n_rows,
             GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row = database_query(
        archive->database, &e,
        "SELECT frames.records, segments.records, names, labels, n_rows "
        "FROM frames JOIN segments USING (content) "
        "JOIN contents ON contents.id = content WHERE content = ?",
        "i", content);
    if (!row || !database_next(archive->database, row, &e))
        return database_is_fine(e, error) &&
               fail_damaged(archive, content, "frames", error);
    records->frames = database_blob(row, 0);
    records->segments = database_blob(row, 1);
    records->names = database_blob(row, 2);
    records->labels = database_blob(row, 3);
    *n_rows = sqlite3_column_int64(row, 4);
    database_end(row);
    records->pieces =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    return read_pieces(archive, content, records->pieces, error);
}

static bool
read_parts(Archive *archive, ArchiveContent *content, GError **error)
{
    gint64 n_rows;
    const char *what;
    g_auto(Records) records = {0};
    if (!read_records(archive, content->id, &records, &n_rows, error))
        return false;
    if (!records_unpack(&records, content, &what))
        return fail_damaged(archive, content->id, what, error);
    return content->frames->len == n_rows ||
           fail_damaged(archive, content->id, "frames", error);
}

static bool
read_row(Archive *archive, ArchiveContent *content, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row = database_query(
        archive->database, &e,
        "SELECT key, hash, settings, problem, problem_at, duration, width, "
        "height, codec, label_set FROM contents WHERE id = ?",
        "i", content->id);
    if (row && database_next(archive->database, row, &e)) {
        content->key = database_text(row, 0);
        content->hash = database_text(row, 1);
        content->settings = database_text(row, 2);
        content->problem = database_text(row, 3);
        content->problem_at = sqlite3_column_int64(row, 4);
        content->duration = sqlite3_column_int64(row, 5);
        content->width = sqlite3_column_int(row, 6);
        content->height = sqlite3_column_int(row, 7);
        content->codec = database_text(row, 8);
        content->label_set = database_text(row, 9);
        database_end(row);
        return true;
    }
    if (!e)
        g_set_error(&e, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: its index has no content %" G_GINT64_FORMAT
                    " although a file has it; pe-tag verify says more",
                    archive->folder, content->id);
    return database_is_fine(e, error);
}

ArchiveContent *
archive_read_content_facts(Archive *archive, gint64 id, GError **error)
{
    ArchiveContent *content = archive_content_new();
    content->id = id;
    if (read_row(archive, content, error))
        return content;
    archive_content_free(content);
    return NULL;
}

ArchiveContent *
archive_read_content(Archive *archive, gint64 id, GError **error)
{
    if (archive->remote)
        return archive->remote->read_content(archive->remote_data, id, error);
    ArchiveContent *content = archive_read_content_facts(archive, id, error);
    if (!content)
        return NULL;
    if (read_parts(archive, content, error))
        return content;
    archive_content_free(content);
    return NULL;
}

// ---- Rows -----------------------------------------------------------------

GArray *
archive_list_rows(Archive *archive, GError **error)
{
    GError *e = NULL;
    GArray *list = g_array_new(FALSE, FALSE, sizeof(ArchiveRows));
    gint64 end = 0;
    sqlite3_stmt *row =
        database_query(archive->database, &e,
                       "SELECT id, first_row, n_rows FROM contents "
                       "WHERE n_rows > 0 ORDER BY first_row",
                       "");
    while (row && database_next(archive->database, row, &e)) {
        ArchiveRows rows = {sqlite3_column_int64(row, 0),
                            sqlite3_column_int64(row, 1),
                            sqlite3_column_int64(row, 2)};
        g_array_append_val(list, rows);
        end = rows.first_row + rows.n_rows;
    }
    if (!database_is_fine(e, error)) {
        g_array_unref(list);
        return NULL;
    }
    archive->n_rows = MAX(archive->n_rows, end);
    return list;
}

bool
archive_find_row(Archive *archive, gint64 row, ArchiveRows *content,
                 GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *found =
        database_query(archive->database, &e,
                       "SELECT id, first_row, n_rows FROM contents "
                       "WHERE first_row <= ? AND ? < first_row + n_rows",
                       "ii", row, row);
    if (found && database_next(archive->database, found, &e)) {
        *content = (ArchiveRows){sqlite3_column_int64(found, 0),
                                 sqlite3_column_int64(found, 1),
                                 sqlite3_column_int64(found, 2)};
        database_end(found);
        return true;
    }
    if (!e)
        g_set_error(&e, PE_ERROR, PE_ERROR_FORMAT,
                    "frame %" G_GINT64_FORMAT
                    " is not in the archive, or not any more",
                    row);
    return database_is_fine(e, error);
}

// Part of a piece; NULL without an error: it has no such part.
static GBytes *
read_thumbnail(Archive *archive, gint64 content, const RecordsThumbnail *place,
               GError **error)
{
    sqlite3_stmt *row = database_query(
        archive->database, error,
        "SELECT substr(bytes, ? + 1, ?) FROM thumbnails "
        "WHERE content = ? AND piece = ?",
        "iiii", place->offset, place->size, content, place->piece);
    if (!row || !database_next(archive->database, row, error))
        return NULL;
    GBytes *thumbnail = database_blob(row, 0);
    database_end(row);
    return thumbnail;
}

static GBytes *
read_remote_thumbnail(Archive *archive, gint64 row, GError **error)
{
    ArchiveRows content;
    return archive_find_row(archive, row, &content, error)
               ? archive->remote->read_thumbnail(archive->remote_data,
                                                 content.content,
                                                 row - content.first_row, error)
               : NULL;
}

GBytes *
archive_read_thumbnail(Archive *archive, gint64 row, GError **error)
{
    RecordsThumbnail place;
    if (archive->remote)
        return read_remote_thumbnail(archive, row, error);
    sqlite3_stmt *found =
        database_query(archive->database, error,
                       "SELECT id, first_row, records FROM contents "
                       "JOIN segments ON content = id "
                       "WHERE first_row <= ? AND ? < first_row + n_rows",
                       "ii", row, row);
    if (!found || !database_next(archive->database, found, error))
        return NULL;
    gint64 content = sqlite3_column_int64(found, 0);
    gint64 first_row = sqlite3_column_int64(found, 1);
    g_autoptr(GBytes) segments = database_blob(found, 2);
    database_end(found);
    return records_find_thumbnail(segments, row - first_row, &place)
               ? read_thumbnail(archive, content, &place, error)
               : NULL;
}

const PeRows *
archive_map(Archive *archive, GError **error)
{
    // Rows that count never change.
    if (archive->remote ||
        (archive->map.rows && archive->rows.n == (size_t)archive->n_rows))
        return &archive->rows;
    packs_unmap(&archive->map);
    if (!packs_map(&archive->packs, archive->n_rows, &archive->map, error))
        return NULL;
    archive->rows = (PeRows){archive->map.rows, (size_t)archive->n_rows,
                             archive_get_row_dim(archive)};
    return &archive->rows;
}

bool
archive_get_stats(Archive *archive, ArchiveStats *stats, GError **error)
{
    sqlite3_stmt *row = database_query(
        archive->database, error,
        "SELECT (SELECT count(*) FROM files), (SELECT count(*) FROM contents),"
        "(SELECT count(*) FROM contents WHERE problem IS NOT NULL),"
        "(SELECT sum(n_rows) FROM contents),"
        "(SELECT sum(n_samples) FROM frames),"
        "(SELECT sum(length(records)) FROM segments),"
        "(SELECT number FROM facts WHERE name = 'rows'),"
        "(SELECT sum(duration) FROM contents WHERE duration > 0)",
        "");
    if (!row || !database_next(archive->database, row, error))
        return false;
    gint64 values[8];
    for (int i = 0; i < 8; i++)
        values[i] = sqlite3_column_int64(row, i);
    database_end(row);
    *stats = (ArchiveStats){values[0], values[1], values[2],
                            values[3], values[4], values[5] / RECORDS_SEGMENT,
                            values[6], values[7]};
    return true;
}

char *
archive_find_problem(Archive *archive, gint64 content)
{
    sqlite3_stmt *row = database_query(
        archive->database, NULL, "SELECT problem FROM contents WHERE id = ?",
        "i", content);
    if (!row || !database_next(archive->database, row, NULL))
        return NULL;
    char *problem = database_text(row, 0);
    database_end(row);
    return problem;
}
