// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_events.c - events of labels on their way through peinference: on
// frames and as messages; at the end, at a flush, and with other labels; and
// the file of their history. The demo model tells red from green.

#include "tests/support/gst_helpers.h"

#include <glib/gstdio.h>
#include <string.h>

static char *folder;

static GstElement *
make_element(const char *properties)
{
    const char *demo = g_getenv("PE_DEMO_DIR");
    g_autofree char *line = g_strdup_printf(
        "peinference name=eye model=%s/pe-demo.safetensors device=cpu "
        "precision=fp32 frame-rate=1/1 clip-length=1 labels=\"a red ball\" "
        "negative-labels=\"a green field\" event-threshold=0.5 "
        "event-smoothing=0 event-merge-gap=0 event-update-interval=0 %s",
        demo, properties);
    g_autoptr(GError) error = NULL;

    g_assert_nonnull(demo);
    GstElement *element = gst_parse_launch(line, &error);
    g_assert_no_error(error);
    return element;
}

// Frames of a second.
static GstHarness *
play(const char *properties)
{
    return play_element(
        make_element(properties),
        "video/x-raw,format=RGB,width=64,height=64,framerate=1/1");
}

// r is red, g is green.
static GstBuffer *
make_color(char color, guint64 second)
{
    gsize size = 64 * 64 * 3;
    guint8 *pixels = g_malloc0(size);

    for (gsize i = color == 'r' ? 0 : 1; i < size; i += 3)
        pixels[i] = 255;
    GstBuffer *buffer = gst_buffer_new_wrapped(pixels, size);
    GST_BUFFER_PTS(buffer) = second * GST_SECOND;
    GST_BUFFER_DURATION(buffer) = GST_SECOND;
    return buffer;
}

static void
print_event(GString *out, const char *phase, const char *label, guint64 id,
            GstClockTime start, GstClockTime end)
{
    g_string_append_printf(out, "%s%s %s %d %d-%d", out->len > 0 ? ", " : "",
                           phase, label, (int)id, (int)(start / GST_SECOND),
                           (int)(end / GST_SECOND));
}

static void
print_events(GString *out, const GstPeResult *result)
{
    for (guint i = 0; i < gst_pe_result_get_n_events(result); i++) {
        const GstPeLabelEvent *e = gst_pe_result_get_event(result, i);
        print_event(out, gst_pe_event_phase_to_string(e->phase), e->label,
                    e->id, e->start, e->end);
    }
}

// A frame a second from `second` on, a point is none. What the frames carry,
// with the second of the frame.
static void
assert_carried(GstHarness *h, guint64 second, const char *frames,
               const char *expected)
{
    g_autoptr(GString) all = g_string_new(NULL);

    for (const char *p = frames; *p; p++, second++) {
        if (*p == '.')
            continue;
        g_assert_cmpint(gst_harness_push(h, make_color(*p, second)), ==,
                        GST_FLOW_OK);
        GstBuffer *buffer = pull(h);
        g_autoptr(GString) out = g_string_new(NULL);
        GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
        g_assert_nonnull(meta);
        print_events(out, meta->result);
        if (out->len > 0)
            g_string_append_printf(all, "%s@%d %s", all->len > 0 ? "; " : "",
                                   (int)second, out->str);
        gst_buffer_unref(buffer);
    }
    g_test_message("%s: %s", frames, all->str);
    g_assert_cmpstr(all->str, ==, expected);
}

// What the messages on the bus say.
static void
assert_posted(GstHarness *h, const char *expected)
{
    g_autoptr(GString) out = g_string_new(NULL);
    GstBus *bus = gst_element_get_bus(h->element);
    GstMessage *message;

    while ((message = gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT))) {
        const GstStructure *s = gst_message_get_structure(message);
        guint64 id, start, end;
        if (gst_structure_has_name(s, "peinference-event")) {
            g_assert_true(gst_structure_get(s, "id", G_TYPE_UINT64, &id,
                                            "start", G_TYPE_UINT64, &start,
                                            "end", G_TYPE_UINT64, &end, NULL));
            print_event(out, gst_structure_get_string(s, "event"),
                        gst_structure_get_string(s, "label"), id, start, end);
        }
        gst_message_unref(message);
    }
    gst_object_unref(bus);
    g_assert_cmpstr(out->str, ==, expected);
}

static int
count_warnings(GstHarness *h, const char *text)
{
    GstBus *bus = gst_element_get_bus(h->element);
    GstMessage *message;
    int n = 0;

    while ((message = gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING))) {
        g_autoptr(GError) error = NULL;
        gst_message_parse_warning(message, &error, NULL);
        g_test_message("%s", error->message);
        n += strstr(error->message, text) != NULL;
        gst_message_unref(message);
    }
    gst_object_unref(bus);
    return n;
}

// ---- peinference ----------------------------------------------------------

static void
carries_events_on_frames(void)
{
    GstHarness *h = play("");

    assert_carried(h, 0, "grrggr",
                   "@1 start a red ball 0 1-2; @3 end a red ball 0 1-3; "
                   "@5 start a red ball 1 5-6");
    assert_posted(h, "start a red ball 0 1-2, end a red ball 0 1-3, "
                     "start a red ball 1 5-6");
    stop(h);
    h = play("event-update-interval=2000");
    assert_carried(h, 0, "rrrrrg",
                   "@0 start a red ball 0 0-1; @2 update a red ball 0 0-3; "
                   "@4 update a red ball 0 0-5; @5 end a red ball 0 0-5");
    stop(h);
}

static void
follows_its_properties(void)
{
    GstHarness *h = play("event-min-duration=2000");

    assert_carried(h, 0, "rgrrg",
                   "@3 start a red ball 0 2-4; @4 end a red ball 0 2-4");
    stop(h);
    h = play("event-merge-gap=3000");
    assert_carried(h, 0, "rggrgggr",
                   "@0 start a red ball 0 0-1; @6 end a red ball 0 0-4; "
                   "@7 start a red ball 1 7-8");
    stop(h);
    h = play("event-cooldown=3000");
    assert_carried(h, 0, "rgrrrg",
                   "@0 start a red ball 0 0-1; @1 end a red ball 0 0-1; "
                   "@4 start a red ball 1 4-5; @5 end a red ball 1 4-5");
    stop(h);
    h = play("event-threshold=0");
    assert_carried(h, 0, "rgrrrg", "");
    stop(h);
    // The average still remembers green.
    h = play("event-smoothing=60000");
    assert_carried(h, 0, "grr", "");
    stop(h);
}

static void
changes_its_properties(void)
{
    GstHarness *h = play("");

    assert_carried(h, 0, "rr", "@0 start a red ball 0 0-1");
    g_object_set(h->element, "event-threshold", 0.0, NULL);
    assert_carried(h, 2, "rr", "@2 end a red ball 0 0-2");
    g_object_set(h->element, "event-threshold", 0.5, "event-update-interval",
                 1000, NULL);
    assert_carried(h, 4, "rr",
                   "@4 start a red ball 1 4-5; @5 update a red ball 1 4-6");
    g_object_set(h->element, "event-cooldown", 1000, NULL);
    assert_carried(h, 6, "r",
                   "@6 end a red ball 1 4-6, start a red ball 2 6-7");
    stop(h);
}

static void
begins_anew_after_a_hole(void)
{
    GstHarness *h = play("");

    assert_carried(h, 0, "rr...rr", "@0 start a red ball 0 0-1");
    assert_carried(h, 11, "r",
                   "@11 end a red ball 0 0-7, start a red ball 1 11-12");
    stop(h);
}

// The result without frames that comes before an event of this type; its own
// events.
static void
assert_told_before(GstHarness *h, GstEventType type, const char *expected)
{
    g_autoptr(GString) out = g_string_new(NULL);
    bool found = false;

    for (GstEvent *event; !found && (event = gst_harness_pull_event(h));
         gst_event_unref(event)) {
        GstPeResult *result = gst_event_get_pe_result(event);
        if (result && gst_pe_result_get_n_frames(result) == 0) {
            g_assert_cmpuint(gst_pe_result_get_n_labels(result), ==, 0);
            g_assert_nonnull(gst_pe_result_get_source(result));
            print_events(out, result);
        }
        found = GST_EVENT_TYPE(event) == type;
    }
    g_assert_true(found);
    g_assert_cmpstr(out->str, ==, expected);
}

static void
ends_before_the_end(void)
{
    GstHarness *h = play("source-id=cam");

    assert_carried(h, 0, "grr", "@1 start a red ball 0 1-2");
    gst_harness_push_event(h, gst_event_new_eos());
    assert_told_before(h, GST_EVENT_EOS, "end a red ball 0 1-3");
    assert_posted(h, "start a red ball 0 1-2, end a red ball 0 1-3");
    stop(h);
}

static void
ends_at_a_flush(void)
{
    GstHarness *h = play("source-id=cam");
    GstSegment segment;

    assert_carried(h, 0, "grr", "@1 start a red ball 0 1-2");
    gst_harness_push_event(h, gst_event_new_flush_start());
    gst_harness_push_event(h, gst_event_new_flush_stop(TRUE));
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(h, gst_event_new_segment(&segment));
    // The same time again: nothing but the flush says that it is another.
    assert_carried(h, 3, "rg",
                   "@3 start a red ball 1 3-4; @4 end a red ball 1 3-4");
    assert_posted(h, "start a red ball 0 1-2, end a red ball 0 1-3, "
                     "start a red ball 1 3-4, end a red ball 1 3-4");
    gst_harness_push_event(h, gst_event_new_eos());
    assert_told_before(h, GST_EVENT_EOS, "end a red ball 0 1-3");
    stop(h);
}

static void
ends_with_another_stream(void)
{
    GstHarness *h = play("source-id=cam");

    assert_carried(h, 0, "r", "@0 start a red ball 0 0-1");
    assert_told_before(h, GST_EVENT_SEGMENT, "");
    gst_harness_push_event(h, gst_event_new_stream_start("another"));
    assert_told_before(h, GST_EVENT_STREAM_START, "end a red ball 0 0-1");
    assert_posted(h, "start a red ball 0 0-1, end a red ball 0 0-1");
    stop(h);
}

static void
ends_when_it_stops(void)
{
    GstHarness *h = play("");

    assert_carried(h, 0, "r", "@0 start a red ball 0 0-1");
    gst_element_set_state(h->element, GST_STATE_READY);
    assert_posted(h, "start a red ball 0 0-1, end a red ball 0 0-1");
    stop(h);
}

// Waits until the new labels are there.
static void
change_labels(GstHarness *h, const char *labels)
{
    GstBus *bus = gst_element_get_bus(h->element);

    g_object_set(h->element, "labels", labels, NULL);
    for (guint64 second = 10; second < 1000; second++) {
        g_assert_cmpint(gst_harness_push(h, make_color('g', second)), ==,
                        GST_FLOW_OK);
        GstBuffer *buffer = pull(h);
        const GstPeResult *result = gst_buffer_get_pe_meta(buffer)->result;
        bool done = gst_pe_result_get_n_labels(result) > 0 &&
                    strcmp(gst_pe_result_get_label(result, 0), labels) == 0;
        gst_buffer_unref(buffer);
        if (done)
            break;
        g_usleep(1000);
    }
    gst_object_unref(bus);
}

static void
ends_with_its_labels(void)
{
    GstHarness *h = play("source-id=cam negative-labels=\"a blue sky\"");

    assert_carried(h, 0, "r", "@0 start a red ball 0 0-1");
    g_object_set(h->element, "event-release", 1e-9, NULL);
    assert_carried(h, 1, "r",
                   "@1 end a red ball 0 0-1, start a red ball 1 1-2");
    change_labels(h, "a green field");
    g_autoptr(GString) out = g_string_new(NULL);
    GstBus *bus = gst_element_get_bus(h->element);
    g_autofree char *ended = NULL, *begun = NULL;
    GstMessage *message;
    while ((message = gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT))) {
        const GstStructure *s = gst_message_get_structure(message);
        const char *phase = gst_structure_get_string(s, "event");
        const char *label = gst_structure_get_string(s, "label");
        const char *set = gst_structure_get_string(s, "label-set-fingerprint");
        if (phase && strcmp(phase, "end") == 0 &&
            strcmp(label, "a red ball") == 0) {
            g_free(ended);
            ended = g_strdup(set);
        }
        if (phase && strcmp(phase, "start") == 0 &&
            strcmp(label, "a green field") == 0)
            begun = g_strdup(set);
        gst_message_unref(message);
    }
    gst_object_unref(bus);
    // Each is told with the labels that it is about.
    g_assert_nonnull(ended);
    g_assert_nonnull(begun);
    g_assert_cmpstr(ended, !=, begun);
    stop(h);
}

// A set with the same fingerprint is told apart by the order of its labels:
// the evidence of the one must not count for the other.
static void
tells_labels_apart_in_another_order(void)
{
    GstHarness *h = play("labels=\"a red ball|a green field\" "
                         "negative-labels=\"a blue sky\"");
    GString *told = g_string_new(NULL);

    assert_carried(h, 0, "r", "@0 start a red ball 0 0-1");
    g_object_set(h->element, "labels", "a green field|a red ball", NULL);
    for (guint64 second = 1; second < 1000 && !strchr(told->str, ',');
         second++) {
        g_assert_cmpint(gst_harness_push(h, make_color('r', second)), ==,
                        GST_FLOW_OK);
        GstBuffer *buffer = pull(h);
        const GstPeResult *result = gst_buffer_get_pe_meta(buffer)->result;
        for (guint i = 0; i < gst_pe_result_get_n_events(result); i++) {
            const GstPeLabelEvent *e = gst_pe_result_get_event(result, i);
            g_string_append_printf(told, "%s %s, ",
                                   gst_pe_event_phase_to_string(e->phase),
                                   e->label);
        }
        gst_buffer_unref(buffer);
        g_usleep(1000);
    }
    g_assert_cmpstr(told->str, ==, "start a red ball, ");
    g_string_free(told, TRUE);
    stop(h);
}

// ---- The file -------------------------------------------------------------

static void
keeps_its_history(void)
{
    g_autofree char *path = g_build_filename(folder, "state", NULL);
    g_autofree char *properties =
        g_strdup_printf("alarms-per-day=5 event-state=%s", path);
    g_autofree char *before = NULL, *after = NULL;

    GstHarness *h = play(properties);
    assert_carried(h, 0, "grg",
                   "@1 start a red ball 0 1-2; @2 end a red ball 0 1-2");
    gst_element_set_state(h->element, GST_STATE_NULL);
    stop(h);
    g_assert_true(g_file_get_contents(path, &before, NULL, NULL));
    g_assert_true(g_str_has_prefix(before, "pe-event-history 1 "));

    h = play(properties);
    assert_carried(h, 0, "g", "");
    g_assert_cmpint(count_warnings(h, "history"), ==, 0);
    gst_element_set_state(h->element, GST_STATE_NULL);
    stop(h);
    g_assert_true(g_file_get_contents(path, &after, NULL, NULL));
    g_assert_cmpstr(before, !=, after);
    g_assert_nonnull(strstr(after, "\"seconds\":4"));
}

static void
leaves_a_strange_file_alone(void)
{
    g_autofree char *path = g_build_filename(folder, "strange", NULL);
    g_autofree char *properties =
        g_strdup_printf("alarms-per-day=5 event-state=%s", path);
    g_autofree char *content = NULL;

    g_assert_true(g_file_set_contents(path, "my diary", -1, NULL));
    GstHarness *h = play(properties);
    assert_carried(h, 0, "grg",
                   "@1 start a red ball 0 1-2; @2 end a red ball 0 1-2");
    g_assert_cmpint(count_warnings(h, "not a whole history"), ==, 1);
    gst_element_set_state(h->element, GST_STATE_NULL);
    stop(h);
    g_assert_true(g_file_get_contents(path, &content, NULL, NULL));
    g_assert_cmpstr(content, ==, "my diary");
}

static void
warns_of_a_folder_that_is_missing(void)
{
    g_autofree char *path = g_build_filename(folder, "nowhere", "state", NULL);
    g_autofree char *properties =
        g_strdup_printf("alarms-per-day=5 event-state=%s", path);

    GstHarness *h = play(properties);
    assert_carried(h, 0, "g", "");
    g_assert_cmpint(count_warnings(h, "cannot be kept in the folder"), ==, 1);
    stop(h);
}

static void
add_tests(void)
{
#define ADD(test) g_test_add_func("/gst/events/" #test, test)
    ADD(carries_events_on_frames);
    ADD(follows_its_properties);
    ADD(changes_its_properties);
    ADD(begins_anew_after_a_hole);
    ADD(ends_before_the_end);
    ADD(ends_at_a_flush);
    ADD(ends_with_another_stream);
    ADD(ends_when_it_stops);
    ADD(ends_with_its_labels);
    ADD(tells_labels_apart_in_another_order);
    ADD(keeps_its_history);
    ADD(leaves_a_strange_file_alone);
    ADD(warns_of_a_folder_that_is_missing);
}

int
main(int argc, char **argv)
{
    folder = g_dir_make_tmp("pe-events-XXXXXX", NULL);
    int failed = run_gst_tests(argc, argv, add_tests);
    for (int i = 0; i < 2; i++) {
        static const char *const names[] = {"state", "strange"};
        g_autofree char *path = g_build_filename(folder, names[i], NULL);
        g_remove(path);
    }
    g_rmdir(folder);
    g_free(folder);
    return failed;
}
