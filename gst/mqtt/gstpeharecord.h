// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeharecord.h - what a record has that Home Assistant is told of. Whatever
// is in it, what is not of the right type counts as not there. Knows no devices
// and no MQTT. Used by gstpehomeassistant.c.

#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>

// Members of an object. Borrowed.

// NULL unless it is a string with something in it.
const char *gst_pe_ha_record_get_string(JsonObject *object, const char *name);
// NaN unless it is a number.
double gst_pe_ha_record_get_number(JsonObject *object, const char *name);
// 0 unless it is a number from 0 to 2^53.
guint64 gst_pe_ha_record_get_count(JsonObject *object, const char *name);
bool gst_pe_ha_record_is_true(JsonObject *object, const char *name);
// Of a list. NULL unless there is an object at `i`.
JsonObject *gst_pe_ha_record_get_element(JsonObject *object, const char *name,
                                         guint i);

// Of a whole record. Each returns g_free().

// What is in the region, or its number; NULL: the record is of the whole frame.
char *gst_pe_ha_record_name_region(JsonObject *record);
// JSON: the scores of a clip's labels, and whether it shows none of them.
char *gst_pe_ha_record_make_scores(JsonObject *record, bool is_unknown);
// JSON: what happened, as Home Assistant's entities for events want it.
char *gst_pe_ha_record_make_event(JsonObject *record);
