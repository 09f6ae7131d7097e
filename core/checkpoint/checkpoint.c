// SPDX-License-Identifier: LGPL-2.1-or-later
//
// checkpoint.c - maps a file, sees by its first bytes what it is, and keeps the
// table of the tensors that the readers of the containers enter.

#include "checkpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint_private.h"

static void
clear_entry(void *data)
{
    PeNamedTensor *entry = data;
    g_free(entry->name);
}

bool
pe_checkpoint_fail(const PeCheckpoint *ckpt, GError **error, const char *format,
                   ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s: %s", ckpt->path,
                message);
    return false;
}

// ---- Map ------------------------------------------------------------------

static bool
map_file(PeCheckpoint *ckpt, int fd, GError **error)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: %s", ckpt->path,
                    g_strerror(errno));
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: is %s, not a file",
                    ckpt->path,
                    S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
        return false;
    }
    if (st.st_size == 0)
        return pe_checkpoint_fail(ckpt, error, "is empty");

    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: cannot map: %s",
                    ckpt->path, g_strerror(errno));
        return false;
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
            return pe_checkpoint_fail(ckpt, error, "%s",
                                      other_kinds[i].message);
    }
    char start[3 * 8 + 1] = "";
    for (size_t i = 0; i < MIN(ckpt->size, 8); i++)
        g_snprintf(start + 3 * i, 4, " %02x", ckpt->map[i]);
    return pe_checkpoint_fail(
        ckpt, error,
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
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s: %s", path,
                    g_strerror(errno));
        return NULL;
    }
    PeCheckpoint *ckpt = g_new0(PeCheckpoint, 1);
    ckpt->path = g_strdup(path);
    ckpt->entries = g_array_new(FALSE, FALSE, sizeof(PeNamedTensor));
    g_array_set_clear_func(ckpt->entries, clear_entry);
    ckpt->index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    ckpt->metadata =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    ckpt->copies = g_ptr_array_new_with_free_func(g_free);

    bool ok = map_file(ckpt, fd, error) && read_container(ckpt, error);
    close(fd);
    if (!ok) {
        pe_checkpoint_free(ckpt);
        return NULL;
    }
    return ckpt;
}

void
pe_checkpoint_free(PeCheckpoint *ckpt)
{
    if (!ckpt)
        return;
    if (ckpt->map)
        munmap((void *)ckpt->map, ckpt->size);
    g_array_unref(ckpt->entries);
    g_hash_table_unref(ckpt->index);
    g_hash_table_unref(ckpt->metadata);
    g_ptr_array_unref(ckpt->copies);
    g_free(ckpt->path);
    g_free(ckpt);
}

// ---- Tensors --------------------------------------------------------------

bool
pe_tensor_measure(const PeTensor *t, int64_t *size, int64_t *span)
{
    int64_t last = 0;
    *size = 1;
    for (int i = 0; i < t->n_dims; i++) {
        int64_t reach;
        if (__builtin_mul_overflow(*size, t->shape[i], size) ||
            __builtin_mul_overflow(MAX(t->shape[i] - 1, 0), t->strides[i],
                                   &reach) ||
            __builtin_add_overflow(last, reach, &last))
            return false;
    }
    if (last == INT64_MAX)
        return false;
    *span = *size ? last + 1 : 0;
    return true;
}

// The ops read numbers in place, so a tensor that a careless writer put at an
// odd address gets a copy. Bounded by the file's own size: many views of one
// misaligned storage would need more.
static bool
align_data(PeCheckpoint *ckpt, const char *name, PeTensor *tensor, size_t bytes,
           GError **error)
{
    if ((uintptr_t)tensor->data % pe_dtype_size(tensor->dtype) == 0)
        return true;
    if (bytes > ckpt->size - ckpt->copied)
        return pe_checkpoint_fail(
            ckpt, error, "'%s' and others overlap at a misaligned address",
            name);
    void *copy = g_try_malloc(bytes);
    if (!copy) {
        g_set_error(error, PE_ERROR, PE_ERROR_NOMEM,
                    "%s: no memory for %zu bytes of '%s'", ckpt->path, bytes,
                    name);
        return false;
    }
    memcpy(copy, tensor->data, bytes);
    g_ptr_array_add(ckpt->copies, copy);
    ckpt->copied += bytes;
    tensor->data = copy;
    return true;
}

// Data parallel training leaves "module." anywhere in a name.
static char *
clean_name(const char *name)
{
    GString *s = g_string_new(name);
    g_string_replace(s, "module.", "", 0);
    return g_string_free(s, FALSE);
}

bool
pe_checkpoint_add(PeCheckpoint *ckpt, const char *name, const PeTensor *tensor,
                  GError **error)
{
    int64_t size, span;
    PeNamedTensor entry = {clean_name(name), *tensor};
    if (!pe_tensor_measure(tensor, &size, &span))
        g_assert_not_reached();
    if (g_hash_table_contains(ckpt->index, entry.name)) {
        g_free(entry.name);
        return pe_checkpoint_fail(ckpt, error, "has two tensors '%s'", name);
    }
    if (span > 0 &&
        !align_data(ckpt, name, &entry.tensor,
                    (size_t)span * pe_dtype_size(tensor->dtype), error)) {
        g_free(entry.name);
        return false;
    }
    g_hash_table_insert(ckpt->index, g_strdup(entry.name),
                        GUINT_TO_POINTER(ckpt->entries->len));
    g_array_append_val(ckpt->entries, entry);
    return true;
}

const char *
pe_checkpoint_get_path(const PeCheckpoint *ckpt)
{
    return ckpt->path;
}

const char *
pe_checkpoint_get_container(const PeCheckpoint *ckpt)
{
    return ckpt->container;
}

int
pe_checkpoint_count(const PeCheckpoint *ckpt)
{
    return (int)ckpt->entries->len;
}

static const PeNamedTensor *
get_entry(const PeCheckpoint *ckpt, int index)
{
    return &g_array_index(ckpt->entries, PeNamedTensor, index);
}

const char *
pe_checkpoint_get_name(const PeCheckpoint *ckpt, int index)
{
    g_return_val_if_fail(index >= 0 && index < pe_checkpoint_count(ckpt), NULL);
    return get_entry(ckpt, index)->name;
}

const PeTensor *
pe_checkpoint_get_nth(const PeCheckpoint *ckpt, int index)
{
    g_return_val_if_fail(index >= 0 && index < pe_checkpoint_count(ckpt), NULL);
    return &get_entry(ckpt, index)->tensor;
}

const PeTensor *
pe_checkpoint_get(const PeCheckpoint *ckpt, const char *name)
{
    void *position;
    if (!g_hash_table_lookup_extended(ckpt->index, name, NULL, &position))
        return NULL;
    return &get_entry(ckpt, (int)GPOINTER_TO_UINT(position))->tensor;
}

const char *
pe_checkpoint_get_metadata(const PeCheckpoint *ckpt, const char *key)
{
    return g_hash_table_lookup(ckpt->metadata, key);
}

void
pe_checkpoint_release(const PeCheckpoint *ckpt, const PeTensor *tensor)
{
    int64_t size, span;
    const uint8_t *first = tensor->data;
    if (!first || first < ckpt->map || first >= ckpt->map + ckpt->size ||
        !pe_tensor_measure(tensor, &size, &span))
        return;
    // Only pages that hold nothing but this tensor.
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t begin = (size_t)(first - ckpt->map);
    size_t end = begin + (size_t)span * pe_dtype_size(tensor->dtype);
    begin = (begin + page - 1) / page * page;
    end = end / page * page;
    if (begin < end)
        madvise((void *)(ckpt->map + begin), end - begin, MADV_DONTNEED);
}
