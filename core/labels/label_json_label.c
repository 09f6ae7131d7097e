// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_json_label.c - see label_json_label.h.

#include "label_json_label.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/base/failure.h"
#include "core/base/json.h"
#include "core/base/read_file.h"

static bool
read_prompt(void *prompts, JsonNode *node, const char *where, GError **error)
{
    const char *text = pe_json_get_string(node);
    if (!text)
        return pe_json_fail_type(error, where, "a prompt", node);
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
        return pe_json_fail_type(error, where, "a list of prompts",
                                 is_list ? NULL : node);
    label->prompts = g_ptr_array_new_with_free_func(g_free);
    return pe_json_read_list(node, where, read_prompt, label->prompts, error);
}

// The numbers that a label may have, with their bounds.
static const struct {
    const char *key;
    double min, max;
    size_t offset; // in PeLabel
} numbers[] = {
    {"threshold", 0, 1, offsetof(PeLabel, threshold)},
    {"probability-threshold", 0, 1, offsetof(PeLabel, probability_threshold)},
    {"similarity-threshold", -1, 1, offsetof(PeLabel, similarity_threshold)},
    {"offset", -1000, 1000, offsetof(PeLabel, offset)},
};

static bool
read_numbers(PeLabel *label, JsonObject *object, const char *where,
             GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        JsonNode *node = json_object_get_member(object, numbers[i].key);
        if (!node)
            continue;
        g_autofree char *in_number =
            g_strdup_printf("%s.%s", where, numbers[i].key);
        float *value = (float *)((char *)label + numbers[i].offset);
        if (!pe_json_read_number(node, numbers[i].min, numbers[i].max,
                                 in_number, value, error))
            return false;
    }
    return true;
}

// ---- Examples -------------------------------------------------------------

static bool
read_component(void *vector, JsonNode *node, const char *where, GError **error)
{
    float value;
    if (!pe_json_read_number(node, -FLT_MAX, FLT_MAX, where, &value, error))
        return false;
    g_array_append_val(vector, value);
    return true;
}

// Base64 of little-endian floats. g_base64_decode() leaves out what is none.
static bool
decode_vector(GArray *vector, JsonNode *node, const char *where, GError **error)
{
    const char *text = pe_json_get_string(node);
    size_t size = strlen(text);
    size_t n_valid = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789+/");
    size_t n_ends = strspn(text + n_valid, "=");
    gsize n_bytes;
    g_autofree guchar *bytes = g_base64_decode(text, &n_bytes);
    if (size % 4 != 0 || n_valid + n_ends != size || n_ends > 2 ||
        n_bytes % sizeof(float) != 0) {
        g_autofree char *quoted = pe_quote(text);
        return pe_fail(error, PE_ERROR_FORMAT, where,
                       "expected Base64 of little-endian 32-bit floats, found "
                       "%s",
                       quoted);
    }
    for (size_t i = 0; i < n_bytes; i += sizeof(float)) {
        uint32_t bits;
        float value;
        memcpy(&bits, bytes + i, sizeof bits);
        bits = GUINT32_FROM_LE(bits);
        memcpy(&value, &bits, sizeof value);
        g_array_append_val(vector, value);
    }
    return true;
}

// Has it a direction?
static bool
check_vector(const GArray *vector, const char *where, GError **error)
{
    double sum = 0;
    for (guint i = 0; i < vector->len; i++) {
        double x = (double)g_array_index(vector, float, i);
        sum += x * x;
    }
    return (isfinite(sum) && sum > 0) ||
           pe_fail(error, PE_ERROR_FORMAT, where,
                   "expected finite numbers that are not all 0, found others");
}

static bool
read_vector(PeLabel *label, JsonNode *node, const char *where, GError **error)
{
    label->vector = g_array_new(FALSE, FALSE, sizeof(float));
    bool ok = pe_json_get_string(node)
                  ? decode_vector(label->vector, node, where, error)
              : JSON_NODE_HOLDS_ARRAY(node)
                  ? pe_json_read_list(node, where, read_component,
                                      label->vector, error)
                  : pe_json_fail_type(error, where, "Base64 or a list", node);
    return ok && check_vector(label->vector, where, error);
}

static bool
read_image(void *images, JsonNode *node, const char *where, GError **error)
{
    const char *path = pe_json_get_string(node);
    if (!path || !*path)
        return pe_json_fail_type(error, where, "a picture's path", node);
    g_ptr_array_add(images, g_strdup(path));
    return true;
}

static bool
read_images(PeLabel *label, JsonNode *node, const char *where, GError **error)
{
    bool is_list = JSON_NODE_HOLDS_ARRAY(node);
    if (!is_list || json_array_get_length(json_node_get_array(node)) == 0)
        return pe_json_fail_type(error, where, "a list of pictures",
                                 is_list ? NULL : node);
    label->images = g_ptr_array_new_with_free_func(g_free);
    return pe_json_read_list(node, where, read_image, label->images, error);
}

// What share of the label's vector they have. Examples alone have all of it;
// beside prompts, or when a share is named, they have at most a quarter.
static bool
read_weight(PeLabel *label, JsonNode *node, const char *where, GError **error)
{
    if (!node) {
        label->image_weight = label->prompts ? PE_MAX_IMAGE_WEIGHT : 1;
        return true;
    }
    if (!pe_json_read_number(node, 0, PE_MAX_IMAGE_WEIGHT, where,
                             &label->image_weight, error))
        return false;
    return label->image_weight > 0 ||
           pe_fail(error, PE_ERROR_FORMAT, where,
                   "expected a weight above 0, found 0; leave the examples out "
                   "instead");
}

// The last part of reading a label's object.
static bool
read_examples(PeLabel *label, JsonObject *object, const char *where,
              GError **error)
{
    JsonNode *vector = json_object_get_member(object, "vector");
    JsonNode *images = json_object_get_member(object, "images");
    JsonNode *weight = json_object_get_member(object, "image-weight");
    g_autofree char *in_vector = g_strdup_printf("%s.vector", where);
    g_autofree char *in_images = g_strdup_printf("%s.images", where);
    g_autofree char *in_weight = g_strdup_printf("%s.image-weight", where);
    if (vector && images)
        return pe_fail(error, PE_ERROR_FORMAT, where,
                       "expected \"vector\" or \"images\", found both; a "
                       "label has one of them");
    if (weight && !vector && !images)
        return pe_fail(error, PE_ERROR_FORMAT, in_weight,
                       "expected \"vector\" or \"images\" beside it, found "
                       "neither");
    if ((vector && !read_vector(label, vector, in_vector, error)) ||
        (images && !read_images(label, images, in_images, error)))
        return false;
    return (!vector && !images) || read_weight(label, weight, in_weight, error);
}

// ---- Labels ---------------------------------------------------------------

PeLabel *
pe_label_read(JsonNode *node, bool negative, const char *where, GError **error)
{
    static const char *const keys[] = {"name",
                                       "prompts",
                                       "vector",
                                       "images",
                                       "image-weight",
                                       "threshold",
                                       "probability-threshold",
                                       "similarity-threshold",
                                       "offset",
                                       NULL};
    static const char *const negative_keys[] = {
        "name", "prompts", "vector", "images", "image-weight", NULL};
    const char *text = pe_json_get_string(node);
    if (text)
        return pe_label_new(text);
    if (!JSON_NODE_HOLDS_OBJECT(node)) {
        pe_json_fail_type(error, where, "a string or an object", node);
        return NULL;
    }

    JsonObject *object = json_node_get_object(node);
    if (!pe_json_check_keys(object, negative ? negative_keys : keys, where,
                            error))
        return NULL;
    JsonNode *name = json_object_get_member(object, "name");
    if (!name || !pe_json_get_string(name)) {
        pe_json_fail_type(error, where, "\"name\" to be a string", name);
        return NULL;
    }
    PeLabel *label = pe_label_new(pe_json_get_string(name));
    JsonNode *prompts = json_object_get_member(object, "prompts");
    g_autofree char *in_prompts = g_strdup_printf("%s.prompts", where);
    bool ok = !prompts || read_prompts(label, prompts, in_prompts, error);
    ok = ok && read_numbers(label, object, where, error);
    if (!ok || !read_examples(label, object, where, error))
        g_clear_pointer(&label, pe_label_free);
    return label;
}
