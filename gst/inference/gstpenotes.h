// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpenotes.h - what the library found worth telling, for the application.

#pragma once

#include <gst/gst.h>

// Post a message of an element for each of the NULL-terminated notes.
//   type  GST_MESSAGE_WARNING or GST_MESSAGE_INFO
void gst_pe_notes_post(GstElement *element, GstMessageType type,
                       const char *const *notes);
