// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_objects.c - inference-region=roi-list: every object that a detector
// found has a result of its own, which is of the right pixels and says so.

#include "region_helpers.h"

#define ROI_LIST "inference-region=roi-list mode=exact "

// ---- What is embedded -----------------------------------------------------

static const guint places[][4] = {
    {13, 7, 31, 23}, {0, 0, 17, 64}, {64, 40, 32, 24}, {51, 33, 1, 1}};

static void
embeds_the_pixels_of_each_object(gconstpointer data)
{
    GstVideoFormat format = GPOINTER_TO_INT(data);
    GstHarness *h = play_inference(ROI_LIST "min-roi-size=0");
    g_autofree char *caps = caps_of(format);
    GstBuffer *buffer = make_frame_in(format, 0);

    gst_harness_set_src_caps_str(h, caps);
    for (guint i = 0; i < G_N_ELEMENTS(places); i++)
        add_object(buffer, "thing", (int)i + 1, places[i][0], places[i][1],
                   places[i][2], places[i][3]);
    GstBuffer *out = pass(h, buffer);
    g_assert_cmpuint(gst_buffer_get_n_pe_metas(out), ==, G_N_ELEMENTS(places));
    for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
        const guint *p = places[i];
        g_autoptr(GBytes) want = embed_crop(format, make_frame_in(format, 0),
                                            p[0], p[1], p[2], p[3]);
        GstPeResult *result = gst_buffer_get_nth_pe_meta(out, i)->result;
        const GstPeRegion *region = gst_pe_result_get_region(result);
        double cosine = compare(get_embedding(result), want);
        g_test_message("%ux%u: cosine %.7f, least 0.9999", p[2], p[3], cosine);
        g_assert_cmpfloat(cosine, >=, 0.9999);
        g_assert_cmpint(region->id, ==, (int)i + 1);
        g_assert_cmpuint(region->track_id, ==, i + 1);
        g_assert_cmpstr(region->name, ==, "thing");
        g_assert_cmpint(region->x, ==, (int)p[0]);
        g_assert_cmpint(region->y, ==, (int)p[1]);
        g_assert_cmpint(region->width, ==, (int)p[2]);
        g_assert_cmpint(region->height, ==, (int)p[3]);
        g_assert_cmpuint(gst_pe_result_get_n_frames(result), ==, 1);
    }
    gst_buffer_unref(out);
    stop(h);
}

static void
tells_the_region_in_messages(void)
{
    GstHarness *h = play_inference(ROI_LIST "labels=dog|cat");
    GstBuffer *buffer = make_frame(0);
    int id, x;
    guint64 track;

    add_object(buffer, "person", 5, 20, 10, 30, 40);
    gst_buffer_unref(pass(h, buffer));
    GstMessage *m;
    do {
        m = wait_message(GST_ELEMENT_BUS(h->element), GST_MESSAGE_ELEMENT);
        g_assert_nonnull(m);
        if (gst_message_has_name(m, "peinference"))
            break;
        gst_message_unref(m);
    } while (true);
    const GstStructure *s = gst_message_get_structure(m);
    g_assert_true(gst_structure_get(s, "region-id", G_TYPE_INT, &id, "region-x",
                                    G_TYPE_INT, &x, "region-track-id",
                                    G_TYPE_UINT64, &track, NULL));
    g_assert_cmpint(id, ==, 5);
    g_assert_cmpint(x, ==, 20);
    g_assert_cmpuint(track, ==, 5);
    g_assert_cmpstr(gst_structure_get_string(s, "region-name"), ==, "person");
    gst_message_unref(m);
    stop(h);
}

static void
passes_frames_without_objects(void)
{
    GstHarness *h = play_inference(ROI_LIST);

    push_frames(h, 0, 20);
    g_assert_cmpint(pull_frames(h, 20), ==, 0);
    g_assert_cmpuint(get_stat(h->element, "regions"), ==, 0);
    stop(h);
}

// ---- What is left out -----------------------------------------------------

static void
leaves_out_other_classes(void)
{
    GstHarness *h = play_inference(ROI_LIST "object-class=\"person| car \"");
    GstBuffer *buffer = make_frame(0);

    add_object(buffer, "person", 1, 0, 0, 30, 30);
    add_object(buffer, "dog", 2, 0, 0, 30, 30);
    add_object(buffer, "car", 3, 0, 0, 30, 30);
    GstBuffer *out = pass(h, buffer);
    g_assert_cmpuint(gst_buffer_get_n_pe_metas(out), ==, 2);
    g_assert_nonnull(find_result(out, "person"));
    g_assert_nonnull(find_result(out, "car"));
    gst_buffer_unref(out);
    stop(h);
}

static void
clips_and_counts_what_is_outside(void)
{
    GstHarness *h = play_inference(ROI_LIST);
    GstBuffer *buffer = make_frame(0);

    add_object(buffer, "clipped", 1, 70, 40, 1000, 1000);
    add_object(buffer, "outside", 2, FRAME_WIDTH, 0, 20, 20);
    add_object(buffer, "empty", 3, 10, 10, 0, 20);
    add_object(buffer, "far", 4, G_MAXUINT, G_MAXUINT, G_MAXUINT, G_MAXUINT);
    add_object(buffer, "small", 5, 10, 10, 15, 40);
    GstBuffer *out = pass(h, buffer);
    g_assert_cmpuint(gst_buffer_get_n_pe_metas(out), ==, 1);
    const GstPeRegion *region = get_region(out, 0);
    g_assert_cmpint(region->x, ==, 70);
    g_assert_cmpint(region->width, ==, FRAME_WIDTH - 70);
    g_assert_cmpint(region->height, ==, FRAME_HEIGHT - 40);
    g_assert_cmpuint(get_stat(h->element, "regions-outside"), ==, 3);
    g_assert_cmpuint(get_stat(h->element, "regions-too-small"), ==, 1);
    gst_buffer_unref(out);
    stop(h);
}

static void
counts_and_tells_what_is_too_much(void)
{
    GstHarness *h = play_inference(ROI_LIST);
    guint n_warnings = 0;
    GstMessage *m;

    for (int f = 0; f < 2; f++) {
        GstBuffer *buffer = make_frame(f);
        for (int i = 0; i < 70; i++)
            add_object(buffer, "ant", i + 1, (guint)i % 60, 3, 20, 20);
        GstBuffer *out = pass(h, buffer);
        g_assert_cmpuint(gst_buffer_get_n_pe_metas(out), ==, 64);
        gst_buffer_unref(out);
    }
    g_assert_cmpuint(get_stat(h->element, "regions-over-limit"), ==, 12);
    while ((m = gst_bus_pop_filtered(GST_ELEMENT_BUS(h->element),
                                     GST_MESSAGE_WARNING))) {
        n_warnings++;
        gst_message_unref(m);
    }
    g_assert_cmpuint(n_warnings, ==, 1);
    stop(h);
}

static void
embeds_inside_of_the_crop_only(void)
{
    GstHarness *h = play_inference(ROI_LIST);
    GstBuffer *buffer = make_frame(0);
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(buffer);

    *crop = (GstVideoCropMeta){crop->meta, 10, 20, 60, 40};
    add_object(buffer, "thing", 1, 0, 0, 40, 64);
    GstBuffer *out = pass(h, buffer);
    const GstPeRegion *region = get_region(out, 0);
    g_assert_cmpint(region->x, ==, 10);
    g_assert_cmpint(region->y, ==, 20);
    g_assert_cmpint(region->width, ==, 30);
    g_assert_cmpint(region->height, ==, 40);
    gst_buffer_unref(out);
    stop(h);
}

// ---- Tracks ---------------------------------------------------------------

// Frame f with object 7, which moves, and one that nobody tracks.
static GstBuffer *
make_tracked(int f)
{
    GstBuffer *buffer = make_frame(f);

    add_object(buffer, "tracked", 7, (guint)f, 5, 30, 30);
    add_object(buffer, "untracked", 0, (guint)f, 5, 30, 30);
    return buffer;
}

static void
embeds_a_track_now_and_then(void)
{
    GstHarness *h = play_inference(ROI_LIST "reclassify-interval=4");
    GBytes *last[2] = {NULL, NULL};
    guint n_changes[2] = {0, 0};

    for (int f = 0; f < 17; f++) {
        GstBuffer *out = pass(h, make_tracked(f));
        static const char *const names[] = {"tracked", "untracked"};
        for (int i = 0; i < 2; i++) {
            GstPeResult *result = find_result(out, names[i]);
            g_assert_nonnull(result);
            g_assert_cmpint(gst_pe_result_get_region(result)->x, ==, f);
            GBytes *now = g_bytes_ref(get_embedding(result));
            n_changes[i] += !last[i] || !g_bytes_equal(now, last[i]);
            g_clear_pointer(&last[i], g_bytes_unref);
            last[i] = now;
        }
        gst_buffer_unref(out);
    }
    g_assert_cmpuint(n_changes[0], ==, 5);
    g_assert_cmpuint(n_changes[1], ==, 17);
    g_assert_cmpuint(get_stat(h->element, "regions-reused"), ==, 12);
    g_bytes_unref(last[0]);
    g_bytes_unref(last[1]);
    stop(h);
}

static void
forgets_tracks_at_a_flush(void)
{
    GstHarness *h = play_inference(ROI_LIST "reclassify-interval=1000");
    GstSegment segment;

    for (int f = 0; f < 3; f++)
        gst_buffer_unref(pass(h, make_tracked(f)));
    g_assert_cmpuint(get_stat(h->element, "regions-reused"), ==, 2);
    gst_harness_push_event(h, gst_event_new_flush_start());
    gst_harness_push_event(h, gst_event_new_flush_stop(TRUE));
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(h, gst_event_new_segment(&segment));
    gst_buffer_unref(pass(h, make_tracked(3)));
    g_assert_cmpuint(get_stat(h->element, "regions-reused"), ==, 2);
    stop(h);
}

// ---- Latest ---------------------------------------------------------------

// Push frames until one carries n results, and return it.
static GstBuffer *
push_until(GstHarness *h, int *f, bool objects, guint n)
{
    for (int i = 0; i < 60000; i++) {
        GstBuffer *buffer = make_frame(*f);
        if (objects) {
            add_object(buffer, "left", 1, 0, 0, 30, 30);
            add_object(buffer, "right", 2, 60, 0, 30, 30);
        }
        ++*f;
        GstBuffer *out = pass(h, buffer);
        if (gst_buffer_get_n_pe_metas(out) == n)
            return out;
        gst_buffer_unref(out);
        g_usleep(1000);
    }
    g_assert_not_reached();
}

static void
carries_the_latest_objects_until_they_are_gone(void)
{
    GstHarness *h = play_inference("inference-region=roi-list mode=latest");
    int f = 0;

    GstBuffer *out = push_until(h, &f, true, 2);
    g_assert_nonnull(find_result(out, "left"));
    g_assert_nonnull(find_result(out, "right"));
    gst_buffer_unref(out);
    gst_buffer_unref(push_until(h, &f, false, 0));
    gst_buffer_unref(push_until(h, &f, true, 2));
    // What is no longer looked at is gone at once.
    g_object_set(h->element, "inference-region", 1, "clip-length", 1000, NULL);
    out = pass(h, make_frame(f));
    g_assert_cmpuint(gst_buffer_get_n_pe_metas(out), ==, 0);
    gst_buffer_unref(out);
    stop(h);
}

static void
add_tests(void)
{
    g_test_add_data_func("/objects/pixels/RGB",
                         GINT_TO_POINTER(GST_VIDEO_FORMAT_RGB),
                         embeds_the_pixels_of_each_object);
    g_test_add_data_func("/objects/pixels/NV12",
                         GINT_TO_POINTER(GST_VIDEO_FORMAT_NV12),
                         embeds_the_pixels_of_each_object);
    g_test_add_data_func("/objects/pixels/I420",
                         GINT_TO_POINTER(GST_VIDEO_FORMAT_I420),
                         embeds_the_pixels_of_each_object);
    g_test_add_func("/objects/message", tells_the_region_in_messages);
    g_test_add_func("/objects/none", passes_frames_without_objects);
    g_test_add_func("/objects/classes", leaves_out_other_classes);
    g_test_add_func("/objects/outside", clips_and_counts_what_is_outside);
    g_test_add_func("/objects/limit", counts_and_tells_what_is_too_much);
    g_test_add_func("/objects/crop", embeds_inside_of_the_crop_only);
    g_test_add_func("/objects/tracks/interval", embeds_a_track_now_and_then);
    g_test_add_func("/objects/tracks/flush", forgets_tracks_at_a_flush);
    g_test_add_func("/objects/latest",
                    carries_the_latest_objects_until_they_are_gone);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
