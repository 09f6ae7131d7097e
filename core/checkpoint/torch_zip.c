// SPDX-License-Identifier: LGPL-2.1-or-later
//
// torch_zip.c - reads what torch.save() writes since torch 1.6: a zip with a
// pickle of what was saved (data.pkl) and one stored entry a storage (data/N).
// Called by open.c.
//
// Source: pytorch torch/serialization.py.

#include "torch_zip.h"

#include <zlib.h>

#include "core/base/failure.h"
#include "pickle.h"
#include "torch_archive.h"
#include "torch_names.h"
#include "torch_tree.h"

#define MAX_PICKLE_SIZE (64 << 20)

static bool
read_pickle(const PeTorchArchive *a, GError **error)
{
    const char *path = a->ckpt->path;
    const PeZipEntry *entry = pe_torch_archive_get(a, "data.pkl", error);
    if (!entry)
        return false;
    if (entry->size > MAX_PICKLE_SIZE)
        return pe_fail(error, PE_ERROR_FORMAT, path,
                       "data.pkl has %zu bytes, too many for a "
                       "dictionary of tensors",
                       entry->size);
    const uint8_t *data = pe_torch_archive_load(a, entry);
    if (!data)
        return pe_fail(error, PE_ERROR_FILE, path, "cannot be read");
    // torch can be told to leave the checksums out.
    uLong crc = crc32(0, data, (uInt)entry->size);
    if (entry->crc != 0 && crc != entry->crc)
        return pe_fail(error, PE_ERROR_FORMAT, path,
                       "data.pkl is damaged: its checksum is wrong");

    PePickle *pickle =
        pe_pickle_parse(data, entry->size, path, pe_torch_find_name, error);
    if (!pickle)
        return false;
    bool ok = pe_torch_add_weights(a, pickle->root, error);
    pe_pickle_free(pickle);
    return ok;
}

bool
pe_checkpoint_read_torch_zip(PeCheckpoint *ckpt, GError **error)
{
    PeTorchArchive archive;
    bool ok = pe_torch_archive_open(&archive, ckpt, error) &&
              read_pickle(&archive, error);
    pe_torch_archive_clear(&archive);
    return ok;
}
