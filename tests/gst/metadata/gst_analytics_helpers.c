// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gst_analytics_helpers.c - see gst_analytics_helpers.h.

#include "gst_analytics_helpers.h"

static void
skip_version(gconstpointer data)
{
    const VersionTest *test = data;
    g_autofree char *why = g_strdup_printf(
        "needs GStreamer %s with its analytics library; this is %d.%d",
        test->since, GST_VERSION_MAJOR, GST_VERSION_MINOR);

    g_test_skip(why);
}

void
add_version_tests(const VersionTest *tests, gsize n)
{
    for (gsize i = 0; i < n; i++) {
        if (tests[i].function)
            g_test_add_func(tests[i].name, tests[i].function);
        else
            g_test_add_data_func(tests[i].name, &tests[i], skip_version);
    }
}

#ifdef HAVE_GST_ANALYTICS
GstBuffer *
look_at_a_frame(GstHarness **h, const char *properties)
{
    *h = play_inference(properties);
    push_frames(*h, 0, 1);
    return pull(*h);
}

GstAnalyticsRelationMeta *
get_relations(GstBuffer *buffer)
{
    GstAnalyticsRelationMeta *meta =
        gst_buffer_get_analytics_relation_meta(buffer);

    g_assert_nonnull(meta);
    return meta;
}

bool
next_box(GstAnalyticsRelationMeta *meta, gpointer *state,
         GstAnalyticsODMtd *box)
{
    return gst_analytics_relation_meta_iterate(
        meta, state, gst_analytics_od_mtd_get_mtd_type(), box);
}

GstAnalyticsClsMtd
find_labels(GstAnalyticsRelationMeta *meta, const GstAnalyticsODMtd *box)
{
    static const GstAnalyticsRelTypes types[] = {
        GST_ANALYTICS_REL_TYPE_RELATE_TO, GST_ANALYTICS_REL_TYPE_CONTAIN};
    GstAnalyticsClsMtd found[G_N_ELEMENTS(types)];

    for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
        gpointer state = NULL;
        g_assert_true(gst_analytics_relation_meta_get_direct_related(
            meta, box->id, types[i], gst_analytics_cls_mtd_get_mtd_type(),
            &state, &found[i]));
    }
    g_assert_cmpuint(found[0].id, ==, found[1].id);
    return found[0];
}
#endif
