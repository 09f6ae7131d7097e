// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpepace.c - see gstpepace.h.

#include "gst/inference/flow/gstpepace.h"

// Elements between here and a sink; a bound, as a pipeline may have circles.
#define MAX_DEPTH 32

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

typedef struct {
    int depth;
    bool found;
} Search;

static void look_behind(GstPad *srcpad, Search *search);

static void
look_at(const GValue *value, void *data)
{
    GstPad *pad = g_value_get_object(value);

    if (GST_PAD_IS_SRC(pad))
        look_behind(pad, data);
}

static void
look_behind(GstPad *srcpad, Search *search)
{
    GstPad *peer = search->found || search->depth >= MAX_DEPTH
                       ? NULL
                       : gst_pad_get_peer(srcpad);
    if (!peer)
        return;
    if (is_synchronised_sink(peer)) {
        search->found = true;
    } else {
        GstIterator *pads = gst_pad_iterate_internal_links(peer);
        search->depth++;
        while (pads && gst_iterator_foreach(pads, look_at, search) ==
                           GST_ITERATOR_RESYNC)
            gst_iterator_resync(pads);
        search->depth--;
        g_clear_pointer(&pads, gst_iterator_free);
    }
    gst_object_unref(peer);
}

bool
gst_pe_pace_is_synchronised(GstPad *srcpad)
{
    Search search = {0};

    look_behind(srcpad, &search);
    return search.found;
}
