// SPDX-License-Identifier: LGPL-2.1-or-later
//
// checkpoint.c - the table of the tensors that the readers of the containers
// enter.

#include "checkpoint.h"

#include "checkpoint_private.h"
#include "core/base/block.h"
#include "core/base/failure.h"

#define MAX_UNREAD_TOLD 3

static void
clear_entry(void *data)
{
    PeNamedTensor *entry = data;
    g_free(entry->name);
}

PeCheckpoint *
pe_checkpoint_new(PeFile *file)
{
    PeCheckpoint *ckpt = g_new0(PeCheckpoint, 1);
    ckpt->file = file;
    ckpt->path = file->path;
    ckpt->base = file->base;
    ckpt->size = file->size;
    ckpt->entries = g_array_new(FALSE, FALSE, sizeof(PeNamedTensor));
    g_array_set_clear_func(ckpt->entries, clear_entry);
    ckpt->index = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    ckpt->metadata =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    ckpt->unread = g_ptr_array_new_with_free_func(g_free);
    ckpt->shards =
        g_ptr_array_new_with_free_func((GDestroyNotify)pe_checkpoint_free);
    return ckpt;
}

void
pe_checkpoint_free(PeCheckpoint *ckpt)
{
    if (!ckpt)
        return;
    g_ptr_array_unref(ckpt->shards);
    g_ptr_array_unref(ckpt->unread);
    g_array_unref(ckpt->entries);
    g_hash_table_unref(ckpt->index);
    g_hash_table_unref(ckpt->metadata);
    pe_file_close(ckpt->file);
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

// Data parallel training leaves "module." anywhere in a name, torch.compile()
// leaves "_orig_mod.".
static char *
clean_name(const char *name)
{
    GString *s = g_string_new(name);
    g_string_replace(s, "module.", "", 0);
    g_string_replace(s, "_orig_mod.", "", 0);
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
        return pe_fail(error, PE_ERROR_FORMAT, ckpt->path,
                       "has two tensors '%s'", name);
    }
    g_hash_table_insert(ckpt->index, g_strdup(entry.name),
                        GUINT_TO_POINTER(ckpt->entries->len));
    g_array_append_val(ckpt->entries, entry);
    return true;
}

void
pe_checkpoint_add_unread(PeCheckpoint *ckpt, const char *name,
                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *clean = clean_name(name);
    g_autofree char *safe = g_strescape(clean, NULL);
    g_ptr_array_add(ckpt->unread, g_strdup_printf("'%.80s' %s", safe, why));
    pe_log(PE_LOG_DEBUG, "%s: '%s' %s: it is left out", ckpt->path, safe, why);
}

char *
pe_checkpoint_describe_unread(const PeCheckpoint *ckpt)
{
    if (ckpt->unread->len == 0)
        return NULL;
    GString *s = g_string_new(NULL);
    for (guint i = 0; i < MIN(ckpt->unread->len, MAX_UNREAD_TOLD); i++)
        g_string_append_printf(s, "%s%s", i ? ", " : "",
                               (char *)ckpt->unread->pdata[i]);
    if (ckpt->unread->len > MAX_UNREAD_TOLD)
        g_string_append_printf(s, " and %u more",
                               ckpt->unread->len - MAX_UNREAD_TOLD);
    g_string_append(s, ": only dense tensors of float32, float16, bfloat16 or "
                       "float64 are weights; save the model with such ones");
    return g_string_free(s, FALSE);
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

// ---- Numbers --------------------------------------------------------------

static bool
is_inside(const PeCheckpoint *ckpt, const uint8_t *address)
{
    return address >= ckpt->base && address < ckpt->base + ckpt->size;
}

bool
pe_checkpoint_load(const PeCheckpoint *ckpt, const PeTensor *tensor,
                   PeLoaded *loaded, GError **error)
{
    int64_t size, span;
    const uint8_t *first = tensor->data;
    *loaded = (PeLoaded){*tensor, NULL};
    for (guint i = 0; ckpt && i < ckpt->shards->len; i++) {
        const PeCheckpoint *shard = ckpt->shards->pdata[i];
        if (is_inside(shard, first))
            return pe_checkpoint_load(shard, tensor, loaded, error);
    }
    if (!ckpt || !is_inside(ckpt, first))
        return true;
    if (!pe_tensor_measure(tensor, &size, &span))
        g_assert_not_reached();
    size_t bytes = (size_t)span * pe_dtype_size(tensor->dtype);
    g_assert(bytes <= ckpt->size - (size_t)(first - ckpt->base));
    void *memory = pe_block_alloc(bytes);
    if (!memory)
        return pe_fail(error, PE_ERROR_NOMEM, ckpt->path,
                       "no memory for %zu bytes of weights", bytes);
    if (!pe_file_read(ckpt->file, first, bytes, memory, error)) {
        pe_block_free(memory);
        return false;
    }
    loaded->tensor.data = loaded->memory = memory;
    return true;
}

void
pe_loaded_clear(PeLoaded *loaded)
{
    pe_block_free(loaded->memory);
    *loaded = (PeLoaded){0};
}

bool
pe_checkpoint_load_all(PeCheckpoint *ckpt, GError **error)
{
    for (guint i = 0; i < ckpt->shards->len; i++) {
        if (!pe_checkpoint_load_all(ckpt->shards->pdata[i], error))
            return false;
    }
    return pe_file_load(ckpt->file, 0, ckpt->size) ||
           pe_fail(error, PE_ERROR_FILE, ckpt->path, "cannot be read");
}
