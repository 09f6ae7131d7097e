// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_overlay_scene.c - which results count at a frame and what of them
// is to be seen, without elements and pixels.

#include "gst/overlay/gstpeheld.h"
#include "gst/overlay/gstpeshow.h"
#include "gst/overlay/gstpetext.h"

#include <math.h>
#include <string.h>

#define FRAME (GST_SECOND / 10)

static const GstPeChoice everything = {
    .labels = true, .events = true, .regions = true, .max_labels = 5};

// ---- Texts ------------------------------------------------------------------

static void
check_text(const char *text, const char *expected)
{
    g_autofree char *clean = gst_pe_text_clean(text);

    g_assert_cmpstr(clean, ==, expected);
}

static void
cleans_texts(void)
{
    check_text(NULL, "");
    check_text("a dog", "a dog");
    check_text("a\ndog\tand\x01 a\x7f cat", "a dog and  a  cat");
    check_text("<b>&amp;", "<b>&amp;");
    check_text("a\xff"
               "b",
               "a\xef\xbf\xbd"
               "b");
    // LINE SEPARATOR, RIGHT-TO-LEFT OVERRIDE
    check_text("a\xe2\x80\xa8"
               "b\xe2\x80\xae"
               "c",
               "a bc");
}

static void
cuts_long_texts(void)
{
    g_autofree char *latin = g_strnfill(10000, 'x');
    g_autoptr(GString) wide = g_string_new(NULL);
    const char *texts[2] = {latin, NULL};

    for (int i = 0; i < 3000; i++)
        g_string_append(wide, "\xe7\x8a\xac");
    texts[1] = wide->str;
    for (int i = 0; i < 2; i++) {
        g_autofree char *clean = gst_pe_text_clean(texts[i]);
        g_assert_cmpuint(strlen(clean), <, 300);
        g_assert_true(g_utf8_validate(clean, -1, NULL));
        g_assert_true(g_str_has_suffix(clean, "\xe2\x80\xa6"));
    }
}

// ---- Results ----------------------------------------------------------------

typedef struct {
    const char *element;
    guint64 sequence;
    const char *label;
    double score;
    GstPeRegion region; // without width: none
    GstPeEventPhase phase;
    const char *event; // NULL: none
    bool only_event;
    bool unknown;
} Spec;

static GstPeResult *
make(const Spec *spec)
{
    const GstPeLabel label = {spec->label, spec->score, .3, .5};
    const GstPeLabelEvent event = {.phase = spec->phase,
                                   .id = 1,
                                   .label = spec->event,
                                   .peak_score = spec->score};
    const GstClockTime end = (spec->sequence + 1) * FRAME;
    GstPeRegion region = spec->region;

    if (region.track_id == 0)
        region.track_id = GST_PE_REGION_NO_TRACK;
    return gst_pe_result_new(&(GstPeResultFields){
        .source = "camera",
        .element = spec->element,
        .sequence = spec->sequence,
        .clip_start = end - FRAME,
        .clip_end = end,
        .n_frames = spec->only_event ? 0 : 1,
        .region = region.width ? &region : NULL,
        .labels = spec->label ? &label : NULL,
        .n_labels = spec->label ? 1 : 0,
        .calibration = "none",
        .unknown = spec->unknown,
        .events = spec->event ? &event : NULL,
        .n_events = spec->event ? 1 : 0,
    });
}

// A frame that carries these; the specs end with one without an element.
static bool
take(GstPeHeld *held, GstClockTime time, int hold, const Spec *specs)
{
    GstBuffer *frame = gst_buffer_new();

    for (; specs && specs->element; specs++) {
        GstPeResult *result = make(specs);
        gst_buffer_add_pe_meta(frame, result, 0);
        gst_pe_result_unref(result);
    }
    bool changed = gst_pe_held_take_frame(held, frame, time, hold);
    gst_buffer_unref(frame);
    return changed;
}

// As "kind text percent" of all lines, with blanks between.
static char *
describe(const GstPeHeld *held, const GstPeChoice *choice)
{
    static const char *const kinds[] = {"heading", "unknown", "label", "event",
                                        "box"};
    GstPeScene *scene = gst_pe_show(held, choice);
    GArray *all[] = {scene->table, scene->events, scene->boxes};
    GString *text = g_string_new(NULL);

    for (int i = 0; i < 3; i++) {
        for (guint j = 0; j < all[i]->len; j++) {
            const GstPeLine *line = &g_array_index(all[i], GstPeLine, j);
            g_string_append_printf(text, "%s[%s %s %d]", text->len ? " " : "",
                                   kinds[line->kind], line->text,
                                   line->percent);
        }
    }
    gst_pe_scene_free(scene);
    return g_string_free(text, FALSE);
}

static void
check(const GstPeHeld *held, const char *expected)
{
    g_autofree char *text = describe(held, &everything);

    g_assert_cmpstr(text, ==, expected);
}

static void
shows_all_elements_and_regions(void)
{
    const Spec specs[] = {
        {"pe0", 1, "a dog", .876},
        {"pe1", 1, "rain", .5, .unknown = true},
        {"pe0", 2, "open", .9, {.name = "gate", .width = 9, .height = 9}},
        {"pe0", 3, .region = {.id = 4, .name = "car", .width = 5, .height = 5}},
        {0},
    };
    GstPeHeld held;

    gst_pe_held_init(&held);
    g_assert_true(take(&held, 0, 0, specs));
    check(&held, "[heading pe0 -1] [label a dog 88] [heading pe1 -1] "
                 "[unknown unknown -1] [label rain 50] [box gate: open 90] "
                 "[box car -1]");
    g_autofree char *some = describe(
        &held,
        &(GstPeChoice){.labels = true, .max_labels = 1, .threshold = .6});
    g_assert_cmpstr(some, ==,
                    "[heading pe0 -1] [label a dog 88] [heading pe1 -1] "
                    "[unknown unknown -1]");
    gst_pe_held_clear(&held);
}

static void
tells_scores_in_per_cent(void)
{
    static const double scores[] = {0, .004, .006, .5, .9951, 1, 2, -1};
    static const int percents[] = {0, 0, 1, 50, 100, 100, 100, 0};

    for (guint i = 0; i < G_N_ELEMENTS(scores); i++)
        g_assert_cmpint(gst_pe_percent(scores[i]), ==, percents[i]);
    g_assert_cmpint(gst_pe_percent(NAN), ==, GST_PE_NO_PERCENT);
}

// ---- Time -------------------------------------------------------------------

static void
holds_until_the_next_result(void)
{
    const Spec first[] = {{"pe0", 1, "a dog", .9}, {0}};
    const Spec next[] = {{"pe0", 2, "a cat", .9}, {0}};
    GstPeHeld held;

    gst_pe_held_init(&held);
    take(&held, 0, 300, first);
    g_assert_false(take(&held, FRAME, 300, NULL));
    check(&held, "[label a dog 90]");
    g_assert_true(take(&held, 2 * FRAME, 300, next));
    check(&held, "[label a cat 90]");
    g_assert_false(take(&held, 5 * FRAME, 300, NULL));
    g_assert_true(take(&held, 5 * FRAME + 1, 300, NULL));
    check(&held, "");
    gst_pe_held_clear(&held);
}

static void
holds_no_longer_than_it_may(void)
{
    const Spec specs[] = {{"pe0", 1, "a dog", .9}, {0}};
    GstPeHeld held;

    gst_pe_held_init(&held);
    take(&held, 0, 0, specs);
    g_assert_true(take(&held, FRAME, 0, NULL));
    check(&held, "");
    // Of a short clip, five seconds.
    take(&held, 2 * FRAME, GST_PE_HOLD_AUTO, specs);
    g_assert_false(
        take(&held, 2 * FRAME + 5 * GST_SECOND, GST_PE_HOLD_AUTO, NULL));
    g_assert_true(
        take(&held, 2 * FRAME + 5 * GST_SECOND + 1, GST_PE_HOLD_AUTO, NULL));
    gst_pe_held_clear(&held);
}

static void
forgets_when_time_runs_backwards(void)
{
    const Spec specs[] = {{"pe0", 1, "a dog", .9}, {0}};
    GstPeHeld held;

    gst_pe_held_init(&held);
    take(&held, 10 * GST_SECOND, 100000, specs);
    // Frames a little out of order are no jump.
    g_assert_false(take(&held, 10 * GST_SECOND - FRAME, 100000, NULL));
    check(&held, "[label a dog 90]");
    g_assert_true(take(&held, GST_SECOND, 100000, NULL));
    check(&held, "");
    gst_pe_held_clear(&held);
}

// An element that repeats its newest results says by leaving one out that it is
// not there any more.
static void
drops_what_is_not_repeated(void)
{
    const GstPeRegion car = {.id = 1, .name = "car", .width = 5, .height = 5};
    const Spec both[] = {
        {"pe0", 1, "a dog", .9}, {"pe0", 2, .region = car}, {0}};
    GstPeHeld held;
    GstBuffer *frame = gst_buffer_new();

    gst_pe_held_init(&held);
    take(&held, 0, 100000, both);
    for (int i = 0; i < 2; i++) {
        const GstPeHeldResult *slots = (void *)held.slots->data;
        for (guint j = 0; j < held.slots->len; j++)
            gst_buffer_add_pe_meta(frame, slots[j].result, 0);
        g_assert_false(
            gst_pe_held_take_frame(&held, frame, (1 + i) * FRAME, 100000));
        gst_clear_buffer(&frame);
        frame = gst_buffer_new();
    }
    gst_buffer_add_pe_meta(frame, ((GstPeHeldResult *)held.slots->data)->result,
                           0);
    g_assert_true(gst_pe_held_take_frame(&held, frame, 3 * FRAME, 100000));
    check(&held, "[label a dog 90]");
    gst_buffer_unref(frame);
    gst_pe_held_clear(&held);
}

static void
moves_objects(void)
{
    const GstPeRegion here = {.id = 1,
                              .name = "car",
                              .x = 1,
                              .width = 5,
                              .height = 5,
                              .track_id = GST_PE_REGION_NO_TRACK};
    GstPeRegion there = here, gate = here, tracked = here;
    there.x = 30;
    gate.name = "gate";
    tracked.track_id = 7;
    tracked.name = "bus";
    const Spec first[] = {
        {"pe0", 1, .region = here},
        {"pe0", 2, .region = gate},
        {"pe0", 3, "a bus", .2, .region = tracked},
        {0},
    };
    tracked.x = 50;
    const Spec second[] = {{"pe0", 4, .region = there},
                           {"pe0", 5, "a bus", .3, .region = tracked},
                           {0}};
    GstPeHeld held;

    gst_pe_held_init(&held);
    take(&held, 0, 100000, first);
    check(&held, "[box car -1] [box gate -1] [box bus: a bus 20]");
    take(&held, FRAME, 100000, second);
    check(&held, "[box gate -1] [box bus: a bus 30] [box car -1]");
    gst_pe_held_clear(&held);
}

// ---- Events -----------------------------------------------------------------

static void
shows_events_until_they_end(void)
{
    Spec start[] = {{"pe0", 3, "fire", .8, .event = "fire"}, {0}};
    Spec end[] = {{"pe0", 4, .score = .8, .event = "fire",
                   .phase = GST_PE_EVENT_END, .only_event = true},
                  {0}};
    GstPeHeld held;

    gst_pe_held_init(&held);
    take(&held, 0, 0, start);
    check(&held, "[label fire 80] [event fire 80]");
    take(&held, FRAME, 0, NULL);
    check(&held, "[event fire 80]");
    GstPeResult *over = make(end);
    g_assert_true(gst_pe_held_take_result(&held, over));
    gst_pe_result_unref(over);
    check(&held, "");
    // The frame repeats an older result.
    take(&held, 2 * FRAME, 0, start);
    check(&held, "[label fire 80]");
    // Another element has an event with the same number.
    start[0].element = "pe1";
    take(&held, 3 * FRAME, 0, start);
    end[0].sequence = 5;
    take(&held, 4 * FRAME, 0, end);
    check(&held, "[event fire 80]");
    gst_pe_held_clear(&held);
}

// As with hold=none.
static void
shows_results_without_frames(void)
{
    const Spec spec = {"pe0", 1, "a dog", .9};
    g_autoptr(GstPeResult) result = make(&spec);
    GstPeHeld held;

    gst_pe_held_init(&held);
    take(&held, 0, 0, NULL);
    g_assert_true(gst_pe_held_take_result(&held, result));
    take(&held, FRAME, 0, NULL);
    check(&held, "[label a dog 90]");
    take(&held, 2 * FRAME, 0, NULL);
    check(&held, "");
    gst_pe_held_clear(&held);
}

// However many there are.
static void
bounds_what_is_held(void)
{
    GstPeHeld held;

    gst_pe_held_init(&held);
    for (guint i = 0; i < 2000; i++) {
        g_autofree char *name = g_strdup_printf("region %u", i);
        g_autofree char *element = g_strdup_printf("pe%u", i);
        const Spec spec = {
            element, i, .event = name,
            .region = {.id = (int)i, .name = name, .width = 5, .height = 5}};
        g_autoptr(GstPeResult) result = make(&spec);
        gst_pe_held_take_result(&held, result);
    }
    g_assert_cmpuint(held.slots->len, <=, 1000);
    g_assert_cmpuint(held.events->len, <=, 100);
    GstPeScene *scene = gst_pe_show(&held, &everything);
    g_assert_cmpuint(scene->boxes->len, <=, 200);
    g_assert_cmpuint(scene->events->len, <=, 8);
    gst_pe_scene_free(scene);
    gst_pe_held_clear(&held);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gst_init(&argc, &argv);
#define ADD(test) g_test_add_func("/overlay_scene/" #test, test)
    ADD(cleans_texts);
    ADD(cuts_long_texts);
    ADD(tells_scores_in_per_cent);
    ADD(shows_all_elements_and_regions);
    ADD(holds_until_the_next_result);
    ADD(holds_no_longer_than_it_may);
    ADD(forgets_when_time_runs_backwards);
    ADD(drops_what_is_not_repeated);
    ADD(moves_objects);
    ADD(shows_events_until_they_end);
    ADD(shows_results_without_frames);
    ADD(bounds_what_is_held);
#undef ADD
    return g_test_run();
}
