// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpevectors.h - n vectors of d numbers that say what they are: the embedding
// of a clip, or one vector for each token of it.

#pragma once

#include "gstpemeta-prelude.h"

G_BEGIN_DECLS

#define GST_TYPE_PE_VECTORS_KIND (gst_pe_vectors_kind_get_type())
#define GST_TYPE_PE_DTYPE (gst_pe_dtype_get_type())
#define GST_TYPE_PE_VECTORS (gst_pe_vectors_get_type())

/**
 * GstPeVectorsKind:
 * @GST_PE_VECTORS_POOLED: one vector for the whole, of unit length
 * @GST_PE_VECTORS_TOKENS: one vector for each token, frame after frame and row
 *     after row, as they leave the model
 *
 * Since: 0.1
 */
typedef enum {
    GST_PE_VECTORS_POOLED,
    GST_PE_VECTORS_TOKENS,
} GstPeVectorsKind;

/**
 * GstPeDtype:
 * @GST_PE_DTYPE_F32: IEEE single precision, 4 bytes
 * @GST_PE_DTYPE_F16: IEEE half precision, 2 bytes
 * @GST_PE_DTYPE_BF16: the upper half of single precision, 2 bytes
 *
 * The type of numbers; all are little endian.
 *
 * Since: 0.1
 */
typedef enum {
    GST_PE_DTYPE_F32,
    GST_PE_DTYPE_F16,
    GST_PE_DTYPE_BF16,
} GstPeDtype;

/**
 * GstPeVectors:
 *
 * A block of vectors. Immutable: a copy is a reference.
 *
 * Since: 0.1
 */
typedef struct _GstPeVectors GstPeVectors;

GST_PE_META_API
GType gst_pe_vectors_kind_get_type(void);
GST_PE_META_API
GType gst_pe_dtype_get_type(void);
GST_PE_META_API
gsize gst_pe_dtype_get_size(GstPeDtype dtype);

GST_PE_META_API
GType gst_pe_vectors_get_type(void);
GST_PE_META_API
GstPeVectors *gst_pe_vectors_new(GstPeVectorsKind kind, GstPeDtype dtype,
                                 guint n_vectors, guint dim, GBytes *data);
GST_PE_META_API
GstPeVectors *gst_pe_vectors_new_from_floats(const gfloat *values, gsize dim);
GST_PE_META_API
GstPeVectors *gst_pe_vectors_ref(GstPeVectors *vectors);
GST_PE_META_API
void gst_pe_vectors_unref(GstPeVectors *vectors);

GST_PE_META_API
GstPeVectorsKind gst_pe_vectors_get_kind(const GstPeVectors *vectors);
GST_PE_META_API
GstPeDtype gst_pe_vectors_get_dtype(const GstPeVectors *vectors);
GST_PE_META_API
guint gst_pe_vectors_get_n_vectors(const GstPeVectors *vectors);
GST_PE_META_API
guint gst_pe_vectors_get_dim(const GstPeVectors *vectors);
GST_PE_META_API
GBytes *gst_pe_vectors_get_data(const GstPeVectors *vectors);
GST_PE_META_API
gfloat *gst_pe_vectors_to_floats(const GstPeVectors *vectors, gsize *n_floats);
GST_PE_META_API
gdouble gst_pe_vectors_get_similarity(const GstPeVectors *vectors,
                                      const GstPeVectors *other);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(GstPeVectors, gst_pe_vectors_unref)

G_END_DECLS
