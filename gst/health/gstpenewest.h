// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpenewest.h - the newest embedding of a stream's whole frames, as a
// peinference upstream has left it. Results are not on every frame, and seldom
// on one that is looked at.

#pragma once

#include "gst/meta/gstpemeta.h"

// One owner. Zeros have none.
typedef struct {
    GstPeResult *result;
    GstClockTime time; // when it came, running time
} GstPeNewest;

void gst_pe_newest_clear(GstPeNewest *newest);

// Keep a result that came at that time, if it is of a whole frame.
void gst_pe_newest_keep(GstPeNewest *newest, GstPeResult *result,
                        GstClockTime time);
// Those of a buffer, likewise.
void gst_pe_newest_keep_all(GstPeNewest *newest, GstBuffer *buffer,
                            GstClockTime time);

// Returns [dim], g_free(); NULL: there is none that says something about a
// picture of that time.
//   interval  ns between two pictures that are looked at
float *gst_pe_newest_get(const GstPeNewest *newest, GstClockTime time,
                         GstClockTime interval, gsize *dim);
