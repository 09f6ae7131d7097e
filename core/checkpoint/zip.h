// SPDX-License-Identifier: LGPL-2.1-or-later
//
// zip.h - the directory of a zip archive.
//
// Knows what torch writes: stored entries, zip64. Never unpacks anything.

#pragma once

#include <stddef.h>

#include "file.h"

typedef struct {
    const uint8_t *data; // address in the file; NULL: compressed or encrypted
    size_t size;
    uint32_t crc;
} PeZipEntry;

// name -> PeZipEntry, both owned by the table. Entries have been checked to lie
// inside the archive, whose bytes are loaded while it is read.
// Returns, g_hash_table_unref().
GHashTable *pe_zip_read(PeFile *archive, GError **error);
