// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeoverlayenums.c - see gstpeoverlayenums.h.

#include "gst/overlay/gstpeoverlayenums.h"

#include "gst/overlay/gstpelayout.h"

GType
gst_pe_show_get_type(void)
{
    static GType type;
    static const GFlagsValue values[] = {
        {GST_PE_SHOW_LABELS, "The table of the frame's labels", "labels"},
        {GST_PE_SHOW_EVENTS, "Events that go on", "events"},
        {GST_PE_SHOW_REGIONS, "Boxes around regions", "regions"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_flags_register_static("GstPeShow", values);
        g_once_init_leave(&type, t);
    }
    return type;
}

GType
gst_pe_position_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_PE_POSITION_TOP_LEFT, "Top left", "top-left"},
        {GST_PE_POSITION_TOP_RIGHT, "Top right", "top-right"},
        {GST_PE_POSITION_BOTTOM_LEFT, "Bottom left", "bottom-left"},
        {GST_PE_POSITION_BOTTOM_RIGHT, "Bottom right", "bottom-right"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPePosition", values);
        g_once_init_leave(&type, t);
    }
    return type;
}
