// SPDX-License-Identifier: LGPL-2.1-or-later
//
// dataset_captions.c - data sets with captions for each file; see dataset.h.

#include "dataset.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "tools/eval/csv.h"

// The captions of one file need not stand together, so that they are gathered
// first, by whatever the list calls the file.
typedef struct {
    const DatasetParams *params;
    Dataset *dataset;
    char *root;
    GHashTable *captions; // key -> GPtrArray of char *
    FileIndex *index;     // of MSR-VTT's videos, which have no paths
    guint n_without;      // files without a caption
} Reader;

static void
gather(Reader *r, const char *key, const char *caption)
{
    GPtrArray *all = g_hash_table_lookup(r->captions, key);
    if (!all) {
        all = g_ptr_array_new_with_free_func(g_free);
        g_hash_table_insert(r->captions, g_strdup(key), all);
    }
    g_ptr_array_add(all, g_strdup(caption));
}

// The file that the list calls so, once; without a caption it takes no part.
static void
add(Reader *r, const char *key, const char *path)
{
    GPtrArray *all = g_hash_table_lookup(r->captions, key);
    if (!all) {
        r->n_without++;
        return;
    }
    if (all->len == 0)
        return; // added before
    EvalItem *item = dataset_add_item(r->dataset, path);
    item->first_caption = r->dataset->captions->len;
    item->n_captions = all->len;
    g_ptr_array_extend_and_steal(r->dataset->captions, g_ptr_array_ref(all));
}

static char *
find_path(const Reader *r, const char *name)
{
    const char *path = r->index ? file_index_find(r->index, name) : NULL;
    if (path)
        return g_strdup(path);
    g_autofree char *file =
        r->index ? g_strdup_printf("%s.mp4", name) : g_strdup(name);
    return g_canonicalize_filename(file, r->root);
}

// ---- CSV ------------------------------------------------------------------

static bool
gather_row(Reader *r, const Csv *csv, guint row, int path, int first,
           GError **error)
{
    const CsvRow *header = csv->rows->pdata[0];
    const char *key = csv_get(csv, row, path, error);
    const char *caption = key ? csv_get(csv, row, first, error) : NULL;
    if (!caption)
        return false;
    if (!*caption) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: line %u: found an empty caption; expected a text",
                    csv->path, ((CsvRow *)csv->rows->pdata[row])->line);
        return false;
    }
    gather(r, key, caption);
    for (guint i = (guint)first + 1; i < header->fields->len; i++) {
        bool is_caption = g_str_has_prefix(header->fields->pdata[i], "caption");
        caption = is_caption ? csv_get(csv, row, (int)i, NULL) : NULL;
        if (caption && *caption)
            gather(r, key, caption);
    }
    return true;
}

static bool
read_csv(Reader *r, const Csv *csv, GError **error)
{
    int path = csv_need_column(csv, "path|video_id", error);
    int caption = path >= 0
                      ? csv_need_column(csv, "caption|captions|sentence", error)
                      : -1;
    if (caption < 0)
        return false;
    bool by_id = csv_find_column(csv, "path") < 0;
    if (by_id && !(r->index = file_index_new(r->root, true, error)))
        return false;
    for (guint i = 1; i < csv->rows->len; i++) {
        if (!gather_row(r, csv, i, path, caption, error))
            return false;
    }
    for (guint i = 1; i < csv->rows->len; i++) {
        const char *key = csv_get(csv, i, path, NULL);
        g_autofree char *full = find_path(r, key);
        add(r, key, full);
    }
    return true;
}

// ---- JSON -----------------------------------------------------------------

// A member as a text, be it one or a number. Returns, g_free(); NULL: none.
static char *
get_text(JsonObject *o, const char *name)
{
    JsonNode *node = json_object_get_member(o, name);
    if (!node || !JSON_NODE_HOLDS_VALUE(node))
        return NULL;
    if (json_node_get_value_type(node) == G_TYPE_INT64)
        return g_strdup_printf("%" G_GINT64_FORMAT, json_node_get_int(node));
    return json_node_get_value_type(node) == G_TYPE_STRING
               ? g_strdup(json_node_get_string(node))
               : NULL;
}

// The nth object of the list of that name, or NULL.
static JsonObject *
get_nth(JsonArray *list, guint i)
{
    JsonNode *node = json_array_get_element(list, i);
    return JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static JsonArray *
get_list(JsonObject *o, const char *name)
{
    JsonNode *node = json_object_get_member(o, name);
    return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node)
                                               : NULL;
}

static bool
fail_entry(const Reader *r, const char *list, guint i, const char *expected,
           GError **error)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: \"%s\"[%u]: found something else; expected an object with "
                "%s",
                r->dataset->path, list, i, expected);
    return false;
}

static bool
takes_part(const Reader *r, JsonObject *o)
{
    g_autofree char *split = get_text(o, "split");
    return !r->params->split || !split || g_str_equal(split, r->params->split);
}

// Captions of a list in which each names its file.
static bool
gather_list(Reader *r, JsonArray *list, const char *name, const char *id,
            GError **error)
{
    for (guint i = 0; i < json_array_get_length(list); i++) {
        JsonObject *o = get_nth(list, i);
        g_autofree char *key = o ? get_text(o, id) : NULL;
        g_autofree char *caption = o ? get_text(o, "caption") : NULL;
        if (!key || !caption) {
            g_autofree char *expected =
                g_strdup_printf("\"%s\" and \"caption\"", id);
            return fail_entry(r, name, i, expected, error);
        }
        gather(r, key, caption);
    }
    return true;
}

// Karpathy's split of COCO: each file has its own sentences.
static void
gather_own(Reader *r, JsonObject *image, const char *key)
{
    JsonArray *sentences = get_list(image, "sentences");
    for (guint i = 0; sentences && i < json_array_get_length(sentences); i++) {
        JsonObject *o = get_nth(sentences, i);
        g_autofree char *caption = o ? get_text(o, "raw") : NULL;
        if (caption)
            gather(r, key, caption);
    }
}

static bool
add_images(Reader *r, JsonArray *images, GError **error)
{
    for (guint i = 0; i < json_array_get_length(images); i++) {
        JsonObject *o = get_nth(images, i);
        g_autofree char *name = o ? get_text(o, "file_name") : NULL;
        g_autofree char *key = o ? get_text(o, "id") : NULL;
        if (o && !name) {
            g_autofree char *folder = get_text(o, "filepath");
            g_autofree char *file = get_text(o, "filename");
            name = file ? g_build_filename(folder ? folder : "", file, NULL)
                        : NULL;
            g_free(key);
            key = g_strdup(name);
            if (name && takes_part(r, o))
                gather_own(r, o, key);
        }
        if (!name || !key)
            return fail_entry(r, "images", i, "\"id\" and \"file_name\"",
                              error);
        g_autofree char *path = find_path(r, name);
        if (takes_part(r, o))
            add(r, key, path);
    }
    return true;
}

static bool
add_videos(Reader *r, JsonArray *videos, GError **error)
{
    r->index = file_index_new(r->root, true, error);
    if (!r->index)
        return false;
    for (guint i = 0; i < json_array_get_length(videos); i++) {
        JsonObject *o = get_nth(videos, i);
        g_autofree char *id = o ? get_text(o, "video_id") : NULL;
        if (!id)
            return fail_entry(r, "videos", i, "\"video_id\"", error);
        g_autofree char *path = find_path(r, id);
        if (takes_part(r, o))
            add(r, id, path);
    }
    return true;
}

static bool
read_object(Reader *r, JsonObject *o, GError **error)
{
    JsonArray *annotations = get_list(o, "annotations");
    JsonArray *sentences = get_list(o, "sentences");
    JsonArray *images = get_list(o, "images");
    JsonArray *videos = get_list(o, "videos");
    if (images)
        return (!annotations || gather_list(r, annotations, "annotations",
                                            "image_id", error)) &&
               add_images(r, images, error);
    if (videos && sentences)
        return gather_list(r, sentences, "sentences", "video_id", error) &&
               add_videos(r, videos, error);
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: found other JSON; expected COCO's (\"images\" and "
                "\"annotations\") or MSR-VTT's (\"videos\" and \"sentences\")",
                r->dataset->path);
    return false;
}

static bool
read_json(Reader *r, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    GError *cause = NULL;
    if (!json_parser_load_from_file(parser, r->dataset->path, &cause)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s: %s",
                    r->dataset->path, cause->message);
        g_error_free(cause);
        return false;
    }
    JsonNode *root = json_parser_get_root(parser);
    bool is_object = root && JSON_NODE_HOLDS_OBJECT(root);
    g_autoptr(JsonObject) none = json_object_new();
    return read_object(r, is_object ? json_node_get_object(root) : none, error);
}

// ---- All ------------------------------------------------------------------

static bool
read_list(Reader *r, GError **error)
{
    if (g_str_has_suffix(r->dataset->path, ".json"))
        return read_json(r, error);
    Csv *csv = csv_open(r->dataset->path, error);
    bool ok = csv && read_csv(r, csv, error);
    csv_free(csv);
    return ok;
}

Dataset *
dataset_open_captions(const DatasetParams *params, GError **error)
{
    Dataset *d = dataset_new(params->path);
    g_autofree char *folder = g_path_get_dirname(params->path);
    Reader r = {
        .params = params,
        .dataset = d,
        .root =
            g_canonicalize_filename(params->root ? params->root : folder, NULL),
        .captions = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                          (GDestroyNotify)g_ptr_array_unref),
    };
    bool ok = read_list(&r, error);
    g_hash_table_unref(r.captions);
    file_index_free(r.index);
    g_free(r.root);
    if (ok && r.n_without > 0)
        dataset_note(d, "%s: %u files have no caption and are left out",
                     params->path, r.n_without);
    d->n_left_out += r.n_without;
    if (ok && d->items->len == 0) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: found no file with a caption; expected at least one%s",
                    params->path, params->split ? " of this --split" : "");
        ok = false;
    }
    if (ok)
        return d;
    dataset_free(d);
    return NULL;
}
