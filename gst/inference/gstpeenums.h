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

/**
 * GstPeInferenceOrientation:
 * @GST_PE_INFERENCE_ORIENTATION_AUTO: as the stream's tags say
 * @GST_PE_INFERENCE_ORIENTATION_NONE: as frames are stored
 * @GST_PE_INFERENCE_ORIENTATION_HORIZ: left and right changed
 * @GST_PE_INFERENCE_ORIENTATION_180: turned by 180 degrees
 * @GST_PE_INFERENCE_ORIENTATION_VERT: top and bottom changed
 * @GST_PE_INFERENCE_ORIENTATION_UL_LR: lines become columns
 * @GST_PE_INFERENCE_ORIENTATION_90R: turned by 90 degrees clockwise
 * @GST_PE_INFERENCE_ORIENTATION_UR_LL: lines become columns, from the right
 *     and from the bottom
 * @GST_PE_INFERENCE_ORIENTATION_90L: turned by 90 degrees counter-clockwise
 *
 * All but @GST_PE_INFERENCE_ORIENTATION_AUTO are the values of PeOrientation.
 *
 * Since: 0.1
 */
typedef enum {
    GST_PE_INFERENCE_ORIENTATION_AUTO = -1,
    GST_PE_INFERENCE_ORIENTATION_NONE,
    GST_PE_INFERENCE_ORIENTATION_HORIZ,
    GST_PE_INFERENCE_ORIENTATION_180,
    GST_PE_INFERENCE_ORIENTATION_VERT,
    GST_PE_INFERENCE_ORIENTATION_UL_LR,
    GST_PE_INFERENCE_ORIENTATION_90R,
    GST_PE_INFERENCE_ORIENTATION_UR_LL,
    GST_PE_INFERENCE_ORIENTATION_90L,
} GstPeInferenceOrientation;

/**
 * GstPeInferenceHdr:
 * @GST_PE_INFERENCE_HDR_AUTO: frames whose caps say PQ (SMPTE ST 2084) are
 *     mapped to SDR, as ITU-R BT.2390 describes
 * @GST_PE_INFERENCE_HDR_NONE: values are taken for SDR, whatever the caps say
 *
 * What is done with HDR video, before it is embedded.
 *
 * Since: 0.1
 */
typedef enum {
    GST_PE_INFERENCE_HDR_AUTO,
    GST_PE_INFERENCE_HDR_NONE,
} GstPeInferenceHdr;

/**
 * GstPeInferenceRegion:
 * @GST_PE_INFERENCE_REGION_AUTO: the whole frame, or, when there are named
 *     regions, these alone
 * @GST_PE_INFERENCE_REGION_FULL_FRAME: the whole frame, and named regions
 *     besides
 * @GST_PE_INFERENCE_REGION_ROI_LIST: the objects that a detector upstream
 *     found, and named regions besides
 *
 * What of a frame is embedded.
 *
 * Since: 0.1
 */
typedef enum {
    GST_PE_INFERENCE_REGION_AUTO,
    GST_PE_INFERENCE_REGION_FULL_FRAME,
    GST_PE_INFERENCE_REGION_ROI_LIST,
} GstPeInferenceRegion;

#define GST_TYPE_PE_INFERENCE_REGION (gst_pe_inference_region_get_type())
#define GST_TYPE_PE_INFERENCE_HDR (gst_pe_inference_hdr_get_type())
#define GST_TYPE_PE_INFERENCE_HOLD (gst_pe_inference_hold_get_type())
#define GST_TYPE_PE_INFERENCE_MODE (gst_pe_inference_mode_get_type())
#define GST_TYPE_PE_INFERENCE_ORIENTATION \
    (gst_pe_inference_orientation_get_type())

GType gst_pe_inference_hdr_get_type(void);
GType gst_pe_inference_hold_get_type(void);
GType gst_pe_inference_mode_get_type(void);
GType gst_pe_inference_orientation_get_type(void);
GType gst_pe_inference_region_get_type(void);

// Whether the whole frame is embedded.
gboolean gst_pe_region_wants_whole(GstPeInferenceRegion region,
                                   gboolean has_regions);

G_END_DECLS
