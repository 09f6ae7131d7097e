// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeinput.h - the sink pad's half of the data flow: which frames become
// jobs, which clips they make, and where streams begin and end.
//
// Owned by the streaming thread of the sink pad, or by the thread that changes
// the element's state while the pads are inactive, or by the one that flushes.

#pragma once

#include "gst/inference/flow/gstpestream.h"

// Installs the functions of both pads but those for queries. Borrows `shared`.
GstPeStream *gst_pe_input_new(GstPeShared *shared);
void gst_pe_input_free(GstPeStream *stream);

// Embed with this client of the engine; borrows both until
// gst_pe_input_stop(), which also forgets the stream. With inactive pads.
void gst_pe_input_start(GstPeStream *stream, PeEngine *engine,
                        PeClient *client);
void gst_pe_input_stop(GstPeStream *stream);
