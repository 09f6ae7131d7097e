// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperesult.c - the immutable result: made by peinference, shared by every
// buffer, message and event that carries it. Its byte form is in gstpebytes.c.

#include "gstpemeta.h"

#include <string.h>

struct _GstPeResult {
    gatomicrefcount refs;
    // Copies, owned; the names in labels too.
    GstPeResultFields fields;
};

G_DEFINE_BOXED_TYPE(GstPeResult, gst_pe_result, gst_pe_result_ref,
                    gst_pe_result_unref)

static GstPeLabel *
copy_labels(const GstPeLabel *labels, guint n)
{
    GstPeLabel *copy = g_new(GstPeLabel, n);
    for (guint i = 0; i < n; i++) {
        copy[i] = labels[i];
        copy[i].name = g_strdup(labels[i].name);
    }
    return copy;
}

/**
 * gst_pe_result_new: (skip)
 * @fields: what it holds
 *
 * Returns: (transfer full): a new result
 *
 * Since: 0.1
 */
GstPeResult *
gst_pe_result_new(const GstPeResultFields *fields)
{
    g_return_val_if_fail(fields != NULL, NULL);

    GstPeResult *result = g_new0(GstPeResult, 1);
    GstPeResultFields *own = &result->fields;

    g_atomic_ref_count_init(&result->refs);
    *own = *fields;
    own->stream_id = g_strdup(fields->stream_id);
    own->model = g_strdup(fields->model);
    own->model_fingerprint = g_strdup(fields->model_fingerprint);
    own->device = g_strdup(fields->device);
    own->precision = g_strdup(fields->precision);
    if (own->embedding)
        g_bytes_ref(own->embedding);
    own->labels = copy_labels(fields->labels, fields->n_labels);
    return result;
}

/**
 * gst_pe_result_ref:
 * @result: a result
 *
 * Returns: (transfer full): @result with one more reference
 *
 * Since: 0.1
 */
GstPeResult *
gst_pe_result_ref(GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    g_atomic_ref_count_inc(&result->refs);
    return result;
}

/**
 * gst_pe_result_unref:
 * @result: (transfer full): a result
 *
 * Since: 0.1
 */
void
gst_pe_result_unref(GstPeResult *result)
{
    g_return_if_fail(result != NULL);
    if (!g_atomic_ref_count_dec(&result->refs))
        return;

    GstPeResultFields *own = &result->fields;
    for (guint i = 0; i < own->n_labels; i++)
        g_free((gpointer)own->labels[i].name);
    g_free((gpointer)own->labels);
    g_clear_pointer(&own->embedding, g_bytes_unref);
    g_free((gpointer)own->stream_id);
    g_free((gpointer)own->model);
    g_free((gpointer)own->model_fingerprint);
    g_free((gpointer)own->device);
    g_free((gpointer)own->precision);
    g_free(result);
}

/**
 * gst_pe_result_get_stream_id:
 * @result: a result
 *
 * Returns: (nullable): the id of the stream that the clip is from
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_stream_id(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.stream_id;
}

/**
 * gst_pe_result_get_model:
 * @result: a result
 *
 * Returns: (nullable): the name of the model, such as "PE-Core-L14-336"
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_model(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.model;
}

/**
 * gst_pe_result_get_model_fingerprint:
 * @result: a result
 *
 * Embeddings can be compared only when their fingerprints are equal.
 *
 * Returns: (nullable): 16 hexadecimal digits
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_model_fingerprint(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.model_fingerprint;
}

/**
 * gst_pe_result_get_device:
 * @result: a result
 *
 * Returns: (nullable): "cpu", "cuda:0"
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_device(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.device;
}

/**
 * gst_pe_result_get_precision:
 * @result: a result
 *
 * Returns: (nullable): "fp32", "bf16", ...
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_precision(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.precision;
}

/**
 * gst_pe_result_get_sequence:
 * @result: a result
 *
 * Tells two results of one element apart when the same result is on several
 * buffers.
 *
 * Returns: a number that grows by one from result to result
 *
 * Since: 0.1
 */
guint64
gst_pe_result_get_sequence(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, 0);
    return result->fields.sequence;
}

/**
 * gst_pe_result_get_clip_start:
 * @result: a result
 *
 * Returns: the running time of the clip's first frame, or %GST_CLOCK_TIME_NONE
 *
 * Since: 0.1
 */
GstClockTime
gst_pe_result_get_clip_start(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, GST_CLOCK_TIME_NONE);
    return result->fields.clip_start;
}

/**
 * gst_pe_result_get_clip_end:
 * @result: a result
 *
 * Returns: the running time at which the clip's last frame ends, or
 *     %GST_CLOCK_TIME_NONE
 *
 * Since: 0.1
 */
GstClockTime
gst_pe_result_get_clip_end(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, GST_CLOCK_TIME_NONE);
    return result->fields.clip_end;
}

/**
 * gst_pe_result_get_stream_start:
 * @result: a result
 *
 * Returns: the stream time (position in the media) at which the clip starts, or
 *     %GST_CLOCK_TIME_NONE
 *
 * Since: 0.1
 */
GstClockTime
gst_pe_result_get_stream_start(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, GST_CLOCK_TIME_NONE);
    return result->fields.stream_start;
}

/**
 * gst_pe_result_get_stream_end:
 * @result: a result
 *
 * Returns: the stream time (position in the media) at which the clip ends, or
 *     %GST_CLOCK_TIME_NONE
 *
 * Since: 0.1
 */
GstClockTime
gst_pe_result_get_stream_end(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, GST_CLOCK_TIME_NONE);
    return result->fields.stream_end;
}

/**
 * gst_pe_result_get_n_frames:
 * @result: a result
 *
 * Returns: how many frames of the clip were embedded
 *
 * Since: 0.1
 */
guint
gst_pe_result_get_n_frames(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, 0);
    return result->fields.n_frames;
}

/**
 * gst_pe_result_is_partial:
 * @result: a result
 *
 * Returns: whether the clip has fewer frames than were asked for
 *
 * Since: 0.1
 */
gboolean
gst_pe_result_is_partial(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, FALSE);
    return result->fields.partial;
}

/**
 * gst_pe_result_get_dim:
 * @result: a result
 *
 * Returns: the number of floats in the embedding, 0 when there is none
 *
 * Since: 0.1
 */
guint
gst_pe_result_get_dim(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, 0);
    if (!result->fields.embedding)
        return 0;
    return g_bytes_get_size(result->fields.embedding) / sizeof(float);
}

/**
 * gst_pe_result_get_embedding:
 * @result: a result
 *
 * Returns: (transfer none) (nullable): little-endian float32 values of a vector
 *     of unit length
 *
 * Since: 0.1
 */
GBytes *
gst_pe_result_get_embedding(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.embedding;
}

/**
 * gst_pe_result_get_labels_version:
 * @result: a result
 *
 * Returns: a number that is different for every label set of the process, 0
 *     when no labels were set
 *
 * Since: 0.1
 */
guint64
gst_pe_result_get_labels_version(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, 0);
    return result->fields.labels_version;
}

/**
 * gst_pe_result_get_n_labels:
 * @result: a result
 *
 * Returns: the number of labels, best first
 *
 * Since: 0.1
 */
guint
gst_pe_result_get_n_labels(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, 0);
    return result->fields.n_labels;
}

/**
 * gst_pe_result_get_label:
 * @result: a result
 * @index: of the label, 0 is the best
 *
 * Returns: the label as the user wrote it
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_label(const GstPeResult *result, guint index)
{
    g_return_val_if_fail(result != NULL, NULL);
    g_return_val_if_fail(index < result->fields.n_labels, NULL);
    return result->fields.labels[index].name;
}

/**
 * gst_pe_result_get_probability:
 * @result: a result
 * @index: of the label, 0 is the best
 *
 * Returns: softmax over all labels and negative labels, 0 to 1
 *
 * Since: 0.1
 */
gdouble
gst_pe_result_get_probability(const GstPeResult *result, guint index)
{
    g_return_val_if_fail(result != NULL, 0);
    g_return_val_if_fail(index < result->fields.n_labels, 0);
    return result->fields.labels[index].probability;
}

/**
 * gst_pe_result_get_similarity:
 * @result: a result
 * @index: of the label, 0 is the best
 *
 * Returns: the cosine between clip and label, -1 to 1
 *
 * Since: 0.1
 */
gdouble
gst_pe_result_get_similarity(const GstPeResult *result, guint index)
{
    g_return_val_if_fail(result != NULL, 0);
    g_return_val_if_fail(index < result->fields.n_labels, 0);
    return result->fields.labels[index].similarity;
}
