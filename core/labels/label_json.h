// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_json.h - a label file in JSON.

#pragma once

#include <json-glib/json-glib.h>

#include "label_spec_private.h"

// Fill an empty specification from the root of a label file in JSON.
bool pe_label_spec_read_json(PeLabelSpec *spec, const char *path,
                             JsonNode *root, GError **error);
