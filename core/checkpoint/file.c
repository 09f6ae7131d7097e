// SPDX-License-Identifier: LGPL-2.1-or-later
//
// file.c - see file.h.

#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/base/failure.h"

static bool
reserve_addresses(PeFile *file, GError **error)
{
    struct stat *st = &file->opened;
    if (fstat(file->fd, st) != 0)
        return pe_fail(error, PE_ERROR_FILE, file->path, "%s",
                       g_strerror(errno));
    if (!S_ISREG(st->st_mode))
        return pe_fail(error, PE_ERROR_FILE, file->path, "is %s, not a file",
                       S_ISDIR(st->st_mode) ? "a folder" : "a device or pipe");
    if (st->st_size == 0)
        return pe_fail(error, PE_ERROR_FORMAT, file->path, "is empty");

    void *base = mmap(NULL, (size_t)st->st_size, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return pe_fail(error, PE_ERROR_NOMEM, file->path,
                       "no addresses for %zu bytes", (size_t)st->st_size);
    file->base = base;
    file->size = (size_t)st->st_size;
    return true;
}

PeFile *
pe_file_open(const char *path, GError **error)
{
    // A pipe must not make us wait for its writer.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        pe_fail(error, PE_ERROR_FILE, path, "%s", g_strerror(errno));
        return NULL;
    }
    PeFile *file = g_new0(PeFile, 1);
    file->path = g_strdup(path);
    file->fd = fd;
    if (!reserve_addresses(file, error)) {
        pe_file_close(file);
        return NULL;
    }
    return file;
}

void
pe_file_close(PeFile *file)
{
    if (!file)
        return;
    if (file->base)
        munmap((void *)file->base, file->size);
    close(file->fd);
    g_free(file->path);
    g_free(file);
}

// False with errno, 0 when the file ends before.
static bool
read_fully(const PeFile *file, size_t offset, size_t n, uint8_t *out)
{
    while (n > 0) {
        errno = 0;
        ssize_t done = pread(file->fd, out, n, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        out += done;
        offset += (size_t)done;
        n -= (size_t)done;
    }
    return true;
}

const uint8_t *
pe_file_load(PeFile *file, uint64_t offset, uint64_t n)
{
    if (offset > file->size || n > file->size - offset)
        return NULL;
    const uint8_t *bytes = file->base + offset;
    if (n == 0)
        return bytes;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t begin = (size_t)offset / page * page;
    size_t end = (size_t)(offset + n);
    if (mprotect((void *)(file->base + begin), end - begin,
                 PROT_READ | PROT_WRITE) != 0)
        return NULL;
    return read_fully(file, (size_t)offset, (size_t)n, (uint8_t *)bytes) ? bytes
                                                                         : NULL;
}

void
pe_file_unload(PeFile *file)
{
    madvise((void *)file->base, file->size, MADV_DONTNEED);
    mprotect((void *)file->base, file->size, PROT_NONE);
}

static bool
is_unchanged(const PeFile *file)
{
    struct stat now;
    const struct stat *then = &file->opened;
    return fstat(file->fd, &now) == 0 && now.st_size == then->st_size &&
           now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == then->st_mtim.tv_nsec;
}

bool
pe_file_read(const PeFile *file, const void *address, size_t n, void *out,
             GError **error)
{
    size_t offset = (size_t)((const uint8_t *)address - file->base);
    bool ok = read_fully(file, offset, n, out);
    int reason = errno;
    // After reading: what was written meanwhile has been read, too.
    if (!is_unchanged(file))
        return pe_fail(error, PE_ERROR_FILE, file->path,
                       "has changed since it was opened: open it again, and "
                       "replace models by renaming");
    return ok || pe_fail(error, PE_ERROR_FILE, file->path, "cannot be read: %s",
                         reason ? g_strerror(reason) : "it ends too early");
}
