// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeevents.h - what the pads do with events. Those that are serialized go
// through the queue, and begin and end streams on their way.

#pragma once

#include "gst/inference/flow/gstpestream.h"

// The pad's private data is the GstPeStream.
gboolean gst_pe_events_sink(GstPad *pad, GstObject *parent, GstEvent *event);
// The pad's private data is the GstPeShared.
gboolean gst_pe_events_src(GstPad *pad, GstObject *parent, GstEvent *event);
