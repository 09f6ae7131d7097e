// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_analytics.c - labels as GstAnalytics metadata, boxes for them, and
// what is said where GStreamer does not have these.

#include "gst_analytics_helpers.h"

#include <gst/video/gstvideometa.h>

#ifdef HAVE_GST_ANALYTICS
static guint
count(GstBuffer *buffer, GstAnalyticsMtdType type)
{
    GstAnalyticsRelationMeta *meta =
        gst_buffer_get_analytics_relation_meta(buffer);
    GstAnalyticsMtd mtd;
    gpointer state = NULL;
    guint n = 0;

    while (meta &&
           gst_analytics_relation_meta_iterate(meta, &state, type, &mtd))
        n++;
    return n;
}

// ---- Labels ---------------------------------------------------------------

static void
mirrors_the_labels(void)
{
    GstHarness *h;
    GstBuffer *buffer = look_at_a_frame(&h, "clip-length=1 labels=dog|cat|fish "
                                            "negative-labels=none");
    GstPeResult *result = gst_buffer_get_pe_meta(buffer)->result;
    GstAnalyticsClsMtd cls;
    gpointer state = NULL;

    g_assert_true(gst_analytics_relation_meta_iterate(
        get_relations(buffer), &state, gst_analytics_cls_mtd_get_mtd_type(),
        &cls));
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
    GstHarness *h;
    GstBuffer *buffer = look_at_a_frame(&h, "clip-length=1 labels=dog|cat|fish "
                                            "similarity-threshold=1");
    GstPeResult *result = gst_buffer_get_pe_meta(buffer)->result;
    GstAnalyticsClsMtd cls;
    gpointer state = NULL;

    g_assert_true(gst_pe_result_is_unknown(result));
    g_assert_true(gst_analytics_relation_meta_iterate(
        get_relations(buffer), &state, gst_analytics_cls_mtd_get_mtd_type(),
        &cls));
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
    GstHarness *h;
    GstBuffer *buffer = look_at_a_frame(&h, "clip-length=1 attach-boxes=true");

    g_assert_nonnull(gst_buffer_get_pe_meta(buffer));
    g_assert_null(gst_buffer_get_analytics_relation_meta(buffer));
    gst_buffer_unref(buffer);
    stop(h);
}

// ---- Boxes ----------------------------------------------------------------

// For the label, above the box of a whole picture as low as this.
#define ROOM (FRAME_HEIGHT / 4)
#define TWO_PLACES \
    "clip-length=1 labels=dog|cat negative-labels=none " \
    "inference-region=full-frame regions=\"gate=10,20,50%,50%;open|closed\" "

static void
makes_no_boxes_unasked(void)
{
    GstHarness *h;
    GstBuffer *buffer = look_at_a_frame(&h, TWO_PLACES);

    g_assert_cmpuint(gst_buffer_get_n_pe_metas(buffer), ==, 2);
    g_assert_cmpuint(count(buffer, gst_analytics_od_mtd_get_mtd_type()), ==, 0);
    // Of the whole frame: nobody could tell what the other is of.
    g_assert_cmpuint(count(buffer, gst_analytics_cls_mtd_get_mtd_type()), ==,
                     1);
    gst_buffer_unref(buffer);
    stop(h);
}

static void
assert_is_the_box(GstBuffer *buffer, const GstAnalyticsODMtd *box,
                  const GstPeResult *result, const int place[4])
{
    GstAnalyticsClsMtd cls = find_labels(get_relations(buffer), box);
    const char *label = gst_pe_result_get_label(result, 0);
    g_autofree char *title = gst_pe_result_title_label(result, label);
    GQuark type = gst_analytics_od_mtd_get_obj_type(box);
    int x, y, width, height;
    float score;

    g_assert_true(gst_analytics_od_mtd_get_location(box, &x, &y, &width,
                                                    &height, &score));
    g_test_message("%s: %d,%d %dx%d", title, x, y, width, height);
    g_assert_cmpint(x, ==, place[0]);
    g_assert_cmpint(y, ==, place[1]);
    g_assert_cmpint(width, ==, place[2]);
    g_assert_cmpint(height, ==, place[3]);
    g_assert_cmpfloat_with_epsilon(score, gst_pe_result_get_score(result, 0),
                                   1e-6);
    g_assert_cmpstr(g_quark_to_string(type), ==, title);
    g_assert_cmpstr(g_quark_to_string(gst_analytics_cls_mtd_get_quark(&cls, 0)),
                    ==, label);
}

static void
makes_boxes_for_labels(void)
{
    static const int whole[4] = {0, ROOM, FRAME_WIDTH, FRAME_HEIGHT - ROOM};
    static const int gate[4] = {10, 20, 48, 32};
    GstHarness *h;
    GstBuffer *buffer = look_at_a_frame(&h, TWO_PLACES "attach-boxes=true");
    GstAnalyticsODMtd box;
    gpointer state = NULL;
    guint n = 0;

    g_assert_cmpuint(gst_buffer_get_n_pe_metas(buffer), ==, 2);
    while (next_box(get_relations(buffer), &state, &box)) {
        g_assert_cmpuint(n, <, 2);
        GstPeResult *r = gst_buffer_get_nth_pe_meta(buffer, n++)->result;
        assert_is_the_box(buffer, &box, r,
                          gst_pe_result_get_region(r) ? gate : whole);
    }
    g_assert_cmpuint(n, ==, 2);
    gst_buffer_unref(buffer);
    stop(h);
}

static void
makes_the_box_of_the_crop(void)
{
    static const int place[4] = {10, 20 + 40 / 4, 60, 40 - 40 / 4};
    GstHarness *h =
        play_inference("clip-length=1 labels=dog|cat negative-labels=none "
                       "attach-boxes=true");
    GstBuffer *buffer = make_frame(0);
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);
    GstAnalyticsODMtd box;
    gpointer state = NULL;

    *crop = (GstVideoCropMeta){crop->meta, 10, 20, 60, 40};
    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
    buffer = pull(h);
    g_assert_true(next_box(get_relations(buffer), &state, &box));
    assert_is_the_box(buffer, &box, gst_buffer_get_pe_meta(buffer)->result,
                      place);
    gst_buffer_unref(buffer);
    stop(h);
}

// It stays the only one of its object, by the type that the detector gave it.
static void
uses_the_box_of_a_detector(void)
{
    GstHarness *h =
        play_inference("labels=dog|cat negative-labels=none attach-boxes=true "
                       "inference-region=roi-list mode=exact");
    GstBuffer *buffer = make_frame(0);
    GstAnalyticsODMtd box;
    gpointer state = NULL;

    g_assert_true(gst_analytics_relation_meta_add_od_mtd(
        gst_buffer_add_analytics_relation_meta(buffer),
        g_quark_from_static_string("animal"), 10, 10, 40, 40, 0.5f, &box));
    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
    buffer = pull(h);
    g_assert_cmpuint(count(buffer, gst_analytics_od_mtd_get_mtd_type()), ==, 1);
    g_assert_true(next_box(get_relations(buffer), &state, &box));
    g_assert_cmpstr(g_quark_to_string(gst_analytics_od_mtd_get_obj_type(&box)),
                    ==, "animal");
    GstAnalyticsClsMtd cls = find_labels(get_relations(buffer), &box);
    g_assert_cmpuint(gst_analytics_cls_mtd_get_length(&cls), ==, 2);
    gst_buffer_unref(buffer);
    stop(h);
}
#endif

// ---- What is missing ------------------------------------------------------

// Plays two frames; returns the warning about what is attached, g_free(), or
// NULL. There is at most one.
static char *
hear_warning(const char *properties)
{
    GstHarness *h = play_inference(properties);
    GstBus *bus = GST_ELEMENT_BUS(h->element);
    char *text = NULL;
    GstMessage *m;

    push_frames(h, 0, 2);
    pull_frames(h, 2);
    while ((m = gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING))) {
        g_autoptr(GError) error = NULL;
        gst_message_parse_warning(m, &error, NULL);
        gst_message_unref(m);
        if (!strstr(error->message, "attach-"))
            continue;
        g_assert_null(text);
        text = g_strdup(error->message);
    }
    stop(h);
    g_test_message("%s: %s", properties, text ? text : "nothing");
    return text;
}

static void
assert_tells(const char *properties, bool is_here, const char *version)
{
    g_autofree char *all =
        g_strconcat("clip-length=1 labels=dog|cat ", properties, NULL);
    g_autofree char *warning = hear_warning(all);

    g_assert_true(!warning == is_here);
    g_assert_true(is_here || strstr(warning, version));
}

static void
tells_what_the_version_lacks(void)
{
    bool boxes = SINCE_1_24("") != NULL, tensors = SINCE_1_26("") != NULL;
    g_autofree char *warning = NULL;

    assert_tells("", true, "");
    assert_tells("attach-boxes=true", boxes, "1.24");
    assert_tells("attach-tensor=true", tensors, "1.26");
    warning = hear_warning("clip-length=1 attach-tensor=true "
                           "attach-embedding=false");
    g_assert_nonnull(warning);
    g_assert_nonnull(
        strstr(warning, tensors ? "without attach-embedding" : "1.26"));
}

static void
add_tests(void)
{
    static const VersionTest tests[] = {
        {"/analytics/labels", SINCE_1_24(mirrors_the_labels), "1.24"},
        {"/analytics/unknown",
         SINCE_1_24(begins_with_unknown_when_nothing_fits), "1.24"},
        {"/analytics/no-labels", SINCE_1_24(adds_nothing_without_labels),
         "1.24"},
        {"/analytics/no-boxes", SINCE_1_24(makes_no_boxes_unasked), "1.24"},
        {"/analytics/boxes", SINCE_1_24(makes_boxes_for_labels), "1.24"},
        {"/analytics/crop", SINCE_1_24(makes_the_box_of_the_crop), "1.24"},
        {"/analytics/detector", SINCE_1_24(uses_the_box_of_a_detector), "1.24"},
        {"/analytics/missing", tells_what_the_version_lacks, ""},
    };

    add_version_tests(tests, G_N_ELEMENTS(tests));
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
