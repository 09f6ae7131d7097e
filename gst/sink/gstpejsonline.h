// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpejsonline.h - what a topic needs of a JSON object in one line, without
// building a tree: members by name. Whatever the line holds, this needs one
// pass and no memory but the values.

#pragma once

#include <glib.h>
#include <stdbool.h>

// A value in a topic's name, bytes.
#define GST_PE_JSON_LINE_MAX_VALUE 4096

// Look for members of the object `text` [size], which must be one, in UTF-8.
//   names   [n]  borrows
//   values  [n]  strings, numbers and truth values as text, g_free(); NULL:
//                not there, or an object, list or null
// "label" of a result without one is its best label's, labels[0].label.
// Returns false, with nothing in `values`, and an error of PE_ERROR_FORMAT that
// names the byte (from 0).
bool gst_pe_json_line_read(const char *text, gsize size,
                           const char *const *names, guint n, char **values,
                           GError **error);
