// SPDX-License-Identifier: LGPL-2.1-or-later
//
// python_words.h - classes and templates that Python packages bring, read at
// run time by python3; for words.c.

#pragma once

#include "core/pe.h"

#include <json-glib/json-glib.h>

// What is asked for: "imagenet" (the classes, [[wnid or "", name], ...]),
// "imagenet-a", or "templates" (["a photo of {}.", ...]). Returns an array,
// json_node_unref(); NULL with an error that says what to install.
JsonNode *python_words_read(const char *what, GError **error);
