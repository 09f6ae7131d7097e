// SPDX-License-Identifier: LGPL-2.1-or-later
//
// reader.c - reads files, contents and rows of an archive. See archive.h.

#include "archive_private.h"
#include "words.h"

// Hand `e` on. Is there none?
static bool
is_fine(GError *e, GError **error)
{
    if (e)
        g_propagate_error(error, e);
    return !e;
}

// ---- One moment ------------------------------------------------------------

bool
archive_hold(Archive *archive, GError **error)
{
    // What is held is what the first statement that reads finds.
    return database_execute(archive->database,
                            "BEGIN; SELECT count(*) FROM facts", error);
}

void
archive_release(Archive *archive)
{
    database_execute(archive->database, "COMMIT", NULL);
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
    return is_fine(e, error);
}

// All files of a statement, which may have failed with `e`; takes that.
static GPtrArray *
take_files(Archive *archive, sqlite3_stmt *row, GError *e, GError **error)
{
    GPtrArray *files =
        g_ptr_array_new_with_free_func((GDestroyNotify)archive_file_free);
    while (row && database_next(archive->database, row, &e))
        g_ptr_array_add(files, take_file(row));
    if (is_fine(e, error))
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
    g_autofree char *match = words_make_match(archive, words, error);
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

GArray *
archive_find_contents(Archive *archive, const char *key, GError **error)
{
    GError *e = NULL;
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(gint64));
    sqlite3_stmt *row = database_query(
        archive->database, &e,
        "SELECT id FROM contents WHERE key = ? ORDER BY id", "t", key);
    while (row && database_next(archive->database, row, &e)) {
        gint64 id = sqlite3_column_int64(row, 0);
        g_array_append_val(ids, id);
    }
    if (is_fine(e, error))
        return ids;
    g_array_unref(ids);
    return NULL;
}

static bool
read_frames(Archive *archive, ArchiveContent *content, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row =
        database_query(archive->database, &e,
                       "SELECT start, end, n_samples FROM frames "
                       "WHERE content = ? ORDER BY number",
                       "i", content->id);
    while (row && database_next(archive->database, row, &e)) {
        ArchiveFrame frame = {sqlite3_column_int64(row, 0),
                              sqlite3_column_int64(row, 1),
                              sqlite3_column_int64(row, 2)};
        g_array_append_val(content->frames, frame);
    }
    return is_fine(e, error);
}

static bool
read_segments(Archive *archive, ArchiveContent *content, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row =
        database_query(archive->database, &e,
                       "SELECT first, n, start, end, peak, thumbnail "
                       "FROM segments WHERE content = ? ORDER BY number",
                       "i", content->id);
    while (row && database_next(archive->database, row, &e)) {
        ArchiveSegment *segment = archive_segment_new();
        segment->first = sqlite3_column_int64(row, 0);
        segment->n = sqlite3_column_int64(row, 1);
        segment->start = sqlite3_column_int64(row, 2);
        segment->end = sqlite3_column_int64(row, 3);
        segment->peak = sqlite3_column_int64(row, 4);
        segment->thumbnail = database_blob(row, 5);
        g_ptr_array_add(content->segments, segment);
    }
    return is_fine(e, error);
}

static bool
read_labels(Archive *archive, ArchiveContent *content, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row =
        database_query(archive->database, &e,
                       "SELECT segment, name, score FROM segment_labels "
                       "JOIN labels ON labels.id = label WHERE content = ? "
                       "ORDER BY segment, score DESC, name",
                       "i", content->id);
    while (row && database_next(archive->database, row, &e)) {
        gint64 i = sqlite3_column_int64(row, 0);
        if (i >= 0 && i < content->segments->len)
            archive_segment_add_label(content->segments->pdata[i],
                                      (const char *)sqlite3_column_text(row, 1),
                                      sqlite3_column_double(row, 2));
    }
    return is_fine(e, error);
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
    return is_fine(e, error);
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
    ArchiveContent *content = archive_read_content_facts(archive, id, error);
    if (!content)
        return NULL;
    if (read_frames(archive, content, error) &&
        read_segments(archive, content, error) &&
        read_labels(archive, content, error))
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
    if (!is_fine(e, error)) {
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
    return is_fine(e, error);
}

GBytes *
archive_read_thumbnail(Archive *archive, gint64 row, GError **error)
{
    GError *e = NULL;
    GBytes *thumbnail = NULL;
    sqlite3_stmt *found = database_query(
        archive->database, &e,
        "SELECT thumbnail FROM segments JOIN contents ON id = content "
        "WHERE first_row <= ? AND ? < first_row + n_rows "
        "AND first <= ? - first_row AND ? - first_row < first + n",
        "iiii", row, row, row, row);
    if (found && database_next(archive->database, found, &e)) {
        thumbnail = database_blob(found, 0);
        database_end(found);
    }
    is_fine(e, error);
    return thumbnail;
}

const PeRows *
archive_map(Archive *archive, GError **error)
{
    // Rows that count never change.
    if (archive->map.rows && archive->rows.n == (size_t)archive->n_rows)
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
        "(SELECT count(*) FROM frames), (SELECT sum(n_samples) FROM frames),"
        "(SELECT count(*) FROM segments),"
        "(SELECT number FROM facts WHERE name = 'rows'),"
        "(SELECT sum(duration) FROM contents WHERE duration > 0)",
        "");
    if (!row || !database_next(archive->database, row, error))
        return false;
    gint64 values[8];
    for (int i = 0; i < 8; i++)
        values[i] = sqlite3_column_int64(row, i);
    database_end(row);
    *stats = (ArchiveStats){values[0], values[1], values[2], values[3],
                            values[4], values[5], values[6], values[7]};
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
