// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_sink_states.c - a sink without a broker: nothing waits for ever,
// whatever the state, and what is told is told. The argument is the sink, and
// the property with which it finds no broker: "pemqttsink port=1".

#include <gst/gst.h>
#include <stdbool.h>
#include <string.h>

#define DEADLINE (60 * GST_SECOND)

typedef struct {
    GstElement *pipeline, *sink;
    GstPad *pad;
    GstBus *bus;
    GThread *thread;
    GstFlowReturn flow; // of the thread's last push
} Fixture;

static const char *sink_text;

static void
set_up(Fixture *fixture, const char *properties)
{
    g_autofree char *text =
        g_strdup_printf("%s name=sink %s", sink_text, properties);
    g_autoptr(GError) error = NULL;
    GstSegment segment;

    fixture->pipeline = gst_pipeline_new(NULL);
    // What is told while stopping is looked at afterwards.
    gst_pipeline_set_auto_flush_bus(GST_PIPELINE(fixture->pipeline), FALSE);
    fixture->sink = gst_parse_bin_from_description_full(
        text, FALSE, NULL, GST_PARSE_FLAG_NO_SINGLE_ELEMENT_BINS, &error);
    g_assert_no_error(error);
    gst_bin_add(GST_BIN(fixture->pipeline), fixture->sink);
    fixture->bus = gst_element_get_bus(fixture->pipeline);
    g_autoptr(GstPad) sinkpad =
        gst_element_get_static_pad(fixture->sink, "sink");
    fixture->pad = gst_pad_new("src", GST_PAD_SRC);
    gst_pad_set_active(fixture->pad, TRUE);
    g_assert_cmpint(gst_pad_link(fixture->pad, sinkpad), ==, GST_PAD_LINK_OK);
    g_assert_cmpint(gst_element_set_state(fixture->pipeline, GST_STATE_PLAYING),
                    !=, GST_STATE_CHANGE_FAILURE);
    gst_pad_push_event(fixture->pad, gst_event_new_stream_start("test"));
    gst_segment_init(&segment, GST_FORMAT_BYTES);
    gst_pad_push_event(fixture->pad, gst_event_new_segment(&segment));
}

static void
tear_down(Fixture *fixture)
{
    gst_element_set_state(fixture->pipeline, GST_STATE_NULL);
    gst_object_unref(fixture->pad);
    gst_object_unref(fixture->bus);
    gst_object_unref(fixture->pipeline);
}

static GstFlowReturn
push_text(GstPad *pad, const char *text)
{
    gsize size = strlen(text);

    return gst_pad_push(pad, gst_buffer_new_wrapped(g_strdup(text), size));
}

// 100 kB each, until the sink takes no more.
static void *
push_until_it_ends(void *data)
{
    Fixture *fixture = data;
    g_autofree char *padding = g_strnfill(100000, 'x');
    g_autofree char *text = g_strdup_printf("{\"a\":\"%s\"}\n", padding);

    do
        fixture->flow = push_text(fixture->pad, text);
    while (fixture->flow == GST_FLOW_OK);
    return NULL;
}

// A warning with these words.
static void
wait_for_warning(Fixture *fixture, const char *words)
{
    for (;;) {
        g_autoptr(GstMessage) message = gst_bus_timed_pop_filtered(
            fixture->bus, DEADLINE, GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
        g_autoptr(GError) error = NULL;
        g_assert_nonnull(message);
        g_assert_cmpint(GST_MESSAGE_TYPE(message), ==, GST_MESSAGE_WARNING);
        gst_message_parse_warning(message, &error, NULL);
        g_test_message("%s", error->message);
        if (strstr(error->message, words))
            return;
    }
}

static void
start_and_fill(Fixture *fixture)
{
    set_up(fixture, "spool-limit=1 drain-timeout=0");
    fixture->thread = g_thread_new("push", push_until_it_ends, fixture);
    wait_for_warning(fixture, "the stream waits");
}

static void
stopping_ends_a_push_that_waits(void)
{
    Fixture fixture;

    start_and_fill(&fixture);
    gst_element_set_state(fixture.pipeline, GST_STATE_NULL);
    g_thread_join(fixture.thread);
    g_assert_cmpint(fixture.flow, ==, GST_FLOW_FLUSHING);
    wait_for_warning(&fixture, "records did not reach the broker");
    tear_down(&fixture);
}

static void
flushing_ends_a_push_that_waits(void)
{
    Fixture fixture;

    start_and_fill(&fixture);
    gst_pad_push_event(fixture.pad, gst_event_new_flush_start());
    g_thread_join(fixture.thread);
    g_assert_cmpint(fixture.flow, ==, GST_FLOW_FLUSHING);
    gst_pad_push_event(fixture.pad, gst_event_new_flush_stop(TRUE));
    tear_down(&fixture);
}

static void
the_end_of_the_stream_waits_no_longer_than_it_may(void)
{
    Fixture fixture;

    set_up(&fixture, "drain-timeout=50");
    g_assert_cmpint(push_text(fixture.pad, "{\"a\":1}"), ==, GST_FLOW_OK);
    gst_pad_push_event(fixture.pad, gst_event_new_eos());
    wait_for_warning(&fixture, "1 records did not reach the broker");
    g_autoptr(GstMessage) message =
        gst_bus_timed_pop_filtered(fixture.bus, DEADLINE, GST_MESSAGE_EOS);
    g_assert_nonnull(message);
    tear_down(&fixture);
}

static void
drops_the_oldest_and_says_so_once(void)
{
    Fixture fixture;
    g_autoptr(GstStructure) stats = NULL;
    guint64 dropped = 0, waiting = 0, added = 0;
    g_autofree char *padding = g_strnfill(100000, 'x');
    g_autofree char *text = g_strdup_printf("{\"a\":\"%s\"}\n", padding);

    set_up(&fixture, "spool-limit=1 spool-full=drop-oldest drain-timeout=0");
    for (int i = 0; i < 30; i++)
        g_assert_cmpint(push_text(fixture.pad, text), ==, GST_FLOW_OK);
    wait_for_warning(&fixture, "the oldest are dropped");
    g_object_get(fixture.sink, "stats", &stats, NULL);
    gst_structure_get(stats, "dropped", G_TYPE_UINT64, &dropped, "waiting",
                      G_TYPE_UINT64, &waiting, "added", G_TYPE_UINT64, &added,
                      NULL);
    g_assert_cmpuint(dropped, ==, 20);
    g_assert_cmpuint(waiting, ==, 10);
    g_assert_cmpuint(added, ==, 30);
    tear_down(&fixture);
}

static void
leaves_out_what_is_no_record(void)
{
    Fixture fixture;
    g_autoptr(GstStructure) stats = NULL;
    guint64 refused = 0, added = 0;

    set_up(&fixture, "drain-timeout=0");
    push_text(fixture.pad, "{\"a\":1}\nno\nno\n{\"a\":");
    push_text(fixture.pad, "2}\n{\"a\":3}");
    wait_for_warning(&fixture, "byte 0: expected an object, found 0x6e");
    g_object_get(fixture.sink, "stats", &stats, NULL);
    gst_structure_get(stats, "refused", G_TYPE_UINT64, &refused, "added",
                      G_TYPE_UINT64, &added, NULL);
    g_assert_cmpuint(refused, ==, 2);
    g_assert_cmpuint(added, ==, 2);
    tear_down(&fixture);
}

static void
starts_and_stops_many_times(void)
{
    Fixture fixture;

    set_up(&fixture, "drain-timeout=1000");
    for (int i = 0; i < 20; i++) {
        gst_element_set_state(fixture.pipeline,
                              i % 3 ? GST_STATE_NULL : GST_STATE_READY);
        gst_element_set_state(fixture.pipeline,
                              i % 2 ? GST_STATE_PAUSED : GST_STATE_PLAYING);
    }
    tear_down(&fixture);
}

static void
a_password_cannot_be_read_again(void)
{
    g_auto(GStrv) words = g_strsplit(sink_text, " ", 2);
    g_autoptr(GstElement) sink = gst_element_factory_make(words[0], NULL);
    gst_object_ref_sink(sink);
    GParamSpec *spec =
        g_object_class_find_property(G_OBJECT_GET_CLASS(sink), "password");

    g_assert_nonnull(spec);
    g_assert_cmpint(spec->flags & G_PARAM_READABLE, ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gst_init(NULL, NULL);
    g_assert_cmpint(argc, ==, 2);
    sink_text = argv[1];
#define ADD(test) g_test_add_func("/sink/" #test, test)
    ADD(stopping_ends_a_push_that_waits);
    ADD(flushing_ends_a_push_that_waits);
    ADD(the_end_of_the_stream_waits_no_longer_than_it_may);
    ADD(drops_the_oldest_and_says_so_once);
    ADD(leaves_out_what_is_no_record);
    ADD(starts_and_stops_many_times);
    ADD(a_password_cannot_be_read_again);
    return g_test_run();
}
