// SPDX-License-Identifier: LGPL-2.1-or-later
//
// zip.c - reads the central directory of a zip archive. Called by torch_zip.c.
//
// Source: PKWARE APPNOTE.TXT 6.3.9, sections 4.3 to 4.5.

#include "zip.h"

#include <string.h>

#include "core/base/failure.h"

#define END_SIZE 22
#define END64_LOCATOR_SIZE 20
#define END64_SIZE 56
#define CENTRAL_SIZE 46
#define LOCAL_SIZE 30
#define MAX_COMMENT 65535

#define FLAG_ENCRYPTED 1
#define METHOD_STORED 0
#define EXTRA_ZIP64 1

typedef struct {
    uint64_t offset, size; // bytes, of the central directory
    uint64_t count;        // entries
} Directory;

static uint16_t
le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t
le32(const uint8_t *p)
{
    return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static uint64_t
le64(const uint8_t *p)
{
    return le32(p) | (uint64_t)le32(p + 4) << 32;
}

static bool
fail(PeFile *a, GError **error, const char *message)
{
    pe_fail(error, PE_ERROR_FORMAT, a->path, "%s", message);
    return false;
}

// From the back, because a comment of unknown length ends the file.
static const uint8_t *
find_end(PeFile *a)
{
    if (a->size < END_SIZE)
        return NULL;
    size_t last = a->size - END_SIZE;
    size_t first = last > MAX_COMMENT ? last - MAX_COMMENT : 0;
    const uint8_t *bytes = pe_file_load(a, first, a->size - first);
    for (size_t i = last + 1; bytes && i-- > first;) {
        const uint8_t *p = bytes + (i - first);
        if (le32(p) == 0x06054b50 && le16(p + 20) == last - i)
            return p;
    }
    return NULL;
}

static bool
read_end64(PeFile *a, const uint8_t *end, Directory *dir, GError **error)
{
    uint64_t offset = (uint64_t)(end - a->base);
    const uint8_t *locator =
        offset < END64_LOCATOR_SIZE
            ? NULL
            : pe_file_load(a, offset - END64_LOCATOR_SIZE, END64_LOCATOR_SIZE);
    if (!locator || le32(locator) != 0x07064b50)
        return fail(a, error, "is a damaged zip: no zip64 locator");
    const uint8_t *p = pe_file_load(a, le64(locator + 8), END64_SIZE);
    if (!p || le32(p) != 0x06064b50)
        return fail(a, error, "is a damaged zip: no zip64 directory end");
    dir->count = le64(p + 32);
    dir->size = le64(p + 40);
    dir->offset = le64(p + 48);
    return true;
}

static bool
read_end(PeFile *a, Directory *dir, GError **error)
{
    const uint8_t *end = find_end(a);
    if (!end)
        return fail(a, error,
                    "is a zip without its directory: was it cut short?");
    dir->count = le16(end + 10);
    dir->size = le32(end + 12);
    dir->offset = le32(end + 16);
    if (dir->count == 0xffff || dir->size == 0xffffffff ||
        dir->offset == 0xffffffff)
        return read_end64(a, end, dir, error);
    return true;
}

// Values of the central header that did not fit are in the zip64 extra field,
// in this order and only those.
static bool
read_zip64_extra(const uint8_t *extra, size_t n, uint64_t *values[3])
{
    while (n >= 4) {
        size_t id = le16(extra), length = le16(extra + 2);
        extra += 4;
        n -= 4;
        if (length > n)
            return false;
        if (id == EXTRA_ZIP64) {
            for (int i = 0; i < 3; i++) {
                if (*values[i] != 0xffffffff)
                    continue;
                if (length < 8)
                    return false;
                *values[i] = le64(extra);
                extra += 8;
                length -= 8;
            }
            return true;
        }
        extra += length;
        n -= length;
    }
    return false;
}

// The data of an entry follows its local header, whose extra field may differ
// in length from the central one: torch pads with it.
static bool
find_data(PeFile *a, const uint8_t *central, uint64_t offset, PeZipEntry *entry,
          GError **error)
{
    const uint8_t *local = pe_file_load(a, offset, LOCAL_SIZE);
    size_t name_length = le16(central + 28);
    if (!local || le32(local) != 0x04034b50 || le16(local + 26) != name_length)
        return fail(a, error, "is a damaged zip: an entry's header is missing");
    uint64_t skip = LOCAL_SIZE + name_length + le16(local + 28);
    const uint8_t *name = pe_file_load(a, offset, skip);
    if (!name || memcmp(name + LOCAL_SIZE, central + CENTRAL_SIZE, name_length))
        return fail(a, error, "is a damaged zip: an entry has two names");
    if (offset + skip > a->size || entry->size > a->size - offset - skip)
        return fail(a, error,
                    "is a damaged zip: an entry ends behind the file "
                    "(was it cut short?)");
    entry->data = a->base + offset + skip;
    return true;
}

// Read the entry at `p` of the central directory, `left` bytes from its end;
// `*used` gets the bytes it takes.
static bool
read_entry(PeFile *a, const uint8_t *p, size_t left, GHashTable *entries,
           size_t *used, GError **error)
{
    if (left < CENTRAL_SIZE || le32(p) != 0x02014b50)
        return fail(a, error, "is a damaged zip: its directory is broken");
    size_t name_length = le16(p + 28), extra_length = le16(p + 30);
    *used = CENTRAL_SIZE + name_length + extra_length + le16(p + 32);
    if (*used > left)
        return fail(a, error, "is a damaged zip: its directory is cut short");

    uint64_t unpacked = le32(p + 24), packed = le32(p + 20);
    uint64_t offset = le32(p + 42);
    if ((unpacked == 0xffffffff || packed == 0xffffffff ||
         offset == 0xffffffff) &&
        !read_zip64_extra(p + CENTRAL_SIZE + name_length, extra_length,
                          (uint64_t *[]){&unpacked, &packed, &offset}))
        return fail(a, error, "is a damaged zip: zip64 sizes are missing");

    PeZipEntry entry = {.size = (size_t)unpacked, .crc = le32(p + 16)};
    bool plain =
        le16(p + 10) == METHOD_STORED && !(le16(p + 8) & FLAG_ENCRYPTED);
    if (plain && packed != unpacked)
        return fail(a, error, "is a damaged zip: a stored entry has two sizes");
    if (plain && !find_data(a, p, offset, &entry, error))
        return false;

    g_autofree char *name =
        g_strndup((const char *)p + CENTRAL_SIZE, name_length);
    if (g_hash_table_contains(entries, name)) {
        return pe_fail(error, PE_ERROR_FORMAT, a->path,
                       "is a damaged zip: it has two entries '%s'", name);
    }
    g_hash_table_insert(entries, g_steal_pointer(&name),
                        g_memdup2(&entry, sizeof entry));
    return true;
}

GHashTable *
pe_zip_read(PeFile *archive, GError **error)
{
    Directory dir;
    if (!read_end(archive, &dir, error))
        return NULL;
    const uint8_t *p = pe_file_load(archive, dir.offset, dir.size);
    if (!p) {
        fail(archive, error,
             "is a damaged zip: its directory lies outside of it");
        return NULL;
    }
    g_autoptr(GHashTable) entries =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    size_t left = (size_t)dir.size;
    for (uint64_t i = 0; i < dir.count; i++) {
        size_t used;
        if (!read_entry(archive, p, left, entries, &used, error))
            return NULL;
        p += used;
        left -= used;
    }
    return g_steal_pointer(&entries);
}
