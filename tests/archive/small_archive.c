// SPDX-License-Identifier: LGPL-2.1-or-later
//
// small_archive.c - see small_archive.h.

#include "small_archive.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

Archive *
small_archive_try(const char *folder, GError **error)
{
    static float probe[SMALL_DIM] = {1};
    ArchiveModel model = {"a model", "0123456789abcdef", SMALL_DIM, probe, 1};
    return archive_open_to_write(folder, &model, error);
}

Archive *
small_archive_open(const char *folder)
{
    g_autoptr(GError) error = NULL;
    Archive *archive = small_archive_try(folder, &error);
    g_assert_no_error(error);
    return archive;
}

void
small_archive_open_badly(const char *folder, DiskFate fate, int at)
{
    pid_t child = fork();
    if (child == 0) {
        disk_set(fate, at);
        g_autoptr(GError) error = NULL;
        Archive *archive = small_archive_try(folder, &error);
        _exit(archive || g_error_matches(error, PE_ERROR, PE_ERROR_FILE) ? 0
                                                                         : 1);
    }
    int status;
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    g_assert_true(fate == DISK_KILLS
                      ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL
                      : WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

char *
small_archive_dump(Archive *archive)
{
    g_autoptr(GError) error = NULL;
    GString *text = g_string_new(NULL);
    archive_dump(archive, text, &error);
    g_assert_no_error(error);
    return g_string_free(text, FALSE);
}

guint
small_archive_count_faults(Archive *archive)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) faults = g_ptr_array_new_with_free_func(g_free);
    archive_verify(archive, faults, &error);
    g_assert_no_error(error);
    for (guint i = 0; i < faults->len; i++)
        g_test_message("%s", (const char *)faults->pdata[i]);
    return faults->len;
}
