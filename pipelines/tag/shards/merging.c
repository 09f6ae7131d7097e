// SPDX-License-Identifier: LGPL-2.1-or-later
//
// merging.c - see merging.h. What becomes of vectors and tables is in
// pipelines/index/merge.c.

#include "merging.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
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
    struct stat info;
    if (dir ? !g_dir_read_name(dir) : lstat(out, &info) != 0)
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
        Archive *archive = archive_open_upgraded(folders[i], error);
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

// ---- The folder that becomes the new archive -------------------------------

// In such a folder while a merge works on it, and after one that was killed.
#define MARKER "MERGING"

static int
remove_all_but_marker(const char *path, const struct stat *info, int kind,
                      struct FTW *place)
{
    if (place->level == 0 ||
        (place->level == 1 && g_str_equal(path + place->base, MARKER)))
        return 0;
    return remove(path);
}

static bool
fail_part(const char *part, const char *what, int code, GError **error)
{
    g_set_error(error, PE_ERROR, code,
                "%s: %s: a merge makes its archive there before it gets its "
                "name",
                part, what);
    return false;
}

// Nothing that no merge has made is overwritten.
static bool
make_part(const char *part, const char *marker, GError **error)
{
    struct stat info;
    if (mkdir(part, 0777) == 0)
        return true;
    if (errno != EEXIST || lstat(part, &info) != 0)
        return fail_part(part, g_strerror(errno), PE_ERROR_FILE, error);
    g_autoptr(GDir) dir =
        S_ISDIR(info.st_mode) ? g_dir_open(part, 0, NULL) : NULL;
    bool empty = dir && !g_dir_read_name(dir);
    if (empty || (dir && lstat(marker, &info) == 0 && S_ISREG(info.st_mode)))
        return true;
    return fail_part(part, "is in the way, and no merge has left it",
                     PE_ERROR_FORMAT, error);
}

// Returns the file that keeps other merges away while it is open; -1 with the
// error.
static int
claim_part(const char *part, GError **error)
{
    g_autofree char *marker = g_build_filename(part, MARKER, NULL);
    struct stat ours, there;
    if (!make_part(part, marker, error))
        return -1;
    int fd = open(marker, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &ours) != 0 ||
        lstat(marker, &there) != 0 || ours.st_ino != there.st_ino ||
        ours.st_dev != there.st_dev) {
        fail_part(part, "another merge is at work", PE_ERROR_FILE, error);
    } else if (nftw(part, remove_all_but_marker, 16, FTW_DEPTH | FTW_PHYS) !=
               0) {
        fail_part(part, g_strerror(errno), PE_ERROR_FILE, error);
    } else {
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
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

// What was damaged in one of the archives, or on the way.
static bool
check_sums(Archive *merged, GError **error)
{
    g_autoptr(GPtrArray) faults = g_ptr_array_new_with_free_func(g_free);
    if (!archive_verify(merged, faults, error))
        return false;
    if (faults->len > 0)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "what was merged has %u fault(s), such as: %s; \"pe-tag "
                    "verify\" tells in which of the archives they are",
                    faults->len, (const char *)faults->pdata[0]);
    return faults->len == 0;
}

// The archive has its name before anybody else may touch it.
static bool
make(const GPtrArray *archives, const char *part, const char *path, bool verify,
     GError **error)
{
    Done done = {.n_shards = 1};
    g_autofree char *marker = g_build_filename(path, MARKER, NULL);
    g_autoptr(Archive) merged = archive_merge(archives, part, error);
    ArchiveStats stats;
    if (!merged || (verify && !check_sums(merged, error)) ||
        !report_write_errors(merged, error) ||
        !archive_get_stats(merged, &stats, error) ||
        !done_write(part, &done, error) || !rename_folder(part, path, error))
        return false;
    unlink(marker);
    printf("%u archives with %" G_GINT64_FORMAT " files and %" G_GINT64_FORMAT
           " frames\n",
           archives->len, stats.n_files, stats.n_frames);
    return true;
}

// Each archive is some open files, and there may be many.
static void
allow_many_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

bool
merging_run(char *const *folders, const char *out, bool verify, GError **error)
{
    // By its real name, so that "out/" and "." get a neighbour, too.
    g_autofree char *path = g_canonicalize_filename(out, NULL);
    g_autofree char *part = g_strconcat(path, ".part", NULL);
    allow_many_files();
    if (!is_free(path, error))
        return false;
    g_autoptr(GPtrArray) archives = open_all(folders, error);
    int fd = archives ? claim_part(part, error) : -1;
    if (fd < 0)
        return false;
    bool ok = make(archives, part, path, verify, error);
    close(fd);
    return ok;
}
