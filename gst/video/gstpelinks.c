// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelinks.c - see gstpelinks.h.

#include "gst/video/gstpelinks.h"

// Elements on a way; a bound, as a pipeline may have circles.
#define MAX_DEPTH 32

typedef struct {
    GstPePadFunc matches;
    GstPadDirection direction; // of the pads that are looked beyond
    int depth;
    bool found;
} Search;

static void look_beyond(GstPad *pad, Search *search);

static void
look_at(const GValue *value, void *data)
{
    GstPad *pad = g_value_get_object(value);
    Search *search = data;

    if (GST_PAD_DIRECTION(pad) == search->direction)
        look_beyond(pad, search);
}

static void
look_beyond(GstPad *pad, Search *search)
{
    GstPad *peer = search->found || search->depth >= MAX_DEPTH
                       ? NULL
                       : gst_pad_get_peer(pad);
    if (!peer)
        return;
    if (search->matches(peer)) {
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
gst_pe_links_find(GstPad *pad, GstPePadFunc matches)
{
    Search search = {.matches = matches, .direction = GST_PAD_DIRECTION(pad)};

    look_beyond(pad, &search);
    return search.found;
}
