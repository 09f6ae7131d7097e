// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpejson.h - a result as one line of JSON (schema "pe-1").

#pragma once

#include "gst/convert/gstpeembeddingformat.h"
#include "gst/meta/gstpemeta.h"
#include "gst/video/gstpetimes.h"

// result  NULL: a frame without one, of the stream `stream_id`
// times   of the frame that carries the result
// age     how long before that frame the clip ended, or GST_CLOCK_TIME_NONE
// Returns an object and a line break.
GString *gst_pe_json_new(const GstPeResult *result, const gchar *stream_id,
                         const GstPeTimes *times, GstClockTime age,
                         GstPeEmbeddingFormat format);

// One of the result's events. Returns an object and a line break.
GString *gst_pe_json_new_event(const GstPeResult *result,
                               const GstPeLabelEvent *event,
                               const gchar *stream_id,
                               GstPeEmbeddingFormat format);
