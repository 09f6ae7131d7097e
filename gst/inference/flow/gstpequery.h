// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpequery.h - what neighbours of peinference may ask: caps, latency, the
// CUDA context, and in the queue's order how frames are allocated.

#pragma once

#include "gst/inference/flow/gstpestream.h"

// Installs the query functions of both pads. The sink pad knows its stream.
void gst_pe_query_init(GstPeShared *shared);

// Answer a serialized query, when everything before it has been sent.
bool gst_pe_query_answer(GstPeShared *shared, GstQuery *query);
