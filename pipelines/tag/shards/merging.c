// SPDX-License-Identifier: LGPL-2.1-or-later
//
// merging.c - see merging.h. What becomes of vectors and tables is in
// pipelines/index/merge.c.

#include "merging.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "../report.h"
#include "done.h"
#include "pipelines/index/merge.h"

static void
close_archive(gpointer archive)
{
    archive_close(archive);
}

// An empty folder is as good as none.
static bool
is_free(const char *out, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(out, 0, NULL);
    if (dir ? !g_dir_read_name(dir) : !g_file_test(out, G_FILE_TEST_EXISTS))
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: is there already; an archive is merged into a new folder",
                out);
    return false;
}

// Archive *, each held as it is now; NULL with the error.
static GPtrArray *
open_all(char *const *folders, GError **error)
{
    g_autoptr(GPtrArray) archives =
        g_ptr_array_new_with_free_func(close_archive);
    guint n = g_strv_length((char **)folders);
    g_autofree Done *dones = g_new(Done, MAX(n, 1));
    for (guint i = 0; i < n; i++) {
        Archive *archive = archive_open(folders[i], error);
        if (!archive)
            return NULL;
        g_ptr_array_add(archives, archive);
        if (!archive_hold(archive, error) ||
            !done_read(folders[i], &dones[i], error))
            return NULL;
    }
    if (!done_check_all(dones, folders, (int)n, error))
        return NULL;
    return g_steal_pointer(&archives);
}

static bool
make(const GPtrArray *archives, const char *folder, GError **error)
{
    Done done = {.n_shards = 1};
    g_autoptr(Archive) merged = archive_merge(archives, folder, error);
    ArchiveStats stats;
    if (!merged || !report_write_errors(merged, error) ||
        !archive_get_stats(merged, &stats, error) ||
        !done_write(folder, &done, error))
        return false;
    printf("%u archives with %" G_GINT64_FORMAT " files and %" G_GINT64_FORMAT
           " frames\n",
           archives->len, stats.n_files, stats.n_frames);
    return true;
}

static bool
rename_folder(const char *from, const char *to, GError **error)
{
    g_autofree char *parent = g_path_get_dirname(to);
    if (rename(from, to) != 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s: cannot be renamed to %s: %s", from, to,
                    g_strerror(errno));
        return false;
    }
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        // Where folders cannot be synchronised, the name is there all the same.
        fsync(fd);
        close(fd);
    }
    return true;
}

bool
merging_run(char *const *folders, const char *out, GError **error)
{
    // By its real name, so that "out/" and "." get a neighbour, too.
    g_autofree char *path = g_canonicalize_filename(out, NULL);
    g_autofree char *part = g_strconcat(path, ".part", NULL);
    if (!is_free(path, error))
        return false;
    g_autoptr(GPtrArray) archives = open_all(folders, error);
    return archives && make(archives, part, error) &&
           rename_folder(part, path, error);
}
