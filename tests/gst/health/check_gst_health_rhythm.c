// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_health_rhythm.c - pehealth on drawn cameras at many pictures a
// second: light that flickers, a focus that hunts, and what goes up and down
// otherwise.

#include "tests/gst/health/drawn_camera.h"

#include <math.h>
#include <string.h>

#define RATE 12
#define CAPS_OF(format) \
    "video/x-raw,format=" format ",width=192,height=108,framerate=12/1"
#define FLICKER "flicker"
#define HUNTING "hunting"

// Whatever the drawn cameras do from the tenth to the thirtieth second.
enum { FIRST = 10, LAST = 30, END = 45 };

static View
usual(int k)
{
    return (View){.gain = 1, .noise = 3, .rate = RATE, .turn = k};
}

// Seconds since the disturbance has begun; below 0: it has not, or is over.
static double
get_elapsed(int k, int rate)
{
    return k >= LAST * rate ? -1 : (double)k / rate - FIRST;
}

// 0 and 1 are the ends of a swing of that period.
static double
swing(double seconds, double period)
{
    return seconds < 0 ? 0 : (1 - cos(2 * G_PI * seconds / period)) / 2;
}

static void
assert_seen(Script script, const char *expected)
{
    assert_watched("", script, END * RATE, expected);
}

// ---- Flicker ----------------------------------------------------------------

static View
swing_light_at(int k, int rate, double period)
{
    View view = usual(k);

    view.rate = rate;
    view.gain = 1 - 0.2 * swing(get_elapsed(k, rate), period);
    return view;
}

static View
swing_light(int k)
{
    return swing_light_at(k, RATE, 0.8);
}

static View
alternate(int k)
{
    View view = usual(k);

    view.gain = get_elapsed(k, RATE) > 0 && k % 2 ? 0.9 : 1;
    return view;
}

// As of lamps on the mains before a sensor that reads row after row: all
// pictures have the same mean.
static View
roll_bands(int k)
{
    View view = usual(k);
    double seconds = get_elapsed(k, RATE);

    view.band = seconds > 0 ? 0.1 : 0;
    view.turn = 0.7 * seconds;
    return view;
}

static void
finds_flicker(void)
{
    assert_seen(swing_light, FLICKER " start@17, " FLICKER " end@33");
    assert_seen(alternate, FLICKER " start@17, " FLICKER " end@33");
    assert_seen(roll_bands, FLICKER " start@18, " FLICKER " end@33");
}

// As slow as may be.
static View
swing_light_slowly(int k)
{
    return swing_light_at(k, RATE, 2.3);
}

static View
pulse(int k)
{
    View view = usual(k);
    double seconds = get_elapsed(k, RATE);

    view.gain = seconds > 0 && fmod(seconds, 2.3) < 0.1 ? 0.8 : 1;
    return view;
}

static void
tells_slow_flicker_once(void)
{
    assert_seen(swing_light_slowly, FLICKER " start@18, " FLICKER " end@33");
    assert_seen(pulse, FLICKER " start@20, " FLICKER " end@32");
}

static View
swing_light_in_haste(int k)
{
    return swing_light_at(k, 50, 0.8);
}

static View
drop_pictures(int k)
{
    View view = swing_light(k);

    view.dropped = k % 5 == 1 || k % 7 == 3;
    return view;
}

// Time is what counts, not pictures.
static void
finds_it_at_every_rate(void)
{
    assert_watched("", swing_light_in_haste, END * 50,
                   FLICKER " start@17, " FLICKER " end@33");
    assert_seen(drop_pictures, FLICKER " start@17, " FLICKER " end@33");
}

static View
swing_light_in_greater_haste(int k)
{
    return swing_light_at(k, 120, 0.8);
}

// As many are looked at as there are.
static void
finds_it_at_every_interval(void)
{
    assert_watched("interval=10", swing_light_in_greater_haste, 20 * 120,
                   FLICKER " start@16, " FLICKER " end@20");
}

static View
dim_a_little(int k)
{
    View view = usual(k);

    view.gain = 1 - 0.04 * swing(get_elapsed(k, RATE), 0.8);
    return view;
}

static void
asks_how_much(void)
{
    assert_seen(dim_a_little, "");
    assert_watched("flicker-above=0.02", dim_a_little, END * RATE,
                   FLICKER " start@17, " FLICKER " end@33");
    assert_watched("flicker-above=0.3", swing_light, END * RATE, "");
    assert_watched("flicker-above=0", swing_light, END * RATE, "");
}

static View
switch_a_lamp(int k)
{
    View view = usual(k);

    view.gain = get_elapsed(k, RATE) > 0 ? 0.6 : 1;
    return view;
}

static View
pass_clouds(int k)
{
    View view = usual(k);

    view.gain = 1 - 0.4 * swing(get_elapsed(k, RATE), 6);
    return view;
}

// Three strokes within a second, and again after eight.
static View
lighten(int k)
{
    View view = usual(k);
    double seconds = get_elapsed(k, RATE), since = fmod(seconds, 9);

    if (seconds > 0 && since < 1)
        view.gain = 1 + 0.8 * swing(since, 0.33);
    return view;
}

static View
blink_in_a_corner(int k)
{
    View view = usual(k);

    view.clock = k / 4 + 1;
    return view;
}

static View
walk_to_and_fro(int k)
{
    View view = usual(k);

    view.walker = (int)(10 + 170 * swing((double)k / RATE, 3));
    return view;
}

static View
cut_once(int k)
{
    View view = usual(k);

    view.scene = get_elapsed(k, RATE) > 0;
    return view;
}

// Over before a second look sees it.
static View
swing_too_briefly(int k)
{
    return get_elapsed(k, RATE) < 4.9 ? swing_light(k) : usual(k);
}

static void
takes_other_changes_of_light_for_none(void)
{
    assert_seen(swing_too_briefly, "");
    assert_seen(switch_a_lamp, "");
    assert_seen(pass_clouds, "");
    assert_seen(lighten, "");
    assert_seen(blink_in_a_corner, "");
    assert_seen(walk_to_and_fro, "");
    assert_seen(cut_once, "");
    assert_seen(usual, "");
}

static View
flicker_seldom(int k)
{
    View view = usual(k);

    view.rate = 2;
    view.gain = k % 2 ? 0.8 : 1;
    return view;
}

static void
needs_some_pictures_a_second(void)
{
    assert_watched("", flicker_seldom, END * 2, "");
}

// ---- Focus ------------------------------------------------------------------

static View
hunt(int k)
{
    View view = usual(k);

    view.lost = 0.7 * swing(get_elapsed(k, RATE), 3);
    return view;
}

static View
hunt_fast(int k)
{
    View view = usual(k);

    view.lost = 0.7 * swing(get_elapsed(k, RATE), 0.6);
    return view;
}

static void
finds_a_focus_that_hunts(void)
{
    assert_seen(hunt, HUNTING " start@15, " HUNTING " end@41");
    assert_seen(hunt_fast, HUNTING " start@12, " HUNTING " end@42");
    assert_watched("hunting-above=0", hunt, END * RATE, "");
    assert_watched("hunting-above=0.95", hunt, END * RATE, "");
}

static void
assert_times(const char *properties, Script script, const char *expected)
{
    g_autofree char *line = g_strdup_printf("pehealth %s", properties);
    g_autofree char *found = watch_times(line, CAPS, script, NULL, END * RATE);

    g_assert_cmpstr(found, ==, expected);
}

// The end is told late, and says when it was. Between two looks, it may be sure
// of what has begun only after the first.
static void
tells_from_when_to_when(void)
{
    assert_times("", swing_light,
                 FLICKER " start@17 10 16-17, " FLICKER " end@33 10 16-29");
    assert_times("", hunt,
                 HUNTING " start@15 10 14-14, " HUNTING " end@41 10 14-29");
    assert_times("interval=10000", swing_light,
                 FLICKER " start@30 12 20-29, " FLICKER " end@40 12 20-29");
    assert_times("interval=14000", hunt,
                 HUNTING " start@28 16 16-27, " HUNTING " end@42 16 16-27");
}

static View
focus_once(int k)
{
    View view = usual(k);
    double seconds = get_elapsed(k, RATE);

    view.lost = seconds > 0 && seconds < 2 ? 0.7 * swing(seconds, 2) : 0;
    return view;
}

static View
lose_focus(int k)
{
    View view = usual(k);
    double seconds = get_elapsed(k, RATE);

    view.lost = seconds > 0 ? 0.04 * seconds : 0;
    return view;
}

// Each key frame is sharp, and what follows less and less.
static View
lose_detail_up_to_key_frames(int k)
{
    View view = usual(k);

    view.lost = 0.5 * (k % (2 * RATE)) / (2 * RATE);
    return view;
}

// And the other way.
static View
gain_detail_up_to_key_frames(int k)
{
    View view = usual(k);

    view.lost = 0.5 - 0.5 * (k % (2 * RATE)) / (2 * RATE);
    return view;
}

// As of a server that sends now a large picture, now a small one.
static View
change_size(int k)
{
    View view = usual(k);

    view.cut = k / (2 * RATE) % 2 ? 2 : 0;
    view.lost = view.cut > 0 ? 0.7 : 0;
    return view;
}

static void
takes_other_changes_of_sharpness_for_none(void)
{
    assert_seen(change_size, "");
    assert_seen(focus_once, "");
    assert_seen(lose_focus, "");
    assert_seen(lose_detail_up_to_key_frames, "");
    assert_seen(gain_detail_up_to_key_frames, "");
}

// ---- Frames -----------------------------------------------------------------

static void
reads_every_format(void)
{
    assert_watched_in_formats(CAPS_OF("GRAY8"), swing_light, 25 * RATE,
                              FLICKER " start@17, " FLICKER " end@25");
    assert_watched_in_formats(CAPS_OF("GRAY8"), hunt, 25 * RATE,
                              HUNTING " start@15, " HUNTING " end@25");
}

static View
flicker_inside_a_margin(int k)
{
    View view = swing_light(k);

    view.margin = 60;
    return view;
}

// Around it, all is noise.
static void
looks_inside_the_crop(void)
{
    g_autofree char *found =
        watch("pehealth",
              "video/x-raw,format=GRAY8,width=312,height=228,framerate=12/1",
              flicker_inside_a_margin, END * RATE);

    g_assert_cmpstr(found, ==, FLICKER " start@17, " FLICKER " end@33");
}

static void
add_tests(void)
{
#define ADD(test) g_test_add_func("/health/" #test, test)
    ADD(finds_flicker);
    ADD(tells_slow_flicker_once);
    ADD(finds_it_at_every_rate);
    ADD(finds_it_at_every_interval);
    ADD(asks_how_much);
    ADD(takes_other_changes_of_light_for_none);
    ADD(needs_some_pictures_a_second);
    ADD(finds_a_focus_that_hunts);
    ADD(tells_from_when_to_when);
    ADD(takes_other_changes_of_sharpness_for_none);
    ADD(reads_every_format);
    ADD(looks_inside_the_crop);
#undef ADD
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
