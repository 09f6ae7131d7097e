// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeenums.h - the enumerations of peinference's properties.

#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

/**
 * GstPeInferenceMode:
 * @GST_PE_INFERENCE_MODE_AUTO: latest behind a live source or in front of a
 *     sink that keeps time, else exact
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
 * GstPeInferenceHold:
 * @GST_PE_INFERENCE_HOLD_FRAMES: frames carry results, and wait for them in
 *     exact mode
 * @GST_PE_INFERENCE_HOLD_NONE: frames pass at once; results travel as events
 *     and messages only
 *
 * Since: 0.1
 */
typedef enum {
    GST_PE_INFERENCE_HOLD_FRAMES,
    GST_PE_INFERENCE_HOLD_NONE,
} GstPeInferenceHold;

#define GST_TYPE_PE_INFERENCE_HOLD (gst_pe_inference_hold_get_type())
#define GST_TYPE_PE_INFERENCE_MODE (gst_pe_inference_mode_get_type())
#define GST_TYPE_PE_PRECISION (gst_pe_precision_get_type()) // of PePrecision

GType gst_pe_inference_hold_get_type(void);
GType gst_pe_inference_mode_get_type(void);
GType gst_pe_precision_get_type(void);

G_END_DECLS
