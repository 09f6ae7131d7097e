// SPDX-License-Identifier: LGPL-2.1-or-later
//
// json.c - a guard before json-glib's parser. Called for headers and metadata
// of checkpoints, tokenizers and label files.

#include "json.h"

#include <string.h>

#include "read_file.h"

#define MAX_DEPTH 16

typedef struct {
    GHashTable *names;
    char *duplicate;
} Duplicates;

// Outside of strings, only the characters of JSON are allowed. Then strings
// begin and end for json-glib where they do here, and the depth that is counted
// here is the depth of its recursion.
static const char *
find_fault(const char *text, size_t size)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > MAX_DEPTH)
                return "is nested too deeply";
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == '\0' ||
                   !strchr(" \t\r\n:,-+.0123456789eEtrufalsn", c)) {
            return "is not JSON";
        }
    }
    return in_string || depth != 0 ? "ends too early" : NULL;
}

// json-glib lets the last of two members of one name win. Only objects inside
// the root can be two tensors of one name.
static void
note_member(JsonParser *parser, JsonObject *object, const char *name,
            void *user_data)
{
    Duplicates *duplicates = user_data;
    if (!JSON_NODE_HOLDS_OBJECT(json_object_get_member(object, name)))
        return;
    if (!g_hash_table_add(duplicates->names, g_strdup(name)) &&
        !duplicates->duplicate)
        duplicates->duplicate = g_strdup(name);
}

JsonNode *
pe_json_parse(const char *text, size_t size, const char *what, GError **error)
{
    const char *fault = find_fault(text, size);
    if (fault) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s %s", what, fault);
        return NULL;
    }
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GHashTable) names =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Duplicates duplicates = {names, NULL};
    g_signal_connect(parser, "object-member", G_CALLBACK(note_member),
                     &duplicates);
    g_autoptr(GError) cause = NULL;
    bool ok = json_parser_load_from_data(parser, text, (gssize)size, &cause);
    g_autofree char *duplicate = duplicates.duplicate;
    if (!ok) {
        g_autofree char *message = g_utf8_make_valid(cause->message, -1);
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s is not JSON: %s",
                    what, message);
        return NULL;
    }
    if (duplicate) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s has '%s' twice", what,
                    duplicate);
        return NULL;
    }
    JsonNode *root = json_parser_steal_root(parser);
    if (!root)
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s is empty", what);
    return root;
}

JsonNode *
pe_json_parse_object(const char *text, size_t size, const char *what,
                     GError **error)
{
    JsonNode *root = pe_json_parse(text, size, what, error);
    if (root && !JSON_NODE_HOLDS_OBJECT(root)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s is not a JSON object",
                    what);
        g_clear_pointer(&root, json_node_unref);
    }
    return root;
}

const char *
pe_json_get_string(JsonNode *node)
{
    return JSON_NODE_HOLDS_VALUE(node) ? json_node_get_string(node) : NULL;
}

const char *
pe_json_describe(JsonNode *node)
{
    if (!node)
        return "nothing";
    switch (json_node_get_node_type(node)) {
    case JSON_NODE_OBJECT:
        return "an object";
    case JSON_NODE_ARRAY:
        return "a list";
    case JSON_NODE_NULL:
        return "null";
    default:
        break;
    }
    switch (json_node_get_value_type(node)) {
    case G_TYPE_STRING:
        return "a string";
    case G_TYPE_BOOLEAN:
        return "a truth value";
    default:
        return "a number";
    }
}

// ---- Values that must be there --------------------------------------------

bool
pe_json_fail_type(GError **error, const char *where, const char *expected,
                  JsonNode *node)
{
    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s: expected %s, found %s",
                where, expected, pe_json_describe(node));
    return false;
}

bool
pe_json_check_keys(JsonObject *object, const char *const *known,
                   const char *where, GError **error)
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

bool
pe_json_read_list(JsonNode *node, const char *where, PeJsonReadFunc read,
                  void *target, GError **error)
{
    if (!JSON_NODE_HOLDS_ARRAY(node))
        return pe_json_fail_type(error, where, "a list", node);
    JsonArray *list = json_node_get_array(node);
    for (guint i = 0; i < json_array_get_length(list); i++) {
        g_autofree char *position = g_strdup_printf("%s[%u]", where, i);
        if (!read(target, json_array_get_element(list, i), position, error))
            return false;
    }
    return true;
}

bool
pe_json_read_number(JsonNode *node, double min, double max, const char *where,
                    float *value, GError **error)
{
    g_autofree char *expected =
        g_strdup_printf("a number from %g to %g", min, max);
    GType type = node && JSON_NODE_HOLDS_VALUE(node)
                     ? json_node_get_value_type(node)
                     : G_TYPE_INVALID;
    if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE)
        return pe_json_fail_type(error, where, expected, node);
    double number = json_node_get_double(node);
    if (!(number >= min && number <= max)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "%s: expected %s, found %g", where, expected, number);
        return false;
    }
    *value = (float)number;
    return true;
}
