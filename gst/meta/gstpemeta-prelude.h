// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemeta-prelude.h - which symbols libgstpemeta shows.

#pragma once

#include <gst/gst.h>

#ifdef BUILDING_GST_PE_META
#define GST_PE_META_API GST_API_EXPORT
#else
#define GST_PE_META_API GST_API_IMPORT
#endif
