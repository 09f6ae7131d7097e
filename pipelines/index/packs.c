// SPDX-License-Identifier: LGPL-2.1-or-later
//
// packs.c - see packs.h. Knows nothing of files, frames and the database.

#include "packs.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/pe.h"

static char *
get_path(const Packs *packs, gint64 number)
{
    g_autofree char *name =
        g_strdup_printf("%06" G_GINT64_FORMAT ".pack", number);
    return g_build_filename(packs->folder, name, NULL);
}

static bool
fail(const char *path, const char *what, GError **error)
{
    int code = errno;
    g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: %s: %s", path, what,
                g_strerror(code));
    return false;
}

// A new name is on the disk when its folder is.
static bool
sync_folder(const char *folder, GError **error)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        fail(folder, "cannot be synchronised", error);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool
packs_make_folder(const Packs *packs, GError **error)
{
    if (g_mkdir_with_parents(packs->folder, 0777) != 0)
        return fail(packs->folder, "the folder cannot be made", error);
    g_autofree char *parent = g_path_get_dirname(packs->folder);
    return sync_folder(parent, error);
}

// How many of the first n_rows rows are in a pack.
static gint64
count_rows(const Packs *packs, gint64 number, gint64 n_rows)
{
    return CLAMP(n_rows - number * packs->pack_rows, 0, packs->pack_rows);
}

// ---- Writing --------------------------------------------------------------

// Cut one pack to its rows; *more: there may be a next one.
static bool
cut_pack(const Packs *packs, gint64 number, gint64 n_rows, bool *more,
         GError **error)
{
    g_autofree char *path = get_path(packs, number);
    gint64 wanted = count_rows(packs, number, n_rows) * (gint64)packs->stride;
    struct stat info;
    *more = false;
    if (stat(path, &info) != 0) {
        if (errno == ENOENT && wanted == 0)
            return true;
        return fail(path, "cannot be read, but the index needs it", error);
    }
    *more = true;
    if (info.st_size < wanted) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: has %" G_GINT64_FORMAT " bytes, but the index knows "
                    "of %" G_GINT64_FORMAT "; restore the folder from a copy, "
                    "or tag the files again into a new one",
                    path, (gint64)info.st_size, wanted);
        return false;
    }
    if (wanted == 0)
        return unlink(path) == 0 || fail(path, "cannot be removed", error);
    if (info.st_size > wanted && truncate(path, wanted) != 0)
        return fail(path, "cannot be cut", error);
    return true;
}

bool
packs_cut(const Packs *packs, gint64 n_rows, GError **error)
{
    bool more = true;
    for (gint64 number = 0; more || number * packs->pack_rows < n_rows;
         number++) {
        if (!cut_pack(packs, number, n_rows, &more, error))
            return false;
    }
    return true;
}

static bool
write_all(int fd, const char *data, size_t size, off_t offset)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, offset);
        if (n < 0 && errno != EINTR)
            return false;
        if (n > 0) {
            data += n;
            size -= (size_t)n;
            offset += n;
        }
    }
    return true;
}

// Rows that are all in one pack.
static bool
append_to_pack(const Packs *packs, gint64 n_rows, const void *rows, gint64 n,
               GError **error)
{
    gint64 within = n_rows % packs->pack_rows;
    g_autofree char *path = get_path(packs, n_rows / packs->pack_rows);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return fail(path, "cannot be opened for writing", error);
    bool ok = write_all(fd, rows, (size_t)n * packs->stride,
                        (off_t)within * (off_t)packs->stride) &&
              fdatasync(fd) == 0;
    if (!ok)
        fail(path, "cannot be written", error);
    close(fd);
    return ok && (within > 0 || sync_folder(packs->folder, error));
}

bool
packs_append(const Packs *packs, gint64 n_rows, const void *rows, gint64 n,
             GError **error)
{
    gint64 end = n_rows;
    const char *next = rows;
    while (n > 0) {
        gint64 part = MIN(n, packs->pack_rows - end % packs->pack_rows);
        if (!append_to_pack(packs, end, next, part, error)) {
            packs_cut(packs, n_rows, NULL);
            return false;
        }
        next += (size_t)part * packs->stride;
        end += part;
        n -= part;
    }
    return true;
}

// ---- Copying --------------------------------------------------------------

#define BLOCK (256 << 10)  // bytes
#define WRITTEN (16 << 20) // bytes that the disk gets at once

// Some bytes of a file into another one.
typedef struct {
    int from, to; // descriptors
    const char *from_path, *to_path;
    off_t from_offset, to_offset;
    size_t size; // still to do
} Copy;

static bool
fail_short(const Copy *copy, GError **error)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: ends at byte %" G_GINT64_FORMAT
                ", but the index knows of more; restore the folder from a copy",
                copy->from_path, (gint64)copy->from_offset);
    return false;
}

// As far as the system does it by itself, without a way through this process.
// What stops it is found again by copy_by_blocks().
static void
copy_by_system(Copy *copy)
{
    while (copy->size > 0) {
        ssize_t n = copy_file_range(copy->from, &copy->from_offset, copy->to,
                                    &copy->to_offset, copy->size, 0);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            return;
        copy->size -= (size_t)MAX(n, 0);
    }
}

static bool
copy_by_blocks(Copy *copy, GError **error)
{
    static _Thread_local char block[BLOCK];
    while (copy->size > 0) {
        ssize_t n =
            pread(copy->from, block, MIN(copy->size, BLOCK), copy->from_offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail(copy->from_path, "cannot be read", error);
        if (n == 0)
            return fail_short(copy, error);
        if (!write_all(copy->to, block, (size_t)n, copy->to_offset))
            return fail(copy->to_path, "cannot be written", error);
        copy->from_offset += n;
        copy->to_offset += n;
        copy->size -= (size_t)n;
    }
    return true;
}

// Have the disk begin with the blocks that are whole now, so that it works
// while others are copied. packs_sync() is what waits and what tells of errors.
static void
begin_to_write(int fd, off_t begin, off_t end)
{
    off_t first = begin / WRITTEN * WRITTEN, last = end / WRITTEN * WRITTEN;
    if (last > first)
        sync_file_range(fd, first, last - first, SYNC_FILE_RANGE_WRITE);
}

// Rows that are all in one pack here and there.
static bool
copy_part(const Packs *packs, gint64 n_rows, const Packs *from, gint64 first,
          gint64 n, GError **error)
{
    size_t stride = packs->stride;
    g_autofree char *from_path = get_path(from, first / from->pack_rows);
    g_autofree char *to_path = get_path(packs, n_rows / packs->pack_rows);
    int in = open(from_path, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return fail(from_path, "cannot be opened", error);
    int out = open(to_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    off_t begin = (off_t)(n_rows % packs->pack_rows) * (off_t)stride;
    Copy copy = {
        .from = in,
        .to = out,
        .from_path = from_path,
        .to_path = to_path,
        .from_offset = (off_t)(first % from->pack_rows) * (off_t)stride,
        .to_offset = begin,
        .size = (size_t)n * stride,
    };
    if (out >= 0)
        copy_by_system(&copy);
    bool ok = out >= 0 ? copy_by_blocks(&copy, error)
                       : fail(to_path, "cannot be opened for writing", error);
    if (ok)
        begin_to_write(out, begin, copy.to_offset);
    if (out >= 0)
        close(out);
    close(in);
    return ok;
}

bool
packs_copy(const Packs *packs, gint64 n_rows, const Packs *from, gint64 first,
           gint64 n, GError **error)
{
    while (n > 0) {
        gint64 part = MIN(n, packs->pack_rows - n_rows % packs->pack_rows);
        part = MIN(part, from->pack_rows - first % from->pack_rows);
        if (!copy_part(packs, n_rows, from, first, part, error))
            return false;
        n_rows += part;
        first += part;
        n -= part;
    }
    return true;
}

bool
packs_sync(const Packs *packs, gint64 n_rows, GError **error)
{
    for (gint64 number = 0; number * packs->pack_rows < n_rows; number++) {
        g_autofree char *path = get_path(packs, number);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        bool ok = fd >= 0 && fdatasync(fd) == 0;
        if (!ok)
            fail(path, "cannot be synchronised", error);
        if (fd >= 0)
            close(fd);
        if (!ok)
            return false;
    }
    return sync_folder(packs->folder, error);
}

// ---- Reading --------------------------------------------------------------

static bool
map_pack(const Packs *packs, gint64 number, gint64 n, char *address,
         GError **error)
{
    g_autofree char *path = get_path(packs, number);
    size_t size = (size_t)n * packs->stride;
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(path, "cannot be opened", error);
    bool ok = fstat(fd, &info) == 0;
    if (!ok) {
        fail(path, "cannot be read", error);
    } else if (info.st_size < (off_t)size) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: has %" G_GINT64_FORMAT " bytes, but the index knows "
                    "of %zu; restore the folder from a copy",
                    path, (gint64)info.st_size, size);
        ok = false;
    } else if (mmap(address, size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) ==
               MAP_FAILED) {
        ok = fail(path, "cannot be mapped", error);
    }
    close(fd);
    return ok;
}

bool
packs_map(const Packs *packs, gint64 n_rows, PackMap *map, GError **error)
{
    *map = (PackMap){0};
    if (n_rows == 0)
        return true;
    size_t pack_size = (size_t)packs->pack_rows * packs->stride;
    gint64 n_packs = (n_rows + packs->pack_rows - 1) / packs->pack_rows;
    size_t reserved = (size_t)n_packs * pack_size;
    void *rows = mmap(NULL, reserved, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (rows == MAP_FAILED)
        return fail(packs->folder, "no address space for its packs", error);
    *map = (PackMap){rows, reserved};
    for (gint64 i = 0; i < n_packs; i++) {
        if (!map_pack(packs, i, count_rows(packs, i, n_rows),
                      (char *)rows + (size_t)i * pack_size, error)) {
            packs_unmap(map);
            return false;
        }
    }
    return true;
}

void
packs_unmap(PackMap *map)
{
    if (map->rows)
        munmap((void *)map->rows, map->reserved);
    *map = (PackMap){0};
}
