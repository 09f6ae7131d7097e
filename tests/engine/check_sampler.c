// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_sampler.c - which frames are taken, against tables written by hand.

#include "core/pe.h"

#include <string.h>

#define SECOND 1000000000ull

static PeSampler *
sampler(int rate_n, int rate_d, int interval, int length, int stride)
{
    PeSamplerParams p = {rate_n, rate_d, interval, length, stride};
    return pe_sampler_new(&p);
}

static char
letter(PeSample sample)
{
    return ".fC"[sample];
}

// The time of frame `i`, rounded down to `unit` ns as containers do.
static uint64_t
frame_time(uint64_t i, uint64_t fps_n, uint64_t fps_d, uint64_t unit)
{
    return i * fps_d * SECOND / fps_n / unit * unit;
}

// '.' skipped, 'f' embedded, 'C' completes a clip, one letter a frame.
static void
assert_picks(PeSampler *s, uint64_t fps_n, uint64_t fps_d, const char *expected)
{
    char got[200] = "";
    for (size_t i = 0; i < strlen(expected); i++)
        got[i] = letter(pe_sampler_push(s, frame_time(i, fps_n, fps_d, 1)));
    g_assert_cmpstr(got, ==, expected);
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
    assert_picks(sampler(4, 1, 1, 1, 0), 10, 1, "C..C.C..C.C");
}

static void
takes_each_frame_once_above_the_frame_rate(void)
{
    assert_picks(sampler(60, 1, 1, 3, 0), 25, 1, "ffCffCf");
    assert_picks(sampler(10000, 1, 1, 1, 0), 240, 1, "CCCCCC");
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

// 29.97 fps for an hour: one frame a second, the first at or after the second.
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
            if (pe_sampler_push(s, t) == PE_SAMPLE_SKIP)
                continue;
            uint64_t late = t + 1000000 - n * SECOND; // from 1 ms early
            g_assert_cmpuint(late, <, SECOND / 29 + 1000000);
            n++;
        }
        g_assert_cmpuint(n, ==, 3600);
        pe_sampler_free(s);
    }
}

// Timestamps rounded to ms must not push a frame behind its sampling point.
static void
samples_evenly_from_rounded_times(void)
{
    PeSampler *s = sampler(15, 1, 1, 1, 0);
    for (uint64_t i = 0; i < 600; i++) {
        PeSample got = pe_sampler_push(s, frame_time(i, 60, 1, 1000000));
        g_assert_cmpint(got, ==, i % 4 == 0 ? PE_SAMPLE_CLIP : PE_SAMPLE_SKIP);
    }
    pe_sampler_free(s);
}

static void
follows_a_variable_frame_rate(void)
{
    static const struct {
        int ms;
        char expected;
    } frames[] = {
        {500, 'C'},  {600, '.'},  {1490, '.'}, {1510, 'C'}, {1520, '.'},
        {4700, 'C'}, {4800, '.'}, {5480, '.'}, {5500, 'C'}, {6600, 'C'},
        {7000, '.'}, {7499, 'C'}, {7500, '.'},
    };
    PeSampler *s = sampler(1, 1, 1, 1, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(frames); i++) {
        uint64_t t = (uint64_t)frames[i].ms * 1000000;
        g_test_message("frame at %d ms", frames[i].ms);
        g_assert_cmpint(letter(pe_sampler_push(s, t)), ==, frames[i].expected);
    }
    pe_sampler_free(s);
}

static void
restarts_when_time_runs_backwards(void)
{
    PeSampler *s = sampler(1, 1, 1, 2, 0);
    g_assert_cmpint(pe_sampler_push(s, 100 * SECOND), ==, PE_SAMPLE_FRAME);
    g_assert_cmpint(pe_sampler_push(s, 20 * SECOND), ==, PE_SAMPLE_FRAME);
    g_assert_cmpint(pe_sampler_pending(s), ==, 1);
    g_assert_cmpint(pe_sampler_push(s, 20 * SECOND), ==, PE_SAMPLE_SKIP);
    g_assert_cmpint(pe_sampler_push(s, 21 * SECOND), ==, PE_SAMPLE_CLIP);
    pe_sampler_free(s);
}

static void
counts_frames_without_timestamps(void)
{
    PeSampler *s = sampler(1, 1, 3, 2, 0);
    char got[13] = "";
    for (int i = 0; i < 12; i++)
        got[i] = letter(pe_sampler_push(s, PE_TIME_NONE));
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
            pe_sampler_push(s, (uint64_t)i * SECOND);
        }
        pe_sampler_free(s);
    }
}

static void
forgets_on_reset(void)
{
    PeSampler *s = sampler(0, 1, 2, 3, 0);
    pe_sampler_push(s, 0);
    pe_sampler_push(s, 1);
    pe_sampler_push(s, 2);
    g_assert_cmpint(pe_sampler_pending(s), ==, 2);
    pe_sampler_reset(s);
    g_assert_cmpint(pe_sampler_pending(s), ==, 0);
    g_assert_cmpint(pe_sampler_push(s, 0), ==, PE_SAMPLE_FRAME);
    pe_sampler_free(s);
}

static void
keeps_the_clip_when_only_the_rate_changes(void)
{
    PeSampler *s = sampler(0, 1, 1, 3, 0);
    pe_sampler_push(s, 0);
    pe_sampler_push(s, SECOND / 10);
    PeSamplerParams slower = {1, 1, 1, 3, 0};
    pe_sampler_set(s, &slower);
    g_assert_cmpint(pe_sampler_push(s, SECOND / 5), ==, PE_SAMPLE_CLIP);
    g_assert_cmpint(pe_sampler_push(s, SECOND / 2), ==, PE_SAMPLE_SKIP);
    g_assert_cmpint(pe_sampler_push(s, SECOND * 6 / 5), ==, PE_SAMPLE_FRAME);

    PeSamplerParams shorter = {1, 1, 1, 2, 0};
    pe_sampler_set(s, &shorter);
    g_assert_cmpint(pe_sampler_pending(s), ==, 0);
    g_assert_cmpint(pe_sampler_push(s, SECOND * 11 / 5), ==, PE_SAMPLE_FRAME);
    g_assert_cmpint(pe_sampler_push(s, SECOND * 16 / 5), ==, PE_SAMPLE_CLIP);
    pe_sampler_free(s);
}

static void
survives_the_largest_times(void)
{
    PeSampler *s = sampler(G_MAXINT, 1, 1, 1, 0);
    g_assert_cmpint(pe_sampler_push(s, 0), ==, PE_SAMPLE_CLIP);
    g_assert_cmpint(pe_sampler_push(s, PE_TIME_NONE - 1), ==, PE_SAMPLE_CLIP);
    pe_sampler_free(s);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/sampler/every-frame", takes_every_frame_without_a_rate);
    g_test_add_func("/sampler/rate", picks_by_time);
    g_test_add_func("/sampler/above",
                    takes_each_frame_once_above_the_frame_rate);
    g_test_add_func("/sampler/interval", thins_by_the_interval);
    g_test_add_func("/sampler/stride", overlaps_and_leaves_gaps);
    g_test_add_func("/sampler/drift", does_not_drift);
    g_test_add_func("/sampler/rounded", samples_evenly_from_rounded_times);
    g_test_add_func("/sampler/vfr", follows_a_variable_frame_rate);
    g_test_add_func("/sampler/backwards", restarts_when_time_runs_backwards);
    g_test_add_func("/sampler/no-time", counts_frames_without_timestamps);
    g_test_add_func("/sampler/pending", tells_the_size_of_a_partial_clip);
    g_test_add_func("/sampler/reset", forgets_on_reset);
    g_test_add_func("/sampler/set", keeps_the_clip_when_only_the_rate_changes);
    g_test_add_func("/sampler/extremes", survives_the_largest_times);
    return g_test_run();
}
