// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpepace.c - see gstpepace.h.

#include "gst/inference/flow/gstpepace.h"

#include "gst/video/gstpelinks.h"

bool
gst_pe_pace_query_live(GstPad *sinkpad, bool *live)
{
    g_autoptr(GstQuery) query = gst_query_new_latency();
    gboolean answer;

    if (!gst_pad_peer_query(sinkpad, query))
        return false;
    gst_query_parse_latency(query, &answer, NULL, NULL);
    *live = answer;
    return true;
}

static bool
is_synchronised_sink(GstPad *pad)
{
    GstElement *element = gst_pad_get_parent_element(pad);
    gboolean sync = FALSE;

    if (!element)
        return false; // the inside of a ghost pad
    if (GST_OBJECT_FLAG_IS_SET(element, GST_ELEMENT_FLAG_SINK) &&
        !GST_IS_BIN(element)) {
        GParamSpec *spec =
            g_object_class_find_property(G_OBJECT_GET_CLASS(element), "sync");
        if (spec && spec->value_type == G_TYPE_BOOLEAN)
            g_object_get(element, "sync", &sync, NULL);
    }
    gst_object_unref(element);
    return sync;
}

bool
gst_pe_pace_is_synchronised(GstPad *srcpad)
{
    return gst_pe_links_find(srcpad, is_synchronised_sink);
}
