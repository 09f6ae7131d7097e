// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vector_file.c - see vector_file.h.
//
// A header of HEADER bytes, which is text, then records of one size:
//
//   key     32 bytes, SHA-256 of the key's text
//   vector  dim floats, in this machine's order
//   check   8 bytes, the first of the SHA-256 of all that

#include "vector_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER 256
#define KEY 32
#define CHECK 8

struct VectorFile {
    char *path;
    int fd;
    size_t dim, record; // floats, bytes
    GHashTable *places; // key -> number of the record
    gint64 n_records;
    GArray *damaged; // gint64, numbers of records, which are written again
    int n_damaged;   // when the file was opened
};

static bool
fail(const VectorFile *file, const char *what, GError **error)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: %s: %s", file->path, what,
                g_strerror(errno));
    return false;
}

static void
digest(const void *data, size_t n, guint8 out[KEY])
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    gsize size = KEY;
    g_checksum_update(sum, data, (gssize)n);
    g_checksum_get_digest(sum, out, &size);
}

static guint
hash_key(gconstpointer key)
{
    guint hash;
    memcpy(&hash, key, sizeof hash);
    return hash;
}

static gboolean
equal_keys(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, KEY) == 0;
}

// ---- Bytes ----------------------------------------------------------------

// All n bytes; false with errno, which is 0 when the file ends before.
static bool
read_all(int fd, void *data, size_t n, off_t offset)
{
    for (size_t done = 0; done < n;) {
        ssize_t got =
            pread(fd, (char *)data + done, n - done, offset + (off_t)done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got < 0 ? errno : 0;
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

static bool
write_all(int fd, const void *data, size_t n, off_t offset)
{
    for (size_t done = 0; done < n;) {
        ssize_t put = pwrite(fd, (const char *)data + done, n - done,
                             offset + (off_t)done);
        if (put < 0 && errno != EINTR)
            return false;
        done += put > 0 ? (size_t)put : 0;
    }
    return true;
}

static off_t
offset_of(const VectorFile *file, gint64 number)
{
    return HEADER + (off_t)number * (off_t)file->record;
}

// ---- Records --------------------------------------------------------------

static void
remember(VectorFile *file, const guint8 *key, gint64 number)
{
    g_hash_table_insert(file->places, g_memdup2(key, KEY),
                        GSIZE_TO_POINTER((gsize)number + 1));
}

// false when the record is not what was written.
static bool
read_record(VectorFile *file, gint64 number, guint8 *record)
{
    guint8 check[KEY];
    if (!read_all(file->fd, record, file->record, offset_of(file, number)))
        return false;
    digest(record, file->record - CHECK, check);
    return memcmp(check, record + file->record - CHECK, CHECK) == 0;
}

static bool
read_records(VectorFile *file, GError **error)
{
    struct stat status;
    if (fstat(file->fd, &status) != 0)
        return fail(file, "cannot be read", error);
    gint64 n = (status.st_size - HEADER) / (gint64)file->record;
    if (ftruncate(file->fd, offset_of(file, n)) != 0)
        return fail(file, "cannot be written", error);
    g_autofree guint8 *record = g_malloc(file->record);
    for (gint64 i = 0; i < n; i++) {
        if (read_record(file, i, record))
            remember(file, record, i);
        else
            g_array_append_val(file->damaged, i);
    }
    file->n_records = n;
    file->n_damaged = (int)file->damaged->len;
    return true;
}

// ---- Opening --------------------------------------------------------------

// A new file, or one that was killed before it had a header, gets it.
static bool
check_header(VectorFile *file, const char *made_by, GError **error)
{
    char expected[HEADER + 1] = "", found[HEADER + 1] = "";
    g_snprintf(expected, HEADER, "pe-eval vectors 1\n%s, %zu floats\n", made_by,
               file->dim);
    struct stat status;
    if (fstat(file->fd, &status) != 0)
        return fail(file, "cannot be read", error);
    if (status.st_size < HEADER) {
        if (ftruncate(file->fd, 0) == 0 &&
            write_all(file->fd, expected, HEADER, 0))
            return true;
        return fail(file, "cannot be written", error);
    }
    if (!read_all(file->fd, found, HEADER, 0))
        return fail(file, "cannot be read", error);
    if (memcmp(found, expected, HEADER) == 0)
        return true;
    const char *line = strchr(found, '\n');
    bool ours = g_str_has_prefix(found, "pe-eval vectors ") && line;
    g_autofree char *shown = ours ? g_utf8_make_valid(line + 1, -1) : NULL;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: has vectors of %s; expected those of %s; remove the file "
                "or give another --out",
                file->path, ours ? g_strstrip(shown) : "something else",
                made_by);
    return false;
}

static bool
open_file(VectorFile *file, const char *made_by, GError **error)
{
    file->fd = open(file->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file->fd < 0)
        return fail(file, "cannot be opened", error);
    if (flock(file->fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return fail(file, "cannot be locked", error);
        g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                    "%s: another process is writing it; wait for it or give "
                    "another --out",
                    file->path);
        return false;
    }
    return check_header(file, made_by, error) && read_records(file, error);
}

VectorFile *
vector_file_open(const char *path, const char *made_by, int dim, GError **error)
{
    VectorFile *file = g_new0(VectorFile, 1);
    file->path = g_strdup(path);
    file->dim = (size_t)dim;
    file->record = KEY + file->dim * sizeof(float) + CHECK;
    file->damaged = g_array_new(FALSE, FALSE, sizeof(gint64));
    file->places = g_hash_table_new_full(hash_key, equal_keys, g_free, NULL);
    if (open_file(file, made_by, error))
        return file;
    vector_file_close(file);
    return NULL;
}

void
vector_file_close(VectorFile *file)
{
    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd);
    g_hash_table_unref(file->places);
    g_array_unref(file->damaged);
    g_free(file->path);
    g_free(file);
}

// ---- Use ------------------------------------------------------------------

int
vector_file_count(const VectorFile *file)
{
    return (int)g_hash_table_size(file->places);
}

int
vector_file_count_damaged(const VectorFile *file)
{
    return file->n_damaged;
}

bool
vector_file_find(VectorFile *file, const char *key, float *vector)
{
    guint8 name[KEY];
    digest(key, strlen(key), name);
    gsize place = GPOINTER_TO_SIZE(g_hash_table_lookup(file->places, name));
    g_autofree guint8 *record = g_malloc(file->record);
    if (place == 0 || !read_record(file, (gint64)place - 1, record))
        return false;
    memcpy(vector, record + KEY, file->dim * sizeof(float));
    return true;
}

// The number of the next record: a damaged one, or else one at the end.
static gint64
take_place(VectorFile *file)
{
    guint n = file->damaged->len;
    if (n == 0)
        return file->n_records++;
    gint64 number = g_array_index(file->damaged, gint64, n - 1);
    g_array_set_size(file->damaged, n - 1);
    return number;
}

bool
vector_file_add(VectorFile *file, const char *key, const float *vector,
                GError **error)
{
    guint8 check[KEY];
    g_autofree guint8 *record = g_malloc(file->record);
    digest(key, strlen(key), record);
    memcpy(record + KEY, vector, file->dim * sizeof(float));
    digest(record, file->record - CHECK, check);
    memcpy(record + file->record - CHECK, check, CHECK);
    gint64 number = take_place(file);
    if (!write_all(file->fd, record, file->record, offset_of(file, number)))
        return fail(file, "cannot be written", error);
    remember(file, record, number);
    return true;
}

char *
vector_file_make_key(const char *kind, const char *path, GError **error)
{
    struct stat status;
    bool is_there = stat(path, &status) == 0;
    if (!is_there || !S_ISREG(status.st_mode)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: %s", path,
                    is_there ? "is not a regular file" : g_strerror(errno));
        return NULL;
    }
    g_autofree char *full = g_canonicalize_filename(path, NULL);
    return g_strdup_printf(
        "%s\n%" G_GINT64_FORMAT "\n%" G_GINT64_FORMAT ".%09ld\n%s", kind,
        (gint64)status.st_size, (gint64)status.st_mtim.tv_sec,
        (long)status.st_mtim.tv_nsec, full);
}
