// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeanalytics.h - a result once more as GStreamer's own metadata, for
// elements that know that and not GstPeMeta. All that depends on GStreamer's
// version is here: GstAnalytics came with 1.24, tensors with 1.26, and what
// relates them with 1.28.

#pragma once

#include "gst/meta/gstpemeta.h"

#include <stdbool.h>

// What is attached besides the labels.
typedef struct {
    bool boxes;  // around what was looked at, where no detector drew one
    bool tensor; // the embedding
    GstPad *pad; // borrowed; frames are as large as its caps say
} GstPeAnalyticsWish;

// Put it on the buffer, which must be writable. Does nothing when built without
// gstreamer-analytics-1.0.
//
// The labels are one GstAnalyticsClsMtd, best first. What a region shows is
// told only where there is a box of it to which everything else is related: the
// GstAnalyticsODMtd of this buffer with the id `detection` (-1: it is not), or,
// with `boxes`, one that is made here for the labels.
void gst_pe_analytics_attach(GstBuffer *buffer, const GstPeResult *result,
                             int detection, const GstPeAnalyticsWish *wish);

// Why a part of the wish is not fulfilled in this build, as a static sentence
// for the user; NULL: all of it is.
const char *gst_pe_analytics_find_missing(const GstPeAnalyticsWish *wish);
