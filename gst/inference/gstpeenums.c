// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeenums.c - names and descriptions of the enumerations.

#include "gst/inference/gstpeenums.h"

#include "core/pe.h"

GType
gst_pe_inference_hold_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_PE_INFERENCE_HOLD_FRAMES,
         "Frames carry results, and wait for them in exact mode", "frames"},
        {GST_PE_INFERENCE_HOLD_NONE,
         "Frames pass at once; results are events and messages", "none"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPeInferenceHold", values);
        g_once_init_leave(&type, t);
    }
    return type;
}

GType
gst_pe_inference_mode_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_PE_INFERENCE_MODE_AUTO,
         "Latest behind a live source or in front of a sink that keeps time, "
         "else exact",
         "auto"},
        {GST_PE_INFERENCE_MODE_EXACT,
         "The last frame of a clip waits for its result", "exact"},
        {GST_PE_INFERENCE_MODE_LATEST,
         "No frame waits; each carries the most recent result", "latest"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPeInferenceMode", values);
        g_once_init_leave(&type, t);
    }
    return type;
}

GType
gst_pe_inference_hdr_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_PE_INFERENCE_HDR_AUTO, "PQ becomes SDR", "auto"},
        {GST_PE_INFERENCE_HDR_NONE, "Values are taken as they are", "none"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPeInferenceHdr", values);
        g_once_init_leave(&type, t);
    }
    return type;
}

// The nicks are those of videoflip's video-direction, but for "none".
GType
gst_pe_inference_orientation_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_PE_INFERENCE_ORIENTATION_AUTO, "As the stream's tags say", "auto"},
        {GST_PE_INFERENCE_ORIENTATION_NONE, "As frames are stored", "none"},
        {GST_PE_INFERENCE_ORIENTATION_90R, "Turned by 90 degrees clockwise",
         "90r"},
        {GST_PE_INFERENCE_ORIENTATION_180, "Turned by 180 degrees", "180"},
        {GST_PE_INFERENCE_ORIENTATION_90L,
         "Turned by 90 degrees counter-clockwise", "90l"},
        {GST_PE_INFERENCE_ORIENTATION_HORIZ, "Left and right changed", "horiz"},
        {GST_PE_INFERENCE_ORIENTATION_VERT, "Top and bottom changed", "vert"},
        {GST_PE_INFERENCE_ORIENTATION_UL_LR,
         "Flipped across the diagonal from the upper left", "ul-lr"},
        {GST_PE_INFERENCE_ORIENTATION_UR_LL,
         "Flipped across the diagonal from the upper right", "ur-ll"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPeInferenceOrientation", values);
        g_once_init_leave(&type, t);
    }
    return type;
}

GType
gst_pe_inference_region_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_PE_INFERENCE_REGION_AUTO,
         "The whole frame, or named regions alone when there are some", "auto"},
        {GST_PE_INFERENCE_REGION_FULL_FRAME,
         "The whole frame, and named regions besides", "full-frame"},
        {GST_PE_INFERENCE_REGION_ROI_LIST,
         "Objects that a detector found, and named regions besides",
         "roi-list"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPeInferenceRegion", values);
        g_once_init_leave(&type, t);
    }
    return type;
}

gboolean
gst_pe_region_wants_whole(GstPeInferenceRegion region, gboolean has_regions)
{
    return region == GST_PE_INFERENCE_REGION_FULL_FRAME ||
           (region == GST_PE_INFERENCE_REGION_AUTO && !has_regions);
}
