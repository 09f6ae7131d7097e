// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelatest.h - the newest results that frames may carry: one of the whole
// frame, one of each named region, and those of the objects of one frame. Owned
// by the task of the source pad.

#pragma once

#include "gst/labels/regions/gstperegions.h"
#include "gst/meta/gstpemeta.h"
#include "gst/result/gstpeanalytics.h"
#include "gst/video/gstpetimes.h"

typedef enum {
    GST_PE_FOUND_WHOLE,
    GST_PE_FOUND_NAMED,
    GST_PE_FOUND_OBJECT,
} GstPeFoundKind;

// A result of a clip that has ended.
typedef struct {
    GstPeFoundKind kind;
    GstPeResult *result;   // a reference; NULL: the frame has no objects
    GstPeRegions *regions; // a reference, that the named one is of; else NULL
    guint index;           // which of them
    int detection;   // id of its GstAnalyticsODMtd on the frame that is next to
                     // carry it; -1: none
    GstPeTimes last; // of the clip
    bool carried;    // by a frame
} GstPeFound;

// Returns an array of GstPeFound.
GArray *gst_pe_found_new(void);

typedef struct {
    GArray *found; // GstPeFound
} GstPeLatest;

void gst_pe_latest_init(GstPeLatest *latest);
void gst_pe_latest_clear(GstPeLatest *latest);

// Results of one sample take the place of older ones of the same kind. Returns
// how many of these no frame has carried.
guint gst_pe_latest_take(GstPeLatest *latest, const GArray *found);
// Nothing is latest any more. Returns the same.
guint gst_pe_latest_forget(GstPeLatest *latest);
// Forget what is no longer looked at. `regions`: borrowed; NULL: none.
void gst_pe_latest_keep(GstPeLatest *latest, bool whole, bool objects,
                        const GstPeRegions *regions);

// Put on a frame what no frame has carried, or (repeat) everything. Takes the
// buffer and returns it, or a copy that can be written to.
//   running_end  of the frame
//   wish         what GStreamer's own metadata is to tell of it, borrowed
GstBuffer *gst_pe_latest_attach(GstPeLatest *latest, GstBuffer *buffer,
                                bool repeat, GstClockTime running_end,
                                const GstPeAnalyticsWish *wish);
