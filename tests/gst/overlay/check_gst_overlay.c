// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_overlay.c - what peoverlay does to frames: pixels change where
// something is drawn and nowhere else; a composition leaves them alone; nothing
// is painted again for nothing.
//
//     check_gst_overlay [--bench]
//
// --bench measures what it costs instead.

#include "overlay_bench.h"
#include "overlay_helpers.h"

#include <limits.h>
#include <math.h>
#include <string.h>

// ---- Where pixels change ----------------------------------------------------

// Which samples of a plane belong to a rectangle of the composition.
static guint8 *
make_mask(GstVideoOverlayComposition *composition, int width, int height,
          int shift)
{
    guint8 *mask = g_malloc0((gsize)(width * height));

    for (guint i = 0;
         i < gst_video_overlay_composition_n_rectangles(composition); i++) {
        int x, y;
        guint w, h;
        gst_video_overlay_rectangle_get_render_rectangle(
            gst_video_overlay_composition_get_rectangle(composition, i), &x, &y,
            &w, &h);
        g_assert_cmpint(x, >=, 0);
        g_assert_cmpint(y, >=, 0);
        g_assert_cmpint(x + (int)w, <=, WIDTH);
        g_assert_cmpint(y + (int)h, <=, HEIGHT);
        for (int row = y >> shift; row <= (y + (int)h - 1) >> shift; row++) {
            for (int col = x >> shift; col <= (x + (int)w - 1) >> shift; col++)
                mask[row * width + col] = 1;
        }
    }
    return mask;
}

static void
check_plane(const GstVideoFrame *before, const GstVideoFrame *after, guint c,
            GstVideoOverlayComposition *composition)
{
    int width = GST_VIDEO_FRAME_COMP_WIDTH(before, c);
    int height = GST_VIDEO_FRAME_COMP_HEIGHT(before, c);
    int stride = GST_VIDEO_FRAME_COMP_STRIDE(before, c);
    const guint8 *a = GST_VIDEO_FRAME_COMP_DATA(before, c);
    const guint8 *b = GST_VIDEO_FRAME_COMP_DATA(after, c);
    g_autofree guint8 *mask = make_mask(composition, width, height, c > 0);
    int n_changed = 0, n_masked = 0;

    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            bool changed = a[y * stride + x] != b[y * stride + x];
            bool masked = mask[y * width + x];
            if (changed && !masked)
                g_error("component %u changed at %d, %d", c, x, y);
            n_changed += changed;
            n_masked += masked;
        }
    }
    g_test_message("component %u: %d of %d changed", c, n_changed, n_masked);
    g_assert_cmpint(n_changed, >, n_masked * 8 / 10);
}

static void
changes_pixels_where_it_draws_only(void)
{
    GstVideoOverlayComposition *composition = make_example_composition();
    GstHarness *h = play_overlay("", GST_VIDEO_FORMAT_I420, false);
    GstVideoInfo info;
    GstVideoFrame before, after;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, WIDTH, HEIGHT);
    GstBuffer *plain = make_noise(&info, 0), *frame = make_noise(&info, 0);
    add_example(frame);
    GstBuffer *out = pass(h, frame);
    g_assert_null(get_composition(out));
    gst_video_frame_map(&before, &info, plain, GST_MAP_READ);
    gst_video_frame_map(&after, &info, out, GST_MAP_READ);
    for (guint c = 0; c < 3; c++)
        check_plane(&before, &after, c, composition);
    gst_video_frame_unmap(&before);
    gst_video_frame_unmap(&after);
    g_assert_cmpuint(get_count(h, "blended"), ==, 1);
    gst_buffer_unref(plain);
    gst_buffer_unref(out);
    gst_video_overlay_composition_unref(composition);
    stop(h);
}

// Its box has the region's edges, and nothing inside.
static void
draws_boxes_where_regions_are(void)
{
    GstVideoOverlayComposition *composition = make_example_composition();
    g_autofree guint8 *mask = make_mask(composition, WIDTH, HEIGHT, 0);
    int middle_x = gate.x + gate.width / 2, middle_y = gate.y + gate.height / 2;
    int right = gate.x + gate.width - 1, bottom = gate.y + gate.height - 1;

    g_assert_true(mask[middle_y * WIDTH + gate.x]);
    g_assert_false(mask[middle_y * WIDTH + gate.x - 1]);
    g_assert_true(mask[middle_y * WIDTH + right]);
    g_assert_false(mask[middle_y * WIDTH + right + 1]);
    g_assert_true(mask[gate.y * WIDTH + right]);
    g_assert_true(mask[bottom * WIDTH + middle_x]);
    g_assert_false(mask[(bottom + 1) * WIDTH + middle_x]);
    g_assert_false(mask[middle_y * WIDTH + middle_x]);
    gst_video_overlay_composition_unref(composition);
}

// ---- Compositions -----------------------------------------------------------

static void
attaches_where_the_sink_draws(void)
{
    GstHarness *h = play_overlay("", GST_VIDEO_FORMAT_NV12, true);
    GstVideoInfo info;
    GstVideoOverlayComposition *first, *second;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, WIDTH, HEIGHT);
    GstBuffer *frame = make_noise(&info, 0);
    GstMemory *memory = gst_buffer_peek_memory(frame, 0);
    add_example(frame);
    GstBuffer *out = pass(h, frame);
    first = get_composition(out);
    g_assert_nonnull(first);
    g_assert_true(gst_buffer_peek_memory(out, 0) == memory);
    GstBuffer *next = pass(h, make_noise(&info, 1));
    second = get_composition(next);
    // Sinks know by this that they have it already.
    g_assert_nonnull(second);
    g_assert_cmpuint(gst_video_overlay_composition_get_seqnum(first), ==,
                     gst_video_overlay_composition_get_seqnum(second));
    GstCaps *caps = gst_pad_get_current_caps(h->sinkpad);
    g_assert_true(gst_caps_features_contains(
        gst_caps_get_features(caps, 0),
        GST_CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION));
    gst_caps_unref(caps);
    gst_buffer_unref(out);
    gst_buffer_unref(next);
    g_assert_cmpuint(get_count(h, "attached"), ==, 2);
    g_assert_cmpuint(get_count(h, "blended"), ==, 0);
    stop(h);
}

// Nobody looks at a second composition.
static void
adds_to_a_composition_that_is_there(void)
{
    GstHarness *h = play_overlay("", GST_VIDEO_FORMAT_NV12, true);
    GstVideoOverlayComposition *theirs = make_example_composition();
    guint n = gst_video_overlay_composition_n_rectangles(theirs);
    GstVideoInfo info;
    gpointer state = NULL;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, WIDTH, HEIGHT);
    GstBuffer *frame = make_noise(&info, 0);
    add_example(frame);
    gst_buffer_add_video_overlay_composition_meta(frame, theirs);
    GstBuffer *out = pass(h, frame);
    g_assert_cmpuint(
        gst_video_overlay_composition_n_rectangles(get_composition(out)), ==,
        2 * n);
    gst_buffer_iterate_meta_filtered(
        out, &state, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE);
    g_assert_null(gst_buffer_iterate_meta_filtered(
        out, &state, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE));
    // Ours did not get into theirs.
    g_assert_cmpuint(gst_video_overlay_composition_n_rectangles(theirs), ==, n);
    gst_buffer_unref(out);
    gst_video_overlay_composition_unref(theirs);
    stop(h);
}

// Memory that cannot be mapped is no hindrance.
static void
attaches_to_any_memory(void)
{
    GstHarness *h = gst_harness_new("peoverlay");
    GstBuffer *buffer = gst_buffer_new();

    gst_harness_set_live(h, FALSE);
    gst_harness_set_src_caps_str(h, "video/x-raw(memory:Elsewhere),format=NV12,"
                                    "width=320,height=240,framerate=25/1");
    add_example(buffer);
    GstBuffer *out = pass(h, buffer);
    g_assert_nonnull(get_composition(out));
    gst_buffer_unref(out);
    gst_harness_teardown(h);
}

static void
refuses_what_nobody_can_draw_on(void)
{
    GstHarness *h = gst_harness_new("peoverlay");

    gst_harness_set_live(h, FALSE);
    gst_harness_set_sink_caps_str(h, "video/x-raw(memory:Elsewhere)");
    gst_harness_set_src_caps_str(h, "video/x-raw(memory:Elsewhere),format=NV12,"
                                    "width=320,height=240,framerate=25/1");
    g_assert_cmpint(gst_harness_push(h, gst_buffer_new()), ==,
                    GST_FLOW_NOT_NEGOTIATED);
    gst_harness_teardown(h);
}

static void
leaves_frames_alone_without_results(void)
{
    GstHarness *h = play_overlay("", GST_VIDEO_FORMAT_RGB, false);
    GstVideoInfo info;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT);
    GstBuffer *frame = make_noise(&info, 0);
    gst_buffer_ref(frame);
    GstBuffer *out = pass(h, frame);
    g_assert_true(out == frame);
    gst_buffer_unref(frame);
    gst_buffer_unref(out);
    g_assert_false(draws_on_next(h, 1));
    stop(h);
}

// ---- What is painted --------------------------------------------------------

static void
push_score(GstHarness *h, int index, double score)
{
    const GstPeLabel label = {"a dog", score, .3, .5};
    GstVideoInfo info;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, WIDTH, HEIGHT);
    GstBuffer *frame = make_noise(&info, index);
    add_result(frame, make_result(&label, 1, NULL));
    gst_buffer_unref(pass(h, frame));
}

static void
paints_again_only_what_looks_different(void)
{
    GstHarness *h = play_overlay("", GST_VIDEO_FORMAT_I420, false);

    for (int i = 0; i < 10; i++)
        push_score(h, i, .5 + i * 1e-4);
    g_assert_cmpuint(get_count(h, "painted"), ==, 1);
    push_score(h, 10, .52);
    g_assert_cmpuint(get_count(h, "painted"), ==, 2);
    g_assert_true(draws_on_next(h, 11));
    g_assert_cmpuint(get_count(h, "painted"), ==, 2);
    gst_harness_set(h, "peoverlay", "position", 3, NULL);
    g_assert_true(draws_on_next(h, 12));
    g_assert_cmpuint(get_count(h, "painted"), ==, 3);
    gst_harness_set(h, "peoverlay", "show", 2, NULL);
    g_assert_false(draws_on_next(h, 13));
    g_assert_cmpuint(get_count(h, "frames"), ==, 14);
    stop(h);
}

static void
forgets_behind_a_flush(void)
{
    GstHarness *h = play_overlay("", GST_VIDEO_FORMAT_I420, false);
    GstSegment segment;

    push_score(h, 0, .5);
    g_assert_true(draws_on_next(h, 1));
    gst_harness_push_event(h, gst_event_new_flush_start());
    gst_harness_push_event(h, gst_event_new_flush_stop(TRUE));
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(h, gst_event_new_segment(&segment));
    g_assert_false(draws_on_next(h, 2));
    stop(h);
}

static void
forgets_in_another_segment(void)
{
    GstHarness *h = play_overlay("", GST_VIDEO_FORMAT_I420, false);
    GstSegment segment;

    push_score(h, 0, .5);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(h, gst_event_new_segment(&segment));
    g_assert_true(draws_on_next(h, 1));
    segment.start = segment.time = FRAME_DURATION;
    gst_harness_push_event(h, gst_event_new_segment(&segment));
    g_assert_false(draws_on_next(h, 2));
    stop(h);
}

static void
forgets_in_another_stream(void)
{
    GstHarness *h = play_overlay("", GST_VIDEO_FORMAT_I420, false);

    push_score(h, 0, .5);
    gst_harness_push_event(h, gst_event_new_stream_start("another"));
    g_assert_false(draws_on_next(h, 1));
    stop(h);
}

static void
forgets_with_other_caps(void)
{
    GstHarness *h = play_overlay("", GST_VIDEO_FORMAT_I420, false);

    push_score(h, 0, .5);
    gst_harness_set_src_caps_str(
        h, "video/x-raw,format=RGB,width=160,height=120,framerate=25/1");
    g_assert_false(draws_on_next(h, 1));
    stop(h);
}

// ---- Bad input --------------------------------------------------------------

static void
draws_hostile_labels(void)
{
    g_autofree char *long_name = g_strnfill(10000, 'W');
    const GstPeLabel labels[] = {
        {long_name, .9, 0, 0},
        {"bad \xff\xfe utf-8", NAN, 0, 0},
        {"<span size='999999'>&#0;</span>", -3, 0, 0},
        {"two\nlines\r\x1b[31m\x07", 1e30, 0, 0},
        {"\xe2\x80\xae\xd7\xa9\xd7\x9c", INFINITY, 0, 0},
        {"", .1, 0, 0},
    };
    const GstPeRegion region = {.name = long_name, .width = 50, .height = 50};
    GstHarness *h = play_overlay("max-labels=100", GST_VIDEO_FORMAT_I420, true);
    GstVideoInfo info;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, WIDTH, HEIGHT);
    GstBuffer *frame = make_noise(&info, 0);
    add_result(frame, make_result(labels, G_N_ELEMENTS(labels), NULL));
    add_result(frame, make_result(labels, 1, &region));
    GstBuffer *out = pass(h, frame);
    g_autofree guint8 *mask = make_mask(get_composition(out), WIDTH, HEIGHT, 0);
    gst_buffer_unref(out);
    stop(h);
}

static void
bears_regions_of_any_size(void)
{
    static const int places[][4] = {
        {INT_MAX, INT_MAX, INT_MAX, INT_MAX},
        {INT_MIN, INT_MIN, INT_MAX, 9},
        {INT_MIN, 5, INT_MAX, INT_MAX},
        {0, 0, 0, 0},
        {5, 5, -4, -4},
        {-50, -50, 1000, 1000},
        {318, 238, 1, 1},
        {0, 0, 2, 2},
        {WIDTH, HEIGHT, 10, 10},
        {10, 10, 1, 200},
    };
    GstHarness *h = play_overlay("", GST_VIDEO_FORMAT_I420, true);
    const GstPeLabel label = {"a dog", .5, .3, .5};
    GstVideoInfo info;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, WIDTH, HEIGHT);
    GstBuffer *frame = make_noise(&info, 0);
    for (guint i = 0; i < G_N_ELEMENTS(places); i++) {
        const GstPeRegion region = {.id = (int)i,
                                    .x = places[i][0],
                                    .y = places[i][1],
                                    .width = places[i][2],
                                    .height = places[i][3]};
        add_result(frame, make_result(&label, 1, &region));
    }
    GstBuffer *out = pass(h, frame);
    g_autofree guint8 *mask = make_mask(get_composition(out), WIDTH, HEIGHT, 0);
    gst_buffer_unref(out);
    stop(h);
}

// ---- Pipelines --------------------------------------------------------------

static void
run_line(const char *line)
{
    g_autoptr(GError) error = NULL;
    GstElement *pipeline = gst_parse_launch(line, &error);

    g_assert_no_error(error);
    GstElement *overlay = gst_bin_get_by_name(GST_BIN(pipeline), "o");
    run_to_the_end(pipeline);
    g_assert_cmpuint(get_stat(overlay, "frames"), ==, 12);
    g_assert_cmpuint(get_stat(overlay, "painted"), >, 0);
    g_assert_cmpuint(get_stat(overlay, "blended"), >=, 8);
    g_assert_cmpuint(get_stat(overlay, "failed"), ==, 0);
    gst_object_unref(overlay);
    gst_object_unref(pipeline);
}

static void
plays_in_pipelines(void)
{
    static const char *const elements[] = {"videotestsrc", "videoconvert",
                                           "jpegenc", NULL};
    static const char *const ends[] = {
        "fakesink",
        "video/x-raw,format=NV12 ! fakesink",
        "videoconvert ! videoscale ! jpegenc ! fakesink",
        "peoverlay position=bottom-right ! queue ! fakesink",
        "tee name=t ! queue ! fakesink t. ! queue ! fakesink",
    };

    if (!have_elements(elements))
        return;
    for (guint i = 0; i < G_N_ELEMENTS(ends); i++) {
        g_autofree char *line = g_strdup_printf(
            "videotestsrc num-buffers=12 ! video/x-raw,width=96,height=64 ! "
            "peinference model=%s device=cpu clip-length=2 frame-rate=0/1 "
            "mode=exact regions=\"a=0,0,50%%,50%%\" "
            "inference-region=full-frame "
            "! peoverlay name=o ! %s",
            tiny_model_path(), ends[i]);
        run_line(line);
    }
}

// A sink of GStreamer's own that says as others do that it draws compositions.
static void
leaves_drawing_to_a_sink(void)
{
    static const char *const elements[] = {"videotestsrc", "fakevideosink",
                                           NULL};

    if (!have_elements(elements))
        return;
    g_autofree char *line = g_strdup_printf(
        "videotestsrc num-buffers=12 ! video/x-raw,width=96,height=64 ! "
        "peinference model=%s device=cpu clip-length=2 frame-rate=0/1 "
        "mode=exact regions=\"a=0,0,50%%,50%%\" ! peoverlay name=o ! "
        "fakevideosink",
        tiny_model_path());
    g_autoptr(GError) error = NULL;
    GstElement *pipeline = gst_parse_launch(line, &error);
    g_assert_no_error(error);
    GstElement *overlay = gst_bin_get_by_name(GST_BIN(pipeline), "o");
    run_to_the_end(pipeline);
    g_assert_cmpuint(get_stat(overlay, "attached"), >=, 8);
    g_assert_cmpuint(get_stat(overlay, "blended"), ==, 0);
    gst_object_unref(overlay);
    gst_object_unref(pipeline);
}

static void
add_tests(void)
{
#define ADD(test) g_test_add_func("/overlay/" #test, test)
    ADD(changes_pixels_where_it_draws_only);
    ADD(draws_boxes_where_regions_are);
    ADD(attaches_where_the_sink_draws);
    ADD(adds_to_a_composition_that_is_there);
    ADD(attaches_to_any_memory);
    ADD(refuses_what_nobody_can_draw_on);
    ADD(leaves_frames_alone_without_results);
    ADD(paints_again_only_what_looks_different);
    ADD(forgets_behind_a_flush);
    ADD(forgets_in_another_segment);
    ADD(forgets_in_another_stream);
    ADD(forgets_with_other_caps);
    ADD(draws_hostile_labels);
    ADD(bears_regions_of_any_size);
    ADD(plays_in_pipelines);
    ADD(leaves_drawing_to_a_sink);
#undef ADD
}

int
main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--bench") == 0)
        return bench_overlay(argc, argv);
    return run_gst_tests(argc, argv, add_tests);
}
