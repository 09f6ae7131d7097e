// SPDX-License-Identifier: LGPL-2.1-or-later
//
// read_file.c - see pe.h and read_file.h. Knows gzip, not what the files mean.

#include "read_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "failure.h"

static bool
fail_damaged(const char *path, const char *reason, GError **error)
{
    return pe_fail(error, PE_ERROR_FORMAT, path,
                   "damaged or truncated gzip data (%s); get the file again",
                   reason);
}

// After each gzread(): a truncated stream ends quietly and says so only here,
// and zlib 1.3.2 forgets it at the next.
static bool
check_read(gzFile file, const char *path, GError **error)
{
    int status;
    const char *reason = gzerror(file, &status);

    if (status == Z_OK || status == Z_STREAM_END)
        return true;
    if (status == Z_ERRNO) {
        return pe_fail(error, PE_ERROR_FILE, path, "cannot be read: %s",
                       g_strerror(errno));
    }
    return fail_damaged(path, status == Z_BUF_ERROR ? "unexpected end" : reason,
                        error);
}

// Read until the end or until more than `max_size` bytes came.
static bool
read_all(gzFile file, const char *path, size_t max_size, GByteArray *out,
         GError **error)
{
    static const unsigned step = 1 << 16;
    int n;
    do {
        size_t old = out->len;
        g_byte_array_set_size(out, (guint)(old + step));
        n = gzread(file, out->data + old, step);
        g_byte_array_set_size(out, (guint)(old + (n > 0 ? (size_t)n : 0)));
        if (out->len > max_size) {
            return pe_fail(error, PE_ERROR_FORMAT, path,
                           "more than %zu MiB, too large for a file of its "
                           "kind",
                           max_size >> 20);
        }
        if (!check_read(file, path, error))
            return false;
    } while (n > 0);
    // What zlib cannot unpack, 1.3.2 gives out as it is.
    if (out->len > 1 && out->data[0] == 0x1f && out->data[1] == 0x8b)
        return fail_damaged(path, "nothing that can be unpacked", error);
    return true;
}

// NULL with the error: there is no file, or it is of a kind that may never end.
static gzFile
open_file(const char *path, GError **error)
{
    // A pipe must not make us wait for its writer.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat info;
    if (fd >= 0 && fstat(fd, &info) == 0 && !S_ISREG(info.st_mode) &&
        !S_ISDIR(info.st_mode)) {
        pe_fail(error, PE_ERROR_FILE, path,
                "is a device or pipe, not a file; standard input and <(...) "
                "are pipes, too: write what comes from them into a file first");
        close(fd);
        return NULL;
    }
    gzFile file = fd >= 0 ? gzdopen(fd, "rb") : NULL;
    if (file)
        return file;
    pe_fail(error, PE_ERROR_FILE, path, "cannot be opened: %s",
            g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return NULL;
}

char *
pe_read_file(const char *path, size_t max_size, size_t *size, GError **error)
{
    gzFile file = open_file(path, error);
    if (!file)
        return NULL;

    GByteArray *content = g_byte_array_new();
    bool ok = read_all(file, path, max_size, content, error);
    gzclose_r(file);
    if (!ok) {
        g_byte_array_unref(content);
        return NULL;
    }
    *size = content->len;
    g_byte_array_append(content, (const uint8_t *)"", 1);
    return (char *)g_byte_array_free(content, FALSE);
}

char *
pe_quote(const char *text)
{
    static const int max_chars = 40, max_char_size = 4;
    // JSON's escapes can smuggle in what is not UTF-8.
    g_autofree char *start = g_strndup(text, (gsize)max_chars * max_char_size);
    g_autofree char *valid = g_utf8_make_valid(start, -1);
    if (g_utf8_strlen(valid, -1) <= max_chars)
        return g_strdup_printf("\"%s\"", valid);
    g_autofree char *first = g_utf8_substring(valid, 0, max_chars);
    return g_strdup_printf("\"%s...\"", first);
}
