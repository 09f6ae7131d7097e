// SPDX-License-Identifier: LGPL-2.1-or-later
//
// packs.h - the files that hold an archive's vectors, one row behind the other.
// Rows are only ever added at the end. Which of them count is what the database
// says; what is behind those is cut off when a writer opens the archive.

#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

// Row r is in pack r / pack_rows. A pack has no header, so that full packs can
// be mapped one behind the other.
typedef struct {
    char *folder;     // of the packs
    size_t stride;    // bytes of a row, a multiple of 64
    gint64 pack_rows; // in a full pack, a multiple of 1024
} Packs;

// Make the folder if it is not there.
bool packs_make_folder(const Packs *packs, GError **error);

// Cut off what is behind the first n_rows rows. Fails when there are fewer:
// then the packs are not those of the database.
bool packs_cut(const Packs *packs, gint64 n_rows, GError **error);

// Write rows behind the first n_rows, and return when they are on the disk.
//   rows  [n * stride] bytes
// When it fails, what it has written is cut off again.
bool packs_append(const Packs *packs, gint64 n_rows, const void *rows, gint64 n,
                  GError **error);

// Copy rows of other packs of the same stride, n from `first` on, behind the
// first n_rows rows. packs_sync() brings them to the disk.
bool packs_copy(const Packs *packs, gint64 n_rows, const Packs *from,
                gint64 first, gint64 n, GError **error);
// Return when the first n_rows rows are on the disk.
bool packs_sync(const Packs *packs, gint64 n_rows, GError **error);

// Rows that are mapped for reading: n_rows * stride bytes.
typedef struct {
    const void *rows; // NULL: n_rows is 0
    size_t reserved;  // bytes of the address space
} PackMap;

// Map the first n_rows rows. They stay readable, whatever is added meanwhile.
bool packs_map(const Packs *packs, gint64 n_rows, PackMap *map, GError **error);
void packs_unmap(PackMap *map);
