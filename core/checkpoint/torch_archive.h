// SPDX-License-Identifier: LGPL-2.1-or-later
//
// torch_archive.h - the zip that torch.save() writes, by its entries. For the
// readers of what is in it.

#pragma once

#include "checkpoint_private.h"
#include "zip.h"

typedef struct {
    PeCheckpoint *ckpt;
    GHashTable *entries; // of the zip
    char *prefix;        // "PE-Core-L14-336/"
} PeTorchArchive;

// False when it is no such zip. pe_torch_archive_clear() in any case.
bool pe_torch_archive_open(PeTorchArchive *archive, PeCheckpoint *ckpt,
                           GError **error);
void pe_torch_archive_clear(PeTorchArchive *archive);

// The entry PREFIX/name, which must not be compressed.
const PeZipEntry *pe_torch_archive_get(const PeTorchArchive *archive,
                                       const char *name, GError **error);
// NULL when it cannot be read.
const uint8_t *pe_torch_archive_load(const PeTorchArchive *archive,
                                     const PeZipEntry *entry);
