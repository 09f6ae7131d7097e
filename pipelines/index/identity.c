// SPDX-License-Identifier: LGPL-2.1-or-later
//
// identity.c - see identity.h.

#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/pe.h"

#define BLOCK (64 << 10) // bytes
#define N_BLOCKS 16

static char *
fail(const char *path, GError **error)
{
    int code = errno;
    g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: cannot be read: %s", path,
                g_strerror(code));
    return NULL;
}

// Up to a block from `offset` on; *n: how much there was.
static bool
add_block(GChecksum *sum, int fd, off_t offset, gint64 *n)
{
    static _Thread_local guchar block[BLOCK];
    ssize_t got;
    do {
        got = pread(fd, block, BLOCK, offset);
    } while (got < 0 && errno == EINTR);
    if (got > 0)
        g_checksum_update(sum, block, got);
    *n = got;
    return got >= 0;
}

static bool
add_spread_blocks(GChecksum *sum, int fd, gint64 size)
{
    gint64 n;
    gint64 last = MAX(size - BLOCK, 0); // where the last block begins
    for (int i = 0; i < N_BLOCKS; i++) {
        if (!add_block(sum, fd, (off_t)(last * i / (N_BLOCKS - 1)), &n))
            return false;
    }
    return true;
}

static bool
add_all(GChecksum *sum, int fd)
{
    gint64 n, offset = 0;
    do {
        if (!add_block(sum, fd, (off_t)offset, &n))
            return false;
        offset += n;
    } while (n > 0);
    return true;
}

static char *
look(const char *path, bool all, GError **error)
{
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(path, error);
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    bool ok = fstat(fd, &info) == 0;
    if (ok && !all) {
        guint64 size = GUINT64_TO_LE((guint64)info.st_size);
        g_checksum_update(sum, (const guchar *)&size, sizeof size);
        ok = add_spread_blocks(sum, fd, info.st_size);
    } else if (ok) {
        ok = add_all(sum, fd);
    }
    char *text = ok ? g_strdup(g_checksum_get_string(sum)) : fail(path, error);
    close(fd);
    return text;
}

char *
identity_key(const char *path, GError **error)
{
    return look(path, false, error);
}

char *
identity_hash(const char *path, GError **error)
{
    return look(path, true, error);
}
