// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeanalytics.h - the labels once more as GstAnalytics metadata, for
// elements that know that and not GstPeMeta.

#pragma once

#include "gst/meta/gstpemeta.h"

// Does nothing without labels, or when built without gstreamer-analytics-1.0.
// The buffer must be writable.
void gst_pe_analytics_attach(GstBuffer *buffer, const GstPeResult *result);
