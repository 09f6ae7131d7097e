// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpemetaenums.c - names and descriptions of the enumerations.

#include "gstperesult.h"

GType
gst_pe_reason_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_PE_REASON_NONE, "The clip is complete", "none"},
        {GST_PE_REASON_EOS, "The stream ended", "eos"},
        {GST_PE_REASON_JUMP, "The stream went on at another time", "jump"},
        {GST_PE_REASON_OVERLOAD, "The device was too slow for every frame",
         "overload"},
        {GST_PE_REASON_RECONFIGURED, "Clips were given another length",
         "reconfigured"},
        {GST_PE_REASON_UNKNOWN, "A reason of a newer version", "unknown"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPeReason", values);
        g_once_init_leave(&type, t);
    }
    return type;
}

/**
 * gst_pe_reason_to_string:
 * @reason: why a clip is partial
 *
 * Returns: the word for it in JSON and messages: "none", "eos", "jump",
 *     "overload", "reconfigured" or "unknown"
 *
 * Since: 0.1
 */
const gchar *
gst_pe_reason_to_string(GstPeReason reason)
{
    GEnumClass *names = g_type_class_ref(GST_TYPE_PE_REASON);
    const GEnumValue *value = g_enum_get_value(names, (gint)reason);

    g_type_class_unref(names);
    return value ? value->value_nick : "unknown";
}

GType
gst_pe_vectors_kind_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_PE_VECTORS_POOLED, "One vector for the whole", "pooled"},
        {GST_PE_VECTORS_TOKENS, "One vector for each token", "tokens"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPeVectorsKind", values);
        g_once_init_leave(&type, t);
    }
    return type;
}

GType
gst_pe_dtype_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_PE_DTYPE_F32, "IEEE single precision", "f32"},
        {GST_PE_DTYPE_F16, "IEEE half precision", "f16"},
        {GST_PE_DTYPE_BF16, "The upper half of single precision", "bf16"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPeDtype", values);
        g_once_init_leave(&type, t);
    }
    return type;
}
