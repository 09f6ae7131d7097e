// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_json.c - a label set in JSON:
//
//     ["a dog", "a cat"]
//     {"name": "pets",
//      "labels": ["a dog", {"name": "cat", "prompts": ["a photo of a cat"],
//                           "threshold": 0.3, "offset": -0.2}],
//      "negatives": ["a wall"], "templates": ["a video of {}."],
//      "mode": "independent", "bank": "captions.txt",
//      "calibration": {"slope": 0.9, "offset": -0.4,
//                      "model": "0123456789abcdef", "mode": "independent"}}
//     {"labels": [{"name": "our cat", "images": ["tom.jpg"]},
//                 {"name": "a fox", "prompts": ["a red fox"],
//                  "vector": "AACAPwAA...", "image-weight": 0.1}],
//      "model": "0123456789abcdef"}
//
// What is not in this schema is an error: a misspelled key would otherwise be a
// setting that silently does nothing.

#include "label_json.h"

#include <string.h>

#include "core/base/failure.h"
#include "core/base/json.h"
#include "label_json_label.h"

static bool
read_positive(void *labels, JsonNode *node, const char *where, GError **error)
{
    PeLabel *label = pe_label_read(node, false, where, error);
    return label && pe_label_list_add(labels, label, where, error);
}

static bool
read_negative(void *negatives, JsonNode *node, const char *where,
              GError **error)
{
    PeLabel *label = pe_label_read(node, true, where, error);
    return label && pe_label_list_add(negatives, label, where, error);
}

static bool
read_template(void *templates, JsonNode *node, const char *where,
              GError **error)
{
    const char *text = pe_json_get_string(node);
    return text ? pe_template_list_add(templates, text, where, error)
                : pe_json_fail_type(error, where, "a template", node);
}

static bool
read_set_name(PeLabelSpec *spec, JsonNode *node, const char *where,
              GError **error)
{
    const char *text = pe_json_get_string(node);
    if (!text)
        return pe_json_fail_type(error, where, "a string", node);
    spec->name = g_strstrip(g_strdup(text));
    return pe_label_check_text(spec->name, where, error);
}

static bool
read_mode(PeLabelSpec *spec, JsonNode *node, const char *where, GError **error)
{
    const char *nick = pe_json_get_string(node);
    return (nick && pe_labels_mode_parse(nick, &spec->mode)) ||
           pe_json_fail_type(error, where, "\"exclusive\" or \"independent\"",
                             node);
}

static bool
read_bank(PeLabelSpec *spec, JsonNode *node, const char *where, GError **error)
{
    const char *path = pe_json_get_string(node);
    if (!path || !*path)
        return pe_json_fail_type(error, where, "a file's path", node);
    spec->bank_path = g_strdup(path);
    return true;
}

// Whose vectors the labels have.
static bool
read_model(PeLabelSpec *spec, JsonNode *node, const char *where, GError **error)
{
    const char *fingerprint = pe_json_get_string(node);
    if (!fingerprint)
        return pe_json_fail_type(error, where, "a model's fingerprint", node);
    spec->vectors_model = g_utf8_make_valid(fingerprint, -1);
    spec->vectors_where = g_strdup(where);
    return true;
}

// Everything but the labels, each of which may be left out.
static bool
read_member(PeLabelSpec *spec, const char *path, const char *key,
            JsonNode *node, GError **error)
{
    g_autofree char *where = g_strdup_printf("%s: %s", path, key);
    if (strcmp(key, "name") == 0)
        return read_set_name(spec, node, where, error);
    if (strcmp(key, "negatives") == 0) {
        spec->has_negatives = true;
        return pe_json_read_list(node, where, read_negative, spec->negatives,
                                 error);
    }
    if (strcmp(key, "templates") == 0)
        return pe_json_read_list(node, where, read_template, spec->templates,
                                 error);
    if (strcmp(key, "mode") == 0)
        return read_mode(spec, node, where, error);
    if (strcmp(key, "bank") == 0)
        return read_bank(spec, node, where, error);
    if (strcmp(key, "model") == 0)
        return read_model(spec, node, where, error);
    spec->calibration = pe_calibration_read(node, where, error);
    return spec->calibration != NULL;
}

// Vectors of another model have no meaning, and nothing else tells.
static bool
check_model_named(const PeLabelSpec *spec, const char *path, GError **error)
{
    const GPtrArray *lists[] = {spec->labels, spec->negatives};
    for (size_t l = 0; l < G_N_ELEMENTS(lists) && !spec->vectors_model; l++) {
        for (guint i = 0; i < lists[l]->len; i++) {
            const PeLabel *label = lists[l]->pdata[i];
            if (label->vector)
                return pe_fail(error, PE_ERROR_FORMAT, path,
                               "expected \"model\", the fingerprint of the "
                               "model that the labels' vectors are of "
                               "(\"pe-model inspect\" prints it), found none");
        }
    }
    return true;
}

bool
pe_label_spec_read_json(PeLabelSpec *spec, const char *path, JsonNode *root,
                        GError **error)
{
    static const char *const keys[] = {"name",        "labels", "negatives",
                                       "templates",   "mode",   "bank",
                                       "calibration", "model",  NULL};
    g_autofree char *in_labels = g_strdup_printf("%s: labels", path);
    if (JSON_NODE_HOLDS_ARRAY(root))
        return pe_json_read_list(root, in_labels, read_positive, spec->labels,
                                 error) &&
               check_model_named(spec, path, error);
    if (!JSON_NODE_HOLDS_OBJECT(root))
        return pe_json_fail_type(error, path, "a list or an object", root);

    JsonObject *object = json_node_get_object(root);
    if (!pe_json_check_keys(object, keys, path, error))
        return false;
    JsonNode *labels = json_object_get_member(object, "labels");
    if (!labels)
        return pe_json_fail_type(error, in_labels, "a list", NULL);
    if (!pe_json_read_list(labels, in_labels, read_positive, spec->labels,
                           error))
        return false;
    for (const char *const *key = keys; *key; key++) {
        JsonNode *node = json_object_get_member(object, *key);
        if (node && strcmp(*key, "labels") != 0 &&
            !read_member(spec, path, *key, node, error))
            return false;
    }
    return check_model_named(spec, path, error);
}
