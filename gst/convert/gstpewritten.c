// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpewritten.c - see gstpewritten.h.

#include "gst/convert/gstpewritten.h"

// A buffer carries a result for each region of each element.
#define MAX_IDENTITIES 1024

void
gst_pe_written_init(GstPeWritten *written)
{
    written->identities =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_queue_init(&written->order);
}

void
gst_pe_written_clear(GstPeWritten *written)
{
    g_queue_clear(&written->order);
    g_hash_table_unref(written->identities);
}

gboolean
gst_pe_written_add(GstPeWritten *written, const GstPeResult *result)
{
    const gchar *element = gst_pe_result_get_element(result);
    const gchar *source = gst_pe_result_get_source(result);
    gchar *identity = g_strdup_printf(
        "%" G_GUINT64_FORMAT "\n%s\n%s", gst_pe_result_get_sequence(result),
        element ? element : "", source ? source : "");

    if (g_hash_table_contains(written->identities, identity)) {
        g_free(identity);
        return FALSE;
    }
    g_hash_table_add(written->identities, identity);
    g_queue_push_tail(&written->order, identity);
    if (g_queue_get_length(&written->order) > MAX_IDENTITIES)
        g_hash_table_remove(written->identities,
                            g_queue_pop_head(&written->order));
    return TRUE;
}

void
gst_pe_written_forget(GstPeWritten *written)
{
    g_queue_clear(&written->order);
    g_hash_table_remove_all(written->identities);
}
