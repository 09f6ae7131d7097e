// SPDX-License-Identifier: LGPL-2.1-or-later
//
// json.h - JSON from files that nobody vouches for.

#pragma once

#include <json-glib/json-glib.h>

#include "pe.h"

// Parse `size` bytes of strict JSON whose root is an object. json-glib's parser
// recurses without a limit and takes more than JSON, so the text is looked over
// first. On failure returns NULL with a PE_ERROR_FORMAT that starts with
// `what`. Returns, json_node_unref().
JsonNode *pe_json_parse_object(const char *text, size_t size, const char *what,
                               GError **error);
