// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpesample.h - a result of the tower as a sample: when it was, and the
// embedding as it left the tower. What cannot be used is told once.

#pragma once

#include "gst/score/gstpescore.h"

// The segment is that in which the result came.
GstPeTimes gst_pe_sample_get_times(const GstPeResult *result,
                                   const GstSegment *segment);

// Returns [dim] of the engine, not of unit length, g_free(); NULL after a
// warning: it cannot be scored.
float *gst_pe_sample_get_embedding(GstPeScore *self, const GstPeResult *result,
                                   const GstPeTimes *times);
