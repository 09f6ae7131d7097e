// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_score.c - pescore beside peinference itself: the same frames and
// the same sampling give the same clips, whatever happens to the stream.

#include "score_helpers.h"

#include "tests/support/tiny_model.h"

#include <string.h>

#define LABELS "labels=\"a dog|a cat|rain\" top-k=3"

// ---- What happens to streams ----------------------------------------------

static void
push_at(GstHarness *h, int index, GstClockTime pts, bool discont)
{
    GstBuffer *buffer = make_frame(index);

    GST_BUFFER_PTS(buffer) = pts;
    if (discont)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
}

static void
push_from(GstHarness *h, int first, int n, GstClockTime pts)
{
    for (int i = 0; i < n; i++)
        push_at(h, first + i, pts + (guint64)i * FRAME_DURATION, i == 0);
}

static void
send_segment(GstHarness *h, GstClockTime start, GstClockTime base, double rate)
{
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = segment.time = start;
    segment.base = base;
    segment.rate = rate;
    if (rate < 0)
        segment.stop = start + 60 * GST_SECOND;
    g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
}

// Nothing is on its way any more: a flush does not find it.
static void
settle(GstHarness *h)
{
    GstQuery *query = gst_query_new_drain();

    gst_pad_peer_query(h->srcpad, query);
    gst_query_unref(query);
}

static void
flush(GstHarness *h)
{
    settle(h);
    g_assert_true(gst_harness_push_event(h, gst_event_new_flush_start()));
    g_assert_true(gst_harness_push_event(h, gst_event_new_flush_stop(TRUE)));
}

static void
to_the_end(GstHarness *h)
{
    push_frames(h, 0, 27);
}

static void
a_whole_number_of_clips(GstHarness *h)
{
    push_frames(h, 0, 24);
}

static void
jumps_ahead(GstHarness *h)
{
    push_frames(h, 0, 13);
    push_from(h, 13, 11, 100 * GST_SECOND);
}

static void
jumps_back(GstHarness *h)
{
    push_from(h, 0, 11, 100 * GST_SECOND);
    push_from(h, 11, 14, 0);
}

static void
long_gap(GstHarness *h)
{
    push_frames(h, 0, 10);
    for (int i = 10; i < 20; i++)
        push_at(h, i, 30 * GST_SECOND + (guint64)i * FRAME_DURATION, false);
}

static void
another_segment(GstHarness *h)
{
    push_frames(h, 0, 11);
    send_segment(h, 5 * GST_SECOND, 11 * FRAME_DURATION, 1);
    push_from(h, 11, 12, 5 * GST_SECOND);
}

static void
the_same_segment(GstHarness *h)
{
    push_frames(h, 0, 11);
    send_segment(h, 0, 0, 1);
    push_frames(h, 11, 12);
}

static void
twice_as_fast(GstHarness *h)
{
    send_segment(h, 0, 0, 2);
    push_frames(h, 0, 21);
}

static void
played_backwards(GstHarness *h)
{
    send_segment(h, 0, 0, -1);
    for (int i = 0; i < 21; i++)
        push_at(h, i, 60 * GST_SECOND - (guint64)(i + 1) * FRAME_DURATION,
                false);
}

static void
flushed(GstHarness *h)
{
    push_frames(h, 0, 11);
    flush(h);
    send_segment(h, 0, 0, 1);
    push_frames(h, 11, 11);
}

static void
another_stream(GstHarness *h)
{
    push_frames(h, 0, 11);
    g_assert_true(
        gst_harness_push_event(h, gst_event_new_stream_start("second")));
    gst_harness_set_src_caps_str(h, FRAME_CAPS);
    send_segment(h, 0, 0, 1);
    push_frames(h, 11, 11);
}

static void
segment_done(GstHarness *h)
{
    push_frames(h, 0, 11);
    g_assert_true(gst_harness_push_event(
        h, gst_event_new_segment_done(GST_FORMAT_TIME, GST_SECOND)));
    push_frames(h, 11, 11);
}

static void
other_caps(GstHarness *h)
{
    push_frames(h, 0, 11);
    gst_harness_set_src_caps_str(
        h, "video/x-raw,format=BGR,width=96,height=64,framerate=25/1");
    push_frames(h, 11, 11);
}

static void
gap_events(GstHarness *h)
{
    push_frames(h, 0, 5);
    g_assert_true(gst_harness_push_event(
        h, gst_event_new_gap(5 * FRAME_DURATION, GST_SECOND / 2)));
    for (int i = 5; i < 15; i++)
        push_at(h, i, GST_SECOND / 2 + (guint64)i * FRAME_DURATION, false);
}

static void
frames_that_stay(GstHarness *h)
{
    for (int i = 0; i < 5; i++) {
        GstBuffer *buffer = make_frame(i);
        GST_BUFFER_PTS(buffer) = (guint64)i * GST_SECOND;
        GST_BUFFER_DURATION(buffer) = GST_SECOND;
        g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
    }
}

static void
no_timestamps(GstHarness *h)
{
    for (int i = 0; i < 21; i++)
        push_at(h, i, GST_CLOCK_TIME_NONE, false);
}

static void
too_short(GstHarness *h)
{
    push_frames(h, 0, 3);
}

static void
nothing(GstHarness *h G_GNUC_UNUSED)
{
}

typedef struct {
    const char *name;
    void (*push)(GstHarness *h);
} Happening;

static const Happening happenings[] = {
    {"to the end", to_the_end},
    {"a whole number of clips", a_whole_number_of_clips},
    {"jumps ahead", jumps_ahead},
    {"jumps back", jumps_back},
    {"long gap", long_gap},
    {"another segment", another_segment},
    {"the same segment", the_same_segment},
    {"twice as fast", twice_as_fast},
    {"played backwards", played_backwards},
    {"flushed", flushed},
    {"another stream", another_stream},
    {"segment done", segment_done},
    {"other caps", other_caps},
    {"gap events", gap_events},
    {"frames that stay", frames_that_stay},
    {"no timestamps", no_timestamps},
    {"too short", too_short},
    {"nothing", nothing},
};

static const struct {
    const char *sampling; // of both
    const char *clips;    // of peinference, or of pescore
} ways[] = {
    {"", "clip-length=8"},
    {"", "clip-length=8 clip-stride=3"},
    {"", "clip-length=4 clip-stride=6"},
    {"", "clip-length=5 clip-stride=1"},
    {"", "clip-length=1"},
    {"frame-rate=5/1", "clip-length=4"},
    {"frame-rate=5/1 inference-interval=2", "clip-length=3 clip-stride=2"},
    {"frame-rate=10/1 max-gap=300", "clip-length=4 clip-stride=2"},
    {"hold=none", "clip-length=8"},
    {"hold=none frame-rate=5/1", "clip-length=4"},
};

static void
compare(const Happening *happening, const char *sampling, const char *clips)
{
    // Without frames that wait, a flush finds any number of results.
    if (happening->push == flushed && strstr(sampling, "hold=none"))
        return;
    g_autofree char *what =
        g_strdup_printf("%s, %s %s", happening->name, sampling, clips);
    g_autofree char *alone = g_strdup_printf("name=alone mode=exact %s %s %s",
                                             sampling, clips, LABELS);
    g_autofree char *behind = g_strdup_printf("%s %s", clips, LABELS);
    GstHarness *a = play_inference(alone);
    GstHarness *b = play_score(sampling, behind);

    happening->push(a);
    happening->push(b);
    g_autoptr(Found) expected = found_read(a, "alone");
    g_autoptr(Found) found = found_read(b, "score");
    assert_same(expected, found, what);
    stop(a);
    stop(b);
}

static void
clips_are_those_of_peinference(gconstpointer data)
{
    const Happening *happening = data;

    for (size_t i = 0; i < G_N_ELEMENTS(ways); i++)
        compare(happening, ways[i].sampling, ways[i].clips);
}

// ---- Other settings on the way --------------------------------------------

static GstElement *
get_child(GstHarness *h, const char *name)
{
    if (!GST_IS_BIN(h->element))
        return gst_object_ref(h->element);
    return gst_bin_get_by_name(GST_BIN(h->element), name);
}

static void
another_length_cuts_short(void)
{
    GstHarness *a = play_inference("name=alone mode=exact clip-length=8");
    GstHarness *b = play_score("", "clip-length=8");
    GstHarness *both[] = {a, b};

    for (int i = 0; i < 2; i++) {
        g_autoptr(GstElement) e = get_child(both[i], "score");
        push_frames(both[i], 0, 11);
        // Frames may still be on their way through peinference's own thread.
        gst_buffer_unref(pull(both[i]));
        for (int k = 1; k < 11; k++)
            gst_buffer_unref(pull(both[i]));
        g_object_set(e, "clip-length", 4, NULL);
        push_frames(both[i], 11, 9);
    }
    g_autoptr(Found) expected = found_read(a, "alone");
    g_autoptr(Found) found = found_read(b, "score");
    g_autofree char *text = describe(found);
    g_assert_cmpstr(text, ==,
                    "0+320:8 320+120:3r 440+160:4 600+160:4 760+40:1e");
    assert_same(expected, found, "clip-length");
    stop(a);
    stop(b);
}

// ---- Several --------------------------------------------------------------

static void
several_score_the_same_samples(void)
{
    GstHarness *h = play_score("attach-embedding=true",
                               "clip-length=4 labels=\"a|b\" ! pescore "
                               "name=second clip-length=8 window-name=long "
                               "labels=\"c|d\" ! pescore name=third");

    push_frames(h, 0, 8);
    for (int i = 0; i < 8; i++) {
        g_autoptr(GstBuffer) buffer = pull(h);
        // Of the tower, of the third, and of those whose clips end here.
        g_assert_cmpuint(gst_buffer_get_n_pe_metas(buffer), ==,
                         i == 7   ? 4
                         : i == 3 ? 3
                                  : 2);
        if (i != 7)
            continue;
        GstPeResult *r = gst_buffer_get_nth_pe_meta(buffer, 2)->result;
        g_assert_cmpstr(gst_pe_result_get_element(r), ==, "second");
        g_assert_cmpstr(gst_pe_result_get_window(r), ==, "long");
        g_assert_cmpuint(gst_pe_result_get_n_frames(r), ==, 8);
        g_assert_cmpuint(gst_pe_result_get_sequence(r), ==, 0);
        g_assert_cmpuint(gst_pe_result_get_n_labels(r), ==, 2);
        g_assert_cmpuint(gst_pe_result_get_stretch(r), ==, 0);
    }
    stop(h);
}

static void
regions_have_windows_of_their_own(void)
{
    GstHarness *h = play_score("regions=\"left=0,0,48,64;;right=48,0,48,64\"",
                               "clip-length=4");

    push_frames(h, 0, 10);
    g_autoptr(Found) found = found_read(h, "score");
    g_autofree char *text = describe(found);
    g_assert_cmpstr(text, ==,
                    "0+160:4 0+160:4 160+160:4 160+160:4 320+80:2e 320+80:2e");
    const GstPeRegion *left =
        gst_pe_result_get_region(g_ptr_array_index(found->results, 0));
    const GstPeRegion *right =
        gst_pe_result_get_region(g_ptr_array_index(found->results, 1));
    g_assert_cmpstr(left->name, ==, "left");
    g_assert_cmpstr(right->name, ==, "right");
    stop(h);
}

// ---- What does not fit ----------------------------------------------------

static int
count_warnings(GstHarness *h, const char *part)
{
    g_autoptr(GstBus) bus = gst_element_get_bus(h->element);
    GstMessage *message;
    int n = 0;

    while ((message = gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING))) {
        g_autoptr(GError) error = NULL;
        gst_message_parse_warning(message, &error, NULL);
        n += strstr(error->message, part) != NULL;
        gst_message_unref(message);
    }
    return n;
}

static void
missing_embeddings_are_told_once(void)
{
    GstHarness *h = play_score("attach-embedding=false", "clip-length=2");

    push_frames(h, 0, 6);
    g_autoptr(Found) found = found_read(h, "score");
    g_assert_cmpuint(found->results->len, ==, 0);
    g_assert_cmpint(count_warnings(h, "set attach-embedding=true there"), ==,
                    1);
    stop(h);
}

static void
longer_clips_make_no_windows(void)
{
    GstHarness *h = play_score("clip-length=3", "clip-length=2");

    push_frames(h, 0, 6);
    g_autoptr(Found) found = found_read(h, "score");
    g_assert_cmpuint(found->results->len, ==, 0);
    g_assert_cmpint(count_warnings(h, "set clip-length=1 there"), ==, 1);
    stop(h);
}

static void
longer_clips_are_scored_as_they_are(void)
{
    GstHarness *h = play_score("clip-length=3", LABELS);

    push_frames(h, 0, 7);
    g_autoptr(Found) found = found_read(h, "score");
    g_autofree char *text = describe(found);
    g_assert_cmpstr(text, ==, "0+120:3 120+120:3 240+40:1e");
    stop(h);
}

static void
another_model_is_named(void)
{
    g_autofree char *other = tiny_model_new(2);
    g_autofree char *score = g_strdup_printf("model=%s", other);
    GstHarness *h = play_score("", score);

    push_frames(h, 0, 3);
    g_autoptr(Found) found = found_read(h, "score");
    g_assert_cmpuint(found->results->len, ==, 0);
    g_assert_cmpint(count_warnings(h, "set model to the same file"), ==, 1);
    stop(h);
    tiny_model_remove(g_steal_pointer(&other));
}

static void
settings_that_contradict_are_an_error(void)
{
    static const char *const wrong[] = {
        "window=10",
        "window=0s",
        "window=nans",
        "window=1e9h",
        "window=-1s",
        "window=0x10s",
        "window=5s clip-length=3",
        "window=5s clip-stride=1",
        "window-stride=1s",
        "window=1s window-stride=abc",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *line = g_strdup_printf(
            "pescore model=%s device=cpu %s", tiny_model_path(), wrong[i]);
        GstElement *e = gst_parse_launch(line, NULL);
        g_autoptr(GstBus) bus = gst_bus_new();
        gst_element_set_bus(e, bus);
        g_assert_cmpint(gst_element_set_state(e, GST_STATE_PAUSED), ==,
                        GST_STATE_CHANGE_FAILURE);
        g_autoptr(GstMessage) m = wait_message(bus, GST_MESSAGE_ERROR);
        g_autoptr(GError) error = NULL;
        gst_message_parse_error(m, &error, NULL);
        g_assert_nonnull(strstr(error->message, "window"));
        gst_element_set_state(e, GST_STATE_NULL);
        gst_element_set_bus(e, NULL);
        gst_object_unref(e);
    }
}

static void
frames_without_results_pass_untouched(void)
{
    GstHarness *h = play_score_alone(LABELS);
    GstBuffer *in = gst_buffer_ref(make_frame(0));

    g_assert_cmpint(gst_harness_push(h, in), ==, GST_FLOW_OK);
    GstBuffer *out = pull(h);
    g_assert_true(in == out);
    gst_buffer_unref(in);
    gst_buffer_unref(out);
    stop(h);
}

// ---- Labels that change ---------------------------------------------------

#define N_CHANGES 1000

static void *
change_labels(void *data)
{
    GstElement *element = data;

    for (int i = 0; i < N_CHANGES; i++) {
        gboolean ok = FALSE;
        GstStructure *set = gst_structure_new(
            "set", "labels", G_TYPE_STRING, i % 2 ? "a dog|a cat" : "rain|snow",
            "negative-labels", G_TYPE_STRING, i % 2 ? "a wall" : "a sky", NULL);
        g_signal_emit_by_name(element, "set-labels", set, &ok);
        g_assert_true(ok);
        gst_structure_free(set);
        if (i % 16 == 0)
            g_usleep(1000);
    }
    return NULL;
}

// All labels of one set, and the set's own name.
static void
assert_whole(const GstPeResult *r, const char **fingerprints)
{
    g_assert_cmpuint(gst_pe_result_get_n_labels(r), ==, 2);
    const char *one = gst_pe_result_get_label(r, 0);
    const char *other = gst_pe_result_get_label(r, 1);
    int set = g_str_equal(one, "a dog") || g_str_equal(one, "a cat");
    bool other_set = g_str_equal(other, "a dog") || g_str_equal(other, "a cat");
    const char *fingerprint =
        g_intern_string(gst_pe_result_get_label_set_fingerprint(r));

    g_assert_cmpint(set, ==, other_set);
    if (!fingerprints[set])
        fingerprints[set] = fingerprint;
    g_assert_cmpstr(fingerprints[set], ==, fingerprint);
}

static void
no_result_is_of_two_sets(void)
{
    GstHarness *h =
        play_score("", "labels=\"rain|snow\" negative-labels=\"a sky\"");
    g_autoptr(GstElement) e = get_child(h, "score");
    const char *fingerprints[2] = {NULL, NULL};
    GThread *thread = g_thread_new("changes", change_labels, e);

    for (int i = 0; i < 400; i++) {
        push_frames(h, i, 1);
        g_autoptr(GstBuffer) buffer = pull(h);
        guint n = gst_buffer_get_n_pe_metas(buffer);
        g_assert_cmpuint(n, ==, 2);
        assert_whole(gst_buffer_get_nth_pe_meta(buffer, 1)->result,
                     fingerprints);
    }
    g_thread_join(thread);
    stop(h);
}

static void
regions_are_no_labels_here(void)
{
    GstHarness *h = play_score_alone(LABELS);
    GstStructure *set =
        gst_structure_new("set", "regions", G_TYPE_STRING, "a=0,0,8,8;x", NULL);
    gboolean ok = TRUE;

    g_signal_emit_by_name(h->element, "set-labels", set, &ok);
    g_assert_false(ok);
    gst_structure_free(set);
    stop(h);
}

static void
add_tests(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(happenings); i++) {
        g_autofree char *path =
            g_strdup_printf("/score/same/%s", happenings[i].name);
        g_test_add_data_func(g_strdelimit(path, " ", '_'), &happenings[i],
                             clips_are_those_of_peinference);
    }
    g_test_add_func("/score/length", another_length_cuts_short);
    g_test_add_func("/score/several", several_score_the_same_samples);
    g_test_add_func("/score/regions", regions_have_windows_of_their_own);
    g_test_add_func("/score/missing", missing_embeddings_are_told_once);
    g_test_add_func("/score/longer", longer_clips_make_no_windows);
    g_test_add_func("/score/as_they_are", longer_clips_are_scored_as_they_are);
    g_test_add_func("/score/model", another_model_is_named);
    g_test_add_func("/score/wrong", settings_that_contradict_are_an_error);
    g_test_add_func("/score/untouched", frames_without_results_pass_untouched);
    g_test_add_func("/score/changes", no_result_is_of_two_sets);
    g_test_add_func("/score/no_regions", regions_are_no_labels_here);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
