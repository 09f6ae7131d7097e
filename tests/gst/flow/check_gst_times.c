// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_times.c - clips in time: frames that stay on screen, gaps, and
// timestamps that are wrong or missing.

#include "tests/support/gst_helpers.h"

#include <string.h>

typedef struct {
    int index; // of its pixels
    GstClockTime pts;
    GstClockTime duration;
} Frame;

static GstBuffer *
make_timed(const Frame *frame)
{
    GstBuffer *buffer = make_frame(frame->index);

    GST_BUFFER_PTS(buffer) = frame->pts;
    GST_BUFFER_DURATION(buffer) = frame->duration;
    return buffer;
}

static void
push(GstHarness *h, int index, GstClockTime pts)
{
    Frame frame = {index, pts, FRAME_DURATION};

    g_assert_cmpint(gst_harness_push(h, make_timed(&frame)), ==, GST_FLOW_OK);
}

// What all results of a stream say, in their order: "start+length:frames", in
// ms, with the first letter of the reason of a partial clip.
static char *
read_clips(GstHarness *h)
{
    GString *text = g_string_new(NULL);
    GstEvent *event;

    g_assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    while ((event = gst_harness_pull_event(h)) &&
           GST_EVENT_TYPE(event) != GST_EVENT_EOS) {
        GstPeResult *r = gst_event_get_pe_result(event);
        if (r) {
            GstClockTime start = gst_pe_result_get_clip_start(r);
            GstClockTime end = gst_pe_result_get_clip_end(r);
            GstPeReason reason = gst_pe_result_get_reason(r);
            g_string_append_printf(
                text, "%s%d+%d:%u%.1s", text->len ? " " : "",
                (int)(start / GST_MSECOND), (int)((end - start) / GST_MSECOND),
                gst_pe_result_get_n_frames(r),
                gst_pe_result_is_partial(r) ? gst_pe_reason_to_string(reason)
                                            : "");
        }
        gst_event_unref(event);
    }
    gst_clear_event(&event);
    return g_string_free(text, FALSE);
}

static void
assert_clips(GstHarness *h, const char *expected)
{
    g_autofree char *found = read_clips(h);

    g_assert_cmpstr(found, ==, expected);
    stop(h);
}

// ---- Frames that stay -----------------------------------------------------

// As long as its duration says, at the cost of one embedding.
static void
counts_a_frame_as_long_as_it_is_shown(void)
{
    GstHarness *h = play_inference("frame-rate=4/1 clip-length=4");
    guint64 before = get_stat(h->element, "engine-images");
    Frame still = {0, 0, 2500 * GST_MSECOND};

    g_assert_cmpint(gst_harness_push(h, make_timed(&still)), ==, GST_FLOW_OK);
    push(h, 1, 2500 * GST_MSECOND);
    g_autofree char *found = read_clips(h);
    g_assert_cmpstr(found, ==, "0+1000:4 1000+1000:4 2000+540:3e");
    g_assert_cmpuint(get_stat(h->element, "engine-images"), ==, before + 2);
    g_assert_cmpuint(get_stat(h->element, "sampled"), ==, 2);
    g_assert_cmpuint(get_stat(h->element, "held"), ==, 9);
    stop(h);
}

// At the end nothing follows that would tell.
static void
counts_the_last_frame_as_long_as_it_says(void)
{
    GstHarness *h = play_inference("frame-rate=2/1 clip-length=2");
    Frame still = {0, 0, 3 * GST_SECOND};

    g_assert_cmpint(gst_harness_push(h, make_timed(&still)), ==, GST_FLOW_OK);
    assert_clips(h, "0+1000:2 1000+1000:2 2000+1000:2");
}

// Its mean is that of samples: three of one picture, one of the other.
static void
weighs_frames_by_their_time(void)
{
    GstHarness *h = play_inference("frame-rate=4/1 clip-length=4");
    GstHarness *counted = play_inference("clip-length=4");
    static const int indices[] = {0, 0, 0, 20};
    Frame still = {0, 0, 750 * GST_MSECOND};

    gst_harness_push(h, make_timed(&still));
    push(h, 20, 750 * GST_MSECOND);
    gst_buffer_unref(pull(h));
    for (guint i = 0; i < 4; i++)
        push(counted, indices[i], i * FRAME_DURATION);
    g_assert_cmpint(pull_frames(counted, 3), ==, 0);
    GstBuffer *got = pull(h), *expected = pull(counted);
    GBytes *a = get_embedding(gst_buffer_get_pe_meta(got)->result);
    GBytes *b = get_embedding(gst_buffer_get_pe_meta(expected)->result);
    const float *x = g_bytes_get_data(a, NULL), *y = g_bytes_get_data(b, NULL);
    double dot = 0;
    for (gsize i = 0; i < g_bytes_get_size(a) / sizeof *x; i++)
        dot += (double)x[i] * y[i];
    g_test_message("cosine %.7f, at least 0.999999", dot);
    g_assert_cmpfloat(dot, >=, 0.999999);
    gst_buffer_unref(got);
    gst_buffer_unref(expected);
    stop(h);
    stop(counted);
}

// The frame's own clip is on it; those that end while it stays follow alone.
static void
puts_the_first_result_on_the_frame_itself(void)
{
    GstHarness *h = play_inference("frame-rate=2/1 clip-length=1");
    Frame still = {0, 0, 1500 * GST_MSECOND};

    gst_harness_push(h, make_timed(&still));
    push(h, 1, 1500 * GST_MSECOND);
    for (int i = 0; i < 2; i++) {
        GstBuffer *buffer = pull(h);
        GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
        g_assert_nonnull(meta);
        g_assert_cmpuint(gst_pe_result_get_clip_start(meta->result), ==,
                         i * 1500 * GST_MSECOND);
        gst_buffer_unref(buffer);
    }
    assert_clips(h, "0+500:1 500+500:1 1000+500:1 1500+40:1");
}

// Backwards, its end is shown first.
static void
cuts_a_frame_from_its_end_when_played_backwards(void)
{
    GstHarness *h = play_inference("frame-rate=2/1 clip-length=2");
    Frame still = {0, 0, 2 * GST_SECOND};
    GstSegment segment;
    GstEvent *event;
    int n = 0;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.rate = -2;
    segment.stop = 2 * GST_SECOND;
    g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    g_assert_cmpint(gst_harness_push(h, make_timed(&still)), ==, GST_FLOW_OK);
    g_assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    while ((event = gst_harness_pull_event(h)) &&
           GST_EVENT_TYPE(event) != GST_EVENT_EOS) {
        GstPeResult *r = gst_event_get_pe_result(event);
        if (r) {
            g_assert_cmpuint(gst_pe_result_get_clip_start(r), ==, 0);
            g_assert_cmpuint(gst_pe_result_get_clip_end(r), ==, GST_SECOND);
            g_assert_cmpuint(gst_pe_result_get_clip_stream_start(r), ==, 0);
            g_assert_cmpuint(gst_pe_result_get_clip_stream_end(r), ==,
                             2 * GST_SECOND);
            guint64 pts;
            g_assert_true(gst_structure_get_uint64(
                gst_event_get_structure(event), "timestamp", &pts));
            g_assert_cmpuint(pts, ==, 0);
            n++;
        }
        gst_event_unref(event);
    }
    gst_clear_event(&event);
    g_assert_cmpint(n, ==, 1);
    stop(h);
}

static void
goes_on_with_gap_events(void)
{
    GstHarness *h = play_inference("frame-rate=2/1 clip-length=2");

    push(h, 0, 0);
    g_assert_cmpuint(get_stat(h->element, "held"), ==, 0);
    gst_harness_push_event(
        h, gst_event_new_gap(FRAME_DURATION, 600 * GST_MSECOND));
    g_assert_cmpuint(get_stat(h->element, "held"), ==, 1);
    assert_clips(h, "0+640:2");
}

// ---- Gaps -----------------------------------------------------------------

// A camera that was away for an hour.
static void
ends_the_clip_where_nothing_was_shown(void)
{
    static const struct {
        const char *properties;
        const char *clips;
    } rows[] = {
        {"frame-rate=0/1", "0+120:3j 3600000+160:4"},
        {"frame-rate=25/1", "0+120:3j 3600000+160:4"},
        {"frame-rate=25/1 hold=none", "0+120:3j 3600000+160:4"},
        {"frame-rate=0/1 max-gap=3600000", "0+3600040:4 3600040+120:3e"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *properties =
            g_strdup_printf("clip-length=4 %s", rows[i].properties);
        GstHarness *h = play_inference(properties);
        g_test_message("%s", rows[i].properties);
        for (guint k = 0; k < 7; k++) {
            push(h, (int)k,
                 k < 3 ? k * FRAME_DURATION
                       : 3600 * GST_SECOND + (k - 3) * FRAME_DURATION);
            gst_buffer_unref(pull(h));
        }
        assert_clips(h, rows[i].clips);
    }
}

static void
fills_short_gaps_with_the_frame_before(void)
{
    GstHarness *h = play_inference("frame-rate=4/1 clip-length=4");

    push(h, 0, 0);
    push(h, 1, 900 * GST_MSECOND);
    g_assert_cmpuint(get_stat(h->element, "held"), ==, 3);
    assert_clips(h, "0+900:4");
}

static void
leaves_out_on_purpose_when_it_plays_faster(void)
{
    GstHarness *h = play_inference("frame-rate=0/1 clip-length=4");
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.flags = GST_SEGMENT_FLAG_TRICKMODE;
    g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    for (guint i = 0; i < 4; i++)
        push(h, (int)i, i * 10 * GST_SECOND);
    assert_clips(h, "0+30040:4");
}

// ---- Wrong timestamps -----------------------------------------------------

typedef struct {
    const char *what;
    int times[8]; // ms; ends with -1
    const char *clips;
    guint64 n_stray;
} Order;

static void
tells_wrong_timestamps_from_jumps(void)
{
    static const Order rows[] = {
        {"one far ahead", {0, 40, 36000000, 120, 160, -1}, "0+200:4", 1},
        {"one far back", {5000, 5040, 0, 5120, 5160, -1}, "5000+200:4", 1},
        {"two apart", {0, 36000000, 40, 36000000, 80, 120, -1}, "0+160:4", 2},
        {"a jump ahead",
         {0, 40, 9000, 9040, 9080, 9120, -1},
         "0+80:2j 9000+160:4",
         0},
        {"a jump back",
         {9000, 9040, 0, 40, 80, 120, -1},
         "9000+80:2j 0+160:4",
         0},
        {"two jumps",
         {0, 40, 9000, 5000, 5040, -1},
         "0+80:2j 9000+40:1j 5000+80:2e",
         0},
        {"one at the end", {0, 40, 9000, -1}, "0+80:2e 9000+40:1e", 0},
        {"small steps back", {0, 40, 35, 120, 115, -1}, "0+160:4 115+40:1e", 0},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        GstHarness *h = play_inference("clip-length=4");
        g_test_message("%s", rows[i].what);
        for (int k = 0; rows[i].times[k] >= 0; k++)
            push(h, k, (GstClockTime)rows[i].times[k] * GST_MSECOND);
        g_autofree char *found = read_clips(h);
        g_assert_cmpstr(found, ==, rows[i].clips);
        g_assert_cmpuint(get_stat(h->element, "stray-timestamps"), ==,
                         rows[i].n_stray);
        stop(h);
    }
}

// Each of these frames is a clip, and has its own result.
static void
holds_every_frame_of_clips_of_one(void)
{
    static const int times[] = {0, 36000000, 40, 0, 80};
    GstHarness *h = play_inference("clip-length=1");

    for (guint i = 0; i < G_N_ELEMENTS(times); i++)
        push(h, (int)i, (GstClockTime)times[i] * GST_MSECOND);
    g_assert_cmpint(pull_frames(h, G_N_ELEMENTS(times)), ==,
                    G_N_ELEMENTS(times));
    stop(h);
}

// Every fourth one is 5 ms before its neighbour.
static void
samples_evenly_despite_steps_back(void)
{
    GstHarness *h = play_inference("frame-rate=5/1 clip-length=4");

    for (guint i = 0; i < 80; i++) {
        Frame frame = {(int)i, i * 100 * GST_MSECOND, 100 * GST_MSECOND};
        if (i % 4 == 3)
            frame.pts -= 105 * GST_MSECOND;
        gst_harness_push(h, make_timed(&frame));
        gst_buffer_unref(pull(h));
    }
    g_assert_cmpuint(get_stat(h->element, "sampled"), ==, 40);
    g_assert_cmpuint(get_stat(h->element, "partial-clips"), ==, 0);
    g_assert_cmpuint(get_stat(h->element, "clips"), ==, 10);
    stop(h);
}

// ---- No timestamps --------------------------------------------------------

static void
push_untimed(GstHarness *h, int n)
{
    for (int i = 0; i < n; i++) {
        Frame frame = {i, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE};
        g_assert_cmpint(gst_harness_push(h, make_timed(&frame)), ==,
                        GST_FLOW_OK);
        gst_buffer_unref(pull(h));
    }
}

static void
counts_time_by_the_rate_of_the_caps(void)
{
    GstHarness *h = play_inference("frame-rate=5/1 clip-length=2");

    push_untimed(h, 50);
    g_assert_cmpuint(get_stat(h->element, "sampled"), ==, 10);
    g_assert_cmpuint(get_stat(h->element, "clips"), ==, 5);
    stop(h);
}

static void
says_when_there_is_nothing_to_sample_by(void)
{
    GstHarness *h = play_inference("frame-rate=5/1 clip-length=2");
    GstBus *bus = GST_ELEMENT_BUS(h->element);
    g_autoptr(GError) error = NULL;

    gst_harness_set_src_caps_str(
        h, "video/x-raw,format=RGB,width=96,height=64,framerate=0/1");
    push_untimed(h, 4);
    g_assert_cmpuint(get_stat(h->element, "sampled"), ==, 4);
    GstMessage *m = gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING);
    g_assert_nonnull(m);
    gst_message_parse_warning(m, &error, NULL);
    g_assert_nonnull(strstr(error->message, "frame-rate=5/1"));
    gst_message_unref(m);
    m = gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING);
    g_assert_null(m);
    stop(h);
}

static void
add_tests(void)
{
    g_test_add_func("/times/still", counts_a_frame_as_long_as_it_is_shown);
    g_test_add_func("/times/last", counts_the_last_frame_as_long_as_it_says);
    g_test_add_func("/times/mean", weighs_frames_by_their_time);
    g_test_add_func("/times/carries",
                    puts_the_first_result_on_the_frame_itself);
    g_test_add_func("/times/backwards",
                    cuts_a_frame_from_its_end_when_played_backwards);
    g_test_add_func("/times/gap-event", goes_on_with_gap_events);
    g_test_add_func("/times/away", ends_the_clip_where_nothing_was_shown);
    g_test_add_func("/times/short-gap", fills_short_gaps_with_the_frame_before);
    g_test_add_func("/times/trick", leaves_out_on_purpose_when_it_plays_faster);
    g_test_add_func("/times/wrong", tells_wrong_timestamps_from_jumps);
    g_test_add_func("/times/single", holds_every_frame_of_clips_of_one);
    g_test_add_func("/times/steps", samples_evenly_despite_steps_back);
    g_test_add_func("/times/untimed", counts_time_by_the_rate_of_the_caps);
    g_test_add_func("/times/unknown", says_when_there_is_nothing_to_sample_by);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
