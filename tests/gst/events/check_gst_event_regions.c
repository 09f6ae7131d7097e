// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_event_regions.c - events of the labels of parts of frames: each
// named region and each object that is tracked has its own, which end with it.
// The demo model tells red from green.

#include "tests/support/gst_helpers.h"

#include <glib/gstdio.h>
#include <gst/video/video.h>
#include <string.h>

#define SIDE 64

#define TWO \
    "regions=\"top=0,0,64,32;a red ball;;bottom=0,32,64,32;a red ball\" " \
    "negative-labels=\"a green field\" "
#define OBJECTS \
    "inference-region=roi-list labels=\"a red ball\" " \
    "negative-labels=\"a green field\" "

// A frame a second, unless the properties say otherwise.
static GstHarness *
play(const char *properties)
{
    g_autofree char *line = g_strdup_printf(
        "peinference name=eye model=%s/pe-demo.safetensors device=cpu "
        "precision=fp32 frame-rate=1/1 clip-length=1 event-threshold=0.5 "
        "event-smoothing=0 event-merge-gap=0 event-update-interval=0 %s",
        g_getenv("PE_DEMO_DIR"), properties);
    g_autoptr(GError) error = NULL;
    GstElement *element = gst_parse_launch(line, &error);

    g_assert_no_error(error);
    return play_element(
        element, "video/x-raw,format=RGB,width=64,height=64,framerate=1/1");
}

// The upper and the lower half of it; r is red, g is green.
static GstBuffer *
make_halves(const char *colors, guint64 second)
{
    gsize half = SIDE * SIDE / 2 * 3;
    guint8 *pixels = g_malloc0(2 * half);

    for (gsize i = 0; i < 2 * half; i += 3)
        pixels[i + (colors[i / half] == 'r' ? 0 : 1)] = 255;
    GstBuffer *buffer = gst_buffer_new_wrapped(pixels, 2 * half);
    GST_BUFFER_PTS(buffer) = second * GST_SECOND;
    GST_BUFFER_DURATION(buffer) = GST_SECOND;
    return buffer;
}

static void
pass(GstHarness *h, GstBuffer *buffer)
{
    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
    gst_buffer_unref(pull(h));
}

// A frame for each word of halves ("rg"), with objects on the half that are
// named behind it: "rg1" has object 1, which is the upper half, and "rg12" two.
static void
pass_all(GstHarness *h, guint64 second, const char *frames)
{
    g_auto(GStrv) words = g_strsplit(frames, " ", -1);

    for (guint i = 0; words[i]; i++) {
        GstBuffer *buffer = make_halves(words[i], second + i);
        for (const char *p = words[i] + 2; *p; p++)
            gst_buffer_add_video_region_of_interest_meta(
                buffer, "thing", 0, *p == '1' ? 0 : SIDE / 2, SIDE, SIDE / 2)
                ->id = *p - '0';
        pass(h, buffer);
    }
}

// What the messages on the bus have said since the last time:
// "start top/0 1-2" is event 0, in the region of this name or track.
static char *
get_told(GstHarness *h)
{
    GString *out = g_string_new(NULL);
    g_autoptr(GstBus) bus = gst_element_get_bus(h->element);
    GstMessage *message;

    while ((message = gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT))) {
        const GstStructure *s = gst_message_get_structure(message);
        const char *name = gst_structure_get_string(s, "region-name");
        guint64 id, start, end, track;
        if (gst_structure_has_name(s, "peinference-event")) {
            g_assert_true(gst_structure_get(s, "id", G_TYPE_UINT64, &id,
                                            "start", G_TYPE_UINT64, &start,
                                            "end", G_TYPE_UINT64, &end, NULL));
            g_string_append_printf(out, "%s%s ", out->len > 0 ? ", " : "",
                                   gst_structure_get_string(s, "event"));
            if (gst_structure_get_uint64(s, "region-track-id", &track))
                g_string_append_printf(out, "%d", (int)track);
            else
                g_string_append(out, name ? name : "all");
            g_string_append_printf(out, "/%d %d-%d", (int)id,
                                   (int)(start / GST_SECOND),
                                   (int)(end / GST_SECOND));
        }
        gst_message_unref(message);
    }
    return g_string_free(out, FALSE);
}

static void
assert_told(GstHarness *h, const char *expected)
{
    g_autofree char *told = get_told(h);

    g_assert_cmpstr(told, ==, expected);
}

// Wait for the end of the stream.
static void
end(GstHarness *h)
{
    gst_harness_push_event(h, gst_event_new_eos());
    GstEvent *event = pull_event(h, GST_EVENT_EOS);
    g_assert_nonnull(event);
    gst_event_unref(event);
}

// ---- Named regions --------------------------------------------------------

static void
tells_the_region_in_which_something_changes(void)
{
    GstHarness *h = play(TWO);

    pass_all(h, 0, "gr gr rr rr gr");
    assert_told(h, "start bottom/0 0-1, start top/1 2-3, end top/1 2-4");
    end(h);
    assert_told(h, "end bottom/0 0-5");
    stop(h);
}

// The results that carry them are the region's own.
static void
carries_them_on_results_of_the_region(void)
{
    GstHarness *h = play(TWO);
    int n = 0;

    g_assert_cmpint(gst_harness_push(h, make_halves("gr", 0)), ==, GST_FLOW_OK);
    GstBuffer *buffer = pull(h);
    for (guint i = 0; i < gst_buffer_get_n_pe_metas(buffer); i++) {
        GstPeResult *result = gst_buffer_get_nth_pe_meta(buffer, i)->result;
        const GstPeRegion *region = gst_pe_result_get_region(result);
        guint n_events = gst_pe_result_get_n_events(result);
        g_assert_cmpuint(n_events, ==, g_str_equal(region->name, "bottom"));
        n += (int)n_events;
    }
    g_assert_cmpint(n, ==, 1);
    gst_buffer_unref(buffer);
    stop(h);
}

static void
tells_whole_frames_and_regions_apart(void)
{
    GstHarness *h =
        play("labels=\"a red ball\" inference-region=full-frame " TWO);

    pass_all(h, 0, "gg rr gg");
    assert_told(h, "start all/0 1-2, start top/1 1-2, start bottom/2 1-2, "
                   "end all/0 1-2, end top/1 1-2, end bottom/2 1-2");
    stop(h);
}

// A step is five frames then: time without a result is no hole.
static void
follows_a_region_that_is_looked_at_rarely(void)
{
    GstHarness *h = play("regions=\"top=0,0,64,32;a red ball;interval=5\" "
                         "negative-labels=\"a green field\"");

    pass_all(h, 0, "rg rg rg rg rg rg rg rg rg rg gg");
    assert_told(h, "start top/0 0-1, end top/0 0-6");
    stop(h);
}

static void
ends_with_its_region(void)
{
    GstHarness *h = play(TWO "event-merge-gap=0");
    g_autofree char *told = NULL;

    pass_all(h, 0, "rr");
    assert_told(h, "start top/0 0-1, start bottom/1 0-1");
    g_object_set(h->element, "regions", "bottom=0,32,64,32;a red ball", NULL);
    for (guint64 second = 1; second < 6000 && (!told || !*told); second++) {
        pass(h, make_halves("rr", second));
        g_free(told);
        told = get_told(h);
        g_usleep(10000);
    }
    g_assert_true(g_str_has_prefix(told, "end top/0 0-"));
    g_assert_null(strchr(told, ',')); // the other goes on
    end(h);
    g_autofree char *last = get_told(h);
    g_assert_true(g_str_has_prefix(last, "end bottom/1 0-"));
    stop(h);
}

static void
ends_at_a_flush(void)
{
    GstHarness *h = play(TWO);
    GstSegment segment;

    pass_all(h, 0, "gr");
    gst_harness_push_event(h, gst_event_new_flush_start());
    gst_harness_push_event(h, gst_event_new_flush_stop(TRUE));
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(h, gst_event_new_segment(&segment));
    pass_all(h, 1, "rg");
    assert_told(h, "start bottom/0 0-1, end bottom/0 0-1, start top/1 1-2");
    stop(h);
}

static void
ends_when_it_stops(void)
{
    GstHarness *h = play(TWO);

    pass_all(h, 0, "gr");
    gst_element_set_state(h->element, GST_STATE_READY);
    assert_told(h, "start bottom/0 0-1, end bottom/0 0-1");
    stop(h);
}

static void
keeps_the_history_of_each_region(void)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("pe-events-XXXXXX", &error);
    g_assert_no_error(error);
    g_autofree char *path = g_build_filename(folder, "state", NULL);
    g_autofree char *properties = g_strdup_printf(
        "alarms-per-day=5 event-state=%s regions=\"a/b=0,0,64,32;a red ball\" "
        "negative-labels=\"a green field\"",
        path);
    g_autofree char *file = g_strconcat(path, ".a%2Fb", NULL);
    g_autofree char *text = NULL;

    GstHarness *h = play(properties);
    pass_all(h, 0, "gg rg gg");
    stop(h);
    g_assert_true(g_file_get_contents(file, &text, NULL, &error));
    g_assert_no_error(error);
    g_assert_true(g_str_has_prefix(text, "pe-event-history 1 "));
    g_assert_cmpint(g_remove(file), ==, 0);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
}

// ---- Objects --------------------------------------------------------------

static void
ends_when_its_object_has_left(void)
{
    GstHarness *h = play(OBJECTS);

    // Three steps without it may be the detector's fault.
    pass_all(h, 0, "rr12 rr12 rr2 rr2 rr2");
    assert_told(h, "start 1/0 0-1, start 2/1 0-1");
    pass_all(h, 5, "rr2");
    assert_told(h, "end 1/0 0-2");
    end(h);
    assert_told(h, "end 2/1 0-6");
    stop(h);
}

static void
ends_when_every_object_has_left(void)
{
    GstHarness *h = play(OBJECTS);

    pass_all(h, 0, "rr1 rr rr rr rr");
    assert_told(h, "start 1/0 0-1, end 1/0 0-1");
    stop(h);
}

static void
goes_on_with_an_object_that_comes_back(void)
{
    GstHarness *h = play(OBJECTS);

    pass_all(h, 0, "rg1 rg rg rg1 gg1");
    assert_told(h, "start 1/0 0-1, end 1/0 0-4");
    stop(h);
}

static void
ends_when_objects_are_not_wanted(void)
{
    GstHarness *h = play(OBJECTS);

    pass_all(h, 0, "rr1");
    g_object_set(h->element, "inference-region", 0, NULL);
    pass_all(h, 1, "gg1 gg1 gg1 gg1 gg1");
    assert_told(h, "start 1/0 0-1, end 1/0 0-1");
    stop(h);
}

// The detector gives them no number.
static void
tells_none_of_objects_that_nobody_tracks(void)
{
    GstHarness *h = play(OBJECTS);

    pass_all(h, 0, "rr0 rr0 rr0");
    assert_told(h, "");
    stop(h);
}

// 64 new ones in each frame, of which none is known to be gone.
static void
remembers_so_many_objects(void)
{
    GstHarness *h = play(OBJECTS "frame-rate=0/1 event-merge-gap=3600000");

    for (int i = 0; i < 5; i++) {
        GstBuffer *buffer = make_halves("rr", (guint64)i);
        for (int k = 0; k < 64; k++)
            gst_buffer_add_video_region_of_interest_meta(buffer, "thing", 0, 0,
                                                         SIDE, SIDE)
                ->id = 1 + 64 * i + k;
        pass(h, buffer);
        g_autofree char *told = get_told(h);
        g_auto(GStrv) events = g_strsplit(told, ", ", -1);
        guint n_ended = 0;
        for (guint k = 0; events[k]; k++)
            n_ended += g_str_has_prefix(events[k], "end ");
        g_assert_cmpuint(g_strv_length(events) - n_ended, ==, 64);
        g_assert_cmpuint(n_ended, ==, i < 4 ? 0 : 64);
        if (i == 4)
            g_assert_cmpstr(events[64], ==, "end 1/0 0-1");
    }
    stop(h);
}

static void
add_tests(void)
{
#define ADD(test) g_test_add_func("/gst/event-regions/" #test, test)
    ADD(tells_the_region_in_which_something_changes);
    ADD(carries_them_on_results_of_the_region);
    ADD(tells_whole_frames_and_regions_apart);
    ADD(follows_a_region_that_is_looked_at_rarely);
    ADD(ends_with_its_region);
    ADD(ends_at_a_flush);
    ADD(ends_when_it_stops);
    ADD(keeps_the_history_of_each_region);
    ADD(ends_when_its_object_has_left);
    ADD(ends_when_every_object_has_left);
    ADD(goes_on_with_an_object_that_comes_back);
    ADD(ends_when_objects_are_not_wanted);
    ADD(tells_none_of_objects_that_nobody_tracks);
    ADD(remembers_so_many_objects);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
