// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpejson.h - a result as one line of JSON (schema "pe-1").

#pragma once

#include "gst/convert/gstpeembeddingformat.h"
#include "gst/meta/gstpemeta.h"

// Of the frame that carries the result; GST_CLOCK_TIME_NONE where not known.
typedef struct {
    GstClockTime pts;
    GstClockTime duration;
    GstClockTime running_time;
    GstClockTime stream_time;
    GstClockTime age;
    GstClockTime wall_clock; // since 1970, UTC
} GstPeJsonTimes;

// result: NULL: a frame without one, of the stream `stream_id`.
// Returns an object and a line break.
GString *gst_pe_json_new(const GstPeResult *result, const gchar *stream_id,
                         const GstPeJsonTimes *times,
                         GstPeEmbeddingFormat format);
