// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpestrides.c - see gstpestrides.h.

#include "gstpestrides.h"

#include <gst/video/video.h>

static GstPadProbeReturn
on_query(GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
    GstQuery *query = GST_PAD_PROBE_INFO_QUERY(info);

    if (GST_QUERY_TYPE(query) != GST_QUERY_ALLOCATION)
        return GST_PAD_PROBE_OK;
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
    return GST_PAD_PROBE_HANDLED;
}

void
gst_pe_strides_accept(GstPad *pad)
{
    gst_pad_add_probe(
        pad, GST_PAD_PROBE_TYPE_QUERY_DOWNSTREAM | GST_PAD_PROBE_TYPE_PUSH,
        on_query, NULL, NULL);
}
