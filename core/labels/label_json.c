// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_json.c - a label set in JSON:
//
//     ["a dog", "a cat"]
//     {"name": "pets",
//      "labels": ["a dog", {"name": "cat", "prompts": ["a photo of a cat"],
//                           "threshold": 0.3}],
//      "negatives": ["a wall"], "templates": ["a video of {}."]}
//
// What is not in this schema is an error: a misspelled key would otherwise be a
// setting that silently does nothing.

#include "label_json.h"

#include "core/base/json.h"
#include "core/base/read_file.h"

static bool
fail_type(GError **error, const char *where, const char *expected,
          JsonNode *found)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s: expected %s, found %s",
                where, expected, pe_json_describe(found));
    return false;
}

// Fail at the first member that is not in the NULL-terminated `known`.
static bool
check_keys(JsonObject *object, const char *const *known, const char *where,
           GError **error)
{
    g_autoptr(GList) members = json_object_get_members(object);
    for (GList *m = members; m; m = m->next) {
        if (g_strv_contains(known, m->data))
            continue;
        g_autofree char *quoted = pe_quote(m->data);
        g_autofree char *names = g_strjoinv(", ", (char **)known);
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: unknown key %s, expected one of: %s", where, quoted,
                    names);
        return false;
    }
    return true;
}

typedef bool (*ReadFunc)(void *target, JsonNode *node, const char *where,
                         GError **error);

// Read every element of a list into `target`.
static bool
read_list(JsonNode *node, const char *where, ReadFunc read, void *target,
          GError **error)
{
    if (!JSON_NODE_HOLDS_ARRAY(node))
        return fail_type(error, where, "a list", node);
    JsonArray *list = json_node_get_array(node);
    for (guint i = 0; i < json_array_get_length(list); i++) {
        g_autofree char *position = g_strdup_printf("%s[%u]", where, i);
        if (!read(target, json_array_get_element(list, i), position, error))
            return false;
    }
    return true;
}

static bool
read_prompt(void *prompts, JsonNode *node, const char *where, GError **error)
{
    const char *text = pe_json_get_string(node);
    if (!text)
        return fail_type(error, where, "a prompt", node);
    g_autofree char *prompt = g_strstrip(g_strdup(text));
    if (!pe_label_check_text(prompt, where, error))
        return false;
    g_ptr_array_add(prompts, g_steal_pointer(&prompt));
    return true;
}

static bool
read_prompts(PeLabel *label, JsonNode *node, const char *where, GError **error)
{
    bool is_list = JSON_NODE_HOLDS_ARRAY(node);
    if (!is_list || json_array_get_length(json_node_get_array(node)) == 0)
        return fail_type(error, where, "a list of prompts",
                         is_list ? NULL : node);
    label->prompts = g_ptr_array_new_with_free_func(g_free);
    return read_list(node, where, read_prompt, label->prompts, error);
}

static bool
read_threshold(PeLabel *label, JsonNode *node, const char *where,
               GError **error)
{
    GType type = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node)
                                             : G_TYPE_INVALID;
    if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE)
        return fail_type(error, where, "a number from 0 to 1", node);
    double value = json_node_get_double(node);
    if (!(value >= 0 && value <= 1)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: expected a number from 0 to 1, found %g", where,
                    value);
        return false;
    }
    label->threshold = (float)value;
    return true;
}

// The label of an element of "labels" or "negatives", NULL on failure.
static PeLabel *
read_label(JsonNode *node, bool negative, const char *where, GError **error)
{
    static const char *const keys[] = {"name", "prompts", "threshold", NULL};
    static const char *const negative_keys[] = {"name", "prompts", NULL};
    const char *text = pe_json_get_string(node);
    if (text)
        return pe_label_new(text);
    if (!JSON_NODE_HOLDS_OBJECT(node)) {
        fail_type(error, where, "a string or an object", node);
        return NULL;
    }

    JsonObject *object = json_node_get_object(node);
    if (!check_keys(object, negative ? negative_keys : keys, where, error))
        return NULL;
    JsonNode *name = json_object_get_member(object, "name");
    if (!name || !pe_json_get_string(name)) {
        fail_type(error, where, "\"name\" to be a string", name);
        return NULL;
    }
    PeLabel *label = pe_label_new(pe_json_get_string(name));
    JsonNode *prompts = json_object_get_member(object, "prompts");
    JsonNode *threshold = json_object_get_member(object, "threshold");
    g_autofree char *in_prompts = g_strdup_printf("%s.prompts", where);
    g_autofree char *in_threshold = g_strdup_printf("%s.threshold", where);
    bool ok = !prompts || read_prompts(label, prompts, in_prompts, error);
    ok = ok &&
         (!threshold || read_threshold(label, threshold, in_threshold, error));
    if (!ok)
        g_clear_pointer(&label, pe_label_free);
    return label;
}

static bool
read_positive(void *labels, JsonNode *node, const char *where, GError **error)
{
    PeLabel *label = read_label(node, false, where, error);
    return label && pe_label_list_add(labels, label, where, error);
}

static bool
read_negative(void *negatives, JsonNode *node, const char *where,
              GError **error)
{
    PeLabel *label = read_label(node, true, where, error);
    return label && pe_label_list_add(negatives, label, where, error);
}

static bool
read_template(void *templates, JsonNode *node, const char *where,
              GError **error)
{
    const char *text = pe_json_get_string(node);
    return text ? pe_template_list_add(templates, text, where, error)
                : fail_type(error, where, "a template", node);
}

static bool
read_set_name(PeLabelSpec *spec, JsonNode *node, const char *where,
              GError **error)
{
    const char *text = pe_json_get_string(node);
    if (!text)
        return fail_type(error, where, "a string", node);
    spec->name = g_strstrip(g_strdup(text));
    return pe_label_check_text(spec->name, where, error);
}

bool
pe_label_spec_read_json(PeLabelSpec *spec, const char *path, JsonNode *root,
                        GError **error)
{
    static const char *const keys[] = {"name", "labels", "negatives",
                                       "templates", NULL};
    g_autofree char *in_name = g_strdup_printf("%s: name", path);
    g_autofree char *in_labels = g_strdup_printf("%s: labels", path);
    g_autofree char *in_negatives = g_strdup_printf("%s: negatives", path);
    g_autofree char *in_templates = g_strdup_printf("%s: templates", path);
    if (JSON_NODE_HOLDS_ARRAY(root))
        return read_list(root, in_labels, read_positive, spec->labels, error);
    if (!JSON_NODE_HOLDS_OBJECT(root))
        return fail_type(error, path, "a list or an object", root);

    JsonObject *object = json_node_get_object(root);
    if (!check_keys(object, keys, path, error))
        return false;
    JsonNode *name = json_object_get_member(object, "name");
    JsonNode *labels = json_object_get_member(object, "labels");
    JsonNode *negatives = json_object_get_member(object, "negatives");
    JsonNode *templates = json_object_get_member(object, "templates");
    if (name && !read_set_name(spec, name, in_name, error))
        return false;
    if (!labels)
        return fail_type(error, in_labels, "a list", NULL);
    if (!read_list(labels, in_labels, read_positive, spec->labels, error))
        return false;
    if (negatives && !read_list(negatives, in_negatives, read_negative,
                                spec->negatives, error))
        return false;
    return !templates || read_list(templates, in_templates, read_template,
                                   spec->templates, error);
}
