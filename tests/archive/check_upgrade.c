// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_upgrade.c - an archive of version 1 is brought up to date without a
// change of what it knows, as a whole or not at all; who only reads is told
// what does it.

#include <glib/gstdio.h>
#include <string.h>

#include "folder.h"
#include "gst/database/database.h"
#include "small_archive.h"

enum { N_FRAMES = 300, N_FEW = 20 };

// ---- Archives -------------------------------------------------------------

// n frames, a segment for every second one, with thumbnails and labels but for
// some; labels of the same score, too.
static ArchiveContent *
make_content(int n)
{
    ArchiveContent *content = archive_content_new();
    content->label_set = g_strdup("set");
    for (int i = 0; i < n; i++) {
        ArchiveFrame frame = {i * 500, i * 500 + 500, 1 + i % 3};
        g_array_append_val(content->frames, frame);
    }
    for (int i = 0; i < n; i += 2) {
        ArchiveSegment *segment = archive_segment_new();
        g_autofree char *label = g_strdup_printf("label %d", i % 12);
        segment->first = i;
        segment->peak = MIN(i + 1, n - 1);
        segment->n = MIN(2, n - i);
        segment->start = i * 500;
        segment->end = (i + segment->n) * 500;
        if (i % 5)
            segment->thumbnail = g_bytes_new(&i, sizeof i);
        if (i % 7) {
            archive_segment_add_label(segment, "fog", 0.75);
            archive_segment_add_label(segment, label, i % 8 ? 0.75 : 0.25);
        }
        g_ptr_array_add(content->segments, segment);
    }
    return content;
}

static void
add(Archive *archive, const char *name, int n)
{
    static const uint16_t vectors[N_FRAMES * SMALL_DIM];
    g_autoptr(GError) error = NULL;
    g_autoptr(ArchiveContent) content = make_content(n);
    ArchiveFile file = {.name = (char *)name, .wall_start = -1};
    archive_add(archive, &file, content, vectors, &error);
    g_assert_no_error(error);
}

// Of one that is sound. Returns, g_free().
static char *
dump(Archive *archive)
{
    g_assert_cmpuint(small_archive_count_faults(archive), ==, 0);
    return small_archive_dump(archive);
}

// ---- Version 1 ------------------------------------------------------------

static const char old_tables[] =
    "CREATE TABLE frames (content INTEGER, number INTEGER, start INTEGER,"
    " end INTEGER, n_samples INTEGER, PRIMARY KEY (content, number))"
    " WITHOUT ROWID;"
    "CREATE TABLE segments (content INTEGER, number INTEGER, first INTEGER,"
    " n INTEGER, start INTEGER, end INTEGER, peak INTEGER, thumbnail BLOB,"
    " PRIMARY KEY (content, number)) WITHOUT ROWID;"
    "CREATE TABLE labels (id INTEGER PRIMARY KEY, name TEXT UNIQUE);"
    "CREATE TABLE segment_labels (content INTEGER, segment INTEGER,"
    " label INTEGER REFERENCES labels, score REAL,"
    " PRIMARY KEY (content, segment, label)) WITHOUT ROWID;"
    "UPDATE facts SET number = 1 WHERE name = 'version';";

static void
put_old_labels(Database *database, gint64 id, gint64 number,
               const ArchiveSegment *segment)
{
    for (guint i = 0; i < segment->labels->len; i++) {
        const ArchiveLabel *label =
            &g_array_index(segment->labels, ArchiveLabel, i);
        g_assert_true(database_run(
            database, NULL, "INSERT OR IGNORE INTO labels (name) VALUES (?)",
            "t", label->name));
        g_assert_true(database_run(
            database, NULL,
            "INSERT INTO segment_labels SELECT ?, ?, id, ? FROM labels "
            "WHERE name = ?",
            "iidt", id, number, label->score, label->name));
    }
}

static void
put_old_content(Database *database, const ArchiveContent *content)
{
    for (guint i = 0; i < content->frames->len; i++) {
        const ArchiveFrame *frame =
            &g_array_index(content->frames, ArchiveFrame, i);
        g_assert_true(database_run(database, NULL,
                                   "INSERT INTO frames VALUES (?, ?, ?, ?, ?)",
                                   "iiiii", content->id, (gint64)i,
                                   frame->start, frame->end, frame->n_samples));
    }
    for (guint i = 0; i < content->segments->len; i++) {
        const ArchiveSegment *s = content->segments->pdata[i];
        g_assert_true(
            database_run(database, NULL,
                         "INSERT INTO segments VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                         "iiiiiiib", content->id, (gint64)i, s->first, s->n,
                         s->start, s->end, s->peak, s->thumbnail));
        put_old_labels(database, content->id, i, s);
    }
}

// What the archive knows, as pe-tag stored it then.
static void
make_old(Archive *archive)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) files = archive_list_files(archive, &error);
    g_autoptr(GPtrArray) contents =
        g_ptr_array_new_with_free_func((GDestroyNotify)archive_content_free);
    for (guint i = 0; i < files->len; i++)
        g_ptr_array_add(
            contents,
            archive_read_content(
                archive, ((ArchiveFile *)files->pdata[i])->content, &error));
    g_autofree char *path =
        g_build_filename(archive_get_folder(archive), "index.sqlite", NULL);
    archive_close(archive);
    g_autoptr(Database) database = database_open(path, true, &error);
    g_assert_no_error(error);
    g_assert_true(database_execute(database,
                                   "BEGIN; DROP TABLE frames;"
                                   "DROP TABLE segments;"
                                   "DROP TABLE thumbnails;",
                                   NULL));
    g_assert_true(database_execute(database, old_tables, NULL));
    for (guint i = 0; i < contents->len; i++)
        put_old_content(database, contents->pdata[i]);
    g_assert_true(database_execute(database, "COMMIT", NULL));
}

// In a new folder, folder_remove(); *text: what its dump was, g_free(). n: the
// most frames of a file.
static char *
make_old_archive(int n, char **text)
{
    char *folder = folder_make("pe-upgrade-XXXXXX");
    Archive *archive = small_archive_open(folder);
    add(archive, "/empty.mp4", 0);
    add(archive, "/short.mp4", 1);
    add(archive, "/long.mp4", n);
    *text = dump(archive);
    make_old(archive);
    return folder;
}

// ---- Tests ----------------------------------------------------------------

static void
tells_a_reader_what_upgrades(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *before = NULL;
    char *folder = make_old_archive(N_FRAMES, &before);
    g_assert_null(archive_open(folder, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, folder));
    g_assert_nonnull(strstr(error->message, "version 1"));
    g_assert_nonnull(strstr(error->message, "pe-tag stats"));
    folder_remove(folder);
}

static void
upgrades_without_a_change(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *before = NULL;
    char *folder = make_old_archive(N_FRAMES, &before);
    Archive *archive = archive_open_upgraded(folder, &error);
    g_assert_no_error(error);
    g_autofree char *after = dump(archive);
    g_assert_cmpstr(after, ==, before);
    // /long.mp4 is behind a row of /short.mp4.
    g_autoptr(GBytes) thumbnail =
        archive_read_thumbnail(archive, 1 + 253, &error);
    int number = 252;
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(thumbnail, NULL),
                    g_bytes_get_size(thumbnail), &number, sizeof number);
    g_autoptr(GPtrArray) files =
        archive_list_files_with(archive, "fog", &error);
    g_assert_no_error(error);
    g_assert_cmpuint(files->len, ==, 1);
    archive_close(archive);
    // Once is enough.
    archive = archive_open(folder, &error);
    g_assert_no_error(error);
    archive_close(archive);
    folder_remove(folder);
}

static int
count_calls(void)
{
    g_autofree char *before = NULL;
    char *folder = make_old_archive(N_FEW, &before);
    disk_set(DISK_WORKS, 0);
    archive_close(small_archive_open(folder));
    int n = disk_count();
    folder_remove(folder);
    return n;
}

// Is it of version 1 still? Else it must be what it was.
static bool
is_old(const char *folder, const char *before)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Archive) archive = archive_open(folder, &error);
    if (!archive) {
        g_assert_nonnull(strstr(error->message, "version 1"));
        return true;
    }
    g_autofree char *text = dump(archive);
    g_assert_cmpstr(text, ==, before);
    return false;
}

// Upgrade, with a fate at one call; then the next that opens it must finish.
static bool
upgrade_badly(DiskFate fate, int at)
{
    g_autofree char *before = NULL;
    char *folder = make_old_archive(N_FEW, &before);
    small_archive_open_badly(folder, fate, at);
    bool old = is_old(folder, before);
    Archive *archive = small_archive_open(folder);
    g_autofree char *after = dump(archive);
    g_assert_cmpstr(after, ==, before);
    archive_close(archive);
    folder_remove(folder);
    return old;
}

static void
upgrades_as_a_whole_or_not_at_all(void)
{
    int n = count_calls(), n_old = 0;
    g_assert_cmpint(n, >, 10);
    for (int at = 0; at < n; at++) {
        n_old += upgrade_badly(DISK_KILLS, at);
        n_old += upgrade_badly(DISK_FULL, at);
    }
    g_assert_cmpint(n_old, >, 0);
    g_test_message("killed, and the disk full, at each of %d calls", n);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    folder_use_memory();
    g_test_add_func("/upgrade/reader", tells_a_reader_what_upgrades);
    g_test_add_func("/upgrade/same", upgrades_without_a_change);
    g_test_add_func("/upgrade/whole", upgrades_as_a_whole_or_not_at_all);
    return g_test_run();
}
