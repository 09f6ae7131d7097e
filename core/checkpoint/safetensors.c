// SPDX-License-Identifier: LGPL-2.1-or-later
//
// safetensors.c - reads the header of a safetensors file: eight bytes of header
// length, JSON, then the tensors' bytes. Called by open.c.
//
// Tensors must lie inside the file and must not share bytes. Holes between them
// are let through: they do no harm.
// Source: https://huggingface.co/docs/safetensors, "Format".

#include "safetensors.h"

#include <string.h>

#include "core/base/failure.h"
#include "core/base/json.h"

// What the reference reader allows.
#define MAX_HEADER_SIZE 100000000

static const struct {
    const char *name;
    PeDtype dtype;
} dtypes[] = {
    {"F32", PE_DTYPE_F32}, {"F16", PE_DTYPE_F16}, {"BF16", PE_DTYPE_BF16},
    {"F64", PE_DTYPE_F64}, {"I64", PE_DTYPE_I64}, {"I32", PE_DTYPE_I32},
    {"U8", PE_DTYPE_U8},
};

typedef struct {
    uint64_t begin, end; // bytes in the data part
    const char *name;    // borrowed from the header
} Extent;

// Types of the format that no weight of ours has.
static const char *const other_dtypes[] = {
    "BOOL", "I8",      "I16",     "U16",     "U32", "U64",
    "C64",  "F8_E4M3", "F8_E5M2", "F8_E8M0", "F4",  NULL};

// `dtype` is -1 for those.
static bool
read_dtype(PeCheckpoint *ckpt, const char *name, JsonObject *object, int *dtype,
           GError **error)
{
    JsonNode *node = json_object_get_member(object, "dtype");
    if (!node || json_node_get_value_type(node) != G_TYPE_STRING)
        return pe_fail(error, PE_ERROR_FORMAT, ckpt->path, "'%s' has no dtype",
                       name);
    const char *text = json_node_get_string(node);
    for (size_t i = 0; i < G_N_ELEMENTS(dtypes); i++) {
        if (strcmp(text, dtypes[i].name) == 0) {
            *dtype = dtypes[i].dtype;
            return true;
        }
    }
    if (g_strv_contains(other_dtypes, text)) {
        pe_checkpoint_add_unread(ckpt, name, "has the dtype %s", text);
        *dtype = -1;
        return true;
    }
    return pe_fail(error, PE_ERROR_FORMAT, ckpt->path,
                   "'%s' has dtype %s; F32, F16, BF16, F64, I64, "
                   "I32 and U8 can be read",
                   name, text);
}

// A list of at most `max` integers >= 0.
static bool
read_integers(PeCheckpoint *ckpt, const char *name, JsonObject *object,
              const char *key, int max, int64_t *out, int *n, GError **error)
{
    JsonNode *node = json_object_get_member(object, key);
    if (!node || !JSON_NODE_HOLDS_ARRAY(node))
        return pe_fail(error, PE_ERROR_FORMAT, ckpt->path, "'%s' has no %s",
                       name, key);
    JsonArray *array = json_node_get_array(node);
    guint length = json_array_get_length(array);
    if (length > (guint)max)
        return pe_fail(error, PE_ERROR_FORMAT, ckpt->path,
                       "'%s' has %u values in %s, at most %d fit", name, length,
                       key, max);
    for (guint i = 0; i < length; i++) {
        JsonNode *item = json_array_get_element(array, i);
        if (json_node_get_value_type(item) != G_TYPE_INT64 ||
            json_node_get_int(item) < 0)
            return pe_fail(error, PE_ERROR_FORMAT, ckpt->path,
                           "'%s' has a %s that is not a count", name, key);
        out[i] = json_node_get_int(item);
    }
    *n = (int)length;
    return true;
}

static bool
read_tensor(PeCheckpoint *ckpt, const char *name, JsonNode *node,
            size_t data_start, GArray *extents, GError **error)
{
    if (!JSON_NODE_HOLDS_OBJECT(node))
        return pe_fail(error, PE_ERROR_FORMAT, ckpt->path,
                       "the header's entry '%s' is not an object", name);
    JsonObject *object = json_node_get_object(node);
    int dtype = -1;
    int64_t shape[PE_MAX_DIMS], offsets[2];
    int n_dims, n_offsets;
    if (!read_dtype(ckpt, name, object, &dtype, error))
        return false;
    if (dtype < 0)
        return true;
    if (!read_integers(ckpt, name, object, "shape", PE_MAX_DIMS, shape, &n_dims,
                       error) ||
        !read_integers(ckpt, name, object, "data_offsets", 2, offsets,
                       &n_offsets, error))
        return false;

    uint64_t bytes = ckpt->size - data_start;
    if (n_offsets != 2 || offsets[0] > offsets[1] ||
        (uint64_t)offsets[1] > bytes)
        return pe_fail(
            error, PE_ERROR_FORMAT, ckpt->path,
            "'%s' lies outside of the file, which has %" G_GUINT64_FORMAT
            " bytes of tensors (was it cut short?)",
            name, bytes);
    // Strides are products as well, of axes behind an empty one too.
    int64_t size = (int64_t)pe_dtype_size((PeDtype)dtype);
    bool is_empty = false;
    for (int i = 0; i < n_dims; i++) {
        is_empty |= shape[i] == 0;
        if (__builtin_mul_overflow(size, MAX(shape[i], 1), &size))
            return pe_fail(error, PE_ERROR_FORMAT, ckpt->path,
                           "'%s' is too large", name);
    }
    if (is_empty)
        size = 0;
    if (size != offsets[1] - offsets[0])
        return pe_fail(error, PE_ERROR_FORMAT, ckpt->path,
                       "'%s' has %" G_GINT64_FORMAT
                       " bytes where its shape needs "
                       "%" G_GINT64_FORMAT,
                       name, offsets[1] - offsets[0], size);

    Extent extent = {(uint64_t)offsets[0], (uint64_t)offsets[1], name};
    if (size > 0)
        g_array_append_val(extents, extent);
    PeTensor tensor = pe_tensor_new((PeDtype)dtype, n_dims, shape,
                                    ckpt->base + data_start + offsets[0]);
    return pe_checkpoint_add(ckpt, name, &tensor, error);
}

static int
compare_extents(const void *a, const void *b)
{
    const Extent *x = a, *y = b;
    return x->begin < y->begin ? -1 : x->begin > y->begin;
}

static bool
check_overlap(PeCheckpoint *ckpt, GArray *extents, GError **error)
{
    g_array_sort(extents, compare_extents);
    for (guint i = 1; i < extents->len; i++) {
        const Extent *a = &g_array_index(extents, Extent, i - 1);
        const Extent *b = &g_array_index(extents, Extent, i);
        if (b->begin < a->end)
            return pe_fail(error, PE_ERROR_FORMAT, ckpt->path,
                           "'%s' and '%s' overlap", a->name, b->name);
    }
    return true;
}

static bool
read_metadata(PeCheckpoint *ckpt, JsonNode *node, GError **error)
{
    if (!JSON_NODE_HOLDS_OBJECT(node))
        return pe_fail(error, PE_ERROR_FORMAT, ckpt->path,
                       "__metadata__ is not an object");
    JsonObjectIter iter;
    const char *key;
    JsonNode *value;
    json_object_iter_init_ordered(&iter, json_node_get_object(node));
    while (json_object_iter_next_ordered(&iter, &key, &value)) {
        if (json_node_get_value_type(value) != G_TYPE_STRING)
            return pe_fail(error, PE_ERROR_FORMAT, ckpt->path,
                           "__metadata__ '%s' is not a string", key);
        g_hash_table_replace(ckpt->metadata, g_strdup(key),
                             json_node_dup_string(value));
    }
    return true;
}

bool
pe_checkpoint_read_safetensors(PeCheckpoint *ckpt, GError **error)
{
    uint64_t header_size;
    const uint8_t *start = pe_file_load(ckpt->file, 0, sizeof header_size);
    if (!start)
        return pe_fail(error, PE_ERROR_FILE, ckpt->path, "cannot be read");
    memcpy(&header_size, start, sizeof header_size);
    header_size = GUINT64_FROM_LE(header_size);
    if (header_size > MAX_HEADER_SIZE)
        return pe_fail(error, PE_ERROR_FORMAT, ckpt->path,
                       "is no safetensors file: it announces a "
                       "header of %" G_GUINT64_FORMAT " bytes",
                       header_size);
    if (header_size > ckpt->size - 8)
        return pe_fail(error, PE_ERROR_FORMAT, ckpt->path,
                       "is cut short: a header of %" G_GUINT64_FORMAT
                       " bytes in a file of %zu",
                       header_size, ckpt->size);

    const uint8_t *header = pe_file_load(ckpt->file, 8, header_size);
    if (!header)
        return pe_fail(error, PE_ERROR_FILE, ckpt->path, "cannot be read");
    g_autofree char *what =
        g_strdup_printf("%s: the safetensors header", ckpt->path);
    g_autoptr(JsonNode) root = pe_json_parse_object(
        (const char *)header, (size_t)header_size, what, error);
    if (!root)
        return false;

    g_autoptr(GArray) extents = g_array_new(FALSE, FALSE, sizeof(Extent));
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;
    json_object_iter_init_ordered(&iter, json_node_get_object(root));
    while (json_object_iter_next_ordered(&iter, &name, &node)) {
        bool ok = strcmp(name, "__metadata__") == 0
                      ? read_metadata(ckpt, node, error)
                      : read_tensor(ckpt, name, node, 8 + (size_t)header_size,
                                    extents, error);
        if (!ok)
            return false;
    }
    return check_overlap(ckpt, extents, error);
}
