// SPDX-License-Identifier: LGPL-2.1-or-later
//
// vector_cache.c - see vector_cache.h.
//
// A file is a header and records of one size:
//
//     header  magic [16], byte order mark u32, dim u32
//     record  SHA-256 [32], vector f32 [dim], CRC-32 of both u32
//
// Records are only ever appended, under an exclusive lock; a file that is not
// whole is emptied. Readers take a shared lock while they read the keys. A
// vector is read when it is asked for, without a lock: its checksum and key
// show when the file was emptied meanwhile.

#include "vector_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/pe.h"

#define MAX_FILE_SIZE ((off_t)1 << 30)
#define BYTE_ORDER_MARK 0x01020304u

typedef struct {
    char magic[16];
    uint32_t byte_order;
    uint32_t dim;
} Header;

struct PeVectorCache {
    char *path;
    int fd;  // -1: nothing to read
    int dim; //
    size_t record_size;
    uint8_t *record;     // room for one
    uint8_t *keys;       // [n_records, PE_VECTOR_KEY_SIZE]
    GHashTable *records; // key -> record number + 1
    bool damaged;        // empty the file before the next record is written
};

// ---- Layout ---------------------------------------------------------------

static Header
make_header(const PeVectorCache *cache)
{
    // The number goes up with the layout, and when the towers compute what they
    // did with other last bits: vectors of both side by side would not be
    // equal.
    Header header = {"gst-pe text 2", BYTE_ORDER_MARK, (uint32_t)cache->dim};
    return header;
}

static off_t
record_offset(const PeVectorCache *cache, size_t index)
{
    return (off_t)(sizeof(Header) + index * cache->record_size);
}

static void
fill_record(const PeVectorCache *cache, uint8_t *record, const uint8_t *key,
            const float *vector)
{
    size_t vector_size = sizeof *vector * (size_t)cache->dim;
    memcpy(record, key, PE_VECTOR_KEY_SIZE);
    memcpy(record + PE_VECTOR_KEY_SIZE, vector, vector_size);
    size_t size = PE_VECTOR_KEY_SIZE + vector_size;
    uint32_t sum = (uint32_t)crc32_z(0, record, size);
    memcpy(record + size, &sum, sizeof sum);
}

static bool
is_record_intact(const PeVectorCache *cache, const uint8_t *key)
{
    uint32_t sum;
    size_t size = cache->record_size - sizeof sum;
    memcpy(&sum, cache->record + size, sizeof sum);
    return sum == (uint32_t)crc32_z(0, cache->record, size) &&
           memcmp(cache->record, key, PE_VECTOR_KEY_SIZE) == 0;
}

static guint
hash_key(const void *key)
{
    guint hash; // any bytes of a SHA-256 are as good as a hash of them
    memcpy(&hash, key, sizeof hash);
    return hash;
}

static gboolean
equal_keys(const void *a, const void *b)
{
    return memcmp(a, b, PE_VECTOR_KEY_SIZE) == 0;
}

// ---- Open -----------------------------------------------------------------

static void
mark_damaged(PeVectorCache *cache, const char *what)
{
    if (!cache->damaged)
        pe_log(PE_LOG_WARNING,
               "%s: %s; the cached vectors are ignored and will be "
               "computed again",
               cache->path, what);
    cache->damaged = true;
}

// Once a process: the next label set would meet the same obstacle.
static void
warn_unusable(const PeVectorCache *cache, const char *what)
{
    static int warned;
    if (g_atomic_int_compare_and_exchange(&warned, 0, 1))
        pe_log(PE_LOG_WARNING,
               "%s: cannot be %s (%s); vectors are computed anew every "
               "time",
               cache->path, what, g_strerror(errno));
}

static void
read_keys(PeVectorCache *cache, size_t n)
{
    cache->keys = g_malloc_n(n, PE_VECTOR_KEY_SIZE);
    for (size_t i = 0; i < n; i++) {
        uint8_t *key = cache->keys + i * PE_VECTOR_KEY_SIZE;
        if (pread(cache->fd, key, PE_VECTOR_KEY_SIZE,
                  record_offset(cache, i)) != PE_VECTOR_KEY_SIZE)
            return;
        g_hash_table_replace(cache->records, key, GSIZE_TO_POINTER(i + 1));
    }
}

static void
read_index(PeVectorCache *cache)
{
    Header expected = make_header(cache), found;
    struct stat info;
    if (fstat(cache->fd, &info) < 0 || info.st_size == 0)
        return;
    if (pread(cache->fd, &found, sizeof found, 0) != sizeof found ||
        memcmp(&found, &expected, sizeof found) != 0) {
        mark_damaged(cache, "not a cache of this version");
        return;
    }
    size_t size = (size_t)info.st_size - sizeof(Header);
    if (info.st_size > MAX_FILE_SIZE || size % cache->record_size != 0) {
        mark_damaged(cache, "truncated or too large");
        return;
    }
    read_keys(cache, size / cache->record_size);
}

PeVectorCache *
pe_vector_cache_open(const char *name, int dim)
{
    if (g_strcmp0(g_getenv("GST_PE_CACHE"), "off") == 0)
        return NULL;
    PeVectorCache *cache = g_new0(PeVectorCache, 1);
    g_autofree char *file = g_strdup_printf("%s.cache", name);
    cache->path =
        g_build_filename(g_get_user_cache_dir(), "gst-pe", file, NULL);
    cache->dim = dim;
    cache->record_size =
        PE_VECTOR_KEY_SIZE + sizeof(float) * (size_t)dim + sizeof(uint32_t);
    cache->record = g_malloc(cache->record_size);
    cache->records = g_hash_table_new(hash_key, equal_keys);
    cache->fd = open(cache->path, O_RDONLY | O_CLOEXEC);
    if (cache->fd >= 0 && flock(cache->fd, LOCK_SH) == 0) {
        read_index(cache);
        flock(cache->fd, LOCK_UN);
    }
    return cache;
}

void
pe_vector_cache_close(PeVectorCache *cache)
{
    if (!cache)
        return;
    if (cache->fd >= 0)
        close(cache->fd);
    g_hash_table_unref(cache->records);
    g_free(cache->keys);
    g_free(cache->record);
    g_free(cache->path);
    g_free(cache);
}

// ---- Use ------------------------------------------------------------------

bool
pe_vector_cache_find(PeVectorCache *cache, const uint8_t *key, float *vector)
{
    if (!cache || cache->damaged)
        return false;
    size_t number = GPOINTER_TO_SIZE(g_hash_table_lookup(cache->records, key));
    if (number == 0)
        return false;
    ssize_t n = pread(cache->fd, cache->record, cache->record_size,
                      record_offset(cache, number - 1));
    if (n != (ssize_t)cache->record_size || !is_record_intact(cache, key)) {
        mark_damaged(cache, "wrong checksum");
        return false;
    }
    memcpy(vector, cache->record + PE_VECTOR_KEY_SIZE,
           sizeof *vector * (size_t)cache->dim);
    return true;
}

static bool
write_all(int fd, const uint8_t *data, size_t size, off_t offset)
{
    while (size > 0) {
        ssize_t n = pwrite(fd, data, size, offset);
        if (n < 0 && errno != EINTR)
            return false;
        n = MAX(n, 0);
        data += n;
        size -= (size_t)n;
        offset += n;
    }
    return true;
}

// Where the next record goes; a file that cannot take one is begun anew.
// Negative on failure.
static off_t
prepare_end(PeVectorCache *cache, int fd)
{
    struct stat info;
    if (fstat(fd, &info) < 0)
        return -1;
    off_t header_size = sizeof(Header);
    bool whole = info.st_size >= header_size && info.st_size < MAX_FILE_SIZE &&
                 (info.st_size - header_size) % (off_t)cache->record_size == 0;
    if (whole && !cache->damaged)
        return info.st_size;
    Header header = make_header(cache);
    if (ftruncate(fd, 0) < 0 ||
        !write_all(fd, (const uint8_t *)&header, sizeof header, 0))
        return -1;
    cache->damaged = false;
    g_hash_table_remove_all(cache->records);
    return header_size;
}

static bool
append_records(PeVectorCache *cache, int fd, const uint8_t *records,
               size_t size)
{
    if (flock(fd, LOCK_EX) < 0)
        return false;
    off_t end = prepare_end(cache, fd);
    if (end < 0)
        return false;
    if (write_all(fd, records, size, end))
        return true;
    int reason = errno;
    if (ftruncate(fd, end) < 0)
        cache->damaged = true;
    errno = reason;
    return false;
}

void
pe_vector_cache_append(PeVectorCache *cache, const uint8_t *keys,
                       const float *vectors, int n)
{
    if (!cache || n == 0)
        return;
    size_t size = cache->record_size * (size_t)n;
    g_autofree uint8_t *records = g_malloc(size);
    for (int i = 0; i < n; i++)
        fill_record(cache, records + cache->record_size * (size_t)i,
                    keys + PE_VECTOR_KEY_SIZE * (size_t)i,
                    vectors + (size_t)cache->dim * (size_t)i);

    g_autofree char *folder = g_path_get_dirname(cache->path);
    g_mkdir_with_parents(folder, 0700);
    int fd = open(cache->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || !append_records(cache, fd, records, size))
        warn_unusable(cache, "written");
    if (fd >= 0)
        close(fd); // and with it the lock
}
