// SPDX-License-Identifier: LGPL-2.1-or-later
//
// words.c - see words.h.

#include "words.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "tools/eval/dataset.h"
#include "tools/eval/python_words.h"

static GPtrArray *
new_classes(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)eval_class_free);
}

// ---- Files ----------------------------------------------------------------

// The JSON of "FILE.json" or, under the key, of "FILE.json:KEY". NULL with the
// error; *is_json tells whether it is any.
static JsonNode *
read_json(const char *spec, bool *is_json, GError **error)
{
    const char *end = g_strrstr(spec, ".json");
    *is_json = end && (end[5] == '\0' || end[5] == ':');
    if (!*is_json)
        return NULL;
    g_autofree char *path = g_strndup(spec, (gsize)(end - spec) + 5);
    g_autofree char *text = NULL;
    GError *cause = NULL;
    JsonNode *node = g_file_get_contents(path, &text, NULL, &cause)
                         ? json_from_string(text, &cause)
                         : NULL;
    if (!node) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s: %s", path,
                    cause ? cause->message : "is empty");
        g_clear_error(&cause);
        return NULL;
    }
    if (end[5] == '\0')
        return node;
    JsonNode *found =
        JSON_NODE_HOLDS_OBJECT(node)
            ? json_object_get_member(json_node_get_object(node), end + 6)
            : NULL;
    found = found ? json_node_copy(found) : NULL;
    if (!found)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: has no key \"%s\", which was asked for", path,
                    end + 6);
    json_node_unref(node);
    return found;
}

// The lines that are not empty. Returns, g_strfreev(); NULL with the error.
static char **
read_lines(const char *path, GError **error)
{
    g_autofree char *text = NULL;
    size_t size;
    GError *cause = NULL;
    if (!g_file_get_contents(path, &text, &size, &cause)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FILE, "%s", cause->message);
        g_error_free(cause);
        return NULL;
    }
    if (!g_utf8_validate(text, (gssize)size, NULL)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s: is not UTF-8", path);
        return NULL;
    }
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        if (*g_strstrip(*line))
            g_strv_builder_add(builder, *line);
    }
    return g_strv_builder_end(builder);
}

// The texts of a list in JSON. NULL: it is no list of texts.
static char **
get_texts(JsonNode *node)
{
    if (!JSON_NODE_HOLDS_ARRAY(node))
        return NULL;
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    JsonArray *list = json_node_get_array(node);
    for (guint i = 0; i < json_array_get_length(list); i++) {
        JsonNode *entry = json_array_get_element(list, i);
        if (json_node_get_value_type(entry) != G_TYPE_STRING)
            return NULL;
        g_strv_builder_add(builder, json_node_get_string(entry));
    }
    return g_strv_builder_end(builder);
}

// ---- Classes --------------------------------------------------------------

static bool
take_object(GPtrArray *classes, JsonObject *o)
{
    JsonObjectIter iter;
    const char *id;
    JsonNode *name;
    json_object_iter_init_ordered(&iter, o);
    while (json_object_iter_next_ordered(&iter, &id, &name)) {
        if (json_node_get_value_type(name) != G_TYPE_STRING)
            return false;
        g_ptr_array_add(classes,
                        eval_class_new(id, json_node_get_string(name)));
    }
    return true;
}

static bool
take_json_classes(GPtrArray *classes, JsonNode *node)
{
    if (JSON_NODE_HOLDS_OBJECT(node))
        return take_object(classes, json_node_get_object(node));
    g_auto(GStrv) names = get_texts(node);
    for (char **name = names; name && *name; name++)
        g_ptr_array_add(classes, eval_class_new(NULL, *name));
    return names != NULL;
}

static void
take_line_classes(GPtrArray *classes, char **lines)
{
    for (char **line = lines; *line; line++) {
        char *tab = strchr(*line, '\t');
        if (tab)
            *tab = '\0';
        g_ptr_array_add(classes, tab ? eval_class_new(*line, tab + 1)
                                     : eval_class_new(NULL, *line));
    }
}

static bool
read_classes(GPtrArray *classes, const char *spec, GError **error)
{
    bool is_json, ok;
    g_autoptr(JsonNode) node = read_json(spec, &is_json, error);
    if (is_json && !node)
        return false;
    if (is_json) {
        ok = take_json_classes(classes, node);
    } else {
        g_auto(GStrv) lines = read_lines(spec, error);
        if (!lines)
            return false;
        take_line_classes(classes, lines);
        ok = true;
    }
    if (ok && classes->len > 0)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: found %s; expected a class a line, \"name\" or "
                "\"id<tab>name\", or in JSON a list of names or an object "
                "{id: name}",
                spec, ok ? "no class" : "other JSON");
    return false;
}

static bool
read_imagenet(GPtrArray *classes, const char *what, GError **error)
{
    g_autoptr(JsonNode) node = python_words_read(what, error);
    if (!node)
        return false;
    JsonArray *list = json_node_get_array(node);
    for (guint i = 0; i < json_array_get_length(list); i++) {
        JsonArray *pair = json_array_get_array_element(list, i);
        const char *id = json_array_get_string_element(pair, 0);
        g_ptr_array_add(classes,
                        eval_class_new(*id ? id : NULL,
                                       json_array_get_string_element(pair, 1)));
    }
    return true;
}

// ---- ObjectNet ------------------------------------------------------------

// One of ObjectNet's own lists, which lie in its mappings/.
static JsonNode *
read_mapping(const char *data, const char *name, GError **error)
{
    static const char *const places[] = {"mappings", ".", "../mappings", "..",
                                         NULL};
    for (int i = 0; places[i]; i++) {
        g_autofree char *path = g_build_filename(data, places[i], name, NULL);
        bool is_json;
        if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
            continue;
        JsonNode *node = read_json(path, &is_json, error);
        if (!node || JSON_NODE_HOLDS_OBJECT(node))
            return node;
        json_node_unref(node);
        break;
    }
    g_set_error(error, PE_ERROR, PE_ERROR_FILE,
                "%s: found no %s with an object; expected it there, in "
                "mappings/ or one folder up, as ObjectNet comes",
                data, name);
    return NULL;
}

static gint
compare_ids(gconstpointer a, gconstpointer b)
{
    return strcmp((*(EvalClass *const *)a)->id, (*(EvalClass *const *)b)->id);
}

// The classes that ImageNet has as well, by ObjectNet's own names in small
// letters, in the order of the folders.
// Source: the reference's apps/pe/clip_benchmark/datasets/objectnet.py.
static bool
read_objectnet(GPtrArray *classes, const char *data, GError **error)
{
    g_autoptr(JsonNode) folders =
        read_mapping(data, "folder_to_objectnet_label.json", error);
    g_autoptr(JsonNode) shared =
        folders ? read_mapping(data, "objectnet_to_imagenet_1k.json", error)
                : NULL;
    if (!shared)
        return false;
    JsonObjectIter iter;
    const char *folder;
    JsonNode *label;
    json_object_iter_init_ordered(&iter, json_node_get_object(folders));
    while (json_object_iter_next_ordered(&iter, &folder, &label)) {
        const char *text = json_node_get_value_type(label) == G_TYPE_STRING
                               ? json_node_get_string(label)
                               : NULL;
        if (!text ||
            !json_object_has_member(json_node_get_object(shared), text))
            continue;
        g_autofree char *name = g_utf8_strdown(text, -1);
        g_ptr_array_add(classes, eval_class_new(folder, name));
    }
    g_ptr_array_sort(classes, compare_ids);
    return true;
}

// ---- Templates ------------------------------------------------------------

static bool
check_templates(char **templates, const char *spec, GError **error)
{
    for (char **t = templates; *t; t++) {
        g_auto(GStrv) parts = g_strsplit(*t, "{c}", -1);
        g_free(*t);
        *t = g_strjoinv("{}", parts);
        if (strstr(*t, "{}"))
            continue;
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: template %d: found \"%s\"; expected \"{}\" in it, "
                    "where the class goes",
                    spec, (int)(t - templates) + 1, *t);
        return false;
    }
    if (*templates)
        return true;
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "%s: found no template; expected one a line", spec);
    return false;
}

static char **
read_templates(const char *spec, GError **error)
{
    bool is_json = true;
    g_autoptr(JsonNode) node = g_str_equal(spec, "imagenet")
                                   ? python_words_read("templates", error)
                                   : read_json(spec, &is_json, error);
    if (is_json && !node)
        return NULL;
    char **templates = is_json ? get_texts(node) : read_lines(spec, error);
    if (!templates && is_json)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: found other JSON; expected a list of templates", spec);
    if (templates && check_templates(templates, spec, error))
        return templates;
    g_strfreev(templates);
    return NULL;
}

// ---- All ------------------------------------------------------------------

static bool
load_classes(EvalWords *words, const char *spec, const char *data,
             GError **error)
{
    words->classes = new_classes();
    if (g_str_equal(spec, "imagenet"))
        return read_imagenet(words->classes, spec, error);
    words->partial =
        g_str_equal(spec, "imagenet-a") || g_str_equal(spec, "objectnet");
    if (g_str_equal(spec, "objectnet"))
        return read_objectnet(words->classes, data, error);
    return words->partial ? read_imagenet(words->classes, spec, error)
                          : read_classes(words->classes, spec, error);
}

bool
eval_words_load(EvalWords *words, const char *classes, const char *templates,
                const char *data, bool videos, GError **error)
{
    *words = (EvalWords){0};
    if (classes && !load_classes(words, classes, data, error))
        return false;
    if (templates) {
        words->templates = read_templates(templates, error);
        return words->templates != NULL;
    }
    const char *one[] = {videos ? PE_DEFAULT_TEMPLATE : "a photo of {}.", NULL};
    words->templates = g_strdupv((char **)one);
    return true;
}

void
eval_words_clear(EvalWords *words)
{
    g_clear_pointer(&words->classes, g_ptr_array_unref);
    g_clear_pointer(&words->templates, g_strfreev);
}
