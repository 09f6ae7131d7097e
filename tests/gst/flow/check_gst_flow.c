// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_flow.c - what peinference does while its device does nothing. The
// elements are linked into this program and run over the scripted device of
// fake_runner.h, which is held and let go as a test wants. So a frame that must
// not wait is one that comes out while the device is held.

#include "gst_script.h"

#include <gst/video/video.h>

#define PATIENCE_US (60 * G_USEC_PER_SEC)

static GstHarness *
play_script(const char *properties, bool live)
{
    fake_reset();
    ingesting.n_begun = 0;
    GstHarness *h = play_inference(properties);
    gst_harness_set_live(h, live);
    return h;
}

static int64_t longest_wait; // us, of a frame in pass()

// The frame goes through although the device is held.
static void
pass_frame(GstHarness *h, GstBuffer *buffer)
{
    int64_t start = g_get_monotonic_time();

    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
    gst_buffer_unref(pull(h));
    longest_wait = MAX(longest_wait, g_get_monotonic_time() - start);
}

static void
pass(GstHarness *h, int first, int n)
{
    for (int i = first; i < first + n; i++)
        pass_frame(h, make_frame(i));
}

// The next result that comes as an event; NULL: EOS came before.
static GstPeResult *
pull_result(GstHarness *h)
{
    GstEvent *event;

    while ((event = gst_harness_pull_event(h))) {
        GstPeResult *result = gst_event_get_pe_result(event);
        bool eos = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
        if (result)
            gst_pe_result_ref(result);
        gst_event_unref(event);
        if (result || eos)
            return result;
    }
    return NULL;
}

// ---- Live streams ---------------------------------------------------------

static void
push_segment(GstHarness *h, GstClockTime time)
{
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    segment.time = time;
    g_assert_true(gst_harness_push_event(h, gst_event_new_segment(&segment)));
}

// Everything that cuts a clip short, with frames behind it.
static void
cut_clips(GstHarness *h)
{
    longest_wait = 0;
    pass(h, 10, 2);
    pass(h, 0, 3); // backwards
    push_segment(h, 5 * GST_SECOND);
    pass(h, 3, 3);
    g_object_set(h->element, "clip-length", 5, NULL);
    pass(h, 6, 3);
    g_object_set(h->element, "labels", "a dog", NULL);
    pass(h, 9, 3);
    gst_harness_push_event(h, gst_event_new_flush_start());
    gst_harness_push_event(h, gst_event_new_flush_stop(TRUE));
    push_segment(h, 0);
    pass(h, 0, 3);
    gst_harness_push_event(h, gst_event_new_stream_start("another"));
    push_segment(h, 0);
    pass(h, 0, 7);
}

static void
never_waits_at_a_jump_when_live(const void *data)
{
    const char *mode = data;
    g_autofree char *properties =
        g_strdup_printf("mode=%s latency=200 clip-length=4", mode);
    GstHarness *h = play_script(properties, true);
    bool exact = g_str_equal(mode, "exact");

    fake_hold(true);
    cut_clips(h);
    g_test_message("%s: a frame waited %.1f ms at most (bar: %s)", mode,
                   (double)longest_wait / 1000,
                   exact ? "its latency of 200 ms and a batch" : "5 ms");
    // Nothing in here waits longer than its latency; the rest is the machine.
    g_assert_cmpint(longest_wait, <, 10 * G_USEC_PER_SEC);
    fake_hold(false);
    stop(h);
}

// Frame `index`, which is the nth to be preprocessed.
static void
pass_and_ingest(GstHarness *h, int index, int n)
{
    pass(h, index, 1);
    wait_for(&ingesting, n);
}

static void
says_why_a_clip_is_partial(void)
{
    GstHarness *h = play_script("mode=latest clip-length=4", true);
    GstPeReason reasons[] = {GST_PE_REASON_JUMP, GST_PE_REASON_JUMP,
                             GST_PE_REASON_RECONFIGURED, GST_PE_REASON_EOS};
    int n = 0;

    // One after the other, so that none takes another's place.
    pass_and_ingest(h, 10, 1);
    pass_and_ingest(h, 11, 2);
    // Each ends the clip before it; the first one says that it jumps.
    for (int i = 0; i < 3; i++) {
        if (i == 1)
            push_segment(h, GST_SECOND);
        if (i == 2)
            g_object_set(h->element, "clip-length", 5, NULL);
        GstBuffer *buffer = make_frame(i);
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
        pass_frame(h, buffer);
        wait_for(&ingesting, 2 * i + 3);
        g_autoptr(GstPeResult) result = pull_result(h);
        g_assert_cmpint(gst_pe_result_get_reason(result), ==, reasons[n++]);
        g_assert_true(gst_pe_result_is_partial(result));
        pass_and_ingest(h, i + 1, 2 * i + 4);
    }
    gst_harness_push_event(h, gst_event_new_eos());
    g_autoptr(GstPeResult) result = pull_result(h);
    g_assert_cmpint(gst_pe_result_get_reason(result), ==, reasons[n]);
    stop(h);
}

// The device is at work while frames replace each other in its queue.
static void
embeds_what_an_overload_leaves(void)
{
    GstHarness *h = play_script("mode=latest clip-length=4", true);

    fake_hold(true);
    pass(h, 0, 1);
    fake_wait_for_work(1);
    for (int i = 1; i < 8; i++) {
        pass(h, i, 1);
        wait_for(&ingesting, i + 1);
    }
    fake_hold(false);
    g_autoptr(GstPeResult) first = pull_result(h);
    g_assert_cmpint(gst_pe_result_get_reason(first), ==,
                    GST_PE_REASON_OVERLOAD);
    g_assert_cmpuint(gst_pe_result_get_n_frames(first), <, 4);
    g_autoptr(GstPeResult) second = pull_result(h);
    g_assert_cmpint(gst_pe_result_get_reason(second), ==, GST_PE_REASON_NONE);
    g_assert_cmpuint(gst_pe_result_get_n_frames(second), ==, 4);
    g_assert_cmpuint(get_stat(h->element, "skipped"), ==,
                     4 - gst_pe_result_get_n_frames(first));
    stop(h);
}

static void
tells_results_without_another_frame(void)
{
    GstHarness *h = play_script("mode=latest clip-length=2", true);

    pass(h, 0, 1);
    wait_for(&ingesting, 1);
    pass(h, 1, 1);
    GstMessage *m =
        wait_message(GST_ELEMENT_BUS(h->element), GST_MESSAGE_ELEMENT);
    g_assert_nonnull(m);
    gst_message_unref(m);
    g_autoptr(GstPeResult) result = pull_result(h);
    g_assert_cmpuint(gst_pe_result_get_n_frames(result), ==, 2);
    stop(h);
}

static int n_refused;

static gboolean
refuse_latency(GstPad *pad, GstObject *parent, GstQuery *query)
{
    if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
        return gst_pad_query_default(pad, parent, query);
    if (n_refused++ < 2)
        return FALSE;
    gst_query_set_latency(query, TRUE, 0, GST_CLOCK_TIME_NONE);
    return TRUE;
}

static void
asks_until_it_knows_whether_upstream_is_live(void)
{
    GstHarness *h = play_script("clip-length=4", true);

    n_refused = 0;
    gst_pad_set_query_function(h->srcpad, refuse_latency);
    fake_hold(true);
    pass(h, 0, 6);
    g_assert_cmpint(n_refused, >, 2);
    fake_hold(false);
    stop(h);
}

// Buffers go on while one of them is preprocessed, and of the others the last
// one is.
static void
preprocesses_elsewhere_in_latest_mode(void)
{
    GstHarness *h = play_script("mode=latest clip-length=1", true);

    hold(&ingesting, true);
    pass(h, 0, 1);
    wait_for(&ingesting, 1);
    pass(h, 1, 99);
    g_assert_cmpint(ingesting.n_begun, ==, 1);
    g_assert_cmpuint(get_stat(h->element, "skipped"), ==, 98);
    hold(&ingesting, false);
    wait_for(&ingesting, 2);
    g_autoptr(GstPeResult) first = pull_result(h);
    g_autoptr(GstPeResult) last = pull_result(h);
    g_assert_cmpuint(gst_pe_result_get_clip_end(first), ==, FRAME_DURATION);
    g_assert_cmpuint(gst_pe_result_get_clip_end(last), ==,
                     100 * FRAME_DURATION);
    g_assert_cmpint(ingesting.n_begun, ==, 2);
    stop(h);
}

// ---- Files ----------------------------------------------------------------

static GstPadProbeReturn
count(GstPad *pad, GstPadProbeInfo *info, void *n)
{
    g_atomic_int_inc((int *)n);
    return GST_PAD_PROBE_OK;
}

// A player: a file in front of it, and a sink behind it that keeps time.
static void
never_stops_a_sink_that_keeps_time(void)
{
    static const char *const needed[] = {"queue", "fakesink", "identity", NULL};
    if (!have_elements(needed))
        return;
    fake_reset();
    GstElement *bin = gst_parse_bin_from_description(
        "queue name=q ! fakesink name=sink sync=true async=false", TRUE, NULL);
    GstElement *sink = gst_bin_get_by_name(GST_BIN(bin), "sink");
    GstElement *pipeline = gst_pipeline_new(NULL);
    GstElement *e = make_inference("clip-length=2");
    GstPad *src = gst_pad_new("src", GST_PAD_SRC);
    GstPad *pad = gst_element_get_static_pad(e, "sink");
    GstPad *last = gst_element_get_static_pad(sink, "sink");
    GstSegment segment;
    int n = 0;

    gst_bin_add_many(GST_BIN(pipeline), e, bin, NULL);
    g_assert_true(gst_element_link(e, bin));
    g_assert_cmpint(gst_pad_link(src, pad), ==, GST_PAD_LINK_OK);
    gst_pad_add_probe(last, GST_PAD_PROBE_TYPE_BUFFER, count, &n, NULL);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    gst_pad_set_active(src, TRUE);
    gst_pad_push_event(src, gst_event_new_stream_start("file"));
    g_autoptr(GstCaps) caps = gst_caps_from_string(FRAME_CAPS);
    gst_pad_push_event(src, gst_event_new_caps(caps));
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(src, gst_event_new_segment(&segment));
    fake_hold(true);
    for (int i = 0; i < 10; i++)
        g_assert_cmpint(gst_pad_push(src, make_frame(i)), ==, GST_FLOW_OK);
    int64_t end = g_get_monotonic_time() + PATIENCE_US;
    while (g_atomic_int_get(&n) < 10 && g_get_monotonic_time() < end)
        g_usleep(1000);
    g_assert_cmpint(g_atomic_int_get(&n), ==, 10);
    fake_hold(false);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(src);
    gst_object_unref(pad);
    gst_object_unref(last);
    gst_object_unref(sink);
    gst_object_unref(pipeline);
}

typedef struct {
    GstHarness *h;
    int n; // frames pushed, atomic
} Pusher;

static void *
push_forty(void *data)
{
    Pusher *p = data;

    for (int i = 0; i < 40; i++) {
        g_assert_cmpint(gst_harness_push(p->h, make_frame(i)), ==, GST_FLOW_OK);
        g_atomic_int_inc(&p->n);
    }
    return NULL;
}

// Frames pass while the device is held, until so many are on their way that
// upstream has to wait; each clip has its result.
static void
holds_no_frames_when_told_so(void)
{
    GstHarness *h = play_script("hold=none clip-length=2", false);
    Pusher pusher = {h, 0};

    fake_hold(true);
    GThread *thread = g_thread_new("push", push_forty, &pusher);
    g_assert_cmpint(pull_frames(h, 16), ==, 0);
    g_usleep(50000);
    g_assert_cmpint(g_atomic_int_get(&pusher.n), ==, 16);
    fake_hold(false);
    g_thread_join(thread);
    g_assert_cmpint(pull_frames(h, 24), ==, 0);
    for (int i = 0; i < 20; i++) {
        g_autoptr(GstPeResult) result = pull_result(h);
        g_assert_cmpuint(gst_pe_result_get_sequence(result), ==, i);
        g_assert_cmpuint(gst_pe_result_get_n_frames(result), ==, 2);
    }
    stop(h);
}

static void
announces_what_each_mode_holds(void)
{
    static const struct {
        const char *properties;
        guint held;
    } rows[] = {
        {"mode=exact", 16},
        {"mode=latest", 4},
        {"mode=exact hold=none", 2},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        GstHarness *h = play_script(rows[i].properties, false);
        g_autoptr(GstCaps) caps = gst_caps_from_string(FRAME_CAPS);
        g_autoptr(GstQuery) query = gst_query_new_allocation(caps, TRUE);
        guint min = 0;
        gst_harness_set_propose_allocator(h, NULL, NULL);
        g_assert_true(gst_pad_peer_query(h->srcpad, query));
        gst_query_parse_nth_allocation_pool(query, 0, NULL, NULL, &min, NULL);
        g_test_message("%s", rows[i].properties);
        g_assert_cmpuint(min, ==, rows[i].held);
        stop(h);
    }
}

// A dropper may take the frame; the event behind it has the result too.
static void
repeats_each_result_as_an_event(void)
{
    GstHarness *h = play_script("clip-length=2", false);

    push_frames(h, 0, 10);
    for (int i = 0; i < 10; i++) {
        GstBuffer *buffer = pull(h);
        GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
        if (meta) {
            g_autoptr(GstPeResult) result = pull_result(h);
            g_assert_cmpuint(gst_pe_result_get_sequence(result), ==,
                             gst_pe_result_get_sequence(meta->result));
        }
        gst_buffer_unref(buffer);
    }
    stop(h);
}

// ---- Failures -------------------------------------------------------------

static void
posts_one_error_for_one_dead_device(void)
{
    GstHarness *h = play_script("clip-length=1 batch-size=1", false);
    GstBus *bus = GST_ELEMENT_BUS(h->element);
    int n_errors = 0;
    GstMessage *m;

    fake.batch_error = PE_ERROR_BACKEND;
    fake.fail_batches = 1000;
    GstFlowReturn flow = GST_FLOW_OK;
    for (int i = 0; i < 1000 && flow == GST_FLOW_OK; i++)
        flow = gst_harness_push(h, make_frame(i));
    g_assert_cmpint(flow, ==, GST_FLOW_ERROR);
    g_assert_cmpint(gst_harness_push(h, make_frame(0)), ==, GST_FLOW_ERROR);
    gst_harness_push_event(h, gst_event_new_eos());
    gst_element_set_state(h->element, GST_STATE_NULL);
    while ((m = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR))) {
        n_errors++;
        gst_message_unref(m);
    }
    g_assert_cmpint(n_errors, ==, 1);
    stop(h);
}

static void
says_when_meta_and_caps_differ(void)
{
    GstHarness *h = play_script("clip-length=1", false);
    GstBuffer *buffer = make_frame(0);
    g_autoptr(GError) error = NULL;

    gst_buffer_add_video_meta(buffer, 0, GST_VIDEO_FORMAT_RGB, 48, 32);
    g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_ERROR);
    GstMessage *m =
        wait_message(GST_ELEMENT_BUS(h->element), GST_MESSAGE_ERROR);
    gst_message_parse_error(m, &error, NULL);
    g_assert_nonnull(strstr(error->message, "96x64"));
    g_assert_nonnull(strstr(error->message, "48x32"));
    gst_message_unref(m);
    stop(h);
}

static void
add_tests(void)
{
    g_test_add_data_func("/flow/jump-latest", "latest",
                         never_waits_at_a_jump_when_live);
    g_test_add_data_func("/flow/jump-exact", "exact",
                         never_waits_at_a_jump_when_live);
    g_test_add_func("/flow/reasons", says_why_a_clip_is_partial);
    g_test_add_func("/flow/overload", embeds_what_an_overload_leaves);
    g_test_add_func("/flow/no-frame", tells_results_without_another_frame);
    g_test_add_func("/flow/liveness",
                    asks_until_it_knows_whether_upstream_is_live);
    g_test_add_func("/flow/ingest", preprocesses_elsewhere_in_latest_mode);
    g_test_add_func("/flow/paced", never_stops_a_sink_that_keeps_time);
    g_test_add_func("/flow/hold-none", holds_no_frames_when_told_so);
    g_test_add_func("/flow/held", announces_what_each_mode_holds);
    g_test_add_func("/flow/event", repeats_each_result_as_an_event);
    g_test_add_func("/flow/dead", posts_one_error_for_one_dead_device);
    g_test_add_func("/flow/meta-size", says_when_meta_and_caps_differ);
}

int
main(int argc, char **argv)
{
    return script_run(argc, argv, add_tests);
}
