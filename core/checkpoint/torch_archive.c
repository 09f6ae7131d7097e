// SPDX-License-Identifier: LGPL-2.1-or-later
//
// torch_archive.c - see torch_archive.h.
//
// Source: pytorch torch/serialization.py.

#include "torch_archive.h"

#include <string.h>

#include "core/base/failure.h"

// NULL when there is none.
static const PeZipEntry *
find_entry(const PeTorchArchive *a, const char *name)
{
    g_autofree char *full = g_strconcat(a->prefix, name, NULL);
    return g_hash_table_lookup(a->entries, full);
}

const PeZipEntry *
pe_torch_archive_get(const PeTorchArchive *a, const char *name, GError **error)
{
    const PeZipEntry *entry = find_entry(a, name);
    if (entry && entry->data)
        return entry;
    pe_fail(error, PE_ERROR_FORMAT, a->ckpt->path,
            entry ? "the zip entry %s is compressed, which torch.save() never "
                    "does"
                  : "the zip has no entry %s: it was not written by "
                    "torch.save()",
            name);
    return NULL;
}

const uint8_t *
pe_torch_archive_load(const PeTorchArchive *a, const PeZipEntry *entry)
{
    size_t offset = (size_t)(entry->data - a->ckpt->base);
    return pe_file_load(a->ckpt->file, offset, entry->size);
}

// The folder inside the zip has the name that the file had when it was saved.
static bool
find_prefix(PeTorchArchive *a, GError **error)
{
    GHashTableIter iter;
    void *key;
    g_hash_table_iter_init(&iter, a->entries);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        const char *name = key;
        const char *slash = strchr(name, '/');
        if (!slash || strcmp(slash, "/data.pkl") != 0)
            continue;
        if (a->prefix)
            return pe_fail(error, PE_ERROR_FORMAT, a->ckpt->path,
                           "the zip holds two torch archives");
        a->prefix = g_strndup(name, (size_t)(slash + 1 - name));
    }
    if (!a->prefix)
        return pe_fail(error, PE_ERROR_FORMAT, a->ckpt->path,
                       "is a zip, but not one of torch.save(): it "
                       "has no data.pkl");
    if (find_entry(a, "constants.pkl"))
        return pe_fail(
            error, PE_ERROR_FORMAT, a->ckpt->path,
            "is a TorchScript archive (a program): save the weights alone with "
            "torch.save(torch.jit.load(\"old.pt\").state_dict(), \"new.pt\")");
    return true;
}

static bool
check_byte_order(const PeTorchArchive *a, GError **error)
{
    // Absent before torch 2.1.
    if (!find_entry(a, "byteorder"))
        return true;
    const PeZipEntry *entry = pe_torch_archive_get(a, "byteorder", error);
    if (!entry)
        return false;
    const uint8_t *order = pe_torch_archive_load(a, entry);
    if (entry->size != 6 || !order || memcmp(order, "little", 6) != 0)
        return pe_fail(error, PE_ERROR_FORMAT, a->ckpt->path,
                       "was saved on a machine of another byte order");
    return true;
}

bool
pe_torch_archive_open(PeTorchArchive *a, PeCheckpoint *ckpt, GError **error)
{
    *a = (PeTorchArchive){ckpt, pe_zip_read(ckpt->file, error), NULL};
    return a->entries && find_prefix(a, error) && check_byte_order(a, error);
}

void
pe_torch_archive_clear(PeTorchArchive *a)
{
    if (a->entries)
        g_hash_table_unref(a->entries);
    g_free(a->prefix);
    *a = (PeTorchArchive){0};
}
