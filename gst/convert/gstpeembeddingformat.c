// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeembeddingformat.c - names and descriptions of the enumeration.

#include "gst/convert/gstpeembeddingformat.h"

GType
gst_pe_embedding_format_get_type(void)
{
    static GType type;
    static const GEnumValue values[] = {
        {GST_PE_EMBEDDING_NONE, "Leave the embedding out", "none"},
        {GST_PE_EMBEDDING_BASE64, "Little-endian float32 in base64", "base64"},
        {GST_PE_EMBEDDING_ARRAY, "A list of numbers", "array"},
        {0, NULL, NULL},
    };

    if (g_once_init_enter(&type)) {
        GType t = g_enum_register_static("GstPeEmbeddingFormat", values);
        g_once_init_leave(&type, t);
    }
    return type;
}
