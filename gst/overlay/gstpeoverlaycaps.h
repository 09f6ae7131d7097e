// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeoverlaycaps.h - what kinds of frames can be drawn on: those in memory
// that GStreamer blends into, and any at all in front of an element that draws
// the overlay itself.

#pragma once

#include <gst/gst.h>
#include <stdbool.h>

#define GST_PE_OVERLAY_CAPS \
    GST_VIDEO_CAPS_MAKE(GST_VIDEO_OVERLAY_COMPOSITION_BLEND_FORMATS) \
    "; video/x-raw(ANY)"

// Do all of the caps say that the overlay travels beside the pixels?
bool gst_pe_overlay_caps_have_feature(const GstCaps *caps);
// The same caps saying so. Returns a reference.
GstCaps *gst_pe_overlay_caps_add_feature(const GstCaps *caps);
// Can pixels of these caps be drawn on?
bool gst_pe_overlay_caps_can_blend(const GstCaps *caps);

// Answers for a pad of the element: what the other pad's peer can do, and what
// becomes of that here. Return a reference.
//   other   the other pad
//   filter  borrowed; NULL: none
GstCaps *gst_pe_overlay_caps_for_sink(GstPad *other, const GstCaps *filter);
GstCaps *gst_pe_overlay_caps_for_src(GstPad *other, const GstCaps *filter);
