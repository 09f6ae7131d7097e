// SPDX-License-Identifier: LGPL-2.1-or-later
//
// shards.c - reads the index of a sharded checkpoint: a "weight_map" from the
// names of the tensors to the files that they are in.

#include "shards.h"

#include <string.h>

#include "core/base/failure.h"
#include "core/base/json.h"

#define MAX_SHARDS 1000

bool
pe_checkpoint_is_index(const char *path)
{
    return g_str_has_suffix(path, ".safetensors.index.json");
}

// The files of the map, each once. Returns an array of char *, NULL with an
// error.
static GPtrArray *
list_files(const char *path, JsonNode *root, GError **error)
{
    JsonNode *map =
        json_object_get_member(json_node_get_object(root), "weight_map");
    g_autoptr(GPtrArray) files = g_ptr_array_new_with_free_func(g_free);
    JsonObjectIter iter;
    const char *name;
    JsonNode *value;
    if (!map || !JSON_NODE_HOLDS_OBJECT(map)) {
        pe_fail(error, PE_ERROR_FORMAT, path, "has no weight_map");
        return NULL;
    }
    json_object_iter_init_ordered(&iter, json_node_get_object(map));
    while (json_object_iter_next_ordered(&iter, &name, &value)) {
        const char *file = json_node_get_value_type(value) == G_TYPE_STRING
                               ? json_node_get_string(value)
                               : "";
        // A file beside the index, and nowhere else.
        if (!g_str_has_suffix(file, ".safetensors") || strchr(file, '/')) {
            pe_fail(error, PE_ERROR_FORMAT, path,
                    "names no safetensors file for '%s'", name);
            return NULL;
        }
        if (!g_ptr_array_find_with_equal_func(files, file, g_str_equal, NULL))
            g_ptr_array_add(files, g_strdup(file));
        if (files->len > MAX_SHARDS) {
            pe_fail(error, PE_ERROR_FORMAT, path, "names more than %d files",
                    MAX_SHARDS);
            return NULL;
        }
    }
    return g_steal_pointer(&files);
}

// Takes `shard`.
static bool
add_shard(PeCheckpoint *ckpt, PeCheckpoint *shard, GError **error)
{
    GHashTableIter iter;
    void *key, *value;
    g_ptr_array_add(ckpt->shards, shard);
    g_hash_table_iter_init(&iter, shard->metadata);
    while (g_hash_table_iter_next(&iter, &key, &value))
        g_hash_table_replace(ckpt->metadata, g_strdup(key), g_strdup(value));
    for (guint i = 0; i < shard->unread->len; i++)
        g_ptr_array_add(ckpt->unread, g_strdup(shard->unread->pdata[i]));
    for (int i = 0; i < pe_checkpoint_count(shard); i++) {
        if (!pe_checkpoint_add(ckpt, pe_checkpoint_get_name(shard, i),
                               pe_checkpoint_get_nth(shard, i), error))
            return false;
    }
    return true;
}

PeCheckpoint *
pe_checkpoint_open_shards(const char *path,
                          PeCheckpoint *(*open)(const char *path,
                                                GError **error),
                          GError **error)
{
    PeFile *index = pe_file_open(path, error);
    if (!index)
        return NULL;
    PeCheckpoint *ckpt = pe_checkpoint_new(index);
    ckpt->container = "safetensors";
    const uint8_t *text = pe_file_load(index, 0, index->size);
    g_autofree char *folder = g_path_get_dirname(path);
    g_autoptr(JsonNode) root =
        text
            ? pe_json_parse_object((const char *)text, index->size, path, error)
            : NULL;
    g_autoptr(GPtrArray) files = root ? list_files(path, root, error) : NULL;
    bool ok = files && files->len > 0;
    if (!text)
        pe_fail(error, PE_ERROR_FILE, path, "cannot be read");
    else if (files && files->len == 0)
        pe_fail(error, PE_ERROR_FORMAT, path, "names no file");
    for (guint i = 0; ok && i < files->len; i++) {
        g_autofree char *file = g_build_filename(folder, files->pdata[i], NULL);
        PeCheckpoint *shard = open(file, error);
        ok = shard && add_shard(ckpt, shard, error);
    }
    pe_file_unload(index);
    if (!ok)
        g_clear_pointer(&ckpt, pe_checkpoint_free);
    return ckpt;
}
