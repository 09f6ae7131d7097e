// SPDX-License-Identifier: LGPL-2.1-or-later
//
// zip.h - the directory of a zip archive that lies in memory.
//
// Knows what torch writes: stored entries, zip64. Never unpacks anything.

#pragma once

#include <stddef.h>

#include "core/pe.h"

typedef struct {
    const uint8_t *data; // in the archive; NULL when compressed or encrypted
    size_t size;
    uint32_t crc;
} PeZipEntry;

// name -> PeZipEntry, both owned by the table. Entries have been checked to lie
// inside the archive. Messages start with `path`.
// Returns, g_hash_table_unref().
GHashTable *pe_zip_read(const uint8_t *archive, size_t size, const char *path,
                        GError **error);
