// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_every_frame.c - what holds for every single frame, counted over
// many of them, on a scripted device: in exact mode each carries its own
// results through any number of seeks, in latest mode none is lost or held up
// while the device makes one result a second.
//
// PE_EVERY_BUFFERS (50) and PE_EVERY_SEEKS (10) are those of each of three
// elements in exact mode; PE_EVERY_SECONDS (2) is how long eight streams run in
// latest mode.

#include "gst_script.h"

#include <gst/video/video.h>
#include <stdlib.h>

static int
get_number(const char *name, int init)
{
    const char *text = g_getenv(name);

    return text ? atoi(text) : init;
}

// ---- Exact ----------------------------------------------------------------

#define N_ELEMENTS 3

typedef struct {
    GThread *thread;
    GstHarness *h; // made by the main thread: GLib's table of names is not
                   // instrumented
    int number;
    int n_buffers, n_results; // received
    int n_wrong;              // results that are not of their frame
    int n_disordered;         // frames behind a later one of their segment
    GstClockTime last;
} Exact;

// With an object in every frame, the whole frame and a region besides.
static GstBuffer *
make_seen(int index)
{
    GstBuffer *buffer = make_frame(index);

    gst_buffer_add_video_region_of_interest_meta(buffer, "thing", 1, 2,
                                                 20 + (guint)index % 50, 30);
    return buffer;
}

static void
look_at(Exact *e, GstBuffer *buffer)
{
    guint n = gst_buffer_get_n_pe_metas(buffer);
    GstClockTime pts = GST_BUFFER_PTS(buffer);

    e->n_buffers++;
    e->n_disordered += GST_CLOCK_TIME_IS_VALID(e->last) && pts <= e->last;
    e->last = pts;
    for (guint i = 0; i < n; i++) {
        const GstPeResult *r = gst_buffer_get_nth_pe_meta(buffer, i)->result;
        const GstPeRegion *region = gst_pe_result_get_region(r);
        int width = 20 + (int)(pts / FRAME_DURATION) % 50;
        bool object = region && g_str_equal(region->name, "thing");
        e->n_results++;
        e->n_wrong += gst_pe_result_get_clip_start(r) != pts;
        e->n_wrong += object && region->width != width;
    }
    gst_buffer_unref(buffer);
}

// Results come as events too, which nobody looks at here.
static void
drop_events(GstHarness *h)
{
    GstEvent *event;

    while ((event = gst_harness_try_pull_event(h)))
        gst_event_unref(event);
}

// A flushing seek to a place, in the middle of the frames; what is in the
// element is lost, as it should.
static void
seek(GstHarness *h, Exact *e)
{
    GstSegment segment;
    GstBuffer *buffer;

    gst_harness_push_event(h, gst_event_new_flush_start());
    gst_harness_push_event(h, gst_event_new_flush_stop(TRUE));
    while ((buffer = gst_harness_try_pull(h)))
        look_at(e, buffer);
    drop_events(h);
    e->last = GST_CLOCK_TIME_NONE;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(h, gst_event_new_segment(&segment));
}

static void *
run_exact(void *data)
{
    Exact *e = data;
    int n = get_number("PE_EVERY_BUFFERS", 50);
    int n_seeks = get_number("PE_EVERY_SEEKS", 10);
    GRand *rand = g_rand_new_with_seed((guint32)e->number);
    GstHarness *h = e->h;

    e->last = GST_CLOCK_TIME_NONE;
    for (int s = 0; s < n_seeks; s++) {
        int first = g_rand_int_range(rand, 0, 1000);
        // Seeks between, before and after the frames that are in the element.
        int cut = s % 2 ? n : g_rand_int_range(rand, 1, n);
        for (int i = 0; i < cut; i++)
            g_assert_cmpint(gst_harness_push(h, make_seen(first + i)), ==,
                            GST_FLOW_OK);
        for (int i = 0; cut == n && i < n; i++)
            look_at(e, pull(h));
        seek(h, e);
        for (int i = 0; cut < n && i < n; i++)
            g_assert_cmpint(gst_harness_push(h, make_seen(first + i)), ==,
                            GST_FLOW_OK);
        for (int i = 0; cut < n && i < n; i++)
            look_at(e, pull(h));
        seek(h, e);
    }
    g_rand_free(rand);
    stop(h);
    return NULL;
}

static void
gives_every_frame_its_own_results(void)
{
    Exact all[N_ELEMENTS] = {{0}};
    int n = get_number("PE_EVERY_BUFFERS", 50);
    int n_seeks = get_number("PE_EVERY_SEEKS", 10);

    fake_reset();
    for (int i = 0; i < N_ELEMENTS; i++) {
        all[i].number = i + 1;
        all[i].h =
            play_inference("mode=exact clip-length=1 inference-region=roi-list "
                           "regions=left=0,0,50%,100%");
    }
    for (int i = 0; i < N_ELEMENTS; i++)
        all[i].thread = g_thread_new("exact", run_exact, &all[i]);
    for (int i = 0; i < N_ELEMENTS; i++) {
        Exact *e = &all[i];
        g_thread_join(e->thread);
        g_test_message("element %d: %d buffers, %d results, %d wrong, %d out "
                       "of order",
                       i, e->n_buffers, e->n_results, e->n_wrong,
                       e->n_disordered);
        g_assert_cmpint(e->n_buffers, >=, n * n_seeks);
        g_assert_cmpint(e->n_results, ==, 2 * e->n_buffers);
        g_assert_cmpint(e->n_wrong, ==, 0);
        g_assert_cmpint(e->n_disordered, ==, 0);
    }
}

// ---- Latest ---------------------------------------------------------------

#define N_STREAMS 8
#define FPS 30

typedef struct {
    GThread *thread;
    GstHarness *h; // made by the main thread, too
    int n_in, n_out, n_results;
    GArray *waits; // float, ms that a frame was in the element
} Stream;

// Frames come at their time; how long each takes is measured, not judged.
static void *
run_stream(void *data)
{
    Stream *s = data;
    int n = FPS * get_number("PE_EVERY_SECONDS", 2);
    GstHarness *h = s->h;
    int64_t start = g_get_monotonic_time();

    gst_harness_set_live(h, TRUE);
    for (int i = 0; i < n; i++) {
        int64_t due = start + (int64_t)i * G_USEC_PER_SEC / FPS;
        int64_t now = g_get_monotonic_time();
        if (due > now)
            g_usleep((gulong)(due - now));
        GstBuffer *buffer = make_seen(i);
        now = g_get_monotonic_time();
        s->n_in++;
        g_assert_cmpint(gst_harness_push(h, buffer), ==, GST_FLOW_OK);
        GstBuffer *out = pull(h);
        float ms = (float)(g_get_monotonic_time() - now) / 1000;
        g_array_append_val(s->waits, ms);
        s->n_out += GST_BUFFER_PTS(out) == (guint64)i * FRAME_DURATION;
        s->n_results += (int)gst_buffer_get_n_pe_metas(out);
        gst_buffer_unref(out);
        drop_events(h);
    }
    stop(h);
    return NULL;
}

static void
loses_no_frame_while_the_device_is_slow(void)
{
    Stream all[N_STREAMS] = {{0}};
    g_autoptr(GArray) waits = g_array_new(FALSE, FALSE, sizeof(float));
    int n_results = 0;

    fake_reset();
    fake.batch_ms = 1000;
    for (int i = 0; i < N_STREAMS; i++) {
        all[i].waits = g_array_new(FALSE, FALSE, sizeof(float));
        all[i].h = play_inference(
            "mode=latest clip-length=1 inference-region=roi-list "
            "regions=left=0,0,50%,100%");
    }
    for (int i = 0; i < N_STREAMS; i++)
        all[i].thread = g_thread_new("stream", run_stream, &all[i]);
    for (int i = 0; i < N_STREAMS; i++) {
        Stream *s = &all[i];
        g_thread_join(s->thread);
        g_assert_cmpint(s->n_in, ==, s->n_out);
        n_results += s->n_results;
        g_array_append_vals(waits, s->waits->data, s->waits->len);
        g_array_unref(s->waits);
    }
    float *ms = (float *)(void *)waits->data;
    g_test_message("%d streams of %d fps, a batch takes 1 s: %u frames, none "
                   "lost; %d results on frames; in the element p50 %.3f ms, "
                   "p99 %.3f ms",
                   N_STREAMS, FPS, waits->len, n_results,
                   pe_percentile(ms, waits->len, 0.5),
                   pe_percentile(ms, waits->len, 0.99));
    g_assert_cmpint(n_results, >, 0);
    fake_reset(); // waits for the last batch
}

static void
add_tests(void)
{
    g_test_add_func("/every/exact", gives_every_frame_its_own_results);
    g_test_add_func("/every/latest", loses_no_frame_while_the_device_is_slow);
}

int
main(int argc, char **argv)
{
    return script_run(argc, argv, add_tests);
}
