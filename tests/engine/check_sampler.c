// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_sampler.c - which frames are taken, against tables written by hand.
// check_sampler_grid.c has random ones.

#include "core/pe.h"

#include <string.h>

#define SECOND 1000000000ull

static PeSampler *
sampler(int rate_n, int rate_d, int interval, int length, int stride)
{
    PeSamplerParams p = {rate_n, rate_d, interval, length, stride, 0};
    return pe_sampler_new(&p);
}

#define MS 1000000ull

// The time of frame `i`, rounded down to `unit` ns as containers do.
static uint64_t
frame_time(uint64_t i, uint64_t fps_n, uint64_t fps_d, uint64_t unit)
{
    return i * fps_d * SECOND / fps_n / unit * unit;
}

// The frame itself, whose duration is not known.
static PeSample
push(PeSampler *s, uint64_t timestamp)
{
    PeMoment m = {timestamp, PE_TIME_NONE, false};
    return pe_sampler_push(s, &m).sample;
}

// '.' skipped, 'f' embedded, 'C' completes a clip; in front of them 'h' and 'H'
// for the samples that the frame before still had.
static void
show(PeSampler *s, const PeMoment *m, GString *got)
{
    PePoint point;
    while (pe_sampler_hold(s, m, &point))
        g_string_append_c(got, ".hH"[point.sample]);
    if (m)
        g_string_append_c(got, ".fC"[pe_sampler_push(s, m).sample]);
}

static void
assert_picks(PeSampler *s, uint64_t fps_n, uint64_t fps_d, const char *expected)
{
    g_autoptr(GString) got = g_string_new(NULL);
    for (uint64_t i = 0; got->len < strlen(expected); i++) {
        PeMoment m = {frame_time(i, fps_n, fps_d, 1), fps_d * SECOND / fps_n,
                      false};
        show(s, &m, got);
    }
    g_assert_cmpstr(got->str, ==, expected);
    pe_sampler_free(s);
}

// Frames by their start and duration in ms; the last one ends the stream.
static void
assert_shows(PeSampler *s, const int (*frames)[2], size_t n,
             const char *expected)
{
    g_autoptr(GString) got = g_string_new(NULL);
    for (size_t i = 0; i < n; i++) {
        PeMoment m = {(uint64_t)frames[i][0] * MS, PE_TIME_NONE, false};
        if (frames[i][1] > 0)
            m.duration = (uint64_t)frames[i][1] * MS;
        g_assert_cmpint(pe_sampler_check(s, &m), ==, PE_ORDER_NEXT);
        show(s, &m, got);
    }
    show(s, NULL, got);
    g_assert_cmpstr(got->str, ==, expected);
    pe_sampler_free(s);
}

static void
takes_every_frame_without_a_rate(void)
{
    assert_picks(sampler(0, 1, 1, 1, 0), 30, 1, "CCCCC");
    assert_picks(sampler(0, 1, 1, 4, 0), 30, 1, "fffCfffCff");
}

static void
picks_by_time(void)
{
    assert_picks(sampler(10, 1, 1, 1, 0), 30, 1, "C..C..C..C");
    assert_picks(sampler(15, 1, 1, 2, 0), 60, 1, "f...C...f...C");
    assert_picks(sampler(4, 1, 1, 1, 0), 10, 1, "C.C..C.C..C");
}

static void
takes_frames_again_above_the_frame_rate(void)
{
    assert_picks(sampler(60, 1, 1, 3, 0), 25, 1, "fhHfhChhC");
    assert_picks(sampler(50, 1, 2, 1, 0), 25, 1, "CCCC");
    // 1000 a second at most.
    assert_picks(sampler(G_MAXINT, 1, 1, 1, 0), 250, 1, "CHHHC");
}

static void
thins_by_the_interval(void)
{
    assert_picks(sampler(0, 1, 3, 1, 0), 30, 1, "C..C..C..");
    assert_picks(sampler(0, 1, 2, 2, 0), 30, 1, "f.C.f.C.f");
    assert_picks(sampler(15, 1, 2, 2, 0), 30, 1, "f...C...f...C");
}

static void
overlaps_and_leaves_gaps(void)
{
    assert_picks(sampler(0, 1, 1, 4, 1), 30, 1, "fffCCCCC");
    assert_picks(sampler(0, 1, 1, 4, 3), 30, 1, "fffCffCffC");
    assert_picks(sampler(0, 1, 1, 2, 5), 30, 1, "fC...fC...fC");
    assert_picks(sampler(0, 1, 1, 1, 3), 30, 1, "C..C..C");
}

// 29.97 fps for an hour: one frame a second, that which is shown at the second.
static void
does_not_drift(void)
{
    const uint64_t units[] = {1, 1000000}; // ns, and ms as in Matroska
    for (size_t u = 0; u < G_N_ELEMENTS(units); u++) {
        PeSampler *s = sampler(1, 1, 1, 1, 0);
        uint64_t n = 0;
        uint64_t frames = 3600 * 30000 / 1001 + 1;
        for (uint64_t i = 0; i < frames; i++) {
            uint64_t t = frame_time(i, 30000, 1001, units[u]);
            PeMoment m = {t, frame_time(1, 30000, 1001, 1), false};
            if (pe_sampler_push(s, &m).sample == PE_SAMPLE_SKIP)
                continue;
            // From one frame before to 1 ms late.
            uint64_t early = n * SECOND + MS + 1 - t; // and a rounded ns
            g_assert_cmpuint(early, <, SECOND / 29 + 2 * MS);
            n++;
        }
        g_assert_cmpuint(n, ==, 3601); // the last frame is shown at 3600 s
        pe_sampler_free(s);
    }
}

// Timestamps rounded to ms must not push a frame behind its sampling point.
static void
samples_evenly_from_rounded_times(void)
{
    PeSampler *s = sampler(15, 1, 1, 1, 0);
    for (uint64_t i = 0; i < 600; i++) {
        PeSample got = push(s, frame_time(i, 60, 1, MS));
        g_assert_cmpint(got, ==, i % 4 == 0 ? PE_SAMPLE_CLIP : PE_SAMPLE_SKIP);
    }
    pe_sampler_free(s);
}

static void
follows_a_variable_frame_rate(void)
{
    static const int frames[][2] = {
        {500, 100},  {600, 890},  {1490, 20}, {1510, 10},   {1520, 3180},
        {4700, 100}, {4800, 680}, {5480, 20}, {5500, 1100}, {6600, 100},
    };
    assert_shows(sampler(1, 1, 1, 1, 0), frames, G_N_ELEMENTS(frames),
                 "C.C.CHH...CH.");
}

// A slide is shown for ten seconds, and nothing else says so than its duration.
static void
counts_a_slide_as_long_as_it_is_shown(void)
{
    static const int slides[][2] = {{0, 10000}, {10000, 3000}};
    static const int last[][2] = {{0, 40}, {40, 4000}};
    assert_shows(sampler(1, 1, 1, 4, 0), slides, G_N_ELEMENTS(slides),
                 "fhhHhhhHhhfHh");
    assert_shows(sampler(1, 1, 1, 2, 0), last, G_N_ELEMENTS(last), "fChHh");
}

// Its duration is not to be trusted when one like it was far too long.
static void
does_not_believe_durations_twice(void)
{
    static const int frames[][2] = {{0, 9000},   {40, 9000},  {80, 9000},
                                    {490, 9000}, {530, 9000}, {570, 9000}};
    assert_shows(sampler(2, 1, 1, 1, 0), frames, 5, "C..C.");
}

static void
lets_small_steps_back_pass(void)
{
    PeSampler *s = sampler(5, 1, 1, 4, 0);
    g_autoptr(GString) got = g_string_new(NULL);
    for (int i = 0; i < 16; i++) {
        uint64_t step = i % 4 == 3 ? 105 * MS : 0;
        PeMoment m = {(uint64_t)i * 100 * MS - step, 100 * MS, false};
        g_assert_cmpint(pe_sampler_check(s, &m), ==, PE_ORDER_NEXT);
        show(s, &m, got);
    }
    g_assert_cmpstr(got->str, ==, "f.f.f.C.f.f.f.C.");
    pe_sampler_free(s);
}

static void
tells_jumps_from_steps(void)
{
    // After frames of 40 ms at 0 and 40 ms.
    static const struct {
        PeSamplerParams params;
        PeMoment moment;
        PeOrder expected;
    } rows[] = {
        {{2, 1, 1, 8, 0, 0}, {80 * MS, 40 * MS, false}, PE_ORDER_NEXT},
        {{2, 1, 1, 8, 0, 0}, {21 * MS, 40 * MS, false}, PE_ORDER_NEXT},
        {{2, 1, 1, 8, 0, 0}, {19 * MS, 40 * MS, false}, PE_ORDER_DOUBT},
        {{2, 1, 1, 8, 0, 0}, {19 * MS, 40 * MS, true}, PE_ORDER_JUMP},
        {{2, 1, 1, 1, 0, 0}, {19 * MS, 40 * MS, false}, PE_ORDER_JUMP},
        // Two sampling periods, and at least a second.
        {{2, 1, 1, 8, 0, 0}, {1080 * MS, 40 * MS, false}, PE_ORDER_NEXT},
        {{2, 1, 1, 8, 0, 0}, {1081 * MS, 40 * MS, true}, PE_ORDER_JUMP},
        {{1, 2, 1, 8, 0, 0}, {4080 * MS, 40 * MS, false}, PE_ORDER_NEXT},
        {{1, 1, 2, 8, 0, 0}, {4081 * MS, 40 * MS, true}, PE_ORDER_JUMP},
        {{0, 1, 1, 8, 0, 0}, {1080 * MS, 40 * MS, false}, PE_ORDER_NEXT},
        {{0, 1, 1, 8, 0, 0}, {1081 * MS, 40 * MS, false}, PE_ORDER_DOUBT},
        {{2, 1, 1, 8, 0, 9 * MS}, {89 * MS, 40 * MS, false}, PE_ORDER_NEXT},
        {{2, 1, 1, 8, 0, 9 * MS}, {90 * MS, 40 * MS, true}, PE_ORDER_JUMP},
        {{2, 1, 1, 8, 0, UINT64_MAX}, {SECOND * 999, 1, true}, PE_ORDER_NEXT},
        {{2, 1, 1, 8, 0, 0}, {PE_TIME_NONE, 1, true}, PE_ORDER_NEXT},
    };
    for (size_t r = 0; r < G_N_ELEMENTS(rows); r++) {
        PeSampler *s = pe_sampler_new(&rows[r].params);
        for (uint64_t i = 0; i < 2; i++) {
            PeMoment m = {i * 40 * MS, 40 * MS, false};
            pe_sampler_push(s, &m);
        }
        g_test_message("row %zu", r);
        g_assert_cmpint(pe_sampler_check(s, &rows[r].moment), ==,
                        rows[r].expected);
        pe_sampler_free(s);
    }
}

// Nobody knows yet how far apart frames are.
static void
waits_longer_for_the_second_frame(void)
{
    PeSampler *s = sampler(2, 1, 1, 8, 0);
    for (uint64_t i = 0; i < 3; i++) {
        PeMoment m = {i * 5 * SECOND, PE_TIME_NONE, false};
        g_assert_cmpint(pe_sampler_check(s, &m), ==, PE_ORDER_NEXT);
        pe_sampler_push(s, &m);
    }
    pe_sampler_free(s);
}

static void
counts_frames_without_timestamps(void)
{
    PeSampler *s = sampler(1, 1, 3, 2, 0);
    char got[13] = "";
    for (int i = 0; i < 12; i++)
        got[i] = ".fC"[push(s, PE_TIME_NONE)];
    g_assert_cmpstr(got, ==, "f..C..f..C..");
    pe_sampler_free(s);
}

static void
tells_the_size_of_a_partial_clip(void)
{
    static const struct {
        int length, stride;
        int pending[13]; // after 0, 1, 2 .. frames
    } rows[] = {
        {4, 4, {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0}},
        {4, 1, {0, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
        {4, 3, {0, 1, 2, 3, 0, 2, 3, 0, 2, 3, 0, 2, 3}},
        {2, 5, {0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}},
        {1, 1, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    };
    for (size_t r = 0; r < G_N_ELEMENTS(rows); r++) {
        PeSampler *s = sampler(0, 1, 1, rows[r].length, rows[r].stride);
        for (int i = 0; i < 13; i++) {
            g_test_message("length %d stride %d, %d frames", rows[r].length,
                           rows[r].stride, i);
            g_assert_cmpint(pe_sampler_pending(s), ==, rows[r].pending[i]);
            push(s, (uint64_t)i * SECOND);
        }
        pe_sampler_free(s);
    }
}

static void
forgets_on_reset(void)
{
    PeSampler *s = sampler(0, 1, 2, 3, 0);
    push(s, 0);
    push(s, 1);
    push(s, 2);
    g_assert_cmpint(pe_sampler_pending(s), ==, 2);
    pe_sampler_reset(s);
    g_assert_cmpint(pe_sampler_pending(s), ==, 0);
    g_assert_cmpint(push(s, 0), ==, PE_SAMPLE_FRAME);
    pe_sampler_free(s);
}

static void
keeps_the_clip_when_only_the_rate_changes(void)
{
    PeSampler *s = sampler(0, 1, 1, 3, 0);
    push(s, 0);
    push(s, SECOND / 10);
    PeSamplerParams slower = {1, 1, 1, 3, 0, 0};
    pe_sampler_set(s, &slower);
    g_assert_cmpint(push(s, SECOND / 5), ==, PE_SAMPLE_CLIP);
    g_assert_cmpint(push(s, SECOND / 2), ==, PE_SAMPLE_SKIP);
    g_assert_cmpint(push(s, SECOND * 6 / 5), ==, PE_SAMPLE_FRAME);

    PeSamplerParams shorter = {1, 1, 1, 2, 0, 0};
    pe_sampler_set(s, &shorter);
    g_assert_cmpint(pe_sampler_pending(s), ==, 0);
    g_assert_cmpint(push(s, SECOND * 11 / 5), ==, PE_SAMPLE_FRAME);
    g_assert_cmpint(push(s, SECOND * 16 / 5), ==, PE_SAMPLE_CLIP);
    pe_sampler_free(s);
}

static void
survives_the_largest_times(void)
{
    static const uint64_t times[] = {
        0, 1, SECOND, G_MAXINT64, PE_TIME_NONE - 1, PE_TIME_NONE};
    const int n = G_N_ELEMENTS(times);
    for (int i = 0; i < n * n * n * 2; i++) {
        PeSampler *s = sampler(i % 2 ? G_MAXINT : 1, i % 2 ? 1 : G_MAXINT,
                               i % 2 ? 1 : G_MAXINT, 2, i % 3 ? 0 : G_MAXINT);
        PeMoment a = {times[i / 2 % n], times[i / 2 / n % n], false};
        PeMoment b = {times[i / 2 / n / n], times[i / 2 % n], false};
        PePoint point;
        int n_held = 0;
        pe_sampler_push(s, &a);
        pe_sampler_check(s, &b);
        while (pe_sampler_hold(s, &b, &point))
            n_held++;
        pe_sampler_push(s, &b);
        while (pe_sampler_hold(s, NULL, &point))
            n_held++;
        // Nothing is on screen for ever.
        g_assert_cmpint(n_held, <=, 2 * 65536);
        pe_sampler_free(s);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sampler/every-frame", takes_every_frame_without_a_rate);
    g_test_add_func("/sampler/rate", picks_by_time);
    g_test_add_func("/sampler/above", takes_frames_again_above_the_frame_rate);
    g_test_add_func("/sampler/interval", thins_by_the_interval);
    g_test_add_func("/sampler/stride", overlaps_and_leaves_gaps);
    g_test_add_func("/sampler/drift", does_not_drift);
    g_test_add_func("/sampler/rounded", samples_evenly_from_rounded_times);
    g_test_add_func("/sampler/vfr", follows_a_variable_frame_rate);
    g_test_add_func("/sampler/slides", counts_a_slide_as_long_as_it_is_shown);
    g_test_add_func("/sampler/overlong", does_not_believe_durations_twice);
    g_test_add_func("/sampler/steps", lets_small_steps_back_pass);
    g_test_add_func("/sampler/jumps", tells_jumps_from_steps);
    g_test_add_func("/sampler/second", waits_longer_for_the_second_frame);
    g_test_add_func("/sampler/no-time", counts_frames_without_timestamps);
    g_test_add_func("/sampler/pending", tells_the_size_of_a_partial_clip);
    g_test_add_func("/sampler/reset", forgets_on_reset);
    g_test_add_func("/sampler/set", keeps_the_clip_when_only_the_rate_changes);
    g_test_add_func("/sampler/extremes", survives_the_largest_times);
    return g_test_run();
}
