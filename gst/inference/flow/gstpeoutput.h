// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeoutput.h - the source pad's half of the data flow: results are made of
// clips that have ended, put on frames, posted, and sent on in order.
//
// Owned by the task of the source pad, or by the thread that changes the
// element's state while the pads are inactive.

#pragma once

#include "gst/inference/flow/gstpeshared.h"

typedef struct _GstPeOutput GstPeOutput;

// Sets up the queue. Borrows `shared`.
GstPeOutput *gst_pe_output_new(GstPeShared *shared);
void gst_pe_output_free(GstPeOutput *output);

// Results are numbered from 0 again. Borrows the engine until
// gst_pe_output_stop(), which also forgets the stream. With inactive pads.
void gst_pe_output_start(GstPeOutput *output, PeEngine *engine);
void gst_pe_output_stop(GstPeOutput *output);
