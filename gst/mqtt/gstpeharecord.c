// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeharecord.c - see gstpeharecord.h.

#include "gst/mqtt/gstpeharecord.h"

#include "gst/mqtt/gstpehadevices.h"

#include <math.h>

#define MAX_SCORES 100 // that are told

const char *
gst_pe_ha_record_get_string(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    if (!node || !JSON_NODE_HOLDS_VALUE(node) ||
        json_node_get_value_type(node) != G_TYPE_STRING)
        return NULL;
    const char *text = json_node_get_string(node);
    return text && *text ? text : NULL;
}

double
gst_pe_ha_record_get_number(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);
    GType type = node && JSON_NODE_HOLDS_VALUE(node)
                     ? json_node_get_value_type(node)
                     : G_TYPE_INVALID;

    return type == G_TYPE_DOUBLE || type == G_TYPE_INT64
               ? json_node_get_double(node)
               : NAN;
}

guint64
gst_pe_ha_record_get_count(JsonObject *object, const char *name)
{
    double number = gst_pe_ha_record_get_number(object, name);

    return number >= 0 && number < 0x1p53 ? (guint64)number : 0;
}

bool
gst_pe_ha_record_is_true(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    return node && JSON_NODE_HOLDS_VALUE(node) &&
           json_node_get_value_type(node) == G_TYPE_BOOLEAN &&
           json_node_get_boolean(node);
}

static JsonObject *
get_object(JsonObject *object, const char *name)
{
    JsonNode *node = json_object_get_member(object, name);

    return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node)
                                                : NULL;
}

JsonObject *
gst_pe_ha_record_get_element(JsonObject *object, const char *name, guint i)
{
    JsonNode *node = json_object_get_member(object, name);

    if (!node || !JSON_NODE_HOLDS_ARRAY(node))
        return NULL;
    JsonArray *list = json_node_get_array(node);
    if (i >= json_array_get_length(list))
        return NULL;
    JsonNode *element = json_array_get_element(list, i);
    return JSON_NODE_HOLDS_OBJECT(element) ? json_node_get_object(element)
                                           : NULL;
}

// ---- What is made of a record ---------------------------------------------

char *
gst_pe_ha_record_name_region(JsonObject *record)
{
    JsonObject *region = get_object(record, "region");

    if (!region)
        return NULL;
    if (gst_pe_ha_record_get_string(region, "name"))
        return g_strdup(gst_pe_ha_record_get_string(region, "name"));
    if (json_object_has_member(region, "id"))
        return g_strdup_printf("region-%.0f",
                               gst_pe_ha_record_get_number(region, "id"));
    return g_strdup("region");
}

char *
gst_pe_ha_record_make_scores(JsonObject *record, bool is_unknown)
{
    g_autoptr(JsonBuilder) out = json_builder_new();
    JsonObject *label;

    json_builder_begin_object(out);
    json_builder_set_member_name(out, "scores");
    json_builder_begin_object(out);
    for (guint i = 0;
         i < MAX_SCORES &&
         (label = gst_pe_ha_record_get_element(record, "labels", i));
         i++) {
        const char *name = gst_pe_ha_record_get_string(label, "label");
        double score = gst_pe_ha_record_get_number(label, "score");
        if (!name || isnan(score))
            continue;
        g_autofree char *cut = gst_pe_ha_cut(name);
        json_builder_set_member_name(out, cut);
        json_builder_add_double_value(out, round(score * 1e4) / 1e4);
    }
    json_builder_end_object(out);
    json_builder_set_member_name(out, "unknown");
    json_builder_add_boolean_value(out, is_unknown);
    if (gst_pe_ha_record_get_string(record, "wall-clock")) {
        json_builder_set_member_name(out, "wall-clock");
        json_builder_add_string_value(
            out, gst_pe_ha_record_get_string(record, "wall-clock"));
    }
    json_builder_end_object(out);
    g_autoptr(JsonNode) root = json_builder_get_root(out);
    return json_to_string(root, FALSE);
}

char *
gst_pe_ha_record_make_event(JsonObject *record)
{
    static const char *const copied[] = {
        "label", "element",    "id",    "wall-start", "start",    "wall-end",
        "end",   "peak-score", "clips", "wall-clock", "sequence", "label-set",
    };
    g_autoptr(JsonBuilder) out = json_builder_new();
    g_autofree char *region = gst_pe_ha_record_name_region(record);

    json_builder_begin_object(out);
    json_builder_set_member_name(out, "event_type");
    json_builder_add_string_value(out,
                                  gst_pe_ha_record_get_string(record, "event"));
    for (guint i = 0; i < G_N_ELEMENTS(copied); i++) {
        const char *text = gst_pe_ha_record_get_string(record, copied[i]);
        JsonNode *node = json_object_get_member(record, copied[i]);
        if (!node || !JSON_NODE_HOLDS_VALUE(node))
            continue;
        g_autofree char *cut = text ? gst_pe_ha_cut(text) : NULL;
        json_builder_set_member_name(out, copied[i]);
        if (cut)
            json_builder_add_string_value(out, cut);
        else
            json_builder_add_value(out, json_node_copy(node));
    }
    if (region) {
        json_builder_set_member_name(out, "region");
        g_autofree char *cut = gst_pe_ha_cut(region);
        json_builder_add_string_value(out, cut);
    }
    json_builder_end_object(out);
    g_autoptr(JsonNode) root = json_builder_get_root(out);
    return json_to_string(root, FALSE);
}
