// SPDX-License-Identifier: LGPL-2.1-or-later
//
// json_line.h - one JSON object on one line, for machines that read our output.
// Shared by the programs.

#pragma once

#include <glib.h>

typedef struct {
    GString *text;
} JsonLine;

void json_line_begin(JsonLine *j);
void json_line_string(JsonLine *j, const char *key, const char *value);
void json_line_int(JsonLine *j, const char *key, gint64 value);
void json_line_bool(JsonLine *j, const char *key, gboolean value);
// Enough digits to give the same f32 again; null unless finite.
void json_line_number(JsonLine *j, const char *key, double value);
void json_line_floats(JsonLine *j, const char *key, const float *values, int n);
void json_line_ints(JsonLine *j, const char *key, const gint64 *values, int n);
// A value that is JSON already.
void json_line_json(JsonLine *j, const char *key, const char *json);
// Prints the object and a newline, and flushes.
void json_line_end(JsonLine *j);
// The object without a newline. Returns, g_free().
char *json_line_steal(JsonLine *j);

// `s` quoted and escaped, appended.
void json_append_quoted(GString *text, const char *s);
