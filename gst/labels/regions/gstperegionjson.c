// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperegionjson.c - see gstperegionjson.h. Every key is looked at, so that a
// typing error is told and not ignored.

#include "gst/labels/regions/gstperegionjson.h"

#include "gst/labels/regions/gstperegions.h"
#include "gst/labels/regions/gstperegiontext.h"

#include <json-glib/json-glib.h>
#include <math.h>

// Returns false.
static bool
refuse(GError **error, guint index, const char *key, const char *expected,
       JsonNode *found)
{
    g_autofree char *text = found ? json_to_string(found, FALSE) : NULL;

    g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                "regions[%u]%s%s: expected %s, found %s", index, key ? "." : "",
                key ? key : "", expected, text ? text : "nothing");
    return false;
}

static bool
is_number(JsonNode *node)
{
    return JSON_NODE_HOLDS_VALUE(node) &&
           (json_node_get_value_type(node) == G_TYPE_INT64 ||
            json_node_get_value_type(node) == G_TYPE_DOUBLE);
}

static const char *
get_text(JsonNode *node)
{
    return JSON_NODE_HOLDS_VALUE(node) &&
                   json_node_get_value_type(node) == G_TYPE_STRING
               ? json_node_get_string(node)
               : NULL;
}

static bool
read_length(JsonNode *node, double *value, bool *percent)
{
    const char *text = get_text(node);

    if (text)
        return gst_pe_region_text_length(text, value, percent);
    *percent = false;
    *value = is_number(node) ? json_node_get_double(node) : 0;
    return is_number(node);
}

static bool
read_rectangle(JsonNode *node, GstPeNamedRegion *region)
{
    JsonArray *sides =
        JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

    if (!sides || json_array_get_length(sides) != 4)
        return false;
    for (guint i = 0; i < 4; i++) {
        if (!read_length(json_array_get_element(sides, i),
                         &region->rectangle[i], &region->percent[i]))
            return false;
    }
    return true;
}

static bool
read_number(JsonNode *node, double least, double most, double *number)
{
    if (!is_number(node))
        return false;
    *number = json_node_get_double(node);
    return *number >= least && *number <= most;
}

// What was expected of the value instead; NULL: it is right.
static const char *
read_value(const char *key, JsonNode *node, GstPeNamedRegion *region)
{
    const char *text = get_text(node);
    double number = 0;
    PeLabelsMode mode;

    if (g_str_equal(key, "name")) {
        region->name = g_strdup(text);
        return text && *text ? NULL : "a name";
    }
    if (g_str_equal(key, "rectangle"))
        return read_rectangle(node, region)
                   ? NULL
                   : "[left, top, width, height], each a number of pixels or "
                     "a text such as \"10%\"";
    if (g_str_equal(key, "labels")) {
        // The reader of labels knows what may be in it.
        region->text = text ? g_strdup(text) : json_to_string(node, FALSE);
        return text || !JSON_NODE_HOLDS_VALUE(node) ? NULL : "labels";
    }
    if (g_str_equal(key, "labels-mode")) {
        region->mode = g_strdup(text);
        return text && pe_labels_mode_parse(text, &mode)
                   ? NULL
                   : "\"exclusive\" or \"independent\"";
    }
    if (g_str_equal(key, "interval")) {
        if (!read_number(node, 1, 1e6, &number) || number != floor(number))
            return "a whole number from 1 to 1000000";
        region->interval = (int)number;
        return NULL;
    }
    if (g_str_equal(key, "on-change")) {
        if (!read_number(node, 0, 255, &number))
            return "a number from 0 to 255";
        region->on_change = number;
        return NULL;
    }
    return "one of name, rectangle, labels, labels-mode, interval and "
           "on-change as the key";
}

static bool
read_region(JsonNode *node, guint index, GArray *read, GError **error)
{
    GstPeNamedRegion region = {.interval = 1};
    bool ok = true, placed = false;

    if (!JSON_NODE_HOLDS_OBJECT(node))
        return refuse(error, index, NULL, "an object", node);
    JsonObject *object = json_node_get_object(node);
    g_autoptr(GList) keys = json_object_get_members(object);
    for (GList *l = keys; ok && l; l = l->next) {
        JsonNode *value = json_object_get_member(object, l->data);
        const char *expected = read_value(l->data, value, &region);
        placed |= g_str_equal(l->data, "rectangle");
        if (expected)
            ok = refuse(error, index, l->data, expected, value);
    }
    if (ok && !region.name)
        ok = refuse(error, index, "name", "a name", NULL);
    if (ok && !placed)
        ok = refuse(error, index, "rectangle", "[left, top, width, height]",
                    NULL);
    g_array_append_val(read, region);
    return ok;
}

bool
gst_pe_region_json_read(const char *text, GArray *read, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    GError *local = NULL;

    if (!json_parser_load_from_data(parser, text, -1, &local)) {
        // It names line and column.
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT, "regions: %s",
                    local->message);
        g_error_free(local);
        return false;
    }
    JsonNode *root = json_parser_get_root(parser);
    if (root && JSON_NODE_HOLDS_OBJECT(root) &&
        json_object_get_size(json_node_get_object(root)) == 1)
        root = json_object_get_member(json_node_get_object(root), "regions");
    if (!root || !JSON_NODE_HOLDS_ARRAY(root)) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "regions: expected a list of objects in JSON, or an object "
                    "with \"regions\", which is that list, alone");
        return false;
    }
    JsonArray *list = json_node_get_array(root);
    for (guint i = 0; i < json_array_get_length(list); i++) {
        if (!read_region(json_array_get_element(list, i), i, read, error))
            return false;
    }
    return true;
}
