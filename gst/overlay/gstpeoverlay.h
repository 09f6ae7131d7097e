// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeoverlay.h - draws results on the frames that carry them.

#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_PE_OVERLAY (gst_pe_overlay_get_type())
G_DECLARE_FINAL_TYPE(GstPeOverlay, gst_pe_overlay, GST, PE_OVERLAY, GstElement)
GST_ELEMENT_REGISTER_DECLARE(peoverlay);

G_END_DECLS
