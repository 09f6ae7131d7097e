// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeanalytics.c - one classification, of the whole frame or of an object in
// it, best label first,
// as consumers of GstAnalyticsClsMtd look at the first entry only. What shows
// nothing that was asked for is of the class "unknown" before all others.

#include "gst/result/gstpeanalytics.h"

#ifdef HAVE_GST_ANALYTICS
#include <gst/analytics/analytics.h>
#include <stdbool.h>

void
gst_pe_analytics_attach(GstBuffer *buffer, const GstPeResult *result,
                        int detection)
{
    guint n_labels = gst_pe_result_get_n_labels(result);
    g_autofree gfloat *levels = g_new(gfloat, n_labels + 1);
    g_autofree GQuark *labels = g_new(GQuark, n_labels + 1);
    gsize n = 0;

    if (gst_pe_result_is_unknown(result)) {
        levels[n] = (gfloat)gst_pe_result_get_negative_mass(result);
        labels[n++] = g_quark_from_static_string("unknown");
    }
    for (guint i = 0; i < n_labels; i++) {
        levels[n] = (gfloat)gst_pe_result_get_score(result, i);
        labels[n++] = g_quark_from_string(gst_pe_result_get_label(result, i));
    }
    // Nobody could tell it from one of the whole frame.
    bool lost = gst_pe_result_get_region(result) && detection < 0;
    if (n == 0 || lost)
        return;
    GstAnalyticsRelationMeta *meta =
        gst_buffer_add_analytics_relation_meta(buffer);
    GstAnalyticsClsMtd mtd;
    if (gst_analytics_relation_meta_add_cls_mtd(meta, n, levels, labels,
                                                &mtd) &&
        detection >= 0)
        gst_analytics_relation_meta_set_relation(
            meta,
            GST_ANALYTICS_REL_TYPE_RELATE_TO | GST_ANALYTICS_REL_TYPE_CONTAIN,
            (guint)detection, mtd.id);
}
#else
void
gst_pe_analytics_attach(GstBuffer *buffer, const GstPeResult *result,
                        int detection)
{
}
#endif
