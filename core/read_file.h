// SPDX-License-Identifier: LGPL-2.1-or-later
//
// read_file.h - small files that users wrote or downloaded (vocabularies, label
// files), read whole and distrusted. Private to core.

#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

// The content, unpacked when it is gzip, with a NUL after it. More than
// `max_size` unpacked bytes are an error. Returns NULL or a buffer, g_free().
char *pe_read_file(const char *path, size_t max_size, size_t *size,
                   GError **error);

// Parse `text` (borrowed), which came from `path`. Refuses NUL bytes and deep
// nesting, which would exhaust the parser's stack. Returns the root or NULL.
JsonNode *pe_parse_json(const char *path, const char *text, size_t size,
                        GError **error);

// "an object", "a string" ...: for messages about a value of the wrong type.
const char *pe_json_describe(JsonNode *node);

// NULL unless the node is a string. (json_node_get_string() must not be asked
// about lists and objects.)
const char *pe_json_get_string(JsonNode *node);

// The first characters of `text` in quotes, for messages: what comes from a
// file may be megabytes long. Returns, g_free().
char *pe_quote(const char *text);
