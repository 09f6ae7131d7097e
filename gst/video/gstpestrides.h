// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpestrides.h - frames whose lines lie as they like.

#pragma once

#include <gst/gst.h>

// Answers ALLOCATION queries that come to this sink pad of an element that
// would not: whoever reads frames there looks at GstVideoMeta. Decoders that
// know it give away the frames that they have decoded into; others are copied
// into lines without gaps. Borrows the pad.
void gst_pe_strides_accept(GstPad *pad);
