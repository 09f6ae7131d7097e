// SPDX-License-Identifier: LGPL-2.1-or-later
//
// json.h - reads JSON from files that cannot be trusted.

#pragma once

#include <json-glib/json-glib.h>

#include "core/pe.h"

// Parse `size` bytes of strict JSON. json-glib's parser recurses without a
// limit and takes more than JSON, so the text is looked over first. On failure
// returns NULL with a PE_ERROR_FORMAT that starts with `what`. Returns,
// json_node_unref(). Strings may still hold what is not UTF-8.
JsonNode *pe_json_parse(const char *text, size_t size, const char *what,
                        GError **error);

// The same for a text whose root must be an object.
JsonNode *pe_json_parse_object(const char *text, size_t size, const char *what,
                               GError **error);

// NULL unless the node is a string. (json_node_get_string() must not be asked
// about lists and objects.)
const char *pe_json_get_string(JsonNode *node);

// "an object", "a string" ...: for messages about a value of the wrong type.
const char *pe_json_describe(JsonNode *node);

// ---- Values that must be there --------------------------------------------
// Each fails with a PE_ERROR_FORMAT that starts with `where` the value stands
// and says what was expected and what was found.

// Always fails. `node` may be NULL.
bool pe_json_fail_type(GError **error, const char *where, const char *expected,
                       JsonNode *node);

// Fails at the first member that is not in the NULL-terminated `known`.
bool pe_json_check_keys(JsonObject *object, const char *const *known,
                        const char *where, GError **error);

// Reads an element of a list into `target`.
typedef bool (*PeJsonReadFunc)(void *target, JsonNode *node, const char *where,
                               GError **error);

// Read every element of a list into `target`; `where` each stands ends in its
// number.
bool pe_json_read_list(JsonNode *node, const char *where, PeJsonReadFunc read,
                       void *target, GError **error);

// A number from min to max.
bool pe_json_read_number(JsonNode *node, double min, double max,
                         const char *where, float *value, GError **error);
