// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_texts.c - see label_texts.h.

#include "label_texts.h"

#include <json-glib/json-glib.h>
#include <string.h>

#define MAX_FILE_SIZE ((size_t)64 << 20) // as the library takes

static GPtrArray *
strings_new(void)
{
    return g_ptr_array_new_with_free_func(g_free);
}

static GPtrArray *
labels_new(void)
{
    return g_ptr_array_new_with_free_func((GDestroyNotify)label_text_free);
}

LabelText *
label_text_new(const char *name)
{
    LabelText *label = g_new0(LabelText, 1);
    label->name = g_strdup(name);
    label->prompts = strings_new();
    g_ptr_array_add(label->prompts, g_strdup(name));
    return label;
}

void
label_text_free(LabelText *label)
{
    g_clear_pointer(&label->prompts, g_ptr_array_unref);
    g_free(label->examples);
    g_free(label->name);
    g_free(label);
}

GPtrArray *
label_text_list(const LabelText *label, const GPtrArray *templates)
{
    if (label->prompts)
        return g_ptr_array_ref(label->prompts);
    GPtrArray *prompts = strings_new();
    for (guint i = 0; i < templates->len; i++) {
        GString *text = g_string_new(templates->pdata[i]);
        g_string_replace(text, "{}", label->name, 0);
        g_ptr_array_add(prompts, g_string_free(text, FALSE));
    }
    return prompts;
}

// ---- JSON -----------------------------------------------------------------

// Blanks around texts do not count.
static void
add_strings(GPtrArray *to, JsonArray *list)
{
    for (guint i = 0; list && i < json_array_get_length(list); i++)
        g_ptr_array_add(
            to, g_strstrip(g_strdup(json_array_get_string_element(list, i))));
}

// Their paths become independent of the file's folder.
static void
make_absolute(JsonObject *label, const char *folder)
{
    JsonArray *old = json_object_get_array_member(label, "images");
    JsonArray *images = json_array_new();
    for (guint i = 0; i < json_array_get_length(old); i++) {
        g_autofree char *path = g_canonicalize_filename(
            json_array_get_string_element(old, i), folder);
        json_array_add_string_element(images, path);
    }
    json_object_set_array_member(label, "images", images);
}

static char *
read_examples(JsonObject *label, const char *folder)
{
    static const char *const keys[] = {"vector", "images", "image-weight"};
    g_autoptr(GString) members = g_string_new(NULL);
    if (json_object_has_member(label, "images"))
        make_absolute(label, folder);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (!json_object_has_member(label, keys[i]))
            continue;
        g_autofree char *value =
            json_to_string(json_object_get_member(label, keys[i]), FALSE);
        g_string_append_printf(members, ", \"%s\": %s", keys[i], value);
    }
    return members->len > 0 ? g_strdup(members->str) : NULL;
}

static LabelText *
read_label(JsonNode *node, const char *folder)
{
    static const char *const thresholds[] = {
        "threshold", "probability-threshold", "similarity-threshold"};
    LabelText *label = g_new0(LabelText, 1);
    if (!JSON_NODE_HOLDS_OBJECT(node)) {
        label->name = g_strstrip(g_strdup(json_node_get_string(node)));
        return label;
    }
    JsonObject *o = json_node_get_object(node);
    label->name =
        g_strstrip(g_strdup(json_object_get_string_member(o, "name")));
    label->examples = read_examples(o, folder);
    for (size_t i = 0; i < G_N_ELEMENTS(thresholds); i++)
        label->has_threshold |= json_object_has_member(o, thresholds[i]);
    if (json_object_has_member(o, "prompts")) {
        label->prompts = strings_new();
        add_strings(label->prompts, json_object_get_array_member(o, "prompts"));
    }
    label->wordless = label->examples && !label->prompts &&
                      !json_object_has_member(o, "image-weight");
    return label;
}

static void
add_labels(GPtrArray *to, JsonArray *list, const char *folder)
{
    for (guint i = 0; i < json_array_get_length(list); i++)
        g_ptr_array_add(to,
                        read_label(json_array_get_element(list, i), folder));
}

// ---- Lines ----------------------------------------------------------------

static void
add_lines(GPtrArray *to, const char *text, bool as_prompts)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        const char *name = g_strstrip(*line);
        if (!*name || *name == '#')
            continue;
        LabelText *label = label_text_new(name);
        if (!as_prompts)
            g_clear_pointer(&label->prompts, g_ptr_array_unref);
        g_ptr_array_add(to, label);
    }
}

// Without a byte order mark. Returns, g_free().
static char *
read_text(const char *path, GError **error)
{
    size_t size;
    char *text = pe_read_file(path, MAX_FILE_SIZE, &size, error);
    if (text && g_str_has_prefix(text, "\xef\xbb\xbf"))
        memmove(text, text + 3, strlen(text + 3) + 1);
    return text;
}

// ---- Files ----------------------------------------------------------------

static bool
read_bank(LabelTexts *texts, const char *folder, JsonObject *o, GError **error)
{
    const char *named =
        json_object_get_string_member_with_default(o, "bank", "off");
    if (g_str_equal(named, "off"))
        return true;
    g_autofree char *bank =
        g_build_filename(g_path_is_absolute(named) ? "" : folder, named, NULL);
    g_autofree char *text = read_text(bank, error);
    if (!text)
        return false;
    add_lines(texts->bank, text, true);
    return true;
}

static bool
read_json(LabelTexts *texts, const char *path, const char *text, GError **error)
{
    g_autoptr(JsonNode) root = json_from_string(text, error);
    g_autofree char *folder = g_path_get_dirname(path);
    if (!root)
        return false;
    if (JSON_NODE_HOLDS_ARRAY(root)) {
        add_labels(texts->labels, json_node_get_array(root), folder);
        return true;
    }
    JsonObject *o = json_node_get_object(root);
    texts->model =
        g_strdup(json_object_get_string_member_with_default(o, "model", NULL));
    add_labels(texts->labels, json_object_get_array_member(o, "labels"),
               folder);
    if (json_object_has_member(o, "templates"))
        add_strings(texts->templates,
                    json_object_get_array_member(o, "templates"));
    texts->default_negatives = !json_object_has_member(o, "negatives");
    if (!texts->default_negatives)
        add_labels(texts->negatives,
                   json_object_get_array_member(o, "negatives"), folder);
    return read_bank(texts, folder, o, error);
}

LabelTexts *
label_texts_read(const char *path, GError **error)
{
    g_autofree char *text = read_text(path, error);
    if (!text)
        return NULL;
    LabelTexts *texts = g_new0(LabelTexts, 1);
    *texts = (LabelTexts){.labels = labels_new(),
                          .negatives = labels_new(),
                          .bank = labels_new(),
                          .templates = strings_new(),
                          .default_negatives = true};
    char first = text[strspn(text, " \t\r\n")];
    if (first != '{' && first != '[') {
        add_lines(texts->labels, text, false);
    } else if (!read_json(texts, path, text, error)) {
        label_texts_free(texts);
        return NULL;
    }
    if (texts->templates->len == 0)
        g_ptr_array_add(texts->templates, g_strdup(PE_DEFAULT_TEMPLATE));
    const char *const *defaults = pe_default_negatives();
    for (; texts->default_negatives && *defaults; defaults++)
        g_ptr_array_add(texts->negatives, label_text_new(*defaults));
    return texts;
}

void
label_texts_free(LabelTexts *texts)
{
    if (!texts)
        return;
    g_ptr_array_unref(texts->labels);
    g_ptr_array_unref(texts->negatives);
    g_ptr_array_unref(texts->bank);
    g_ptr_array_unref(texts->templates);
    g_free(texts->model);
    g_free(texts);
}
