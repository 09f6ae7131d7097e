// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_merge.c - what archives are merged into has the same bytes, however the
// files are spread over them.

#include "pipelines/index/merge.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "gst/database/copy.h"
#include "pipelines/index/packs.h"
#include "tests/archive/folder.h"

enum { DIM = 32, N_FILES = 40 };

// ---- Archives -------------------------------------------------------------

static Archive *
make_archive(const char *parent, const char *name, float cosine,
             const char *fingerprint)
{
    g_autoptr(GError) error = NULL;
    float probes[DIM] = {cosine};
    probes[1] = sqrtf(1 - cosine * cosine);
    ArchiveModel model = {"a model", fingerprint, DIM, probes, 1};
    g_autofree char *folder = g_build_filename(parent, name, NULL);
    Archive *archive = archive_open_to_write(folder, &model, &error);
    g_assert_no_error(error);
    return archive;
}

// What is found in the files of a number; those of 3 and 5 have no frames, and
// no key but the bytes of 4 and 14 and of 24 are the same.
static ArchiveContent *
make_content(int number, const char *settings)
{
    ArchiveContent *content = archive_content_new();
    int n = number == 3 || number == 5 ? 0 : 1 + number % 7;
    content->key = n ? g_strdup_printf("key %d", number % 20) : NULL;
    content->settings = g_strdup(settings);
    content->problem = n ? NULL : g_strdup("unreadable: it is not there");
    content->label_set = g_strdup("set");
    for (int i = 0; i < n; i++) {
        ArchiveFrame frame = {i * 500, i * 500 + 500, 1 + number % 3};
        g_array_append_val(content->frames, frame);
    }
    for (int i = 0; i < n; i += 2) {
        ArchiveSegment *segment = archive_segment_new();
        g_autofree char *label = g_strdup_printf("label %d", (number + i) % 5);
        segment->first = segment->peak = i;
        segment->n = MIN(2, n - i);
        segment->thumbnail = g_bytes_new(&number, sizeof number);
        archive_segment_add_label(segment, label, 0.75);
        archive_segment_add_label(segment, "another", 0.25);
        g_ptr_array_add(content->segments, segment);
    }
    return content;
}

// The content that a file has: some share one.
static int
get_number(int file)
{
    return file == 14 || file == 24 ? 4 : file;
}

static void
add(Archive *archive, int file, const char *settings)
{
    g_autoptr(GError) error = NULL;
    int number = get_number(file);
    g_autoptr(ArchiveContent) content = make_content(number, settings);
    uint16_t vectors[8 * DIM];
    for (int i = 0; i < 8 * DIM; i++)
        vectors[i] = (uint16_t)((i * 31 + number * 977) & 0x3bff);
    g_autoptr(ArchiveFile) row = g_new0(ArchiveFile, 1);
    // In no order that anything else is in.
    row->name = g_strdup_printf("/v/%03d.mp4", file * 17 % N_FILES);
    row->size = 100 + number;
    row->wall_start = -1;
    // As the archives of a run where another file has the same bytes.
    g_autoptr(GArray) ids =
        content->key ? archive_find_contents(archive, content->key, &error)
                     : NULL;
    if (number == 4 && ids && ids->len > 0) {
        row->content = g_array_index(ids, gint64, 0);
        g_assert_true(archive_link(archive, row, "a hash", &error));
    } else {
        g_assert_true(archive_add(archive, row, content, vectors, &error));
    }
    g_assert_no_error(error);
}

// ---- Bytes ----------------------------------------------------------------

static void
add_file(GChecksum *sum, const char *folder, const char *name)
{
    gsize size;
    g_autofree char *data = NULL;
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_assert_true(g_file_get_contents(path, &data, &size, NULL));
    g_checksum_update(sum, (const guchar *)data, (gssize)size);
}

// Merge and close them. Returns the checksum of all bytes, g_free().
static char *
merge(GPtrArray *archives, const char *parent, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) faults = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *folder = g_build_filename(parent, name, NULL);
    Archive *merged = archive_merge(archives, folder, &error);
    g_assert_no_error(error);
    g_assert_true(archive_verify(merged, faults, &error));
    g_assert_cmpuint(faults->len, ==, 0);
    archive_close(merged);
    for (guint i = 0; i < archives->len; i++)
        archive_close(archives->pdata[i]);
    add_file(sum, folder, "index.sqlite");
    add_file(sum, folder, "vectors/000000.pack");
    return g_strdup(g_checksum_get_string(sum));
}

// Spread the files over n archives by the test's random numbers.
static char *
merge_spread(const char *parent, const char *name, int n)
{
    g_autoptr(GPtrArray) archives = g_ptr_array_new();
    for (int i = 0; i < n; i++) {
        g_autofree char *part = g_strdup_printf("%s-%d", name, i);
        g_ptr_array_add(archives, make_archive(parent, part, 1, "f"));
    }
    int order[N_FILES];
    for (int i = 0; i < N_FILES; i++)
        order[i] = i;
    for (int i = N_FILES - 1; i > 0; i--) {
        int k = g_test_rand_int_range(0, i + 1), swapped = order[i];
        order[i] = order[k];
        order[k] = swapped;
    }
    for (int i = 0; i < N_FILES; i++) {
        Archive *archive = archives->pdata[g_test_rand_int_range(0, n)];
        // Whatever was there before leaves rows and labels behind.
        if (i % 5 == 0)
            add(archive, order[i], "2/1");
        add(archive, order[i], "2/1");
    }
    return merge(archives, parent, name);
}

static void
merges_any_spread_into_the_same_bytes(void)
{
    char *folder = folder_make("merge-XXXXXX");
    g_autofree char *expected = merge_spread(folder, "one", 1);
    for (int i = 0; i < 12; i++) {
        g_autofree char *name = g_strdup_printf("spread%d", i);
        g_autofree char *sum = merge_spread(folder, name, 1 + i % 5);
        g_assert_cmpstr(sum, ==, expected);
    }
    folder_remove(folder);
}

static void
merges_what_was_merged(void)
{
    char *folder = folder_make("merge-XXXXXX");
    g_autoptr(GError) error = NULL;
    g_autofree char *expected = merge_spread(folder, "some", 3);
    g_autofree char *path = g_build_filename(folder, "some", NULL);
    g_autoptr(GPtrArray) archives = g_ptr_array_new();
    // Twice, too: what both know is the same.
    for (int i = 0; i < 2; i++)
        g_ptr_array_add(archives, archive_open(path, &error));
    g_assert_no_error(error);
    g_autofree char *sum = merge(archives, folder, "again");
    g_assert_cmpstr(sum, ==, expected);
    folder_remove(folder);
}

static void
replaces_what_a_killed_merge_left(void)
{
    char *folder = folder_make("merge-XXXXXX");
    g_autofree char *expected = merge_spread(folder, "one", 2);
    Archive *left = make_archive(folder, "other", 1, "another");
    for (int i = 0; i < 9; i++)
        add(left, i, "3/1");
    archive_close(left);
    g_autofree char *path = g_build_filename(folder, "one", NULL);
    g_autoptr(GPtrArray) archives = g_ptr_array_new();
    g_ptr_array_add(archives, archive_open(path, NULL));
    g_autofree char *sum = merge(archives, folder, "other");
    g_assert_cmpstr(sum, ==, expected);
    folder_remove(folder);
}

// ---- Refusals -------------------------------------------------------------

static void
check_refusal(const char *folder, Archive *a, Archive *b, const char *words)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) archives = g_ptr_array_new();
    g_ptr_array_add(archives, a);
    g_ptr_array_add(archives, b);
    g_autofree char *path = g_build_filename(folder, "merged", NULL);
    g_assert_null(archive_merge(archives, path, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_SHAPE);
    g_assert_nonnull(strstr(error->message, archive_get_folder(a)));
    g_assert_nonnull(strstr(error->message, archive_get_folder(b)));
    g_assert_nonnull(strstr(error->message, words));
    archive_close(a);
    archive_close(b);
}

static void
refuses_what_does_not_fit_and_names_both(void)
{
    char *folder = folder_make("merge-XXXXXX");
    check_refusal(folder, make_archive(folder, "a", 1, "f"),
                  make_archive(folder, "b", 0.99f, "g"), "cosine of 0.9900");
    Archive *a = make_archive(folder, "c", 1, "f");
    Archive *b = make_archive(folder, "d", 1, "f");
    add(a, 1, "2/1");
    add(b, 2, "3/1");
    check_refusal(folder, a, b, "\"3/1\"");
    a = make_archive(folder, "e", 1, "f");
    b = make_archive(folder, "g", 1, "f");
    add(a, 1, "2/1");
    add(b, 1, "2/1");
    g_autoptr(ArchiveContent) content = make_content(2, "2/1");
    g_autoptr(ArchiveFile) file = archive_find(b, "/v/017.mp4", NULL);
    uint16_t vectors[8 * DIM] = {0};
    g_assert_true(archive_add(b, file, content, vectors, NULL));
    check_refusal(folder, a, b, "/v/017.mp4");
    folder_remove(folder);
}

static void
takes_a_copy_of_the_model_in_either_order(void)
{
    char *folder = folder_make("merge-XXXXXX");
    char *sums[2];
    for (int i = 0; i < 2; i++) {
        g_autoptr(GPtrArray) archives = g_ptr_array_new();
        for (int k = 0; k < 2; k++) {
            bool is_copy = i == k;
            g_autofree char *name = g_strdup_printf("%d%d", i, k);
            Archive *archive = make_archive(folder, name, is_copy ? 0.9995f : 1,
                                            is_copy ? "copy" : "f");
            add(archive, is_copy ? 1 : 2, "2/1");
            g_ptr_array_add(archives, archive);
        }
        g_autofree char *name = g_strdup_printf("merged%d", i);
        sums[i] = merge(archives, folder, name);
    }
    g_assert_cmpstr(sums[0], ==, sums[1]);
    g_free(sums[0]);
    g_free(sums[1]);
    folder_remove(folder);
}

static void
keep_warning(PeLogLevel level, const char *message, void *user_data)
{
    char **last = user_data;
    if (level != PE_LOG_WARNING)
        return;
    g_free(*last);
    *last = g_strdup(message);
}

static void
warns_of_labels_of_two_sets(void)
{
    char *folder = folder_make("merge-XXXXXX");
    g_autofree char *warning = NULL;
    g_autoptr(GPtrArray) archives = g_ptr_array_new();
    for (int i = 0; i < 2; i++) {
        g_autofree char *name = g_strdup_printf("%d", i);
        Archive *archive = make_archive(folder, name, 1, "f");
        add(archive, 1 + i, "2/1");
        g_ptr_array_add(archives, archive);
    }
    g_autoptr(ArchiveFile) file =
        archive_find(archives->pdata[1], "/v/034.mp4", NULL);
    g_autoptr(ArchiveContent) content =
        archive_read_content(archives->pdata[1], file->content, NULL);
    g_free(content->label_set);
    content->label_set = g_strdup("another set");
    g_assert_true(archive_set_labels(archives->pdata[1], content, NULL));
    pe_log_set(keep_warning, &warning);
    g_autofree char *sum = merge(archives, folder, "merged");
    pe_log_set(NULL, NULL);
    g_assert_nonnull(warning);
    g_assert_nonnull(strstr(warning, "another set"));
    g_assert_nonnull(strstr(warning, "relabel"));
    folder_remove(folder);
}

static void
refuses_what_is_not_sound(void)
{
    char *folder = folder_make("merge-XXXXXX");
    g_autoptr(GError) error = NULL;
    Archive *whole = make_archive(folder, "a", 1, "f");
    add(whole, 1, "2/1");
    archive_close(whole);
    g_autofree char *path = g_build_filename(folder, "a", NULL);
    g_autofree char *index = g_build_filename(path, "index.sqlite", NULL);
    Database *database = database_open(index, true, &error);
    g_assert_no_error(error);
    g_assert_true(database_execute(
        database, "UPDATE frames SET records = substr(records, 25)", &error));
    g_autofree char *merged = g_build_filename(folder, "merged", NULL);
    database_close(database);
    g_autoptr(GPtrArray) archives = g_ptr_array_new();
    Archive *archive = archive_open(path, NULL);
    g_ptr_array_add(archives, archive);
    g_assert_null(archive_merge(archives, merged, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    g_assert_nonnull(strstr(error->message, path));
    g_assert_nonnull(strstr(error->message, "verify"));
    archive_close(archive);
    folder_remove(folder);
}

// ---- Packs ----------------------------------------------------------------

static void
copies_rows_between_databases(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Database) a = database_open_alone(NULL, &error);
    g_autoptr(Database) b = database_open_alone(NULL, &error);
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
    static const char insert[] = "INSERT INTO t SELECT ?, a, b, c FROM rows";
    static const char query[] = "SELECT x, y, z FROM t WHERE id = ? ORDER BY x";
    static const char table[] =
        "CREATE TABLE t (id INTEGER, x INTEGER UNIQUE, y TEXT, z BLOB)";
    gint64 n;
    g_assert_no_error(error);
    g_assert_true(database_execute(a, table, &error));
    g_assert_true(database_execute(b, table, &error));
    g_assert_true(database_execute(
        b,
        "INSERT INTO t VALUES (1, 2, 'two', NULL), (1, 1, NULL, x'00ff'), "
        "(2, 3, 'three', x'')",
        &error));
    g_assert_true(database_copy_rows(a, insert, 7, b, query, 1, &n, &error));
    g_assert_cmpint(n, ==, 2);
    g_assert_true(database_copy_rows(a, insert, 8, b, query, 9, &n, &error));
    g_assert_cmpint(n, ==, 0);
    // What cannot be inserted ends the query, too.
    g_assert_false(database_copy_rows(a, insert, 8, b, query, 1, &n, &error));
    g_assert_nonnull(strstr(error->message, "UNIQUE"));
    g_clear_error(&error);
    g_assert_true(database_copy_rows(a, insert, 8, b, query, 2, &n, &error));
    g_assert_true(database_add_texts(
        a, texts, &error,
        "SELECT printf('%d %d %s %s', id, x, y, quote(z)) FROM t"));
    g_ptr_array_add(texts, NULL);
    g_autofree char *all = g_strjoinv("; ", (char **)texts->pdata);
    g_assert_cmpstr(all, ==, "7 1  X'00FF'; 7 2 two NULL; 8 3 three X''");
    g_assert_false(database_copy_rows(
        a, insert, 8, b, "SELECT x FROM none WHERE id = ?", 2, &n, &error));
    g_assert_nonnull(strstr(error->message, "none"));
}

static void
copies_rows_across_packs(void)
{
    enum { STRIDE = 64, N = 5000 };
    char *folder = folder_make("packs-XXXXXX");
    g_autoptr(GError) error = NULL;
    g_autofree char *from_path = g_build_filename(folder, "from", NULL);
    g_autofree char *to_path = g_build_filename(folder, "to", NULL);
    Packs from = {from_path, STRIDE, 1024}, to = {to_path, STRIDE, 2048};
    g_autofree uint16_t *rows = g_new(uint16_t, N * STRIDE / 2);
    PackMap map;
    for (int i = 0; i < N * STRIDE / 2; i++)
        rows[i] = (uint16_t)(i * 31);
    g_assert_true(packs_make_folder(&from, &error));
    g_assert_true(packs_make_folder(&to, &error));
    g_assert_true(packs_append(&from, 0, rows, N, &error));
    g_assert_true(packs_copy(&to, 0, &from, 10, 1500, &error));
    g_assert_true(packs_copy(&to, 1500, &from, 1510, N - 1510, &error));
    g_assert_true(packs_sync(&to, N - 10, &error));
    g_assert_true(packs_map(&to, N - 10, &map, &error));
    g_assert_cmpmem(map.rows, (N - 10) * STRIDE, rows + 10 * STRIDE / 2,
                    (N - 10) * STRIDE);
    packs_unmap(&map);
    g_assert_false(packs_copy(&to, N - 10, &from, N - 5, 10, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    folder_remove(folder);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/merge/merges_any_spread_into_the_same_bytes",
                    merges_any_spread_into_the_same_bytes);
    g_test_add_func("/merge/merges_what_was_merged", merges_what_was_merged);
    g_test_add_func("/merge/replaces_what_a_killed_merge_left",
                    replaces_what_a_killed_merge_left);
    g_test_add_func("/merge/refuses_what_does_not_fit_and_names_both",
                    refuses_what_does_not_fit_and_names_both);
    g_test_add_func("/merge/takes_a_copy_of_the_model_in_either_order",
                    takes_a_copy_of_the_model_in_either_order);
    g_test_add_func("/merge/warns_of_labels_of_two_sets",
                    warns_of_labels_of_two_sets);
    g_test_add_func("/merge/refuses_what_is_not_sound",
                    refuses_what_is_not_sound);
    g_test_add_func("/merge/copies_rows_between_databases",
                    copies_rows_between_databases);
    g_test_add_func("/merge/copies_rows_across_packs",
                    copies_rows_across_packs);
    return g_test_run();
}
