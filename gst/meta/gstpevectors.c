// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpevectors.c - see gstpevectors.h.

#include "gstpevectors.h"

#include <math.h>
#include <string.h>

struct _GstPeVectors {
    int refs; // atomic
    GstPeVectorsKind kind;
    GstPeDtype dtype;
    guint n_vectors;
    guint dim;
    GBytes *data;
};

G_DEFINE_BOXED_TYPE(GstPeVectors, gst_pe_vectors, gst_pe_vectors_ref,
                    gst_pe_vectors_unref)

/**
 * gst_pe_dtype_get_size:
 * @dtype: a type of numbers
 *
 * Returns: bytes of a number, 0 when @dtype is not known
 *
 * Since: 0.1
 */
gsize
gst_pe_dtype_get_size(GstPeDtype dtype)
{
    switch (dtype) {
    case GST_PE_DTYPE_F32:
        return 4;
    case GST_PE_DTYPE_F16:
    case GST_PE_DTYPE_BF16:
        return 2;
    }
    return 0;
}

/**
 * gst_pe_vectors_new:
 * @kind: what the vectors are of
 * @dtype: type of their numbers
 * @n_vectors: how many vectors; 1 when they are pooled
 * @dim: numbers in a vector
 * @data: (transfer none): @n_vectors * @dim numbers, vector after vector
 *
 * Returns: (transfer full): the block; @data is shared, not copied
 *
 * Since: 0.1
 */
GstPeVectors *
gst_pe_vectors_new(GstPeVectorsKind kind, GstPeDtype dtype, guint n_vectors,
                   guint dim, GBytes *data)
{
    gsize size = gst_pe_dtype_get_size(dtype);

    g_return_val_if_fail(size > 0, NULL);
    g_return_val_if_fail(data != NULL, NULL);
    g_return_val_if_fail(kind != GST_PE_VECTORS_POOLED || n_vectors == 1, NULL);
    g_return_val_if_fail(dim == 0 || n_vectors <= G_MAXSIZE / size / dim, NULL);
    g_return_val_if_fail(
        g_bytes_get_size(data) == (gsize)n_vectors * dim * size, NULL);

    GstPeVectors *vectors = g_new(GstPeVectors, 1);
    *vectors = (GstPeVectors){.kind = kind,
                              .dtype = dtype,
                              .n_vectors = n_vectors,
                              .dim = dim,
                              .data = g_bytes_ref(data)};
    vectors->refs = 1;
    return vectors;
}

/**
 * gst_pe_vectors_new_from_floats:
 * @values: (array length=dim): a vector of unit length
 * @dim: numbers in @values
 *
 * Returns: (transfer full): a pooled block with a copy of @values
 *
 * Since: 0.1
 */
GstPeVectors *
gst_pe_vectors_new_from_floats(const gfloat *values, gsize dim)
{
    g_return_val_if_fail(values != NULL || dim == 0, NULL);
    g_return_val_if_fail(dim <= G_MAXUINT, NULL);

    guint8 *out = g_malloc(dim * sizeof(gfloat));
    for (gsize i = 0; i < dim; i++)
        GST_WRITE_FLOAT_LE(out + i * sizeof(gfloat), values[i]);
    g_autoptr(GBytes) bytes = g_bytes_new_take(out, dim * sizeof(gfloat));
    return gst_pe_vectors_new(GST_PE_VECTORS_POOLED, GST_PE_DTYPE_F32, 1,
                              (guint)dim, bytes);
}

/**
 * gst_pe_vectors_ref:
 * @vectors: a block of vectors
 *
 * Returns: (transfer full): @vectors with one more reference
 *
 * Since: 0.1
 */
GstPeVectors *
gst_pe_vectors_ref(GstPeVectors *vectors)
{
    g_return_val_if_fail(vectors != NULL, NULL);
    g_atomic_int_inc(&vectors->refs);
    return vectors;
}

/**
 * gst_pe_vectors_unref:
 * @vectors: (transfer full): a block of vectors
 *
 * Since: 0.1
 */
void
gst_pe_vectors_unref(GstPeVectors *vectors)
{
    g_return_if_fail(vectors != NULL);
    if (!g_atomic_int_dec_and_test(&vectors->refs))
        return;
    g_bytes_unref(vectors->data);
    g_free(vectors);
}

/**
 * gst_pe_vectors_get_kind:
 * @vectors: a block of vectors
 *
 * Returns: what the vectors are of
 *
 * Since: 0.1
 */
GstPeVectorsKind
gst_pe_vectors_get_kind(const GstPeVectors *vectors)
{
    g_return_val_if_fail(vectors != NULL, GST_PE_VECTORS_POOLED);
    return vectors->kind;
}

/**
 * gst_pe_vectors_get_dtype:
 * @vectors: a block of vectors
 *
 * Returns: the type of the numbers
 *
 * Since: 0.1
 */
GstPeDtype
gst_pe_vectors_get_dtype(const GstPeVectors *vectors)
{
    g_return_val_if_fail(vectors != NULL, GST_PE_DTYPE_F32);
    return vectors->dtype;
}

/**
 * gst_pe_vectors_get_n_vectors:
 * @vectors: a block of vectors
 *
 * Returns: how many vectors there are; 1 when they are pooled
 *
 * Since: 0.1
 */
guint
gst_pe_vectors_get_n_vectors(const GstPeVectors *vectors)
{
    g_return_val_if_fail(vectors != NULL, 0);
    return vectors->n_vectors;
}

/**
 * gst_pe_vectors_get_dim:
 * @vectors: a block of vectors
 *
 * Returns: how many numbers a vector has
 *
 * Since: 0.1
 */
guint
gst_pe_vectors_get_dim(const GstPeVectors *vectors)
{
    g_return_val_if_fail(vectors != NULL, 0);
    return vectors->dim;
}

/**
 * gst_pe_vectors_get_data:
 * @vectors: a block of vectors
 *
 * The numbers as they are stored: vector after vector, little endian, of the
 * type that gst_pe_vectors_get_dtype() tells.
 *
 * Returns: (transfer none): the numbers
 *
 * Since: 0.1
 */
GBytes *
gst_pe_vectors_get_data(const GstPeVectors *vectors)
{
    g_return_val_if_fail(vectors != NULL, NULL);
    return vectors->data;
}

static gfloat
float_from_bits(guint32 bits)
{
    gfloat value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static gfloat
float_from_half(guint16 half)
{
    guint32 sign = (guint32)(half & 0x8000) << 16;
    guint32 exponent = half >> 10 & 0x1f;
    guint32 fraction = half & 0x3ff;

    if (exponent == 0x1f) // infinity, not a number
        return float_from_bits(sign | 0x7f800000 | fraction << 13);
    if (exponent == 0) { // a multiple of 2^-24
        gfloat value = (gfloat)fraction / (1 << 24);
        return sign ? -value : value;
    }
    return float_from_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
}

/**
 * gst_pe_vectors_to_floats:
 * @vectors: a block of vectors
 * @n_floats: (out): how many numbers are returned: vectors times dimension
 *
 * The numbers as floats of this machine, whatever type they are stored in.
 *
 * Returns: (transfer full) (array length=n_floats): the numbers, vector after
 *     vector; free with g_free()
 *
 * Since: 0.1
 */
gfloat *
gst_pe_vectors_to_floats(const GstPeVectors *vectors, gsize *n_floats)
{
    g_return_val_if_fail(vectors != NULL, NULL);
    g_return_val_if_fail(n_floats != NULL, NULL);

    gsize n = (gsize)vectors->n_vectors * vectors->dim;
    const guint8 *data = g_bytes_get_data(vectors->data, NULL);
    gfloat *out = g_new(gfloat, n);

    for (gsize i = 0; i < n; i++) {
        if (vectors->dtype == GST_PE_DTYPE_F32)
            out[i] = float_from_bits(GST_READ_UINT32_LE(data + 4 * i));
        else if (vectors->dtype == GST_PE_DTYPE_F16)
            out[i] = float_from_half(GST_READ_UINT16_LE(data + 2 * i));
        else
            out[i] = float_from_bits((guint32)GST_READ_UINT16_LE(data + 2 * i)
                                     << 16);
    }
    *n_floats = n;
    return out;
}

/**
 * gst_pe_vectors_get_similarity:
 * @vectors: a pooled vector, such as the embedding of a result
 * @other: another one of the same model
 *
 * Returns: the cosine between both, -1 to 1; NaN when they are not two pooled
 *     vectors of one length
 *
 * Since: 0.1
 */
gdouble
gst_pe_vectors_get_similarity(const GstPeVectors *vectors,
                              const GstPeVectors *other)
{
    g_return_val_if_fail(vectors != NULL, NAN);
    g_return_val_if_fail(other != NULL, NAN);

    gsize n, m;
    g_autofree gfloat *a = gst_pe_vectors_to_floats(vectors, &n);
    g_autofree gfloat *b = gst_pe_vectors_to_floats(other, &m);
    gdouble ab = 0, aa = 0, bb = 0;

    if (n != m || vectors->kind != GST_PE_VECTORS_POOLED ||
        other->kind != GST_PE_VECTORS_POOLED)
        return NAN;
    for (gsize i = 0; i < n; i++) {
        ab += (gdouble)a[i] * b[i];
        aa += (gdouble)a[i] * a[i];
        bb += (gdouble)b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}
