// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_analytics.c - the labels as GstAnalytics metadata, where that
// exists.

#include "tests/support/gst_helpers.h"

#include <gst/analytics/analytics.h>

static void
mirrors_the_labels(void)
{
    GstHarness *h = play_inference("clip-length=1 labels=dog|cat|fish "
                                   "negative-labels=none");

    push_frames(h, 0, 1);
    GstBuffer *buffer = pull(h);
    GstPeResult *result = gst_buffer_get_pe_meta(buffer)->result;
    GstAnalyticsRelationMeta *meta =
        gst_buffer_get_analytics_relation_meta(buffer);
    g_assert_nonnull(meta);
    GstAnalyticsClsMtd cls;
    gpointer state = NULL;
    g_assert_true(gst_analytics_relation_meta_iterate(
        meta, &state, gst_analytics_cls_mtd_get_mtd_type(), &cls));
    g_assert_cmpuint(gst_analytics_cls_mtd_get_length(&cls), ==, 3);
    for (guint i = 0; i < 3; i++) {
        GQuark label = gst_analytics_cls_mtd_get_quark(&cls, i);
        g_assert_cmpstr(g_quark_to_string(label), ==,
                        gst_pe_result_get_label(result, i));
        g_assert_cmpfloat_with_epsilon(gst_analytics_cls_mtd_get_level(&cls, i),
                                       gst_pe_result_get_score(result, i),
                                       1e-6);
    }
    gst_buffer_unref(buffer);
    stop(h);
}

static void
begins_with_unknown_when_nothing_fits(void)
{
    GstHarness *h = play_inference("clip-length=1 labels=dog|cat|fish "
                                   "similarity-threshold=1");

    push_frames(h, 0, 1);
    GstBuffer *buffer = pull(h);
    GstPeResult *result = gst_buffer_get_pe_meta(buffer)->result;
    GstAnalyticsClsMtd cls;
    gpointer state = NULL;
    g_assert_true(gst_pe_result_is_unknown(result));
    g_assert_true(gst_analytics_relation_meta_iterate(
        gst_buffer_get_analytics_relation_meta(buffer), &state,
        gst_analytics_cls_mtd_get_mtd_type(), &cls));
    g_assert_cmpuint(gst_analytics_cls_mtd_get_length(&cls), ==, 1);
    g_assert_cmpstr(g_quark_to_string(gst_analytics_cls_mtd_get_quark(&cls, 0)),
                    ==, "unknown");
    g_assert_cmpfloat_with_epsilon(gst_analytics_cls_mtd_get_level(&cls, 0),
                                   gst_pe_result_get_negative_mass(result),
                                   1e-6);
    gst_buffer_unref(buffer);
    stop(h);
}

static void
adds_nothing_without_labels(void)
{
    GstHarness *h = play_inference("clip-length=1");

    push_frames(h, 0, 1);
    GstBuffer *buffer = pull(h);
    g_assert_nonnull(gst_buffer_get_pe_meta(buffer));
    g_assert_null(gst_buffer_get_analytics_relation_meta(buffer));
    gst_buffer_unref(buffer);
    stop(h);
}

static void
add_tests(void)
{
    g_test_add_func("/analytics/labels", mirrors_the_labels);
    g_test_add_func("/analytics/unknown",
                    begins_with_unknown_when_nothing_fits);
    g_test_add_func("/analytics/no-labels", adds_nothing_without_labels);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
