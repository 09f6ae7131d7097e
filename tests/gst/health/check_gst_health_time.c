// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_health_time.c - pehealth where time does not go on as usual: gaps,
// steps back, wrong timestamps and none, seeks, segments and other streams.

#include "tests/gst/health/drawn_camera.h"

#define FROZEN "frozen picture"
#define MOVED "camera moved"

static View
freeze(int second)
{
    return (View){.gain = 1, .noise = second < 20 || second >= 60 ? 3 : 0};
}

static void
assert_times(Script script, void (*before)(GstHarness *h, int number), int n,
             const char *expected)
{
    g_autofree char *found = watch_times("pehealth", CAPS, script, before, n);

    g_assert_cmpstr(found, ==, expected);
}

// ---- Gaps -------------------------------------------------------------------

static View
stall(int second)
{
    View view = freeze(second);

    view.dropped = second >= 30 && second < 50;
    return view;
}

static View
stall_and_go_on(int second)
{
    View view = stall(second);

    view.noise = second < 20 || second >= 50 ? 3 : 0;
    return view;
}

// Of what is other behind a gap, nothing was seen in it.
static void
goes_on_behind_a_gap(void)
{
    assert_times(stall, NULL, 70,
                 FROZEN " start@28 20 27-28, " FROZEN " end@60 20 27-59");
    assert_times(stall_and_go_on, NULL, 70,
                 FROZEN " start@28 20 27-28, " FROZEN " end@51 20 27-29");
}

// The last picture before a gap, and some that a decoder repeats behind it.
static View
repeat_behind_a_gap(int second)
{
    return (View){.gain = 1,
                  .noise = 3,
                  .seed = second >= 20 && second < 54 ? 7 : 0,
                  .dropped = second >= 22 && second < 50};
}

static void
counts_no_time_without_pictures(void)
{
    assert_times(repeat_behind_a_gap, NULL, 80, "");
}

static View
turn_before_a_gap(int second)
{
    return (View){.scene = second < 50 ? 0 : 1,
                  .gain = 1,
                  .noise = 3,
                  .dropped = second >= 53 && second < 73};
}

// What was seen before it counts.
static void
tells_since_before_the_gap(void)
{
    assert_times(turn_before_a_gap, NULL, 90,
                 MOVED " start@75 50 74-75, " MOVED " end@90 50 74-89");
}

// ---- Timestamps -------------------------------------------------------------

static View
lie_ahead(int second)
{
    View view = freeze(second);

    view.ahead = second == 15 || second == 35 ? 36000 : 0;
    return view;
}

static View
lie_behind(int second)
{
    View view = freeze(second);

    view.ahead = second == 15 || second == 35 ? -second : 0;
    return view;
}

// One timestamp that is ten hours ahead, or from the start.
static void
leaves_out_a_wrong_timestamp(void)
{
    static const char *const expected =
        FROZEN " start@28 20 27-28, " FROZEN " end@60 20 27-59";

    assert_times(lie_ahead, NULL, 70, expected);
    assert_times(lie_behind, NULL, 70, expected);
}

static View
step_back(int second)
{
    View view = freeze(second);

    view.ahead = second < 40 ? 0 : -35;
    return view;
}

// A clock of 33 bits at 90 kHz, which has come to its end.
static View
wrap(int second)
{
    View view = freeze(second);

    view.ahead = second < 40 ? 95443 - 40 : -40;
    return view;
}

// The first picture behind the step could have been a wrong timestamp.
static void
begins_anew_behind_a_step_back(void)
{
    assert_times(step_back, NULL, 70,
                 FROZEN " start@28 20 27-28, " FROZEN
                        " end@41 20 27-39, " FROZEN " start@49 6 13-14, " FROZEN
                        " end@60 6 13-24");
    assert_times(wrap, NULL, 70,
                 FROZEN " start@28 95423 95430-95431, " FROZEN
                        " end@41 95423 95430-95442, " FROZEN
                        " start@49 1 8-9, " FROZEN " end@60 1 8-19");
}

static View
omit_timestamps(int second)
{
    View view = freeze(second);

    view.untimed = second % 3 == 1;
    return view;
}

static View
repeat_timestamps(int second)
{
    View view = freeze(second);

    view.ahead = -(second % 2);
    return view;
}

static void
takes_what_timestamps_there_are(void)
{
    assert_times(omit_timestamps, NULL, 70,
                 FROZEN " start@29 20 27-29, " FROZEN " end@60 20 27-59");
    assert_times(repeat_timestamps, NULL, 70,
                 FROZEN " start@28 20 26-28, " FROZEN " end@60 20 26-58");
}

// ---- Events -----------------------------------------------------------------

static void
push_segment(GstHarness *h, GstClockTime start, GstClockTime base)
{
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.start = segment.time = start;
    segment.base = base;
    g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
}

static void
seek(GstHarness *h, int second)
{
    if (second != 40)
        return;
    g_assert_true(gst_harness_push_event(h, gst_event_new_flush_start()));
    g_assert_true(gst_harness_push_event(h, gst_event_new_flush_stop(TRUE)));
    push_segment(h, 40 * GST_SECOND, 0);
}

// Running time begins anew.
static void
begins_anew_behind_a_seek(void)
{
    assert_times(freeze, seek, 70,
                 FROZEN " start@28 20 27-28, " FROZEN
                        " end@40 20 27-39, " FROZEN " start@48 0 7-8, " FROZEN
                        " end@60 0 7-19");
}

static void
begin_segment(GstHarness *h, int second)
{
    if (second == 40)
        push_segment(h, 40 * GST_SECOND, 40 * GST_SECOND);
}

static void
goes_on_in_the_next_segment(void)
{
    assert_times(freeze, begin_segment, 70,
                 FROZEN " start@28 20 27-28, " FROZEN " end@60 20 27-59");
}

static View
turn(int second)
{
    return (View){.scene = second < 50 ? 0 : 1, .gain = 1, .noise = 3};
}

static void
begin_stream(GstHarness *h, int second)
{
    g_autoptr(GstCaps) caps = gst_caps_from_string(CAPS);

    if (second != 50)
        return;
    g_assert_true(
        gst_harness_push_event(h, gst_event_new_stream_start("another")));
    g_assert_true(gst_harness_push_event(h, gst_event_new_caps(caps)));
    push_segment(h, 0, 0);
}

static View
turn_while_frozen(int second)
{
    View view = turn(second);

    view.noise = second < 20 || second >= 70 ? 3 : 0;
    return view;
}

// Of another camera, another view is no move.
static void
begins_anew_with_another_stream(void)
{
    assert_times(turn, NULL, 90,
                 MOVED " start@55 50 54-55, " MOVED " end@85 50 54-84");
    assert_times(turn, begin_stream, 90, "");
    assert_times(turn_while_frozen, begin_stream, 90,
                 FROZEN " start@28 20 27-28, " FROZEN
                        " end@50 20 27-49, " FROZEN
                        " start@58 50 57-58, " FROZEN " end@70 50 57-69");
}

// ---- Nonsense ---------------------------------------------------------------

static int
count_warnings(GstHarness *h)
{
    GstBus *bus = gst_element_get_bus(h->element);
    GstMessage *message;
    int n = 0;

    while ((message = gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING))) {
        gst_message_unref(message);
        n++;
    }
    gst_object_unref(bus);
    return n;
}

// Whatever the times are, pictures pass. What can be no time is said once.
static void
passes_pictures_of_any_time(void)
{
    static const GstClockTime times[] = {
        0,
        G_MAXUINT64 - 1,
        G_MAXUINT64 - 2,
        G_MAXINT64,
        G_MAXINT64 - 1,
        0,
        GST_CLOCK_TIME_NONE,
        5,
        G_MAXINT64 - 1,
        G_MAXINT64 - 1,
    };
    GstHarness *h = play_line("pehealth interval=86400000", CAPS);
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    const View view = {.gain = 1, .noise = 3};

    for (size_t i = 0; i < G_N_ELEMENTS(times); i++) {
        GstBuffer *buffer = shoot(&view, 0, rand);

        GST_BUFFER_PTS(buffer) = times[i];
        GST_BUFFER_DURATION(buffer) = i % 2 ? 0 : G_MAXUINT64 - 1;
        g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
    }
    g_assert_cmpuint(gst_harness_buffers_received(h), ==, G_N_ELEMENTS(times));
    g_assert_cmpint(count_warnings(h), ==, 1);
    stop(h);
}

// A source that gives all of them the time of the first.
static void
says_that_time_stands_still(void)
{
    GstHarness *h = play_line("pehealth", CAPS);
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    const View view = {.gain = 1, .noise = 3};
    GstBuffer *picture = shoot(&view, 7, rand);

    for (int k = 0; k < 900; k++)
        gst_harness_push(h, gst_buffer_copy(picture));
    g_assert_cmpint(count_warnings(h), ==, 0);
    for (int k = 0; k < 1200; k++)
        gst_harness_push(h, gst_buffer_copy(picture));
    g_assert_cmpint(count_warnings(h), ==, 1);
    gst_buffer_unref(picture);
    stop(h);
}

static View
give_reasons(int second)
{
    return (View){.gain = 1,
                  .noise = 3,
                  .untimed = second < 3,
                  .cut = second >= 3 ? WIDTH - 10 : 0};
}

static void
says_each_reason_once(void)
{
    GstHarness *h = play_line("pehealth", CAPS);
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);

    for (int second = 0; second < 6; second++) {
        const View view = give_reasons(second);
        gst_harness_push(h, shoot(&view, second, rand));
    }
    g_assert_cmpint(count_warnings(h), ==, 2);
    begin_stream(h, 50);
    const View view = give_reasons(0);
    gst_harness_push(h, shoot(&view, 0, rand));
    g_assert_cmpint(count_warnings(h), ==, 1);
    stop(h);
}

static void
add_tests(void)
{
#define ADD(test) g_test_add_func("/health/" #test, test)
    ADD(goes_on_behind_a_gap);
    ADD(counts_no_time_without_pictures);
    ADD(tells_since_before_the_gap);
    ADD(leaves_out_a_wrong_timestamp);
    ADD(begins_anew_behind_a_step_back);
    ADD(takes_what_timestamps_there_are);
    ADD(begins_anew_behind_a_seek);
    ADD(goes_on_in_the_next_segment);
    ADD(begins_anew_with_another_stream);
    ADD(passes_pictures_of_any_time);
    ADD(says_that_time_stands_still);
    ADD(says_each_reason_once);
#undef ADD
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
