// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_frames.c - which frames peinference looks at, when it says that
// they were shown, and what it lets its neighbours know about them.

#include "tests/support/gst_helpers.h"

#include <gst/video/video.h>

static void
push_flagged(GstHarness *h, int index, GstBufferFlags flags)
{
    GstBuffer *buffer = make_frame(index);

    GST_BUFFER_FLAG_SET(buffer, flags);
    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
}

// ---- Flags ----------------------------------------------------------------

static void
embeds_pictures_that_are_repeated(void)
{
    GstHarness *h = play_inference("clip-length=4");

    push_frames(h, 0, 1);
    for (int i = 1; i < 4; i++)
        push_flagged(h, i, GST_BUFFER_FLAG_GAP);
    g_assert_cmpint(pull_frames(h, 4), ==, 1);
    g_assert_cmpuint(get_stat(h->element, "sampled"), ==, 4);
    stop(h);
}

static void
passes_gaps_without_a_picture(void)
{
    GstHarness *h = play_inference("clip-length=1");
    GstBuffer *buffer = gst_buffer_new();

    GST_BUFFER_PTS(buffer) = 0;
    GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_GAP);
    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
    g_assert_cmpint(pull_frames(h, 1), ==, 0);
    stop(h);
}

static void
leaves_corrupted_frames_out(void)
{
    static const struct {
        const char *properties;
        guint64 sampled;
    } rows[] = {
        {"clip-length=2", 2},
        {"clip-length=2 skip-corrupted=false", 4},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        GstHarness *h = play_inference(rows[i].properties);
        push_frames(h, 0, 1);
        push_flagged(h, 1, GST_BUFFER_FLAG_CORRUPTED);
        push_flagged(h, 2, GST_BUFFER_FLAG_CORRUPTED);
        push_frames(h, 3, 1);
        g_assert_cmpint(pull_frames(h, 4), ==, (int)rows[i].sampled / 2);
        g_assert_cmpuint(get_stat(h->element, "sampled"), ==, rows[i].sampled);
        g_assert_cmpuint(get_stat(h->element, "corrupted"), ==, 2);
        stop(h);
    }
}

// ---- Times ----------------------------------------------------------------

// The result of the next event, and a copy of what is beside it; NULL: EOS came
// before.
static GstPeResult *
pull_result(GstHarness *h, GstStructure **fields)
{
    GstEvent *event;

    while ((event = gst_harness_pull_event(h))) {
        GstPeResult *result = gst_event_get_pe_result(event);
        bool eos = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
        if (result) {
            gst_pe_result_ref(result);
            *fields = gst_structure_copy(gst_event_get_structure(event));
        }
        gst_event_unref(event);
        if (result || eos)
            return result;
    }
    return NULL;
}

static guint64
get_time(const GstStructure *s, const char *name)
{
    guint64 time = GST_CLOCK_TIME_NONE;

    g_assert_true(gst_structure_get_uint64(s, name, &time));
    return time;
}

static void
follows_the_speed_of_playback(void)
{
    const GstClockTime d = FRAME_DURATION;
    // Of frames 2 and 3 of four, in the order in which they are played.
    static const struct {
        double rate, applied;
        GstClockTime running[2], stream[2], last_pts; // in half frames
    } rows[] = {
        {1, 1, {4, 8}, {4, 8}, 6},    {2, 1, {2, 4}, {4, 8}, 6},
        {0.5, 1, {8, 16}, {4, 8}, 6}, {-1, 1, {0, 4}, {4, 8}, 4},
        {-2, 1, {0, 2}, {4, 8}, 4},   {1, 2, {4, 8}, {8, 16}, 6},
        {1, -1, {4, 8}, {0, 4}, 6},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        GstHarness *h = play_inference("clip-length=2");
        bool backwards = rows[i].rate < 0;
        GstSegment segment;
        GstStructure *s = NULL;
        gst_segment_init(&segment, GST_FORMAT_TIME);
        segment.rate = rows[i].rate;
        segment.applied_rate = rows[i].applied;
        segment.stop = 4 * d;
        g_assert_true(
            gst_harness_push_event(h, gst_event_new_segment(&segment)));
        push_frames(h, backwards ? 3 : 2, 1);
        push_frames(h, backwards ? 2 : 3, 1);
        g_autoptr(GstPeResult) r = pull_result(h, &s);
        g_test_message("rate %g, applied %g", rows[i].rate, rows[i].applied);
        g_assert_nonnull(r);
        g_assert_cmpuint(gst_pe_result_get_clip_start(r), ==,
                         rows[i].running[0] * d / 2);
        g_assert_cmpuint(gst_pe_result_get_clip_end(r), ==,
                         rows[i].running[1] * d / 2);
        g_assert_cmpuint(gst_pe_result_get_clip_stream_start(r), ==,
                         rows[i].stream[0] * d / 2);
        g_assert_cmpuint(gst_pe_result_get_clip_stream_end(r), ==,
                         rows[i].stream[1] * d / 2);
        g_assert_cmpuint(get_time(s, "timestamp"), ==,
                         rows[i].last_pts * d / 2);
        gst_structure_free(s);
        stop(h);
    }
}

static void
stamps_a_partial_clip_with_its_last_frame(void)
{
    GstHarness *h = play_inference("clip-length=4 source-id=x");
    GstStructure *s = NULL;

    push_frames(h, 0, 3);
    g_assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    g_autoptr(GstPeResult) r = pull_result(h, &s);
    g_assert_nonnull(r);
    g_assert_cmpuint(gst_pe_result_get_clip_end(r), ==, 3 * FRAME_DURATION);
    g_assert_cmpuint(get_time(s, "timestamp"), ==, 2 * FRAME_DURATION);
    g_assert_cmpuint(get_time(s, "running-time"), ==, 2 * FRAME_DURATION);
    g_assert_cmpuint(get_time(s, "stream-time"), ==, 2 * FRAME_DURATION);
    g_assert_cmpuint(get_time(s, "duration"), ==, FRAME_DURATION);
    gst_structure_free(s);
    stop(h);
}

// All of a file that is as long as its segment has been shown when its last
// result comes.
static void
writes_the_last_line_inside_of_the_segment(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *line = g_strdup_printf(
        "peinference model=%s device=cpu precision=fp32 frame-rate=0/1 "
        "clip-length=4 ! pemetaconvert",
        tiny_model_path());
    GstElement *bin = gst_parse_bin_from_description(line, TRUE, &error);
    g_assert_no_error(error);
    GstHarness *h = gst_harness_new_with_element(bin, "sink", "src");
    GstSegment segment;

    gst_object_unref(bin);
    gst_harness_set_live(h, FALSE);
    gst_harness_set_src_caps_str(h, FRAME_CAPS);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.stop = 3 * FRAME_DURATION;
    g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    push_frames(h, 0, 3);
    g_assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    GstBuffer *buffer = pull(h);
    g_assert_cmpuint(GST_BUFFER_PTS(buffer), ==, 2 * FRAME_DURATION);
    gst_buffer_unref(buffer);
    gst_harness_teardown(h);
}

// ---- Neighbours -----------------------------------------------------------

static GstPadProbeReturn
count_qos(GstPad *pad, GstPadProbeInfo *info, void *n)
{
    *(int *)n += GST_EVENT_TYPE(info->data) == GST_EVENT_QOS;
    return GST_PAD_PROBE_OK;
}

static void
keeps_qos_from_thinning_out_a_file(void)
{
    static const struct {
        const char *properties;
        bool live;
        int passed;
    } rows[] = {
        {"mode=exact", false, 0},           {"mode=exact qos=true", false, 1},
        {"mode=exact hold=none", false, 0}, {"mode=exact", true, 1},
        {"mode=latest", false, 1},          {"mode=latest", true, 1},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        GstHarness *h = play_inference(rows[i].properties);
        int n = 0;
        gst_harness_set_live(h, rows[i].live);
        push_frames(h, 0, 1);
        gst_pad_add_probe(h->srcpad, GST_PAD_PROBE_TYPE_EVENT_UPSTREAM,
                          count_qos, &n, NULL);
        gst_harness_push_upstream_event(
            h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2.0, GST_SECOND, 0));
        g_test_message("%s, live %d", rows[i].properties, rows[i].live);
        g_assert_cmpint(n, ==, rows[i].passed);
        g_assert_cmpuint(get_stat(h->element, "qos-events-stopped"), ==,
                         1 - rows[i].passed);
        stop(h);
    }
}

static void
asks_only_for_metadata_that_it_reads(void)
{
    static const struct {
        GType (*api)(void);
        bool passes;
    } rows[] = {
        {gst_video_meta_api_get_type, true},
        {gst_video_crop_meta_api_get_type, true},
        {gst_video_overlay_composition_meta_api_get_type, false},
        {gst_video_affine_transformation_meta_api_get_type, false},
    };
    GstHarness *h = play_inference("");
    g_autoptr(GstCaps) caps = gst_caps_from_string(FRAME_CAPS);
    g_autoptr(GstQuery) query = gst_query_new_allocation(caps, TRUE);

    gst_harness_set_propose_allocator(h, NULL, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        gst_harness_add_propose_allocation_meta(h, rows[i].api(), NULL);
    g_assert_true(gst_pad_peer_query(h->srcpad, query));
    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_test_message("%s", g_type_name(rows[i].api()));
        g_assert_cmpint(
            gst_query_find_allocation_meta(query, rows[i].api(), NULL), ==,
            rows[i].passes);
    }
    stop(h);
}

static void
add_tests(void)
{
    g_test_add_func("/frames/repeated", embeds_pictures_that_are_repeated);
    g_test_add_func("/frames/empty", passes_gaps_without_a_picture);
    g_test_add_func("/frames/corrupted", leaves_corrupted_frames_out);
    g_test_add_func("/frames/speed", follows_the_speed_of_playback);
    g_test_add_func("/frames/last", stamps_a_partial_clip_with_its_last_frame);
    g_test_add_func("/frames/last-line",
                    writes_the_last_line_inside_of_the_segment);
    g_test_add_func("/frames/qos", keeps_qos_from_thinning_out_a_file);
    g_test_add_func("/frames/metas", asks_only_for_metadata_that_it_reads);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
