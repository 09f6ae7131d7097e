// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_regions.c - named regions: where they lie, by which labels they are
// scored, how often and when they are embedded, and how they change.

#include "region_helpers.h"

#include <string.h>

#define GATE "gate=3,5,41,33;open|closed"
#define DOOR "door=50%,10%,25%,50%;a dog|a cat;labels-mode=independent"

static void
assert_labels(const GstPeResult *result, const char *a, const char *b)
{
    g_assert_nonnull(result);
    g_assert_cmpuint(gst_pe_result_get_n_labels(result), ==, 2);
    for (guint i = 0; i < 2; i++) {
        const char *label = gst_pe_result_get_label(result, i);
        g_assert_true(g_str_equal(label, a) || g_str_equal(label, b));
    }
}

static void
scores_each_by_its_own_labels(void)
{
    GstHarness *h = play_inference("mode=exact labels=sun|rain regions=\"" GATE
                                   ";;" DOOR ";;bare=0,0,9,9\"");

    GstBuffer *out = pass(h, make_frame(0));
    g_assert_cmpuint(gst_buffer_get_n_pe_metas(out), ==, 3);
    GstPeResult *gate = find_result(out, "gate");
    GstPeResult *door = find_result(out, "door");
    assert_labels(gate, "open", "closed");
    assert_labels(door, "a dog", "a cat");
    assert_labels(find_result(out, "bare"), "sun", "rain");
    g_assert_cmpstr(gst_pe_result_get_label_set_fingerprint(gate), !=,
                    gst_pe_result_get_label_set_fingerprint(door));
    g_autoptr(GBytes) want =
        embed_crop(GST_VIDEO_FORMAT_RGB, make_frame(0), 3, 5, 41, 33);
    g_assert_cmpfloat(compare(get_embedding(gate), want), >=, 0.9999);
    const GstPeRegion *region = gst_pe_result_get_region(door);
    g_assert_cmpint(region->x, ==, FRAME_WIDTH / 2);
    g_assert_cmpint(region->y, ==, 6); // of 6.4
    g_assert_cmpint(region->width, ==, FRAME_WIDTH / 4);
    g_assert_cmpint(region->height, ==, FRAME_HEIGHT / 2);
    gst_buffer_unref(out);
    stop(h);
}

static void
embeds_the_whole_frame_besides(void)
{
    GstHarness *h = play_inference("mode=exact clip-length=4 labels=sun|rain "
                                   "inference-region=full-frame "
                                   "regions=\"" GATE "\"");

    for (int f = 0; f < 8; f++) {
        GstBuffer *out = pass(h, make_frame(f));
        bool ends = f % 4 == 3;
        g_assert_cmpuint(gst_buffer_get_n_pe_metas(out), ==, ends ? 2 : 1);
        assert_labels(find_result(out, "gate"), "open", "closed");
        if (ends) {
            g_assert_null(get_region(out, 0));
            assert_labels(gst_buffer_get_pe_meta(out)->result, "sun", "rain");
            g_assert_cmpuint(
                gst_pe_result_get_n_frames(gst_buffer_get_pe_meta(out)->result),
                ==, 4);
        }
        gst_buffer_unref(out);
    }
    stop(h);
}

static void
looks_at_every_nth_frame(void)
{
    GstHarness *h =
        play_inference("mode=exact regions=\"" GATE ";interval=3\"");

    for (int f = 0; f < 9; f++) {
        GstBuffer *out = pass(h, make_frame(f));
        g_assert_cmpuint(gst_buffer_get_n_pe_metas(out), ==, f % 3 == 0);
        gst_buffer_unref(out);
    }
    stop(h);
}

// The same scene with noise of +-1 in each value.
static GstBuffer *
make_still(GRand *rand, int scene, int index)
{
    GstBuffer *buffer = make_frame(scene);
    GstMapInfo map;

    g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READWRITE));
    for (gsize i = 0; i < map.size; i++)
        map.data[i] =
            (guint8)CLAMP(map.data[i] + g_rand_int_range(rand, -1, 2), 0, 255);
    gst_buffer_unmap(buffer, &map);
    GST_BUFFER_PTS(buffer) = (guint64)index * FRAME_DURATION;
    return buffer;
}

static void
embeds_what_has_changed(void)
{
    GstHarness *h =
        play_inference("mode=exact regions=\"" GATE ";on-change=3\"");
    GRand *rand = g_rand_new_with_seed(1);
    g_autoptr(GBytes) old = NULL;

    for (int f = 0; f < 200; f++) {
        int scene = f < 123 ? 0 : 9;
        GstBuffer *out = pass(h, make_still(rand, scene, f));
        GstPeResult *result = find_result(out, "gate");
        assert_labels(result, "open", "closed");
        g_assert_cmpuint(gst_pe_result_get_clip_start(result), ==,
                         (guint64)f * FRAME_DURATION);
        // The change is seen in its first frame.
        if (f == 123)
            g_assert_false(g_bytes_equal(get_embedding(result), old));
        else if (old)
            g_assert_true(g_bytes_equal(get_embedding(result), old));
        g_clear_pointer(&old, g_bytes_unref);
        old = g_bytes_ref(get_embedding(result));
        gst_buffer_unref(out);
    }
    guint64 reused = get_stat(h->element, "regions-reused");
    g_test_message("%d of 200 reused, least 190", (int)reused);
    g_assert_cmpuint(reused, ==, 198);
    g_rand_free(rand);
    stop(h);
}

// A static scene must not keep old labels or thresholds.
static void
scores_what_has_not_changed_by_new_labels(void)
{
    GstHarness *h = play_inference("mode=exact labels=sun|rain "
                                   "regions=\"bare=0,0,40,40;on-change=3\"");
    GRand *rand = g_rand_new_with_seed(1);
    bool changed = false;

    GstBuffer *first = pass(h, make_still(rand, 0, 0));
    assert_labels(find_result(first, "bare"), "sun", "rain");
    gst_buffer_unref(first);
    g_object_set(h->element, "labels", "moon|snow", NULL);
    for (int f = 1; !changed; f++) {
        g_assert_cmpint(f, <, 60000);
        GstBuffer *out = pass(h, make_still(rand, 0, f));
        GstPeResult *result = find_result(out, "bare");
        changed = strstr("moon|snow", gst_pe_result_get_label(result, 0));
        gst_buffer_unref(out);
        g_usleep(1000);
    }
    g_rand_free(rand);
    stop(h);
}

static void
sees_changes_in_every_format(gconstpointer data)
{
    GstVideoFormat format = GPOINTER_TO_INT(data);
    GstHarness *h =
        play_inference("mode=exact regions=\"gate=33,7,31,33;on-change=3\"");
    g_autofree char *caps = caps_of(format);

    gst_harness_set_src_caps_str(h, caps);
    for (int f = 0; f < 3; f++) {
        GstBuffer *buffer = make_frame_in(format, f < 2 ? 0 : 9);
        GST_BUFFER_PTS(buffer) = (guint64)f * FRAME_DURATION;
        gst_buffer_unref(pass(h, buffer));
    }
    g_assert_cmpuint(get_stat(h->element, "regions"), ==, 3);
    g_assert_cmpuint(get_stat(h->element, "regions-reused"), ==, 1);
    stop(h);
}

static void
leaves_out_what_lies_outside(void)
{
    GstHarness *h = play_inference(
        "mode=exact regions=\"gate=200,0,20,20;a|b;;half=-10,-10,30,30;a|b\"");
    GstBuffer *out = pass(h, make_frame(0));

    g_assert_null(find_result(out, "gate"));
    const GstPeRegion *half =
        gst_pe_result_get_region(find_result(out, "half"));
    g_assert_cmpint(half->x, ==, 0);
    g_assert_cmpint(half->width, ==, 20);
    g_assert_cmpuint(get_stat(h->element, "regions-outside"), ==, 1);
    gst_buffer_unref(out);
    stop(h);
}

// ---- Rates ----------------------------------------------------------------

static void
push_rate(GstHarness *h, double rate, GstSegmentFlags flags)
{
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.rate = rate;
    segment.flags |= flags;
    segment.stop = 20 * FRAME_DURATION;
    g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
}

static void
looks_at_every_sample_at_any_rate(void)
{
    static const double rates[] = {2, 0.5, -1, -4};
    GstHarness *h = play_inference("mode=exact regions=\"" GATE "\"");

    for (guint r = 0; r < G_N_ELEMENTS(rates); r++) {
        push_rate(h, rates[r], r % 2 ? GST_SEGMENT_FLAG_TRICKMODE : 0);
        for (int i = 0; i < 20; i++) {
            int f = rates[r] > 0 ? i : 19 - i;
            GstBuffer *out = pass(h, make_frame(f));
            GstPeResult *result = find_result(out, "gate");
            g_assert_nonnull(result);
            g_assert_cmpuint(gst_pe_result_get_clip_stream_start(result), ==,
                             (guint64)f * FRAME_DURATION);
            gst_buffer_unref(out);
        }
    }
    g_assert_cmpuint(get_stat(h->element, "regions"), ==, 80);
    stop(h);
}

// A sink that is late makes nobody leave out frames or their regions.
static void
goes_on_when_a_sink_is_late(void)
{
    GstHarness *h = play_inference("mode=exact regions=\"" GATE "\"");

    for (int f = 0; f < 10; f++) {
        GstBuffer *out = pass(h, make_frame(f));
        g_assert_nonnull(find_result(out, "gate"));
        gst_harness_push_upstream_event(
            h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 3, GST_SECOND,
                                 GST_BUFFER_PTS(out)));
        gst_buffer_unref(out);
    }
    g_assert_cmpuint(get_stat(h->element, "qos-events-stopped"), ==, 10);
    g_assert_cmpuint(get_stat(h->element, "skipped"), ==, 0);
    stop(h);
}

// ---- Latest ---------------------------------------------------------------

static void
carries_the_latest_of_each(void)
{
    GstHarness *h = play_inference("mode=latest regions=\"" GATE ";;" DOOR
                                   ";interval=20\"");
    guint n = 0;

    // The door is looked at now and then, the gate always, unless a frame finds
    // the device at work; frames carry both.
    for (int f = 0; n < 50; f++) {
        g_assert_cmpint(f, <, 60000);
        GstBuffer *out = pass(h, make_frame(f));
        n += gst_buffer_get_n_pe_metas(out) == 2;
        gst_buffer_unref(out);
        g_usleep(1000);
    }
    g_object_set(h->element, "regions", NULL, "clip-length", 1000, NULL);
    for (int f = 60000; n > 0; f++) {
        g_assert_cmpint(f, <, 120000);
        GstBuffer *out = pass(h, make_frame(f));
        n = gst_buffer_get_n_pe_metas(out);
        gst_buffer_unref(out);
        g_usleep(1000);
    }
    stop(h);
}

// ---- Bad input ------------------------------------------------------------

static void
keeps_the_old_regions_when_new_ones_are_wrong(void)
{
    GstHarness *h = play_inference("mode=exact regions=\"" GATE "\"");
    g_autoptr(GError) error = NULL;

    g_object_set(h->element, "regions", "gate=3,5,41;open|closed", NULL);
    while (!error || !strstr(error->message, "regions, character 12")) {
        g_autoptr(GstMessage) m =
            wait_message(GST_ELEMENT_BUS(h->element), GST_MESSAGE_WARNING);
        g_assert_nonnull(m);
        g_clear_error(&error);
        gst_message_parse_warning(m, &error, NULL);
        g_test_message("%s", error->message);
    }
    GstBuffer *out = pass(h, make_frame(0));
    assert_labels(find_result(out, "gate"), "open", "closed");
    gst_buffer_unref(out);
    stop(h);
}

static void
tells_once_what_lies_outside(void)
{
    GstHarness *h = play_inference("mode=exact regions=\"" GATE ";;"
                                   "far=5000,10,20,20;;low=0%,150%,10%,10%\"");
    g_autoptr(GString) told = g_string_new(NULL);
    GstMessage *m;

    for (int f = 0; f < 3; f++)
        gst_buffer_unref(pass(h, make_frame(f)));
    while ((m = gst_bus_pop_filtered(GST_ELEMENT_BUS(h->element),
                                     GST_MESSAGE_WARNING))) {
        g_autoptr(GError) error = NULL;
        gst_message_parse_warning(m, &error, NULL);
        if (strstr(error->message, "outside"))
            g_string_append_printf(told, "%s\n", error->message);
        gst_message_unref(m);
    }
    g_autofree char *expected = g_strdup_printf(
        "region far (left 5000, top 10, width 20, height 20) lies outside the "
        "picture of %d x %d pixels, so it has no results; change regions\n"
        "region low (left 0%%, top 150%%, width 10%%, height 10%%) lies "
        "outside the picture of %d x %d pixels, so it has no results; change "
        "regions\n",
        FRAME_WIDTH, FRAME_HEIGHT, FRAME_WIDTH, FRAME_HEIGHT);
    g_assert_cmpstr(told->str, ==, expected);
    stop(h);
}

static void
keeps_regions_when_labels_are_set(void)
{
    GstHarness *h = play_inference("mode=exact regions=\"" GATE "\"");
    GstStructure *set =
        gst_structure_new("set", "labels", G_TYPE_STRING, "x|y", NULL);
    gboolean ok;
    g_autofree char *regions = NULL;

    g_signal_emit_by_name(h->element, "set-labels", set, &ok);
    g_assert_true(ok);
    g_object_get(h->element, "regions", &regions, NULL);
    g_assert_cmpstr(regions, ==, GATE);
    gst_structure_set(set, "regions", G_TYPE_STRING, "", NULL);
    g_signal_emit_by_name(h->element, "set-labels", set, &ok);
    g_assert_true(ok);
    g_clear_pointer(&regions, g_free);
    g_object_get(h->element, "regions", &regions, NULL);
    g_assert_null(regions);
    gst_structure_free(set);
    stop(h);
}

static void
add_tests(void)
{
    g_test_add_func("/regions/labels", scores_each_by_its_own_labels);
    g_test_add_func("/regions/outside-told", tells_once_what_lies_outside);
    g_test_add_func("/regions/whole", embeds_the_whole_frame_besides);
    g_test_add_func("/regions/interval", looks_at_every_nth_frame);
    g_test_add_func("/regions/change", embeds_what_has_changed);
    g_test_add_func("/regions/change/labels",
                    scores_what_has_not_changed_by_new_labels);
    g_test_add_data_func("/regions/change/NV12",
                         GINT_TO_POINTER(GST_VIDEO_FORMAT_NV12),
                         sees_changes_in_every_format);
    g_test_add_data_func("/regions/change/I420_10LE",
                         GINT_TO_POINTER(GST_VIDEO_FORMAT_I420_10LE),
                         sees_changes_in_every_format);
    g_test_add_data_func("/regions/change/v210",
                         GINT_TO_POINTER(GST_VIDEO_FORMAT_v210),
                         sees_changes_in_every_format);
    g_test_add_func("/regions/outside", leaves_out_what_lies_outside);
    g_test_add_func("/regions/rates", looks_at_every_sample_at_any_rate);
    g_test_add_func("/regions/qos", goes_on_when_a_sink_is_late);
    g_test_add_func("/regions/latest", carries_the_latest_of_each);
    g_test_add_func("/regions/wrong",
                    keeps_the_old_regions_when_new_ones_are_wrong);
    g_test_add_func("/regions/set-labels", keeps_regions_when_labels_are_set);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
