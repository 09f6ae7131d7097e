// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeanalytics.h - the labels once more as GstAnalytics metadata, for
// elements that know that and not GstPeMeta.

#pragma once

#include "gst/meta/gstpemeta.h"

// Does nothing without labels, or when built without gstreamer-analytics-1.0.
// The buffer must be writable. What a region shows is told only where it is the
// GstAnalyticsODMtd of this buffer with the id `detection` (-1: it is not), to
// which the labels are then related.
void gst_pe_analytics_attach(GstBuffer *buffer, const GstPeResult *result,
                             int detection);
