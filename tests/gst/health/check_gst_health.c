// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_health.c - pehealth on drawn cameras: what is frozen, what was
// moved, and all that looks like it and is neither.

#include "tests/gst/health/drawn_camera.h"

#include <math.h>
#include <string.h>

#define FROZEN "frozen picture"
#define MOVED "camera moved"

// ---- Frozen -----------------------------------------------------------------

static View
freeze(int second)
{
    return (View){.gain = 1, .noise = second < 20 || second >= 40 ? 3 : 0};
}

static void
finds_a_frozen_picture(void)
{
    assert_watched("", freeze, 60, FROZEN " start@28, " FROZEN " end@40");
}

static void
tells_since_when(void)
{
    g_autofree char *found = watch_times("pehealth", CAPS, freeze, NULL, 60);

    g_assert_cmpstr(found, ==,
                    FROZEN " start@28 20 27-28, " FROZEN " end@40 20 27-39");
}

static View
freeze_under_a_clock(int second)
{
    View view = freeze(second);

    view.clock = second + 1;
    return view;
}

static void
finds_it_below_a_clock(void)
{
    assert_watched("", freeze_under_a_clock, 60,
                   FROZEN " start@28, " FROZEN " end@40");
    assert_watched("still-share=0", freeze_under_a_clock, 60, "");
}

static View
faint_noise(int second)
{
    (void)second;
    return (View){.gain = 1, .noise = 2};
}

static void
takes_the_noise_of_a_sensor_for_life(void)
{
    assert_watched("", faint_noise, 120, "");
}

static View
walk(int second)
{
    return (View){.gain = 1, .walker = 10 + 9 * (second % 20)};
}

// A stream without noise: what moves is enough.
static void
takes_a_walker_for_life(void)
{
    assert_watched("", walk, 60, "");
}

// What an encoder makes of a camera with a key frame every four seconds: copies
// of each between them. From 60 to 100 the picture is frozen, and each key
// frame draws a third of it anew.
static View
freeze_behind_key_frames(int second)
{
    if (second < 60 || second >= 100)
        return (View){.gain = 1, .noise = 3, .seed = 100 + second / 4};
    return (View){.gain = 1,
                  .noise = 3,
                  .seed = 1000,
                  .redrawn = second % 4 == 0 ? second : 0};
}

static void
finds_a_frozen_picture_behind_key_frames(void)
{
    assert_watched("", freeze_behind_key_frames, 140,
                   FROZEN " start@66, " FROZEN " end@100");
    assert_watched("still-share=0", freeze_behind_key_frames, 140, "");
}

// Much moves, and then nothing but the noise.
static View
calm_down(int second)
{
    if (second < 60)
        return (View){.gain = 1, .noise = 20};
    return (View){.gain = 1, .noise = 3, .seed = 100 + second / 4};
}

// Like a frozen picture behind key frames, but darker than before: the noise of
// most of it went with the light.
static View
switch_off_the_light(int second)
{
    View view = {.gain = 1, .noise = 3, .seed = 100 + second / 4};

    if (second >= 60) {
        view.gain = 0.4;
        view.redrawn = view.seed;
        view.seed = 1000;
    }
    return view;
}

static void
takes_new_key_frames_for_life(void)
{
    assert_watched("", calm_down, 180, "");
    assert_watched("", switch_off_the_light, 180, "");
}

static View
stay_frozen(int second)
{
    return (View){.gain = 1, .noise = second < 5 ? 3 : 0};
}

static void
ends_events_with_the_stream(void)
{
    assert_watched("frozen-after=3000", stay_frozen, 12,
                   FROZEN " start@8, " FROZEN " end@12");
}

// ---- Moved ------------------------------------------------------------------

static View
turn(int second)
{
    return (View){.scene = second < 50 ? 0 : 1, .gain = 1, .noise = 3};
}

static void
finds_a_moved_camera(void)
{
    // Away from 50 on; at 85, the new view has been learned.
    assert_watched("", turn, 120, MOVED " start@55, " MOVED " end@85");
}

static View
look_away(int second)
{
    return (View){
        .scene = second >= 50 && second < 53 ? 1 : 0, .gain = 1, .noise = 3};
}

static void
forgives_a_short_look_elsewhere(void)
{
    assert_watched("", look_away, 90, "");
    assert_watched("moved-after=1000", look_away, 90,
                   MOVED " start@51, " MOVED " end@53");
}

static View
dim(int second)
{
    return (View){.gain = second < 50 ? 1 : 0.5, .noise = 3};
}

static View
blacken(int second)
{
    return (View){.gain = second >= 50 && second < 80 ? 0 : 1, .noise = 3};
}

static View
begin_black(int second)
{
    return (View){.gain = second < 60 ? 0 : 1, .noise = 3};
}

// Another light is the same view, and a black picture is none.
static void
judges_the_view_alone(void)
{
    assert_watched("", dim, 120, "");
    assert_watched("", blacken, 120, "");
    assert_watched("", begin_black, 120, "");
}

static View
turn_and_stay_alike(int second)
{
    View view = turn(second);

    view.embedded = true;
    view.angle = second % 3; // as embeddings of one view do
    return view;
}

static View
turn_with_embedding(int second)
{
    View view = turn_and_stay_alike(second);

    view.angle += second < 50 ? 0 : 40;
    return view;
}

// The structure alone may be that of other things in front of the same view.
static void
asks_the_embedding_where_there_is_one(void)
{
    assert_watched("", turn_and_stay_alike, 120, "");
    assert_watched("", turn_with_embedding, 120,
                   MOVED " start@55, " MOVED " end@85");
}

static View
snow(int second)
{
    (void)second;
    return (View){.gain = 0.2, .noise = 100};
}

static View
clear_up(int second)
{
    if (second < 40)
        return (View){.gain = 0.02, .noise = 12};
    return (View){.scene = second < 140 ? 1 : 2, .gain = 1, .noise = 3};
}

// Noise is like nothing, also not like itself, and is no usual view either.
static void
takes_noise_for_no_view(void)
{
    assert_watched("", snow, 300, "");
    assert_watched("", clear_up, 160, MOVED " start@145, " MOVED " end@160");
}

static View
turn_twice(int second)
{
    return (View){.scene = second < 50   ? 0
                           : second < 90 ? 1
                                         : 2,
                  .gain = 1,
                  .noise = 3};
}

static void
tells_a_move_soon_after_another(void)
{
    assert_watched("", turn_twice, 140,
                   MOVED " start@55, " MOVED " end@85, " MOVED
                         " start@95, " MOVED " end@125");
}

static View
turn_seldom(int second)
{
    View view = turn(second);

    view.ahead = 59 * second; // a picture a minute
    return view;
}

static void
tells_a_move_between_pictures_that_are_far_apart(void)
{
    assert_watched("interval=60000", turn_seldom, 60,
                   MOVED " start@51, " MOVED " end@52");
}

// ---- Frames -----------------------------------------------------------------

// Late frames are nobody's loss here.
static void
leaves_out_no_late_frame(void)
{
    GstHarness *h =
        play_element(gst_parse_launch("pehealth qos=true", NULL), CAPS);
    GRand *rand = g_rand_new_with_seed(3);
    const View view = {.gain = 1, .noise = 3};

    for (int second = 0; second < 5; second++) {
        gst_harness_push_upstream_event(
            h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 3, GST_SECOND,
                                 20 * GST_SECOND));
        g_assert_cmpint(gst_harness_push(h, shoot(&view, second, rand)), ==,
                        GST_FLOW_OK);
    }
    g_assert_cmpuint(gst_harness_buffers_received(h), ==, 5);
    g_rand_free(rand);
    stop(h);
}

static void
reads_every_format(void)
{
    assert_watched_in_formats(CAPS, freeze, 45,
                              FROZEN " start@28, " FROZEN " end@40");
}

static View
freeze_inside_a_margin(int second)
{
    View view = freeze(second);

    view.margin = 20;
    return view;
}

// Around it, everything changes.
static void
looks_inside_the_crop(void)
{
    g_autofree char *found =
        watch("pehealth",
              "video/x-raw,format=GRAY8,width=232,height=148,framerate=1/1",
              freeze_inside_a_margin, 45);

    g_assert_cmpstr(found, ==, FROZEN " start@28, " FROZEN " end@40");
}

// ---- Downstream -------------------------------------------------------------

// The lines that came out, to be freed.
static char **
pull_lines(GstHarness *h)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    GstBuffer *buffer;

    while ((buffer = gst_harness_try_pull(h))) {
        GstMapInfo map;
        g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
        g_string_append_len(lines, (const char *)map.data, (gssize)map.size);
        gst_buffer_unmap(buffer, &map);
        gst_buffer_unref(buffer);
    }
    return g_strsplit(lines->str, "\n", -1);
}

static void
push_frozen(GstHarness *h)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);

    for (int second = 0; second < 35; second++) {
        const View view = freeze(second);
        g_assert_cmpint(gst_harness_push(h, shoot(&view, second, rand)), ==,
                        GST_FLOW_OK);
    }
}

static void
assert_told(GstHarness *h)
{
    g_auto(GStrv) line = pull_lines(h);

    g_assert_cmpuint(g_strv_length(line), ==, 3); // and an empty one
    for (int i = 0; i < 2; i++) {
        g_assert_nonnull(strstr(line[i], i == 0 ? "\"event\":\"start\""
                                                : "\"event\":\"end\""));
        g_assert_nonnull(strstr(line[i], "\"label\":\"" FROZEN "\""));
        g_assert_nonnull(strstr(line[i], "\"source\":\"gate\""));
    }
}

static void
sends_events_downstream(void)
{
    GstHarness *h = play_line("pehealth source-id=gate ! pemetaconvert", CAPS);

    push_frozen(h);
    g_assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    assert_told(h);
    stop(h);
}

// What a flush ends cannot pass before the next segment.
static void
sends_ends_behind_a_flush(void)
{
    GstHarness *h = play_line("pehealth source-id=gate ! pemetaconvert", CAPS);
    GstSegment segment;

    push_frozen(h);
    g_assert_true(gst_harness_push_event(h, gst_event_new_flush_start()));
    g_assert_true(gst_harness_push_event(h, gst_event_new_flush_stop(TRUE)));
    gst_segment_init(&segment, GST_FORMAT_TIME);
    g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
    assert_told(h);
    stop(h);
}

// ---- Messages ---------------------------------------------------------------

static void
posts_measures(void)
{
    GstHarness *h = play_element(
        gst_parse_launch("pehealth interval=2000 post-messages=true", NULL),
        CAPS);
    GstBus *bus = gst_element_get_bus(h->element);
    GRand *rand = g_rand_new_with_seed(3);
    const View view = {.gain = 1, .noise = 3};
    int n = 0;

    for (int second = 0; second < 9; second++)
        g_assert_cmpint(gst_harness_push(h, shoot(&view, second, rand)), ==,
                        GST_FLOW_OK);
    GstMessage *message;
    while ((message = gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT))) {
        const GstStructure *s = gst_message_get_structure(message);
        guint64 time;
        double mean, change = 1, structure = 1;

        g_assert_true(gst_structure_has_name(s, "pehealth"));
        g_assert_true(gst_structure_get(s, "running-time", G_TYPE_UINT64, &time,
                                        "mean", G_TYPE_DOUBLE, &mean, NULL));
        g_assert_cmpint(gst_structure_get_double(s, "change", &change), ==,
                        n > 0);
        g_assert_cmpuint(time, ==, 2 * n * GST_SECOND);
        g_assert_cmpfloat(fabs(mean - 110), <, 5);
        g_assert_cmpfloat(change, >, 0.9);
        g_assert_cmpint(gst_structure_get_double(s, "structure", &structure),
                        ==, n > 0);
        g_assert_cmpfloat(structure, >, 0.95);
        gst_message_unref(message);
        n++;
    }
    g_assert_cmpint(n, ==, 5);
    g_rand_free(rand);
    gst_object_unref(bus);
    stop(h);
}

// Too small to be watched is a warning, and frames pass all the same.
static void
passes_small_pictures(void)
{
    GstHarness *h = play_element(
        gst_parse_launch("pehealth post-messages=true", NULL),
        "video/x-raw,format=GRAY8,width=64,height=48,framerate=1/1");
    GstBus *bus = gst_element_get_bus(h->element);
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, 64 * 48, NULL);

    gst_buffer_memset(buffer, 0, 7, 64 * 48);
    GST_BUFFER_PTS(buffer) = 0;
    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
    GstMessage *message =
        gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING | GST_MESSAGE_ELEMENT);
    g_assert_nonnull(message);
    g_assert_cmpint(GST_MESSAGE_TYPE(message), ==, GST_MESSAGE_WARNING);
    gst_message_unref(message);
    g_assert_null(gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT));
    g_assert_cmpuint(gst_harness_buffers_received(h), ==, 1);
    gst_object_unref(bus);
    stop(h);
}

static void
add_tests(void)
{
#define ADD(test) g_test_add_func("/health/" #test, test)
    ADD(finds_a_frozen_picture);
    ADD(tells_since_when);
    ADD(finds_it_below_a_clock);
    ADD(takes_the_noise_of_a_sensor_for_life);
    ADD(takes_a_walker_for_life);
    ADD(finds_a_frozen_picture_behind_key_frames);
    ADD(takes_new_key_frames_for_life);
    ADD(ends_events_with_the_stream);
    ADD(finds_a_moved_camera);
    ADD(forgives_a_short_look_elsewhere);
    ADD(judges_the_view_alone);
    ADD(asks_the_embedding_where_there_is_one);
    ADD(takes_noise_for_no_view);
    ADD(tells_a_move_soon_after_another);
    ADD(tells_a_move_between_pictures_that_are_far_apart);
    ADD(leaves_out_no_late_frame);
    ADD(reads_every_format);
    ADD(looks_inside_the_crop);
    ADD(sends_events_downstream);
    ADD(sends_ends_behind_a_flush);
    ADD(posts_measures);
    ADD(passes_small_pictures);
#undef ADD
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
