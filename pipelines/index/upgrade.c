// SPDX-License-Identifier: LGPL-2.1-or-later
//
// upgrade.c - brings the tables of version 1, which had a row for each frame,
// segment and label, to those of this version. See archive_private.h.

#include "archive_private.h"

static bool
read_frames(Archive *archive, ArchiveContent *content, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row =
        database_query(archive->database, &e,
                       "SELECT start, end, n_samples FROM frames_1 "
                       "WHERE content = ? ORDER BY number",
                       "i", content->id);
    while (row && database_next(archive->database, row, &e)) {
        ArchiveFrame frame = {sqlite3_column_int64(row, 0),
                              sqlite3_column_int64(row, 1),
                              sqlite3_column_int64(row, 2)};
        g_array_append_val(content->frames, frame);
    }
    return database_is_fine(e, error);
}

static bool
read_segments(Archive *archive, ArchiveContent *content, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row =
        database_query(archive->database, &e,
                       "SELECT first, n, start, end, peak, thumbnail "
                       "FROM segments_1 WHERE content = ? ORDER BY number",
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
    return database_is_fine(e, error);
}

static bool
read_labels(Archive *archive, ArchiveContent *content, GError **error)
{
    GError *e = NULL;
    sqlite3_stmt *row =
        database_query(archive->database, &e,
                       "SELECT segment, name, score FROM segment_labels "
                       "JOIN labels ON labels.id = label WHERE content = ?",
                       "i", content->id);
    while (row && database_next(archive->database, row, &e)) {
        gint64 i = sqlite3_column_int64(row, 0);
        if (i >= 0 && i < content->segments->len)
            archive_segment_add_label(content->segments->pdata[i],
                                      (const char *)sqlite3_column_text(row, 1),
                                      sqlite3_column_double(row, 2));
    }
    return database_is_fine(e, error);
}

static bool
move_content(Archive *archive, gint64 id, GError **error)
{
    g_autoptr(ArchiveContent) content = archive_content_new();
    content->id = id;
    return read_frames(archive, content, error) &&
           read_segments(archive, content, error) &&
           read_labels(archive, content, error) &&
           archive_insert_parts(archive, id, content, error);
}

static bool
move_contents(Archive *archive, GError **error)
{
    g_autoptr(GArray) ids = archive_list_contents(archive, error);
    for (guint i = 0; ids && i < ids->len; i++) {
        if (!move_content(archive, g_array_index(ids, gint64, i), error))
            return false;
    }
    return ids != NULL;
}

bool
archive_upgrade_tables(Archive *archive, void *data, GError **error)
{
    return database_execute(archive->database,
                            "ALTER TABLE frames RENAME TO frames_1;"
                            "ALTER TABLE segments RENAME TO segments_1;",
                            error) &&
           archive_make_parts_tables(archive->database, error) &&
           move_contents(archive, error) &&
           database_execute(archive->database,
                            "DROP TABLE frames_1;"
                            "DROP TABLE segments_1;"
                            "DROP TABLE segment_labels;"
                            "DROP TABLE labels;"
                            "UPDATE facts SET number = 2 "
                            "WHERE name = 'version';",
                            error);
}
