// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpenewest.c - see gstpenewest.h.

#include "gst/health/gstpenewest.h"

// Results that are older say nothing about a picture.
#define OLDEST_RESULT (10 * GST_SECOND)

void
gst_pe_newest_clear(GstPeNewest *newest)
{
    g_clear_pointer(&newest->result, gst_pe_result_unref);
}

// One without frames tells events and has no embedding.
void
gst_pe_newest_keep(GstPeNewest *newest, GstPeResult *result, GstClockTime time)
{
    if (gst_pe_result_get_region(result) ||
        gst_pe_result_get_n_frames(result) == 0)
        return;
    gst_pe_result_ref(result);
    gst_pe_newest_clear(newest);
    *newest = (GstPeNewest){result, time};
}

void
gst_pe_newest_keep_all(GstPeNewest *newest, GstBuffer *buffer,
                       GstClockTime time)
{
    for (guint i = 0; i < gst_buffer_get_n_pe_metas(buffer); i++) {
        GstPeMeta *meta = gst_buffer_get_nth_pe_meta(buffer, i);
        gst_pe_newest_keep(newest, gst_pe_meta_get_result(meta), time);
    }
}

float *
gst_pe_newest_get(const GstPeNewest *newest, GstClockTime time,
                  GstClockTime interval, gsize *dim)
{
    GstClockTime oldest = MAX(OLDEST_RESULT, 2 * interval);

    if (!newest->result || newest->time > time || time - newest->time > oldest)
        return NULL;
    GstPeVectors *vectors = gst_pe_result_get_embedding(newest->result);
    return vectors ? gst_pe_vectors_to_floats(vectors, dim) : NULL;
}
