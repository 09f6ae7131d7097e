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
gst_pe_precision_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {PE_PRECISION_AUTO, "The best for the device", "auto"},
        {PE_PRECISION_FP32, "32-bit float", "fp32"},
        {PE_PRECISION_BF16, "bfloat16", "bf16"},
        {PE_PRECISION_FP16, "16-bit float", "fp16"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPePrecision", values);
        g_once_init_leave(&type, t);
    }
    return type;
}
