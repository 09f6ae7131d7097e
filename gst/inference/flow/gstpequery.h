// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpequery.h - what neighbours of peinference may ask: caps, latency, the
// CUDA context, and in the queue's order how frames are allocated.

#pragma once

#include "gst/inference/flow/gstpeinput.h"

// Installs the query functions of both pads. Borrows both.
void gst_pe_query_init(GstPeShared *shared, GstPeInput *input);
