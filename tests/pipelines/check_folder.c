// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_folder.c - names of files, and which files are removed for others.

#include "pipelines/live/folder.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

static char *
make_file(const char *place, const char *name, size_t size, gint64 age)
{
    char *path = g_build_filename(place, name, NULL);
    g_autofree char *text = g_strnfill(size, 'x');
    g_assert_true(g_file_set_contents(path, text, (gssize)size, NULL));
    gint64 changed = g_get_real_time() / G_USEC_PER_SEC - age;
    const struct timespec times[2] = {{changed, 0}, {changed, 0}};
    g_assert_cmpint(utimensat(AT_FDCWD, path, times, 0), ==, 0);
    return path;
}

static bool
is_there(const char *path)
{
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void
makes_names_that_stay_in_the_folder(void)
{
    static const char *const texts[] = {
        "..",  ".",    "",        "a/b", "a_b", "../../etc/passwd",
        "-rf", "a\nb", ".hidden", "a b",
    };
    g_autoptr(GHashTable) names =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        char *name = folder_safe_name(texts[i]);
        g_assert_null(strpbrk(name, "/\n "));
        g_assert_cmpint(name[0], !=, '.');
        g_assert_cmpint(name[0], !=, '\0');
        g_assert_true(g_hash_table_add(names, name)); // no two are alike
    }
    g_autofree char *plain = folder_safe_name("gate-2.x");
    g_assert_cmpstr(plain, ==, "gate-2.x");
    g_autofree char *umlaut = folder_safe_name("Tür");
    g_assert_cmpstr(umlaut, ==, "Tür");
    g_autofree char *text = g_strnfill(5000, 'a');
    g_autofree char *shortened = folder_safe_name(text);
    g_assert_cmpuint(strlen(shortened), <, 100);
}

static void
removes_the_oldest_and_nothing_of_others(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = g_dir_make_tmp("pe-folder-XXXXXX", NULL);
    Folder *folder = folder_open(path, 1000, &error);
    g_assert_no_error(error);
    g_autofree char *gate = folder_get_place(folder, "gate", &error);
    g_autofree char *yard = folder_get_place(folder, "yard", &error);
    g_assert_no_error(error);
    g_autofree char *first = make_file(gate, "2026-01-01.jsonl", 400, 300);
    g_autofree char *second = make_file(yard, "2026-01-02.vtt", 400, 200);
    g_autofree char *third = make_file(gate, "2026-01-03_x.mp4", 150, 100);
    g_autofree char *others = make_file(gate, "notes.jsonl", 5000, 900);
    g_assert_true(folder_make_room(folder, 50, NULL, &error));
    g_assert_true(is_there(first)); // exactly full
    g_assert_true(folder_make_room(folder, 100, NULL, &error));
    g_assert_false(is_there(first));
    g_assert_true(is_there(second) && is_there(third));
    // What is being written is kept, although it is the oldest.
    g_assert_true(folder_make_room(folder, 500, second, &error));
    g_assert_true(is_there(second));
    g_assert_false(is_there(third));
    g_assert_true(is_there(others));
    g_assert_false(folder_make_room(folder, 1001, NULL, &error));
    g_assert_nonnull(strstr(error->message, path));
    g_assert_nonnull(strstr(error->message, "limit"));
    g_assert_true(is_there(others));
    g_unlink(others);
    g_unlink(second);
    g_rmdir(gate);
    g_rmdir(yard);
    g_rmdir(path);
    folder_free(folder);
}

static void
says_where_it_cannot_write(void)
{
    g_autoptr(GError) error = NULL;
    g_assert_null(folder_open("/proc/nowhere", 1000, &error));
    g_assert_nonnull(strstr(error->message, "/proc/nowhere"));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/folder/names", makes_names_that_stay_in_the_folder);
    g_test_add_func("/folder/room", removes_the_oldest_and_nothing_of_others);
    g_test_add_func("/folder/refuse", says_where_it_cannot_write);
    return g_test_run();
}
