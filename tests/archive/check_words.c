// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_words.c - the words of files are found, whatever is asked for, and are
// in step with the files: also in an index that was made before there were any,
// and behind a program that did not know them.

#include <glib/gstdio.h>
#include <sqlite3.h>
#include <string.h>

#include "folder.h"
#include "small_archive.h"

// ---- Archives -------------------------------------------------------------

static Archive *
open_to_read(const char *folder)
{
    g_autoptr(GError) error = NULL;
    Archive *archive = archive_open(folder, &error);
    g_assert_no_error(error);
    return archive;
}

// One frame and one segment, with a label that is seen and one that is not.
static ArchiveContent *
make_content(const char *label)
{
    ArchiveContent *content = archive_content_new();
    ArchiveFrame frame = {0, 500, 1};
    ArchiveSegment *segment = archive_segment_new();
    g_array_append_val(content->frames, frame);
    segment->n = 1;
    segment->end = 500;
    archive_segment_add_label(segment, label, 0.5);
    archive_segment_add_label(segment, "a unicorn", 0.49);
    g_ptr_array_add(content->segments, segment);
    content->label_set = g_strdup(label);
    return content;
}

static void
add(Archive *archive, const char *name, const char *label)
{
    static const uint16_t vector[SMALL_DIM];
    g_autoptr(GError) error = NULL;
    g_autoptr(ArchiveContent) content = make_content(label);
    ArchiveFile file = {.name = (char *)name, .wall_start = -1};
    archive_add(archive, &file, content, vector, &error);
    g_assert_no_error(error);
}

// The names of the files that have the words, each in brackets. g_free()
static char *
find(Archive *archive, const char *words)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) files =
        archive_list_files_with(archive, words, &error);
    g_assert_no_error(error);
    GString *text = g_string_new(NULL);
    for (guint i = 0; i < files->len; i++)
        g_string_append_printf(text, "[%s]",
                               ((ArchiveFile *)files->pdata[i])->name);
    return g_string_free(text, FALSE);
}

static void
expect(Archive *archive, const char *words, const char *names)
{
    g_autofree char *found = find(archive, words);
    if (!g_str_equal(found, names))
        g_test_message("%s", words);
    g_assert_cmpstr(found, ==, names);
}

// What another program does to the index of an archive that nobody has open.
static void
change(const char *folder, const char *sql)
{
    sqlite3 *database;
    g_autofree char *path = g_build_filename(folder, "index.sqlite", NULL);
    g_assert_cmpint(sqlite3_open(path, &database), ==, SQLITE_OK);
    char *message = NULL;
    if (sqlite3_exec(database, sql, NULL, NULL, &message) != SQLITE_OK)
        g_error("%s", message);
    sqlite3_close(database);
}

// As the programs made it before there were words.
static void
make_old(const char *folder)
{
    change(folder, "DROP TABLE words; DROP TABLE texts;");
}

#define A "/videos/harbour_2024-07-01/cam1.mp4"
#define B "/videos/Hafen \303\234bersee/b \"OR\" c.mkv"
#define C "/videos/\377\376 raw/harbour.ts"

static void
add_all(Archive *archive)
{
    add(archive, A, "a boat at sea");
    add(archive, B, "fog");
    add(archive, C, "a boat at night");
}

// ---- Tests ----------------------------------------------------------------

static void
finds_words_of_names_and_labels(void)
{
    static const char *const rows[][2] = {
        {"harbour", "[" A "][" C "]"},
        {"harbour 2024", "[" A "]"},
        {" 2024\tHARBOUR\n", "[" A "]"},
        {"harbour_2024-07-01", "[" A "]"},
        {"2024_harbour", ""}, // joined, and so in this order
        {"harb", ""},         // whole words
        {"harb*", "[" A "][" C "]"},
        {"harb* bo*", "[" A "][" C "]"},
        {"cam1", "[" A "]"},
        {"mkv", "[" B "]"},
        {"ubersee", "[" B "]"},
        {"\303\274bersee fog", "[" B "]"},
        {"fog 2024", ""},
        {"boat", "[" A "][" C "]"},
        {"boat night", "[" C "]"},
        {"harbour boat sea", "[" A "]"},
        {"unicorn", ""}, // rather not
        // Nothing of it is an operator.
        {"harbour OR fog", ""},
        {"b OR c", "[" B "]"},
        {"harbour NOT sea", ""},
        {"file:harbour", ""},
        {"\"OR\"", "[" B "]"},
        {"\"harbour", "[" A "][" C "]"},
        {"harbour)", "[" A "][" C "]"},
        {"NEAR(harbour", ""},
        {"harbour *", "[" A "][" C "]"},
        {"^fog", "[" B "]"},
        {"raw", "[" C "]"},
    };
    char *folder = folder_make("pe-words-XXXXXX");
    Archive *writer = small_archive_open(folder);
    add_all(writer);
    archive_close(writer);
    g_autoptr(Archive) archive = open_to_read(folder);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        expect(archive, rows[i][0], rows[i][1]);
    static const char *const wrong[] = {"", " ", "-", "*", "\"\"", "\377x"};
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(archive_list_files_with(archive, wrong[i], &error));
        g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
        g_assert_true(g_utf8_validate(error->message, -1, NULL));
    }
    g_assert_cmpuint(small_archive_count_faults(archive), ==, 0);
    folder_remove(folder);
}

static void
keeps_step_with_files_and_labels(void)
{
    char *folder = folder_make("pe-words-XXXXXX");
    g_autoptr(GError) error = NULL;
    g_autoptr(Archive) archive = small_archive_open(folder);
    add_all(archive);
    add(archive, A, "fog"); // replaced
    expect(archive, "sea", "");
    expect(archive, "fog", "[" B "][" A "]");
    g_autoptr(ArchiveFile) file = archive_find(archive, A, &error);
    g_free(file->name);
    file->name = g_strdup("/copy.mp4");
    g_assert_true(archive_link(archive, file, NULL, &error));
    expect(archive, "copy fog", "[/copy.mp4]");
    // Both copies get the labels of their content.
    g_autoptr(ArchiveContent) content = make_content("a dog");
    content->id = file->content;
    g_assert_true(archive_set_labels(archive, content, &error));
    expect(archive, "dog", "[/copy.mp4][" A "]");
    expect(archive, "fog", "[" B "]");
    g_assert_true(archive_remove(archive, A, &error));
    g_assert_true(archive_remove(archive, "/nowhere", &error));
    expect(archive, "dog", "[/copy.mp4]");
    expect(archive, "2024", "");
    g_assert_cmpuint(small_archive_count_faults(archive), ==, 0);
    folder_remove(folder);
}

static void
reads_an_old_index_and_upgrades_it(void)
{
    char *folder = folder_make("pe-words-XXXXXX");
    g_autoptr(GError) error = NULL;
    Archive *archive = small_archive_open(folder);
    add_all(archive);
    g_autofree char *before = small_archive_dump(archive);
    archive_close(archive);
    make_old(folder);
    archive = open_to_read(folder);
    g_autofree char *old = small_archive_dump(archive);
    g_assert_cmpstr(old, ==, before);
    g_assert_cmpuint(small_archive_count_faults(archive), ==, 0);
    g_assert_null(archive_list_files_with(archive, "fog", &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, "pe-tag"));
    archive_close(archive);
    archive = small_archive_open(folder);
    expect(archive, "harbour 2024", "[" A "]");
    expect(archive, "night", "[" C "]");
    g_autofree char *after = small_archive_dump(archive);
    g_assert_cmpstr(after, ==, before);
    g_assert_cmpuint(small_archive_count_faults(archive), ==, 0);
    archive_close(archive);
    folder_remove(folder);
}

// How many calls that change files an upgrade makes.
static int
count_calls(void)
{
    char *folder = folder_make("pe-words-XXXXXX");
    Archive *archive = small_archive_open(folder);
    add_all(archive);
    archive_close(archive);
    make_old(folder);
    disk_set(DISK_WORKS, 0);
    archive_close(small_archive_open(folder));
    int n = disk_count();
    folder_remove(folder);
    return n;
}

// Upgrade, with a fate at one call; then the archive must be as it was, and
// the next one that opens it must finish the work.
static void
upgrade_badly(DiskFate fate, int at)
{
    char *folder = folder_make("pe-words-XXXXXX");
    Archive *archive = small_archive_open(folder);
    add_all(archive);
    g_autofree char *before = small_archive_dump(archive);
    archive_close(archive);
    make_old(folder);
    small_archive_open_badly(folder, fate, at);
    archive = open_to_read(folder);
    g_autofree char *text = small_archive_dump(archive);
    g_assert_cmpstr(text, ==, before);
    g_assert_cmpuint(small_archive_count_faults(archive), ==, 0);
    archive_close(archive);
    archive = small_archive_open(folder);
    expect(archive, "fog", "[" B "]");
    g_assert_cmpuint(small_archive_count_faults(archive), ==, 0);
    archive_close(archive);
    folder_remove(folder);
}

static void
upgrades_as_a_whole_or_not_at_all(void)
{
    int n = count_calls();
    g_assert_cmpint(n, >, 5);
    for (int at = 0; at < n; at++) {
        upgrade_badly(DISK_KILLS, at);
        upgrade_badly(DISK_FULL, at);
    }
    g_test_message("killed, and the disk full, at each of %d calls", n);
}

// A program that knows no words writes files and labels, and only those.
// An archive that another program has changed, which archive_verify() notices.
// Returns its folder, folder_remove().
static char *
make_spoilt(const char *sql)
{
    char *folder = folder_make("pe-words-XXXXXX");
    Archive *archive = small_archive_open(folder);
    add_all(archive);
    archive_close(archive);
    change(folder, sql);
    archive = open_to_read(folder);
    g_assert_cmpuint(small_archive_count_faults(archive), >, 0);
    archive_close(archive);
    return folder;
}

static void
mends_what_another_program_has_left(void)
{
    static const char *const changes[] = {
        "DELETE FROM files WHERE name LIKE '%cam1%'",
        "INSERT INTO files SELECT '/new.mp4', size, mtime, etag, wall_start, "
        "wall_source, content FROM files WHERE name LIKE '%cam1%'",
        "UPDATE files SET content = (SELECT max(id) FROM contents)",
        "UPDATE segments SET names = CAST('a unicorn' AS BLOB) || x'00' || "
        "CAST('a cat' AS BLOB) || x'00' WHERE content = 2; "
        "UPDATE contents SET label_set = 'another'",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        char *folder = make_spoilt(changes[i]);
        Archive *archive = small_archive_open(folder);
        expect(archive, "fog", i == 2 || i == 3 ? "" : "[" B "]");
        expect(archive, "cat", i == 3 ? "[" B "]" : "");
        expect(archive, "cam1", i == 0 ? "" : "[" A "]");
        expect(archive, "new", i == 1 ? "[/new.mp4]" : "");
        archive_close(archive);
        folder_remove(folder);
    }
}

static void
notices_words_that_are_wrong(void)
{
    static const char *const changes[] = {
        "UPDATE texts SET labels = 'a pig' WHERE labels = 'fog'",
        "DELETE FROM texts WHERE labels = 'fog'",
        "DELETE FROM words_docsize WHERE id = 2",
        "INSERT INTO words (rowid, file) VALUES (77, 'a ghost')",
        "INSERT INTO texts (file) VALUES ('a ghost')",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++)
        folder_remove(make_spoilt(changes[i]));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    folder_use_memory();
    g_test_add_func("/words/found", finds_words_of_names_and_labels);
    g_test_add_func("/words/in-step", keeps_step_with_files_and_labels);
    g_test_add_func("/words/old", reads_an_old_index_and_upgrades_it);
    g_test_add_func("/words/upgrade", upgrades_as_a_whole_or_not_at_all);
    g_test_add_func("/words/mended", mends_what_another_program_has_left);
    g_test_add_func("/words/wrong", notices_words_that_are_wrong);
    return g_test_run();
}
