// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeembeddingformat.h - how pemetaconvert writes an embedding.

#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

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

#define GST_TYPE_PE_EMBEDDING_FORMAT (gst_pe_embedding_format_get_type())
GType gst_pe_embedding_format_get_type(void);

G_END_DECLS
