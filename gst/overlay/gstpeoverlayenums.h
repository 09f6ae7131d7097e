// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeoverlayenums.h - the types of the element's properties.

#pragma once

#include <glib-object.h>

typedef enum {
    GST_PE_SHOW_LABELS = 1 << 0,
    GST_PE_SHOW_EVENTS = 1 << 1,
    GST_PE_SHOW_REGIONS = 1 << 2,
    GST_PE_SHOW_ALL = (1 << 3) - 1,
} GstPeShow;

#define GST_TYPE_PE_SHOW (gst_pe_show_get_type())
#define GST_TYPE_PE_POSITION (gst_pe_position_get_type())

GType gst_pe_show_get_type(void);
GType gst_pe_position_get_type(void); // GstPePosition
