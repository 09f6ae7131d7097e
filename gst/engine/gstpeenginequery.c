// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeenginequery.c - see gstpeenginequery.h.

#include "gst/engine/gstpeenginequery.h"

#define NAME "pe-engine"

bool
gst_pe_engine_query_is(GstQuery *query)
{
    return GST_QUERY_TYPE(query) == GST_QUERY_CUSTOM &&
           gst_structure_has_name(gst_query_get_structure(query), NAME);
}

void
gst_pe_engine_query_answer(GstQuery *query, const GstPeEngineSettings *settings)
{
    gst_structure_set(gst_query_writable_structure(query), "model",
                      G_TYPE_STRING, settings->path, "device", G_TYPE_STRING,
                      settings->device, "precision", G_TYPE_INT,
                      (int)settings->precision, "batch-size", G_TYPE_UINT,
                      settings->batch_size, "batch-timeout", G_TYPE_UINT,
                      settings->batch_timeout, "threads", G_TYPE_UINT,
                      settings->threads, NULL);
}

bool
gst_pe_engine_query_ask(GstPad *sinkpad, GstPeEngineSettings *settings)
{
    GstQuery *query =
        gst_query_new_custom(GST_QUERY_CUSTOM, gst_structure_new_empty(NAME));
    int precision;

    *settings = (GstPeEngineSettings){0};
    bool found = gst_pad_peer_query(sinkpad, query);
    const GstStructure *s = gst_query_get_structure(query);
    found =
        found && gst_structure_get_int(s, "precision", &precision) &&
        gst_structure_get_uint(s, "batch-size", &settings->batch_size) &&
        gst_structure_get_uint(s, "batch-timeout", &settings->batch_timeout) &&
        gst_structure_get_uint(s, "threads", &settings->threads);
    if (found) {
        settings->precision = (PePrecision)precision;
        settings->path = g_strdup(gst_structure_get_string(s, "model"));
        settings->device = g_strdup(gst_structure_get_string(s, "device"));
    }
    gst_query_unref(query);
    return found;
}
