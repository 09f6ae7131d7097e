// SPDX-License-Identifier: LGPL-2.1-or-later
//
// json_line.c - see json_line.h. json-glib would print a float with 17 digits;
// vectors of a thousand floats deserve nine.

#include "json_line.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <stdio.h>

#include "program_output.h"

void
json_append_quoted(GString *text, const char *s)
{
    // A path need not be UTF-8, JSON must.
    g_autofree char *valid = g_utf8_make_valid(s, -1);
    JsonNode *node = json_node_init_string(json_node_alloc(), valid);
    g_autofree char *quoted = json_to_string(node, FALSE);
    json_node_unref(node);
    g_string_append(text, quoted);
}

static void
append_key(JsonLine *j, const char *key)
{
    g_string_append(j->text, j->text->len > 1 ? ", " : "");
    json_append_quoted(j->text, key);
    g_string_append(j->text, ": ");
}

static void
append_number(JsonLine *j, double value)
{
    char buffer[G_ASCII_DTOSTR_BUF_SIZE];
    g_string_append(j->text,
                    isfinite(value)
                        ? g_ascii_formatd(buffer, sizeof buffer, "%.9g", value)
                        : "null");
}

void
json_line_begin(JsonLine *j)
{
    j->text = g_string_new("{");
}

void
json_line_string(JsonLine *j, const char *key, const char *value)
{
    append_key(j, key);
    json_append_quoted(j->text, value);
}

void
json_line_int(JsonLine *j, const char *key, gint64 value)
{
    append_key(j, key);
    g_string_append_printf(j->text, "%" G_GINT64_FORMAT, value);
}

void
json_line_bool(JsonLine *j, const char *key, gboolean value)
{
    append_key(j, key);
    g_string_append(j->text, value ? "true" : "false");
}

void
json_line_number(JsonLine *j, const char *key, double value)
{
    append_key(j, key);
    append_number(j, value);
}

void
json_line_floats(JsonLine *j, const char *key, const float *values, int n)
{
    append_key(j, key);
    g_string_append_c(j->text, '[');
    for (int i = 0; i < n; i++) {
        g_string_append(j->text, i ? ", " : "");
        append_number(j, values[i]);
    }
    g_string_append_c(j->text, ']');
}

void
json_line_ints(JsonLine *j, const char *key, const gint64 *values, int n)
{
    append_key(j, key);
    g_string_append_c(j->text, '[');
    for (int i = 0; i < n; i++)
        g_string_append_printf(j->text, "%s%" G_GINT64_FORMAT, i ? ", " : "",
                               values[i]);
    g_string_append_c(j->text, ']');
}

void
json_line_json(JsonLine *j, const char *key, const char *json)
{
    append_key(j, key);
    g_string_append(j->text, json);
}

char *
json_line_steal(JsonLine *j)
{
    g_string_append_c(j->text, '}');
    return g_string_free(j->text, FALSE);
}

void
json_line_end(JsonLine *j)
{
    g_autofree char *text = json_line_steal(j);
    puts(text);
    program_output_flush();
}
