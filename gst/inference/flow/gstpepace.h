// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpepace.h - what the pipeline around the element asks of its pace.

#pragma once

#include <gst/gst.h>
#include <stdbool.h>

// Is upstream live? false when nobody can say so yet; then *live is left alone.
bool gst_pe_pace_query_live(GstPad *sinkpad, bool *live);

// Does a sink behind this pad show each buffer when its time has come? Looks
// through bins, tees and queues at the `sync` property of the sinks.
bool gst_pe_pace_is_synchronised(GstPad *srcpad);
