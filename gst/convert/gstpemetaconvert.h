// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemetaconvert.h - results on buffers become lines of JSON.

#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_PE_META_CONVERT (gst_pe_meta_convert_get_type())
G_DECLARE_FINAL_TYPE(GstPeMetaConvert, gst_pe_meta_convert, GST,
                     PE_META_CONVERT, GstElement)
GST_ELEMENT_REGISTER_DECLARE(pemetaconvert);

G_END_DECLS
