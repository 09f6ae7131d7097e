// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperesultscores.c - what a result says of the clip's content: vectors, and
// labels with their scores.

#include "gstperesult_private.h"

/**
 * gst_pe_result_get_dim:
 * @result: a result
 *
 * Returns: how many numbers the embedding has, 0 when there is none
 *
 * Since: 0.1
 */
guint
gst_pe_result_get_dim(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, 0);
    if (!result->fields.embedding)
        return 0;
    return gst_pe_vectors_get_dim(result->fields.embedding);
}

/**
 * gst_pe_result_get_embedding:
 * @result: a result
 *
 * A dot product with a unit vector of the same model is a cosine.
 *
 * Returns: (transfer none) (nullable): one vector of unit length
 *
 * Since: 0.1
 */
GstPeVectors *
gst_pe_result_get_embedding(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.embedding;
}

/**
 * gst_pe_result_get_tokens:
 * @result: a result
 *
 * Models without a common embedding, such as PE-Spatial, have these.
 *
 * Returns: (transfer none) (nullable): one vector for each token
 *
 * Since: 0.1
 */
GstPeVectors *
gst_pe_result_get_tokens(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.tokens;
}

/**
 * gst_pe_result_get_label_set:
 * @result: a result
 *
 * Returns: (nullable): the name of the label set, if it has one
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_label_set(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.label_set;
}

/**
 * gst_pe_result_get_label_set_fingerprint:
 * @result: a result
 *
 * Scores can be compared only when their fingerprints are equal: it changes
 * with every name, prompt, negative label and threshold, and with the model.
 *
 * Returns: (nullable): 16 hexadecimal digits, %NULL when no labels were set
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_label_set_fingerprint(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.label_set_fingerprint;
}

/**
 * gst_pe_result_get_n_labels:
 * @result: a result
 *
 * Returns: how many labels there are
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
 * gst_pe_result_get_score:
 * @result: a result
 * @index: of the label, 0 is the best
 *
 * Returns: softmax over all labels and negative labels, 0 to 1
 *
 * Since: 0.1
 */
gdouble
gst_pe_result_get_score(const GstPeResult *result, guint index)
{
    g_return_val_if_fail(result != NULL, 0);
    g_return_val_if_fail(index < result->fields.n_labels, 0);
    return result->fields.labels[index].score;
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
