// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelabelenums.h - the enumerations of properties that several elements
// have.

#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

/**
 * GstPeInferenceLabelsMode:
 * @GST_PE_INFERENCE_LABELS_MODE_AUTO: as the labels file says, else exclusive
 * @GST_PE_INFERENCE_LABELS_MODE_EXCLUSIVE: labels are compared with each other
 *     too, so that they share the scores
 * @GST_PE_INFERENCE_LABELS_MODE_INDEPENDENT: labels are compared with negatives
 *     and bank only, so that several may have high scores
 *
 * All but @GST_PE_INFERENCE_LABELS_MODE_AUTO are the values of PeLabelsMode.
 *
 * Since: 0.1
 */
typedef enum {
    GST_PE_INFERENCE_LABELS_MODE_AUTO = -1,
    GST_PE_INFERENCE_LABELS_MODE_EXCLUSIVE,
    GST_PE_INFERENCE_LABELS_MODE_INDEPENDENT,
} GstPeInferenceLabelsMode;

#define GST_TYPE_PE_INFERENCE_LABELS_MODE \
    (gst_pe_inference_labels_mode_get_type())
#define GST_TYPE_PE_PRECISION (gst_pe_precision_get_type()) // of PePrecision

GType gst_pe_inference_labels_mode_get_type(void);
GType gst_pe_precision_get_type(void);

G_END_DECLS
