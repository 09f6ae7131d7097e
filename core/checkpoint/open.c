// SPDX-License-Identifier: LGPL-2.1-or-later
//
// open.c - opens a file and sees by its first bytes what it is.

#include "checkpoint_private.h"
#include "core/base/failure.h"
#include "safetensors.h"
#include "shards.h"
#include "torch_zip.h"

// What people hand over by mistake, by the first bytes.
static const struct {
    const char *start;
    const char *message;
} other_kinds[] = {
    {"version https://git-lfs",
     "is a git-lfs pointer, not the weights: run `git lfs pull` in its folder, "
     "or download the file itself"},
    {"<", "is a web page or XML, not a checkpoint: the download went wrong "
          "(does it need a login?)"},
    {"\x1f\x8b", "is gzip compressed: unpack it first"},
    {"GGUF", "is a GGUF file: take the .safetensors or .pt file instead"},
    {"\x89HDF", "is an HDF5 file: take the .safetensors or .pt file instead"},
    {"\x80", "is a torch file of the old format (a bare pickle): save it again "
             "with torch.save(torch.load(\"old.pt\"), \"new.pt\")"},
};

static bool
starts_with(const uint8_t *start, size_t n, const char *what)
{
    return n >= strlen(what) && memcmp(start, what, strlen(what)) == 0;
}

// By the first n bytes.
static bool
reject_other_kind(const PeCheckpoint *ckpt, const uint8_t *start, size_t n,
                  GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(other_kinds); i++) {
        if (starts_with(start, n, other_kinds[i].start))
            return pe_fail(error, PE_ERROR_FORMAT, ckpt->path, "%s",
                           other_kinds[i].message);
    }
    char text[3 * 8 + 1] = "";
    for (size_t i = 0; i < MIN(n, 8); i++)
        g_snprintf(text + 3 * i, 4, " %02x", start[i]);
    return pe_fail(
        error, PE_ERROR_FORMAT, ckpt->path,
        "is neither a safetensors nor a torch (.pt) file; it starts with%s",
        text);
}

static bool
read_container(PeCheckpoint *ckpt, GError **error)
{
    size_t n = MIN(ckpt->size, 64);
    const uint8_t *start = pe_file_load(ckpt->file, 0, n);
    if (!start)
        return pe_fail(error, PE_ERROR_FILE, ckpt->path, "cannot be read");
    if (starts_with(start, n, "PK\3\4")) {
        ckpt->container = "torch-zip";
        return pe_checkpoint_read_torch_zip(ckpt, error);
    }
    // Eight bytes of header length, then JSON.
    if (n > 8 && start[8] == '{') {
        ckpt->container = "safetensors";
        return pe_checkpoint_read_safetensors(ckpt, error);
    }
    return reject_other_kind(ckpt, start, n, error);
}

static PeCheckpoint *
open_file(const char *path, GError **error)
{
    PeFile *file = pe_file_open(path, error);
    if (!file)
        return NULL;
    PeCheckpoint *ckpt = pe_checkpoint_new(file);
    if (!read_container(ckpt, error)) {
        pe_checkpoint_free(ckpt);
        return NULL;
    }
    pe_file_unload(file);
    return ckpt;
}

PeCheckpoint *
pe_checkpoint_open(const char *path, GError **error)
{
    g_return_val_if_fail(path != NULL, NULL);
    return pe_checkpoint_is_index(path)
               ? pe_checkpoint_open_shards(path, open_file, error)
               : open_file(path, error);
}
