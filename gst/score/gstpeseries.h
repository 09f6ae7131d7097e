// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeseries.h - the results of an element upstream, sorted: which of them are
// new, and which are of the same thing, the whole frame or a region, so that
// windows over them mean something. One owner.

#pragma once

#include "gst/score/gstpewindow.h"

// Things that have samples at the same time. The one that was seen longest ago
// ends when there are more.
#define GST_PE_SERIES_MAX 256

// The samples of one thing.
typedef struct {
    char *key;
    GstPeWindow *window;
    GstPeResult *sample; // the last one, a reference; NULL: none so far
    GstPeResult *adding; // that comes behind it, borrowed; NULL: none
    GstPeResult *latest; // that frames may carry, a reference; NULL: none
    GstPeTimes last;     // of `latest`
    bool fresh;          // made of the frame that is being handled
    guint64 seen;        // grows
} GstPeThing;

// The last sample of a clip of the thing. Borrowed.
GstPeResult *gst_pe_thing_get_last(const GstPeThing *thing,
                                   const GstPeCut *cut);

typedef struct _GstPeSeries GstPeSeries;

// A clip of a thing has ended.
typedef void (*GstPeThingFunc)(GstPeThing *thing, const GstPeCut *cut,
                               void *user_data);

GstPeSeries *gst_pe_series_new(GstPeThingFunc func, void *user_data);
void gst_pe_series_free(GstPeSeries *series);

// Use other windows. Returns whether they are others; then everything ended.
bool gst_pe_series_configure(GstPeSeries *series, const GstPeWindowSpec *spec);
// Are clips made of several samples, and of all in a length of time?
bool gst_pe_series_has_windows(const GstPeSeries *series);
bool gst_pe_series_is_timed(const GstPeSeries *series);

// Was this result, or a later one of its element, not seen before?
bool gst_pe_series_is_new(GstPeSeries *series, const GstPeResult *result);
// What a result is of, made when it is not there. Borrowed until another one is
// asked for.
GstPeThing *gst_pe_series_get(GstPeSeries *series, const GstPeResult *result);
// The same; NULL when it is not there.
GstPeThing *gst_pe_series_find(GstPeSeries *series, const GstPeResult *result);
// A new result of the thing, with its embedding [dim], not unit, which it takes
// (g_free()).
void gst_pe_series_add(GstPeSeries *series, GstPeThing *thing,
                       GstPeResult *result, const GstPeTimes *times,
                       float *embedding);

// Every window ends.
void gst_pe_series_finish(GstPeSeries *series, GstPeReason reason);
// Nothing is latest any more.
void gst_pe_series_forget_latest(GstPeSeries *series);
// Forget all things; with `origins`, also what was seen.
void gst_pe_series_reset(GstPeSeries *series, bool origins);
