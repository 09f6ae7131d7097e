// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeformat.h - which pixel format of the library each of GStreamer's is.
// Called by gstpeframe.c.

#pragma once

#include "core/pe.h"

#include <gst/video/video.h>

// false when the library has no such format.
bool gst_pe_format_from_gst(GstVideoFormat format, PeFormat *out);
