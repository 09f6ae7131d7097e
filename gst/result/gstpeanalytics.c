// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeanalytics.c - one classification for the whole frame, best label first,
// as consumers of GstAnalyticsClsMtd look at the first entry only.

#include "gst/result/gstpeanalytics.h"

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>

void
gst_pe_analytics_attach(GstBuffer *buffer, const GstPeResult *result)
{
    guint n = gst_pe_result_get_n_labels(result);
    if (n == 0)
        return;

    g_autofree gfloat *levels = g_new(gfloat, n);
    g_autofree GQuark *labels = g_new(GQuark, n);
    for (guint i = 0; i < n; i++) {
        levels[i] = (gfloat)gst_pe_result_get_score(result, i);
        labels[i] = g_quark_from_string(gst_pe_result_get_label(result, i));
    }
    GstAnalyticsRelationMeta *meta =
        gst_buffer_add_analytics_relation_meta(buffer);
    GstAnalyticsClsMtd mtd;
    gst_analytics_relation_meta_add_cls_mtd(meta, n, levels, labels, &mtd);
}
#else
void
gst_pe_analytics_attach(GstBuffer *buffer, const GstPeResult *result)
{
}
#endif
