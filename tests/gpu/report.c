// SPDX-License-Identifier: LGPL-2.1-or-later
//
// report.c - see report.h.

#include "report.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static JsonObject *root;
static const char *file;

void
report_open(const char *path)
{
    root = json_object_new();
    file = path;
}

static char *
to_text(void)
{
    g_autoptr(JsonGenerator) generator = json_generator_new();
    JsonNode *node = json_node_alloc();
    json_node_init_object(node, root);
    json_generator_set_root(generator, node);
    json_node_free(node);
    return json_generator_to_data(generator, NULL);
}

// In a new file that takes the old one's place. It is not waited for until that
// is on the disk: a program that is killed leaves it whole, and that will do.
void
report_save(void)
{
    if (!file)
        return;
    g_autofree char *text = to_text();
    g_autofree char *name = g_strconcat(file, ".new", NULL);
    FILE *f = fopen(name, "w");
    bool ok = f && fputs(text, f) >= 0;
    if (f && fclose(f) != 0)
        ok = false;
    if (ok && rename(name, file) == 0)
        return;
    g_printerr("measure: %s: %s\n", file, g_strerror(errno));
    exit(1);
}

void
report_print(void)
{
    g_autofree char *text = to_text();
    g_print("%s\n", text);
}

static JsonNode *
number_node(double value)
{
    JsonNode *node = json_node_alloc();
    if (fabs(value) < 1e9 && value == floor(value))
        return json_node_init_int(node, (gint64)value);
    return isfinite(value) ? json_node_init_double(node, value)
                           : json_node_init_null(node);
}

static JsonNode *
pair_node(const double values[2])
{
    JsonArray *pair = json_array_new();
    json_array_add_element(pair, number_node(values[0]));
    json_array_add_element(pair, number_node(values[1]));
    JsonNode *node = json_node_alloc();
    json_node_init_array(node, pair);
    json_array_unref(pair);
    return node;
}

void
report_text(const char *name, const char *text)
{
    json_object_set_string_member(root, name, text);
    report_save();
}

void
report_number(const char *name, double value)
{
    row_number(root, name, value);
    report_save();
}

void
report_pair(const char *name, const double values[2])
{
    row_pair(root, name, values);
    report_save();
}

static JsonArray *
get_list(const char *name)
{
    if (!json_object_has_member(root, name))
        json_object_set_array_member(root, name, json_array_new());
    return json_object_get_array_member(root, name);
}

void
report_line(const char *list, const char *text)
{
    json_array_add_string_element(get_list(list), text);
}

JsonObject *
report_row(const char *list)
{
    JsonObject *row = json_object_new();
    json_array_add_object_element(get_list(list), row);
    return row;
}

void
row_number(JsonObject *row, const char *name, double value)
{
    json_object_set_member(row, name, number_node(value));
}

void
row_pair(JsonObject *row, const char *name, const double values[2])
{
    json_object_set_member(row, name, pair_node(values));
}
