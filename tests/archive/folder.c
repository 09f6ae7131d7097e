// SPDX-License-Identifier: LGPL-2.1-or-later
//
// folder.c - see folder.h.

#include "folder.h"

#include <glib/gstdio.h>
#include <unistd.h>

void
folder_use_memory(void)
{
    if (!g_getenv("TMPDIR") && g_access("/dev/shm", W_OK) == 0)
        g_setenv("TMPDIR", "/dev/shm", TRUE);
}

char *
folder_make(const char *name)
{
    g_autoptr(GError) error = NULL;
    char *folder = g_dir_make_tmp(name, &error);
    g_assert_no_error(error);
    return folder;
}

void
folder_remove(char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name(dir))) {
        char *child = g_build_filename(path, name, NULL);
        if (g_file_test(child, G_FILE_TEST_IS_DIR)) {
            folder_remove(child);
        } else {
            g_remove(child);
            g_free(child);
        }
    }
    g_remove(path);
    g_free(path);
}
