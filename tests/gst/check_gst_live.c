// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_live.c - peinference behind a live source: nothing waits in latest
// mode, exact mode keeps its deadline and says so, modes follow the source. It
// runs over a scripted device, which is held where a result must not be there.

#include "tests/gst/flow/gst_script.h"

// A device that does not keep up, on any machine: an engine of its own waits
// ten seconds for a batch that never fills, unless a deadline, a full queue or
// the end of the stream is near.
#define SLOW "precision=bf16 batch-size=32 batch-timeout=10000"

static GstHarness *
play_live(const char *properties)
{
    fake_reset();
    GstHarness *h = play_inference(properties);

    gst_harness_set_live(h, TRUE);
    return h;
}

static GstClockTime
query_latency(GstHarness *h, gboolean *live)
{
    g_autoptr(GstQuery) query = gst_query_new_latency();
    GstClockTime min;

    g_assert_true(gst_pad_peer_query(h->sinkpad, query));
    gst_query_parse_latency(query, live, &min, NULL);
    return min;
}

static void
adds_latency_only_to_exact_live_streams(void)
{
    static const struct {
        const char *mode;
        bool live;
        GstClockTime added;
    } rows[] = {
        {"exact", true, 250 * GST_MSECOND},
        {"exact", false, 0},
        {"latest", true, 0},
        {"latest", false, 0},
        {"auto", true, 0},
        {"auto", false, 0},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *text =
            g_strdup_printf("latency=250 mode=%s", rows[i].mode);
        GstHarness *h = play_inference(text);
        gboolean live;
        gst_harness_set_live(h, rows[i].live);
        gst_harness_set_upstream_latency(h, 40 * GST_MSECOND);
        g_test_message("mode %s, live %d", rows[i].mode, rows[i].live);
        g_assert_cmpuint(query_latency(h, &live), ==,
                         40 * GST_MSECOND + rows[i].added);
        g_assert_cmpint(live, ==, rows[i].live);
        stop(h);
    }
}

static void
tells_when_its_latency_changes(void)
{
    GstHarness *h = play_live("mode=latest");

    g_object_set(h->element, "mode", 1, NULL);
    GstMessage *m =
        gst_bus_pop_filtered(GST_ELEMENT_BUS(h->element), GST_MESSAGE_LATENCY);
    g_assert_nonnull(m);
    gst_message_unref(m);
    stop(h);
}

// Frames go on at once, and sooner or later one carries a result, which then
// grows old.
static void
carries_the_latest_result_and_its_age(void)
{
    GstHarness *h = play_live("clip-length=2");
    GstClockTime end = GST_CLOCK_TIME_NONE;
    bool older = false;

    for (int i = 0; i < 5000 && !older; i++) {
        push_frames(h, i, 1);
        GstBuffer *buffer = pull(h);
        GstPeMeta *meta = gst_buffer_get_pe_meta(buffer);
        // Once there is a result, every frame has one.
        g_assert_true(meta || end == GST_CLOCK_TIME_NONE);
        if (meta) {
            end = gst_pe_result_get_clip_end(meta->result);
            g_assert_cmpuint(meta->age, ==,
                             (guint64)(i + 1) * FRAME_DURATION - end);
            older = meta->age > 0;
        }
        gst_buffer_unref(buffer);
        g_usleep(1000);
    }
    g_assert_true(older);
    stop(h);
}

// A frame that waits is replaced by the next one, however late the thread that
// takes it wakes: the last one is taken at least. Whoever is skipped, every
// frame is accounted for.
static void
skips_frames_instead_of_queuing_them(void)
{
    GstHarness *h = play_live("mode=latest clip-length=1 " SLOW);
    GstElement *e = h->element;

    push_frames(h, 0, 500);
    g_assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    pull_frames(h, 500);
    gst_event_unref(pull_event(h, GST_EVENT_EOS));
    guint64 skipped = get_stat(e, "skipped"), clips = get_stat(e, "clips");
    g_test_message("%" G_GUINT64_FORMAT " clips, %" G_GUINT64_FORMAT
                   " frames skipped",
                   clips, skipped);
    g_assert_cmpuint(get_stat(e, "sampled"), ==, 500);
    g_assert_cmpuint(clips + skipped, ==, 500);
    g_assert_cmpuint(clips, >=, 1);
    g_assert_cmpuint(skipped, >, 0);
    stop(h);
}

// The door's turn comes while a frame is at work, and its frame makes place for
// the next one. It does not wait for another thousand frames.
static void
gives_a_region_its_turn_back(void)
{
#define GATE "gate=0,0,20,20"
    GstHarness *h = play_live("mode=latest clip-length=1 regions=" GATE);
    bool seen = false;

    hold(&ingesting, true);
    push_frames(h, 0, 1);
    wait_for(&ingesting, 1);
    g_object_set(h->element, "regions", GATE ";;door=20,0,20,20;interval=1000",
                 NULL);
    push_frames(h, 1, 2);
    hold(&ingesting, false);
    pull_frames(h, 3);
    for (int i = 3; i < 900 && !seen; i++) {
        push_frames(h, i, 1);
        GstBuffer *buffer = pull(h);
        seen = gst_buffer_get_n_pe_metas(buffer) == 2;
        gst_buffer_unref(buffer);
        g_usleep(5000);
    }
    g_assert_true(seen);
    stop(h);
}

static void
holds_live_frames_until_their_result(void)
{
    GstHarness *h = play_live("mode=exact latency=20000 clip-length=2");

    push_frames(h, 0, 20);
    g_assert_cmpint(pull_frames(h, 20), ==, 10);
    g_assert_cmpuint(get_stat(h->element, "late"), ==, 0);
    stop(h);
}

// With no time at all every clip is late, and its result is on a later frame
// or, at the end, in an event.
static void
sends_late_results_with_later_frames(void)
{
    GstHarness *h = play_live("mode=exact latency=0 clip-length=1");
    GstElement *e = h->element;

    fake_hold(true);
    for (int i = 0; i < 20; i++) {
        push_frames(h, i, 1);
        gst_buffer_unref(pull(h));
    }
    fake_hold(false);
    g_assert_true(gst_harness_push_event(h, gst_event_new_eos()));
    gst_event_unref(pull_event(h, GST_EVENT_EOS));
    g_assert_cmpuint(get_stat(e, "late"), ==, 20);
    g_assert_cmpuint(get_stat(e, "clips"), ==, 20);
    stop(h);
}

static void
follows_the_source_in_auto_mode(void)
{
    GstHarness *h = play_inference("clip-length=1");
    push_frames(h, 0, 5);
    g_assert_cmpint(pull_frames(h, 5), ==, 5);
    stop(h);

    h = play_live("clip-length=1");
    fake_hold(true);
    push_frames(h, 0, 5);
    // They have not waited for their own results.
    g_assert_cmpint(pull_frames(h, 5), ==, 0);
    fake_hold(false);
    stop(h);
}

static void
add_tests(void)
{
    g_test_add_func("/live/latency", adds_latency_only_to_exact_live_streams);
    g_test_add_func("/live/latency-message", tells_when_its_latency_changes);
    g_test_add_func("/live/latest", carries_the_latest_result_and_its_age);
    g_test_add_func("/live/skip", skips_frames_instead_of_queuing_them);
    g_test_add_func("/live/turn", gives_a_region_its_turn_back);
    g_test_add_func("/live/hold", holds_live_frames_until_their_result);
    g_test_add_func("/live/late", sends_late_results_with_later_frames);
    g_test_add_func("/live/auto", follows_the_source_in_auto_mode);
}

int
main(int argc, char **argv)
{
    return script_run(argc, argv, add_tests);
}
