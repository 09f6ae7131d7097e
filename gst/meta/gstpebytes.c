// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpebytes.c - a result as bytes: what unixfdsink and other processes get.
//
// Version 1, little endian: u8 version, u8 partial, u32 frames, u64 sequence,
// u64 labels version, 4 x u64 times, 5 strings, the embedding, u32 number of
// labels, then per label a string and two f64. A string or the embedding is u32
// length (0xffffffff: NULL) and that many bytes, strings without terminator.

#include "gstpemeta.h"

#include <gst/base/gstbytereader.h>
#include <gst/base/gstbytewriter.h>
#include <string.h>

#define VERSION 1
#define NO_BYTES G_MAXUINT32

static void
put_bytes(GstByteWriter *w, const void *data, gsize size)
{
    gst_byte_writer_put_uint32_le(w, data ? (guint32)size : NO_BYTES);
    if (data)
        gst_byte_writer_put_data(w, data, (guint)size);
}

static void
put_string(GstByteWriter *w, const gchar *text)
{
    put_bytes(w, text, text ? strlen(text) : 0);
}

static void
put_labels(GstByteWriter *w, const GstPeResult *result)
{
    guint n = gst_pe_result_get_n_labels(result);

    gst_byte_writer_put_uint32_le(w, n);
    for (guint i = 0; i < n; i++) {
        put_string(w, gst_pe_result_get_label(result, i));
        gst_byte_writer_put_float64_le(
            w, gst_pe_result_get_probability(result, i));
        gst_byte_writer_put_float64_le(w,
                                       gst_pe_result_get_similarity(result, i));
    }
}

/**
 * gst_pe_result_to_bytes:
 * @result: a result
 *
 * Returns: (transfer full): a form for gst_pe_result_new_from_bytes()
 *
 * Since: 0.1
 */
GBytes *
gst_pe_result_to_bytes(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);

    GstByteWriter w;
    GBytes *embedding = gst_pe_result_get_embedding(result);
    gsize size = 0;
    const void *data = embedding ? g_bytes_get_data(embedding, &size) : NULL;

    gst_byte_writer_init(&w);
    gst_byte_writer_put_uint8(&w, VERSION);
    gst_byte_writer_put_uint8(&w, gst_pe_result_is_partial(result));
    gst_byte_writer_put_uint32_le(&w, gst_pe_result_get_n_frames(result));
    gst_byte_writer_put_uint64_le(&w, gst_pe_result_get_sequence(result));
    gst_byte_writer_put_uint64_le(&w, gst_pe_result_get_labels_version(result));
    gst_byte_writer_put_uint64_le(&w, gst_pe_result_get_clip_start(result));
    gst_byte_writer_put_uint64_le(&w, gst_pe_result_get_clip_end(result));
    gst_byte_writer_put_uint64_le(&w, gst_pe_result_get_stream_start(result));
    gst_byte_writer_put_uint64_le(&w, gst_pe_result_get_stream_end(result));
    put_string(&w, gst_pe_result_get_stream_id(result));
    put_string(&w, gst_pe_result_get_model(result));
    put_string(&w, gst_pe_result_get_model_fingerprint(result));
    put_string(&w, gst_pe_result_get_device(result));
    put_string(&w, gst_pe_result_get_precision(result));
    put_bytes(&w, data, size);
    put_labels(&w, result);

    guint length = gst_byte_writer_get_size(&w);
    return g_bytes_new_take(gst_byte_writer_reset_and_get_data(&w), length);
}

static gboolean
get_bytes(GstByteReader *r, const guint8 **data, guint32 *size)
{
    *data = NULL;
    if (!gst_byte_reader_get_uint32_le(r, size))
        return FALSE;
    return *size == NO_BYTES || gst_byte_reader_get_data(r, *size, data);
}

// *text is owned by the caller, NULL when NULL was written.
static gboolean
get_string(GstByteReader *r, const gchar **text)
{
    const guint8 *data;
    guint32 size;

    if (!get_bytes(r, &data, &size))
        return FALSE;
    if (!data)
        return size == NO_BYTES;
    if (!g_utf8_validate((const gchar *)data, size, NULL))
        return FALSE;
    *text = g_strndup((const gchar *)data, size);
    return TRUE;
}

static gboolean
get_embedding(GstByteReader *r, GBytes **embedding)
{
    const guint8 *data;
    guint32 size;

    if (!get_bytes(r, &data, &size))
        return FALSE;
    if (!data)
        return size == NO_BYTES;
    *embedding = g_bytes_new(data, size);
    return size % sizeof(float) == 0;
}

static gboolean
get_head(GstByteReader *r, GstPeResultFields *f)
{
    guint8 version = 0, partial = 0;
    gboolean ok = gst_byte_reader_get_uint8(r, &version) &&
                  version == VERSION &&
                  gst_byte_reader_get_uint8(r, &partial) &&
                  gst_byte_reader_get_uint32_le(r, &f->n_frames) &&
                  gst_byte_reader_get_uint64_le(r, &f->sequence) &&
                  gst_byte_reader_get_uint64_le(r, &f->labels_version) &&
                  gst_byte_reader_get_uint64_le(r, &f->clip_start) &&
                  gst_byte_reader_get_uint64_le(r, &f->clip_end) &&
                  gst_byte_reader_get_uint64_le(r, &f->stream_start) &&
                  gst_byte_reader_get_uint64_le(r, &f->stream_end);
    f->partial = partial != 0;
    return ok;
}

static gboolean
get_labels(GstByteReader *r, GArray *labels)
{
    guint32 n = 0;

    if (!gst_byte_reader_get_uint32_le(r, &n))
        return FALSE;
    for (guint32 i = 0; i < n; i++) {
        GstPeLabel label = {NULL, 0, 0};
        gboolean ok = get_string(r, &label.name) && label.name &&
                      gst_byte_reader_get_float64_le(r, &label.probability) &&
                      gst_byte_reader_get_float64_le(r, &label.similarity);
        // Also when the rest is missing: clearing the array frees the name.
        g_array_append_val(labels, label);
        if (!ok)
            return FALSE;
    }
    return TRUE;
}

static void
clear_label(gpointer data)
{
    g_free((gpointer)((GstPeLabel *)data)->name);
}

/**
 * gst_pe_result_new_from_bytes:
 * @bytes: from gst_pe_result_to_bytes()
 *
 * Returns: (transfer full) (nullable): the result, or %NULL when @bytes are not
 *     one
 *
 * Since: 0.1
 */
GstPeResult *
gst_pe_result_new_from_bytes(GBytes *bytes)
{
    g_return_val_if_fail(bytes != NULL, NULL);

    gsize size;
    const guint8 *data = g_bytes_get_data(bytes, &size);
    if (!data || size > G_MAXUINT)
        return NULL;

    GstByteReader r;
    GstPeResultFields f = {0};
    GstPeResult *result = NULL;
    GArray *labels = g_array_new(FALSE, FALSE, sizeof(GstPeLabel));

    g_array_set_clear_func(labels, clear_label);
    gst_byte_reader_init(&r, data, (guint)size);
    if (get_head(&r, &f) && get_string(&r, &f.stream_id) &&
        get_string(&r, &f.model) && get_string(&r, &f.model_fingerprint) &&
        get_string(&r, &f.device) && get_string(&r, &f.precision) &&
        get_embedding(&r, &f.embedding) && get_labels(&r, labels) &&
        gst_byte_reader_get_remaining(&r) == 0) {
        f.labels = (const GstPeLabel *)labels->data;
        f.n_labels = labels->len;
        result = gst_pe_result_new(&f);
    }
    g_array_unref(labels);
    g_clear_pointer(&f.embedding, g_bytes_unref);
    g_free((gpointer)f.stream_id);
    g_free((gpointer)f.model);
    g_free((gpointer)f.model_fingerprint);
    g_free((gpointer)f.device);
    g_free((gpointer)f.precision);
    return result;
}
