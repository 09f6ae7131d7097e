// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpenotes.h - what the library found worth telling, for the application, and
// where what several elements do is logged.

#pragma once

#include <gst/gst.h>

// The debug category "pe-shared", to be GST_CAT_DEFAULT.
GstDebugCategory *gst_pe_notes_get_category(void);

// Post a message of an element for each of the NULL-terminated notes.
//   type  GST_MESSAGE_WARNING or GST_MESSAGE_INFO
void gst_pe_notes_post(GstElement *element, GstMessageType type,
                       const char *const *notes);
