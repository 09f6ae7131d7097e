// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeenums.h - the enumerations of the elements' properties.

#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

/**
 * GstPeInferenceMode:
 * @GST_PE_INFERENCE_MODE_AUTO: latest behind a live source, else exact
 * @GST_PE_INFERENCE_MODE_EXACT: the last frame of a clip waits for its result
 * @GST_PE_INFERENCE_MODE_LATEST: no frame waits; each carries the most recent
 *     result and its age
 *
 * Since: 0.1
 */
typedef enum {
    GST_PE_INFERENCE_MODE_AUTO,
    GST_PE_INFERENCE_MODE_EXACT,
    GST_PE_INFERENCE_MODE_LATEST,
} GstPeInferenceMode;

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

#define GST_TYPE_PE_INFERENCE_MODE (gst_pe_inference_mode_get_type())
#define GST_TYPE_PE_PRECISION (gst_pe_precision_get_type()) // of PePrecision
#define GST_TYPE_PE_EMBEDDING_FORMAT (gst_pe_embedding_format_get_type())

GType gst_pe_inference_mode_get_type(void);
GType gst_pe_precision_get_type(void);
GType gst_pe_embedding_format_get_type(void);

G_END_DECLS
