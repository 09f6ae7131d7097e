// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_json_label.h - one label of a label file in JSON: its name, prompts,
// thresholds and examples. Knows nothing of the file around it.

#pragma once

#include <json-glib/json-glib.h>

#include "label_spec_private.h"

// The label of an element of "labels" or, with fewer members, "negatives".
// Paths of pictures stay as they are written. Returns NULL on failure, with a
// message that begins with `where`; pe_label_free() the label.
PeLabel *pe_label_read(JsonNode *node, bool negative, const char *where,
                       GError **error);
