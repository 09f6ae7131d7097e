// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstperesultscores.c - what a result says of the clip's content: vectors, and
// labels with their scores.

#include "gstperesult_private.h"

#include <math.h>

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
 * gst_pe_result_get_norm:
 * @result: a result
 *
 * The embedding of a longer clip is the mean of such vectors times their
 * lengths, made a unit vector again.
 *
 * Returns: the length that the embedding had before it was made 1; 0 when it is
 *     not known
 *
 * Since: 0.1
 */
gdouble
gst_pe_result_get_norm(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, 0);
    return result->fields.norm;
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
 * with every name, prompt, negative label, threshold and calibration, and with
 * the model.
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
 * How sure it is that the clip shows the label, compared with the negative
 * labels and, unless labels are independent, with the other labels.
 *
 * Returns: the calibrated score, 0 to 1
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

/**
 * gst_pe_result_get_probability:
 * @result: a result
 * @index: of the label, 0 is the best
 *
 * What the published code of CLIP models calls a label's probability: its share
 * among the labels alone. One of them is always likely, whatever is seen.
 *
 * Returns: softmax over the labels, 0 to 1; NaN when it is not known
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
 * gst_pe_result_get_p_value:
 * @result: a result
 * @index: of the label, 0 is the best
 *
 * How unusual it is on this camera that the label's evidence, smoothed as for
 * events, is as high as at this clip: the conformal p-value among all that the
 * camera's history has.
 *
 * Returns: above 0 to 1; NaN without a history
 *
 * Since: 0.1
 */
gdouble
gst_pe_result_get_p_value(const GstPeResult *result, guint index)
{
    g_return_val_if_fail(result != NULL, 0);
    g_return_val_if_fail(index < result->fields.n_labels, 0);
    gdouble p_value = result->fields.labels[index].p_value;
    return p_value > 0 ? p_value : NAN;
}

/**
 * gst_pe_result_get_calibration:
 * @result: a result
 *
 * Returns: (nullable): where the calibration of the scores is from: "none",
 *     "model" for a file beside the model, "labels" for the labels file; %NULL
 *     when no labels were set
 *
 * Since: 0.1
 */
const gchar *
gst_pe_result_get_calibration(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, NULL);
    return result->fields.calibration;
}

/**
 * gst_pe_result_get_negative_mass:
 * @result: a result
 *
 * Returns: the share of negative labels and bank in the softmax over all that
 *     the clip was compared with, 0 to 1
 *
 * Since: 0.1
 */
gdouble
gst_pe_result_get_negative_mass(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, 0);
    return result->fields.negative_mass;
}

/**
 * gst_pe_result_is_unknown:
 * @result: a result
 *
 * Returns: whether the clip shows nothing that was asked for: the negative
 *     mass is at least a half, or no label reaches its thresholds
 *
 * Since: 0.1
 */
gboolean
gst_pe_result_is_unknown(const GstPeResult *result)
{
    g_return_val_if_fail(result != NULL, FALSE);
    return result->fields.unknown;
}
