// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpelabelenums.c - names and descriptions of the enumerations.

#include "gst/labels/gstpelabelenums.h"

#include "core/pe.h"

GType
gst_pe_inference_labels_mode_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_PE_INFERENCE_LABELS_MODE_AUTO,
         "As the labels file says, else exclusive", "auto"},
        {GST_PE_INFERENCE_LABELS_MODE_EXCLUSIVE,
         "Labels share the scores: one of them is meant", "exclusive"},
        {GST_PE_INFERENCE_LABELS_MODE_INDEPENDENT,
         "Several labels may have high scores", "independent"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPeInferenceLabelsMode", values);
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
        {PE_PRECISION_INT8, "8-bit integers in the blocks", "int8"},
        {PE_PRECISION_FP8, "8-bit float in the blocks, on CUDA from Ada on",
         "fp8"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPePrecision", values);
        g_once_init_leave(&type, t);
    }
    return type;
}
