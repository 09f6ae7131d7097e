// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_score_windows.c - windows of time in pescore, over results that are
// written here: any times, any gaps, any nonsense.

#include "core/pe.h"
#include "score_helpers.h"
#include "tests/support/tiny_model.h"

#include <math.h>

#define MS GST_MSECOND

static char *fingerprint;

typedef struct {
    guint64 sequence;
    guint64 stretch, sample;
    GstClockTime start; // of 40 ms
    double norm;
    int axis; // along which the embedding points
    const GstPeRegion *region;
    guint dim;
} Sample;

static GstPeResult *
make_result(const Sample *s)
{
    guint dim = s->dim ? s->dim : TINY_MODEL_DIM;
    g_autofree float *x = g_new0(float, dim);
    x[s->axis] = 1;
    g_autoptr(GstPeVectors) embedding = gst_pe_vectors_new_from_floats(x, dim);
    bool timed = GST_CLOCK_TIME_IS_VALID(s->start);
    GstPeResultFields fields = {
        .source = "camera",
        .element = "tower",
        .sequence = s->sequence,
        .clip_start = s->start,
        .clip_end = timed ? s->start + 40 * MS : GST_CLOCK_TIME_NONE,
        .clip_stream_start = s->start,
        .clip_stream_end = timed ? s->start + 40 * MS : GST_CLOCK_TIME_NONE,
        .clip_wall_start = GST_CLOCK_TIME_NONE,
        .clip_wall_end = GST_CLOCK_TIME_NONE,
        .n_frames = 1,
        .region = s->region,
        .model = "tiny",
        .model_fingerprint = fingerprint,
        .device = "cuda:7",
        .precision = "bf16",
        .embedding = embedding,
        .stretch = s->stretch,
        .sample = s->sample,
        .norm = s->norm,
    };

    return gst_pe_result_new(&fields);
}

static void
push_sample(GstHarness *h, const Sample *s)
{
    g_autoptr(GstPeResult) result = make_result(s);

    g_assert_true(gst_harness_push_event(h, gst_event_new_pe_result(result)));
}

// Samples of the first stretch that begin at `start` and every `step` ms, with
// these numbers on.
static void
push_samples(GstHarness *h, int first, int n, int start, int step)
{
    for (int i = 0; i < n; i++) {
        Sample s = {.sequence = (guint64)(first + i),
                    .stretch = 1,
                    .sample = (guint64)(first + i),
                    .start = (guint64)(start + i * step) * MS,
                    .norm = 1};
        push_sample(h, &s);
    }
}

static void
assert_clips(GstHarness *h, const char *expected)
{
    g_autoptr(Found) found = found_read(h, "score");
    g_autofree char *text = describe(found);

    g_assert_cmpstr(text, ==, expected);
    stop(h);
}

// ---- The grid -------------------------------------------------------------

static void
windows_follow_each_other(void)
{
    GstHarness *h = play_score_alone("window=2s");

    push_samples(h, 0, 11, 500, 500);
    assert_clips(h, "500+1540:4 2500+1540:4 4500+1040:3e");
}

static void
windows_overlap(void)
{
    GstHarness *h = play_score_alone("window=2s window-stride=1s");

    push_samples(h, 0, 9, 0, 500);
    assert_clips(h, "0+1540:4 1000+1540:4 2000+1540:4 3000+1040:3e");
}

static void
windows_leave_gaps(void)
{
    GstHarness *h = play_score_alone("window=1s window-stride=2s");

    push_samples(h, 0, 10, 0, 500);
    assert_clips(h, "0+540:2 2000+540:2 4000+540:2");
}

static void
small_steps_beside_the_grid_do_not_matter(void)
{
    GstHarness *h = play_score_alone("window=2s");
    static const int starts[] = {0,    510,  990,  1502, 1995,
                                 2510, 2990, 3505, 4001};

    for (int i = 0; i < 9; i++)
        push_samples(h, i, 1, starts[i], 0);
    assert_clips(h, "0+1542:4 1995+1550:4 4001+40:1e");
}

static void
a_window_ends_with_its_last_sample(void)
{
    GstHarness *h = play_score_alone("window=2s");

    push_samples(h, 0, 4, 0, 500);
    int n = 0;
    GstEvent *event;
    while ((event = gst_harness_try_pull_event(h))) {
        GstPeResult *r = gst_event_get_pe_result(event);
        n += r && g_str_equal(gst_pe_result_get_element(r), "score");
        gst_event_unref(event);
    }
    g_assert_cmpint(n, ==, 1);
    stop(h);
}

static void
a_window_is_shorter_than_the_distance_of_samples(void)
{
    GstHarness *h = play_score_alone("window=100ms");

    push_samples(h, 0, 4, 0, 500);
    assert_clips(h, "0+40:1 500+40:1 1000+40:1 1500+40:1");
}

static void
one_result_at_most_for_a_sample(void)
{
    GstHarness *h = play_score_alone("window=1s window-stride=10ms");

    push_samples(h, 0, 200, 0, 500);
    g_autoptr(Found) found = found_read(h, "score");
    g_assert_cmpuint(found->results->len, <=, 201);
    g_assert_cmpuint(found->results->len, >=, 190);
    stop(h);
}

static void
empty_windows_say_nothing(void)
{
    GstHarness *h = play_score_alone("window=1s");

    push_samples(h, 0, 3, 0, 500);
    push_samples(h, 3, 3, 100000, 500);
    assert_clips(h, "0+540:2 1000+40:1 100000+540:2 101000+40:1e");
}

// ---- Samples that are missing ---------------------------------------------

static void
lost_samples_are_told(void)
{
    GstHarness *h = play_score_alone("window=2s");

    push_samples(h, 0, 2, 0, 500);
    push_samples(h, 3, 5, 1500, 500);
    assert_clips(h, "0+1540:3o 2000+1540:4");
}

static void
lost_samples_count(void)
{
    GstHarness *h = play_score_alone("clip-length=4");

    push_samples(h, 0, 2, 0, 500);
    push_samples(h, 3, 5, 1500, 500);
    assert_clips(h, "0+1540:3o 2000+1540:4");
}

static void
the_first_samples_may_be_lost(void)
{
    GstHarness *h = play_score_alone("clip-length=4");

    push_samples(h, 2, 6, 1000, 500);
    assert_clips(h, "1000+540:2o 2000+1540:4");
}

static void
who_comes_later_has_lost_nothing(void)
{
    GstHarness *h = play_score_alone("clip-length=4");

    push_samples(h, 1000001, 5, 1000, 500);
    assert_clips(h, "1000+1540:4 3000+40:1e");
}

static void
what_was_seen_does_not_count_twice(void)
{
    GstHarness *h = play_score_alone("clip-length=4");

    push_samples(h, 0, 3, 0, 500);
    push_samples(h, 0, 3, 0, 500);
    push_samples(h, 3, 1, 1500, 500);
    assert_clips(h, "0+1540:4");
}

static void
nonsense_is_another_stretch(void)
{
    GstHarness *h = play_score_alone("clip-length=4");
    Sample s = {.sequence = 10, .stretch = 1, .norm = 1};

    push_samples(h, 0, 2, 0, 500);
    s.sample = G_MAXUINT64; // far ahead
    push_sample(h, &s);
    s.sequence++;
    s.sample = 0; // back
    push_sample(h, &s);
    s.sequence++;
    s.stretch = G_MAXUINT64;
    push_sample(h, &s);
    assert_clips(h, "0+540:2j 0+40:1j 0+40:1j 0+40:1e");
}

static void
times_that_make_no_sense_do_no_harm(void)
{
    static const char *const windows[] = {"window=10ms", "window=24h",
                                          "window=1s window-stride=10ms",
                                          "clip-length=1024 clip-stride=1"};
    static const GstClockTime times[] = {
        0, G_MAXINT64,  1, GST_CLOCK_TIME_NONE, G_MAXUINT64 - 1,
        0, 3600000 * MS};

    for (size_t w = 0; w < G_N_ELEMENTS(windows); w++) {
        GstHarness *h = play_score_alone(windows[w]);
        for (size_t i = 0; i < G_N_ELEMENTS(times); i++) {
            Sample s = {.sequence = i,
                        .stretch = 1,
                        .sample = i * 3,
                        .start = times[i],
                        .norm = i % 2 ? NAN : INFINITY};
            push_sample(h, &s);
        }
        g_autoptr(Found) found = found_read(h, "score");
        g_assert_cmpuint(found->results->len, <, 30);
        stop(h);
    }
}

static void
other_dimensions_are_not_scored(void)
{
    GstHarness *h = play_score_alone("clip-length=2");
    Sample s = {.stretch = 1, .norm = 1, .dim = 7};

    push_sample(h, &s);
    assert_clips(h, "");
}

static void
results_of_no_tower_are_not_scored(void)
{
    GstHarness *h = play_score_alone("");
    Sample s = {.stretch = 0, .norm = 1};

    push_sample(h, &s);
    assert_clips(h, "");
}

// ---- What is in a window --------------------------------------------------

// Raw embeddings count by their length.
static void
the_mean_is_that_of_raw_embeddings(void)
{
    GstHarness *h = play_score_alone("clip-length=2");
    Sample s = {.stretch = 1, .norm = 3};

    push_sample(h, &s);
    s = (Sample){
        .sequence = 1, .stretch = 1, .sample = 1, .norm = 4, .axis = 1};
    push_sample(h, &s);
    g_autoptr(Found) found = found_read(h, "score");
    g_assert_cmpuint(found->results->len, ==, 1);
    GstPeResult *r = g_ptr_array_index(found->results, 0);
    const float *x = g_bytes_get_data(get_embedding(r), NULL);
    g_assert_cmpfloat_with_epsilon(x[0], 0.6, 1e-6);
    g_assert_cmpfloat_with_epsilon(x[1], 0.8, 1e-6);
    // What computed it is not this machine.
    g_assert_cmpstr(gst_pe_result_get_device(r), ==, "cuda:7");
    g_assert_cmpstr(gst_pe_result_get_precision(r), ==, "bf16");
    g_assert_cmpstr(gst_pe_result_get_source(r), ==, "camera");
    g_assert_cmpstr(gst_pe_result_get_window(r), ==, "2-frames");
    stop(h);
}

static void
windows_have_names(void)
{
    static const char *const names[][2] = {
        {"window=1.5s", "1.5s"},
        {"window=\" 2 min \"", "2 min"},
        {"window=1s window-name=fast", "fast"},
        {"clip-length=1", NULL},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        GstHarness *h = play_score_alone(names[i][0]);
        push_samples(h, 0, 1, 0, 500);
        g_autoptr(Found) found = found_read(h, "score");
        g_assert_cmpuint(found->results->len, ==, 1);
        g_assert_cmpstr(
            gst_pe_result_get_window(g_ptr_array_index(found->results, 0)), ==,
            names[i][1]);
        stop(h);
    }
}

// ---- Tracks ---------------------------------------------------------------

static void
tracks_have_windows_of_their_own(void)
{
    GstHarness *h = play_score_alone("clip-length=3");
    GstPeRegion region = {.name = "person", .width = 8, .height = 8};
    guint64 sequence = 0;

    // One comes late, moves, and misses samples.
    for (int i = 0; i < 7; i++) {
        for (guint64 track = 1; track <= 2; track++) {
            if (track == 2 && i % 2 == 0)
                continue;
            region.track_id = track;
            region.x = i;
            Sample s = {.sequence = sequence++,
                        .stretch = 1,
                        .sample = (guint64)i,
                        .start = (guint64)i * 500 * MS,
                        .norm = 1,
                        .region = &region};
            push_sample(h, &s);
        }
    }
    assert_clips(h, "0+1040:3 1500+1040:3 500+2040:3 3000+40:1e");
}

// Nothing was seen for long, and then one of two. The other one is gone.
static void
who_is_seen_again_is_not_gone(void)
{
    GstHarness *h = play_score_alone("clip-length=3");
    GstPeRegion region = {.name = "person", .width = 8, .height = 8};
    static const struct {
        guint64 track, start;
    } seen[] = {{1, 0}, {2, 0}, {1, 100000}};

    for (guint64 i = 0; i < G_N_ELEMENTS(seen); i++) {
        region.track_id = seen[i].track;
        Sample s = {.sequence = i,
                    .stretch = 1,
                    .sample = i,
                    .start = seen[i].start * MS,
                    .norm = 1,
                    .region = &region};
        push_sample(h, &s);
    }
    assert_clips(h, "0+40:1j 0+100040:2e");
}

static void
very_many_tracks_are_bounded(void)
{
    GstHarness *h = play_score_alone("clip-length=1024");
    GstPeRegion region = {.name = "person", .width = 8, .height = 8};

    for (guint64 i = 0; i < 1000; i++) {
        region.track_id = i;
        Sample s = {.sequence = i,
                    .stretch = 1,
                    .sample = i,
                    .start = i * MS,
                    .norm = 1,
                    .region = &region};
        push_sample(h, &s);
    }
    g_autoptr(Found) found = found_read(h, "score");
    // Nothing is lost: each has its clip, most of them when they were gone.
    g_assert_cmpuint(found->results->len, ==, 1000);
    stop(h);
}

// ---- Latest mode ----------------------------------------------------------

// A frame that repeats a sample repeats what was made of it.
static void
frames_repeat_what_they_repeat(void)
{
    GstHarness *h = play_score_alone("clip-length=2");
    Sample s = {.stretch = 1, .norm = 1};

    push_sample(h, &s);
    s = (Sample){.sequence = 1, .stretch = 1, .sample = 1, .norm = 1};
    push_sample(h, &s);
    for (int i = 0; i < 3; i++) {
        g_autoptr(GstPeResult) result = make_result(&s);
        GstBuffer *buffer = make_frame(i);
        gst_buffer_add_pe_meta(buffer, result, (guint64)i * FRAME_DURATION);
        g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
        GstBuffer *out = pull(h);
        g_assert_cmpuint(gst_buffer_get_n_pe_metas(out), ==, 2);
        GstPeMeta *meta = gst_buffer_get_nth_pe_meta(out, 1);
        g_assert_cmpuint(gst_pe_result_get_sequence(meta->result), ==, 0);
        g_assert_cmpuint(gst_pe_meta_get_age(meta), ==,
                         (guint64)i * FRAME_DURATION);
        gst_buffer_unref(out);
    }
    stop(h);
}

static void
add_tests(void)
{
    g_autoptr(GError) error = NULL;
    PeModel *model = pe_model_open(tiny_model_path(), &error);

    g_assert_no_error(error);
    fingerprint = g_strdup(pe_model_get_fingerprint(model));
    pe_model_unref(model);
    g_test_add_func("/score/windows/windows_follow_each_other",
                    windows_follow_each_other);
    g_test_add_func("/score/windows/windows_overlap", windows_overlap);
    g_test_add_func("/score/windows/windows_leave_gaps", windows_leave_gaps);
    g_test_add_func("/score/windows/small_steps_beside_the_grid_do_not_matter",
                    small_steps_beside_the_grid_do_not_matter);
    g_test_add_func("/score/windows/a_window_ends_with_its_last_sample",
                    a_window_ends_with_its_last_sample);
    g_test_add_func(
        "/score/windows/a_window_is_shorter_than_the_distance_of_samples",
        a_window_is_shorter_than_the_distance_of_samples);
    g_test_add_func("/score/windows/one_result_at_most_for_a_sample",
                    one_result_at_most_for_a_sample);
    g_test_add_func("/score/windows/empty_windows_say_nothing",
                    empty_windows_say_nothing);
    g_test_add_func("/score/windows/lost_samples_are_told",
                    lost_samples_are_told);
    g_test_add_func("/score/windows/lost_samples_count", lost_samples_count);
    g_test_add_func("/score/windows/the_first_samples_may_be_lost",
                    the_first_samples_may_be_lost);
    g_test_add_func("/score/windows/who_comes_later_has_lost_nothing",
                    who_comes_later_has_lost_nothing);
    g_test_add_func("/score/windows/what_was_seen_does_not_count_twice",
                    what_was_seen_does_not_count_twice);
    g_test_add_func("/score/windows/nonsense_is_another_stretch",
                    nonsense_is_another_stretch);
    g_test_add_func("/score/windows/times_that_make_no_sense_do_no_harm",
                    times_that_make_no_sense_do_no_harm);
    g_test_add_func("/score/windows/other_dimensions_are_not_scored",
                    other_dimensions_are_not_scored);
    g_test_add_func("/score/windows/results_of_no_tower_are_not_scored",
                    results_of_no_tower_are_not_scored);
    g_test_add_func("/score/windows/the_mean_is_that_of_raw_embeddings",
                    the_mean_is_that_of_raw_embeddings);
    g_test_add_func("/score/windows/windows_have_names", windows_have_names);
    g_test_add_func("/score/windows/tracks_have_windows_of_their_own",
                    tracks_have_windows_of_their_own);
    g_test_add_func("/score/windows/who_is_seen_again_is_not_gone",
                    who_is_seen_again_is_not_gone);
    g_test_add_func("/score/windows/very_many_tracks_are_bounded",
                    very_many_tracks_are_bounded);
    g_test_add_func("/score/windows/frames_repeat_what_they_repeat",
                    frames_repeat_what_they_repeat);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
