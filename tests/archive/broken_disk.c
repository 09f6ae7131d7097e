// SPDX-License-Identifier: LGPL-2.1-or-later
//
// broken_disk.c - see broken_disk.h.

// Every function is defined under both of its names.
#undef _FILE_OFFSET_BITS

#include "broken_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static DiskFate planned;
static int plan_at, n_calls;
static bool is_dirty, wrong_order;

void
disk_set(DiskFate fate, int at)
{
    planned = fate;
    plan_at = at;
    n_calls = 0;
}

int
disk_count(void)
{
    return n_calls;
}

bool
disk_saw_wrong_order(void)
{
    return wrong_order;
}

static bool
is_of(int fd, const char *ending)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    size_t length = strlen(ending);
    return n >= (ssize_t)length &&
           memcmp(path + n - length, ending, length) == 0;
}

// Counts a call. Must it fail? What lies within a file has its space already.
static bool
is_refused(bool needs_space)
{
    int number = n_calls++;
    if (planned == DISK_KILLS && number == plan_at)
        kill(getpid(), SIGKILL);
    if (planned != DISK_FULL || number < plan_at || !needs_space)
        return false;
    errno = ENOSPC;
    return true;
}

static ssize_t
write_at(int fd, const void *data, size_t size, off64_t offset)
{
    struct stat64 info;
    bool grows =
        fstat64(fd, &info) == 0 && offset + (off64_t)size > info.st_size;
    bool breaks = planned == DISK_KILLS
                      ? n_calls == plan_at
                      : planned == DISK_FULL && grows && n_calls == plan_at;
    if (is_of(fd, ".pack"))
        is_dirty = true;
    if (breaks && size > 1)
        syscall(SYS_pwrite64, fd, data, size / 2, offset);
    if (is_refused(grows))
        return -1;
    return syscall(SYS_pwrite64, fd, data, size, offset);
}

EXPORT ssize_t
pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    return write_at(fd, data, size, offset);
}

EXPORT ssize_t
pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return write_at(fd, data, size, offset);
}

static int
sync_file(long number, int fd)
{
    if (is_refused(false))
        return -1;
    if (is_of(fd, ".pack"))
        is_dirty = false;
    return (int)syscall(number, fd);
}

EXPORT int
fdatasync(int fd)
{
    return sync_file(SYS_fdatasync, fd);
}

EXPORT int
fsync(int fd)
{
    return sync_file(SYS_fsync, fd);
}

static int
set_size(int fd, off64_t size)
{
    is_refused(false);
    return (int)syscall(SYS_ftruncate, fd, size);
}

EXPORT int
ftruncate64(int fd, off64_t size)
{
    return set_size(fd, size);
}

EXPORT int
ftruncate(int fd, off_t size)
{
    return set_size(fd, size);
}

EXPORT int
truncate64(const char *path, off64_t size)
{
    is_refused(false);
    return (int)syscall(SYS_truncate, path, size);
}

EXPORT int
unlink(const char *path)
{
    const char *end = strrchr(path, '-');
    if (is_dirty && end && strcmp(end, "-journal") == 0)
        wrong_order = true;
    is_refused(false);
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
