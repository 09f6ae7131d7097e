// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpenotes.c - see gstpenotes.h.

#include "gst/engine/gstpenotes.h"

GstDebugCategory *
gst_pe_notes_get_category(void)
{
    static gsize category;

    if (g_once_init_enter(&category)) {
        gsize made = (gsize)_gst_debug_category_new(
            "pe-shared", 0, "what the Perception Encoder elements share");
        g_once_init_leave(&category, made);
    }
    return (GstDebugCategory *)category;
}

void
gst_pe_notes_post(GstElement *element, GstMessageType type,
                  const char *const *notes)
{
    // Of INFO messages gst-launch-1.0 shows nothing but the details.
    for (; *notes; notes++)
        gst_element_message_full(element, type, GST_RESOURCE_ERROR,
                                 GST_RESOURCE_ERROR_SETTINGS, g_strdup(*notes),
                                 type == GST_MESSAGE_INFO ? g_strdup(*notes)
                                                          : NULL,
                                 __FILE__, GST_FUNCTION, __LINE__);
}
