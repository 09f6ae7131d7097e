// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpejson.h - a result as one line of JSON (schema "pe-1").

#pragma once

#include "gst/meta/gstpemeta.h"

/**
 * GstPeEmbeddingFormat:
 * @GST_PE_EMBEDDING_NONE: leave the embedding out
 * @GST_PE_EMBEDDING_BASE64: little-endian float32 in base64
 * @GST_PE_EMBEDDING_ARRAY: a list of numbers
 *
 * Since: 0.1
 */
typedef enum {
    GST_PE_EMBEDDING_NONE,
    GST_PE_EMBEDDING_BASE64,
    GST_PE_EMBEDDING_ARRAY,
} GstPeEmbeddingFormat;

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
