// SPDX-License-Identifier: LGPL-2.1-or-later
//
// json.c - a guard before json-glib's parser. Called for headers and metadata
// of checkpoints.

#include "json.h"

#include <string.h>

#define MAX_DEPTH 16

typedef struct {
    GHashTable *names;
    char *duplicate;
} Duplicates;

// Outside of strings nothing but the characters of JSON: then json-glib sees
// strings begin and end where this does, and the depth counted is its depth.
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
pe_json_parse_object(const char *text, size_t size, const char *what,
                     GError **error)
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
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s is not JSON: %s",
                    what, cause->message);
        return NULL;
    }
    JsonNode *root = json_parser_get_root(parser);
    if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s is not a JSON object",
                    what);
        return NULL;
    }
    if (duplicate) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "%s has '%s' twice", what,
                    duplicate);
        return NULL;
    }
    return json_parser_steal_root(parser);
}
