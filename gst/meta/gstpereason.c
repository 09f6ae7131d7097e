// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpereason.c - names and descriptions of why a clip is partial.

#include "gstpemeta.h"

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
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPeReason", values);
        g_once_init_leave(&type, t);
    }
    return type;
}
