// SPDX-License-Identifier: LGPL-2.1-or-later
//
// open.c - maps a file and sees by its first bytes what it is.

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint_private.h"
#include "core/base/failure.h"
#include "safetensors.h"
#include "torch_zip.h"

static bool
map_file(PeCheckpoint *ckpt, int fd, GError **error)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return pe_fail(error, PE_ERROR_FILE, ckpt->path, "%s",
                       g_strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return pe_fail(error, PE_ERROR_FILE, ckpt->path, "is %s, not a file",
                       S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
    }
    if (st.st_size == 0)
        return pe_fail(error, PE_ERROR_FORMAT, ckpt->path, "is empty");

    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        return pe_fail(error, PE_ERROR_FILE, ckpt->path, "cannot map: %s",
                       g_strerror(errno));
    }
    ckpt->map = map;
    ckpt->size = (size_t)st.st_size;
    return true;
}

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
starts_with(const PeCheckpoint *ckpt, const char *start)
{
    size_t n = strlen(start);
    return ckpt->size >= n && memcmp(ckpt->map, start, n) == 0;
}

static bool
reject_other_kind(const PeCheckpoint *ckpt, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(other_kinds); i++) {
        if (starts_with(ckpt, other_kinds[i].start))
            return pe_fail(error, PE_ERROR_FORMAT, ckpt->path, "%s",
                           other_kinds[i].message);
    }
    char start[3 * 8 + 1] = "";
    for (size_t i = 0; i < MIN(ckpt->size, 8); i++)
        g_snprintf(start + 3 * i, 4, " %02x", ckpt->map[i]);
    return pe_fail(
        error, PE_ERROR_FORMAT, ckpt->path,
        "is neither a safetensors nor a torch (.pt) file; it starts with%s",
        start);
}

static bool
read_container(PeCheckpoint *ckpt, GError **error)
{
    if (starts_with(ckpt, "PK\3\4")) {
        ckpt->container = "torch-zip";
        return pe_checkpoint_read_torch_zip(ckpt, error);
    }
    // Eight bytes of header length, then JSON.
    if (ckpt->size > 8 && ckpt->map[8] == '{') {
        ckpt->container = "safetensors";
        return pe_checkpoint_read_safetensors(ckpt, error);
    }
    return reject_other_kind(ckpt, error);
}

PeCheckpoint *
pe_checkpoint_open(const char *path, GError **error)
{
    g_return_val_if_fail(path != NULL, NULL);
    // A pipe must not make us wait for its writer.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        pe_fail(error, PE_ERROR_FILE, path, "%s", g_strerror(errno));
        return NULL;
    }
    PeCheckpoint *ckpt = pe_checkpoint_new(path);
    bool ok = map_file(ckpt, fd, error) && read_container(ckpt, error);
    close(fd);
    if (!ok) {
        pe_checkpoint_free(ckpt);
        return NULL;
    }
    return ckpt;
}
