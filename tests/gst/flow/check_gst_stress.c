// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_stress.c - peinference while everything happens at once: one thread
// pushes frames, events and serialized queries, another links, unlinks,
// flushes, and changes states and properties, both at random.
//
// PE_STRESS_SECONDS says for how long (5), PE_STRESS_SEED with which numbers;
// the seed is printed. What hangs is named, and fails. From twenty minutes on,
// memory must not grow, either: see check_memory().

#include "tests/support/gst_helpers.h"
#include "tests/support/memory_slope.h"

#include <gst/video/video.h>
#include <stdlib.h>

#define HANGS_US (60 * G_USEC_PER_SEC)

// Resident memory, whenever nothing is in use.
#define REST_S 5      // from one time to the next
#define WARM_UP_S 300 // what is there only once has come by then
#define JUDGED_S 1200 // a slope is only told, and not judged, before
#define MAX_SLOPE (100 * 1024 / 3600.) // bytes a second

typedef struct {
    GstElement *element;
    GstPad *src, *sink;     // of the test
    GstPad *e_sink, *e_src; // of the element
    guint32 seed;           // of the pusher
    GMutex pushing; // held by the pusher, as a source holds its stream lock
    bool fresh;     // pushing: a stream has to start
    int stopping;   // atomic
    const char *doing[2]; // atomic: by the controller, by the pusher
    int n_done;           // atomic: by both
    int n_received;       // atomic
    int ended;            // atomic: nothing is watched any more
} Stress;

static void
begin(Stress *s, int who, const char *what)
{
    g_atomic_pointer_set(&s->doing[who], what);
    g_atomic_int_inc(&s->n_done);
}

// ---- The pusher -----------------------------------------------------------

static const char *const all_caps[] = {
    FRAME_CAPS,
    "video/x-raw,format=GRAY8,width=64,height=48,framerate=30/1",
    "video/x-raw,format=NV12,width=64,height=64,framerate=0/1",
};
static const gsize all_sizes[] = {FRAME_WIDTH * FRAME_HEIGHT * 3, 64 * 48,
                                  64 * 64 * 3 / 2};

static void
push_start(Stress *s, GRand *rand, int *kind)
{
    g_autofree char *id = g_strdup_printf("stream-%u", g_rand_int(rand));
    GstSegment segment;

    *kind = g_rand_int_range(rand, 0, G_N_ELEMENTS(all_caps));
    g_autoptr(GstCaps) caps = gst_caps_from_string(all_caps[*kind]);
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_pad_push_event(s->src, gst_event_new_stream_start(id));
    gst_pad_push_event(s->src, gst_event_new_caps(caps));
    gst_pad_push_event(s->src, gst_event_new_segment(&segment));
}

static GstFlowReturn
push_frame(Stress *s, int kind, int index)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, all_sizes[kind], NULL);

    gst_buffer_memset(buffer, 0, (guint8)index, all_sizes[kind]);
    GST_BUFFER_PTS(buffer) = (guint64)index * FRAME_DURATION;
    GST_BUFFER_DURATION(buffer) = FRAME_DURATION;
    // None to three objects, the last of which may lie outside.
    for (int i = 0; i < index % 4; i++)
        gst_buffer_add_video_region_of_interest_meta(buffer, "thing",
                                                     30 * (guint)i, 5, 20, 20)
            ->id = i + index / 50;
    return gst_pad_push(s->src, buffer);
}

static void
push_query(Stress *s, int kind, bool allocation)
{
    g_autoptr(GstCaps) caps = gst_caps_from_string(all_caps[kind]);
    GstQuery *query = allocation ? gst_query_new_allocation(caps, TRUE)
                                 : gst_query_new_drain();

    gst_pad_peer_query(s->src, query);
    gst_query_unref(query);
}

// One frame, or rarely something else. Returns whether the stream goes on.
static bool
push_something(Stress *s, GRand *rand, int *kind, int *index)
{
    GstSegment segment;

    switch (g_rand_int_range(rand, 0, 40)) {
    case 0:
        begin(s, 1, "pushing new caps");
        push_start(s, rand, kind);
        return true;
    case 1:
        begin(s, 1, "pushing a segment");
        gst_segment_init(&segment, GST_FORMAT_TIME);
        segment.time = g_rand_int(rand);
        gst_pad_push_event(s->src, gst_event_new_segment(&segment));
        return true;
    case 2:
        begin(s, 1, "pushing ALLOCATION");
        push_query(s, *kind, true);
        return true;
    case 3:
        begin(s, 1, "pushing DRAIN");
        push_query(s, *kind, false);
        return true;
    case 4:
        begin(s, 1, "pushing EOS");
        gst_pad_push_event(s->src, gst_event_new_eos());
        return false;
    case 5:
        begin(s, 1, "pushing GAP");
        gst_pad_push_event(s->src, gst_event_new_gap(0, FRAME_DURATION));
        return true;
    case 6:
        *index = g_rand_int_range(rand, 0, 1000);
        return true;
    default:
        begin(s, 1, "pushing a frame");
        return push_frame(s, *kind, (*index)++) == GST_FLOW_OK;
    }
}

static void *
run_pusher(void *data)
{
    Stress *s = data;
    GRand *rand = g_rand_new_with_seed(s->seed);
    int kind = 0, index = 0;

    while (!g_atomic_int_get(&s->stopping)) {
        begin(s, 1, "waiting for the end of a flush");
        g_mutex_lock(&s->pushing);
        if (s->fresh) {
            begin(s, 1, "pushing a stream's start");
            push_start(s, rand, &kind);
        }
        bool fresh = s->fresh = !push_something(s, rand, &kind, &index);
        g_mutex_unlock(&s->pushing);
        if (fresh)
            g_usleep(g_rand_int_range(rand, 0, 500));
    }
    begin(s, 1, "nothing");
    g_rand_free(rand);
    return NULL;
}

// ---- The controller -------------------------------------------------------

static void
relink(Stress *s, GRand *rand)
{
    if (g_rand_boolean(rand)) {
        gst_pad_unlink(s->e_src, s->sink);
        g_usleep(g_rand_int_range(rand, 0, 2000));
        g_assert_cmpint(gst_pad_link(s->e_src, s->sink), ==, GST_PAD_LINK_OK);
    } else {
        gst_pad_unlink(s->src, s->e_sink);
        g_usleep(g_rand_int_range(rand, 0, 2000));
        g_assert_cmpint(gst_pad_link(s->src, s->e_sink), ==, GST_PAD_LINK_OK);
    }
}

static void
flush(Stress *s, GRand *rand)
{
    gst_pad_push_event(s->src, gst_event_new_flush_start());
    g_usleep(g_rand_int_range(rand, 0, 1000));
    g_mutex_lock(&s->pushing);
    gst_pad_push_event(s->src, gst_event_new_flush_stop(TRUE));
    s->fresh = true;
    g_mutex_unlock(&s->pushing);
}

static void
change_state(Stress *s, GRand *rand)
{
    static const GstState states[] = {GST_STATE_NULL, GST_STATE_READY,
                                      GST_STATE_PAUSED, GST_STATE_PLAYING};

    gst_element_set_state(s->element, states[g_rand_int_range(rand, 0, 4)]);
    g_usleep(g_rand_int_range(rand, 0, 2000));
    // A pusher that the system put aside would not notice that it has to begin
    // the stream again.
    g_mutex_lock(&s->pushing);
    s->fresh = true;
    g_mutex_unlock(&s->pushing);
    gst_element_set_state(s->element, GST_STATE_PLAYING);
}

static void
change_property(Stress *s, GRand *rand)
{
    static const char *const labels[] = {"a dog|a cat", "a car", ""};
    static const char *const regions[] = {
        "", "r=10%,10%,50%,50%;open|closed;on-change=3",
        "a=0,0,20,20;;b=30,9,31,33;yes|no;interval=2"};
    int n = g_rand_int_range(rand, 1, 6);

    switch (g_rand_int_range(rand, 0, 11)) {
    case 0:
        g_object_set(s->element, "clip-length", n, NULL);
        break;
    case 1:
        g_object_set(s->element, "clip-stride", n, NULL);
        break;
    case 2:
        g_object_set(s->element, "mode", n % 3, NULL);
        break;
    case 3:
        g_object_set(s->element, "hold", n % 2, NULL);
        break;
    case 4:
        g_object_set(s->element, "labels", labels[n % 3], NULL);
        break;
    case 5:
        g_object_set(s->element, "latency", (guint)(20 * n), NULL);
        break;
    case 6:
        g_object_set(s->element, "regions", regions[n % 3], NULL);
        break;
    case 7:
        g_object_set(s->element, "inference-region", n % 3, NULL);
        break;
    case 8:
        g_object_set(s->element, "reclassify-interval", (guint)n, NULL);
        break;
    case 9:
        g_object_set(s->element, "event-threshold", n % 3 * 0.4,
                     "event-smoothing", n * 100, NULL);
        break;
    default:
        g_object_set(s->element, "frame-rate", 5 * (n - 1), 1, NULL);
        break;
    }
}

static void
ask(Stress *s)
{
    g_autoptr(GstQuery) latency = gst_query_new_latency();
    g_autoptr(GstCaps) caps = gst_pad_peer_query_caps(s->sink, NULL);

    gst_pad_peer_query(s->sink, latency);
    get_stat(s->element, "frames");
}

static void
control(Stress *s, GRand *rand)
{
    switch (g_rand_int_range(rand, 0, 8)) {
    case 0:
        begin(s, 0, "relinking");
        relink(s, rand);
        break;
    case 1:
        begin(s, 0, "flushing");
        flush(s, rand);
        break;
    case 2:
        begin(s, 0, "changing the state");
        change_state(s, rand);
        break;
    case 3:
        begin(s, 0, "asking");
        ask(s);
        break;
    case 4:
        begin(s, 0, "sending RECONFIGURE");
        gst_pad_push_event(s->sink, gst_event_new_reconfigure());
        break;
    case 5:
        begin(s, 0, "sending QOS");
        gst_pad_push_event(s->sink,
                           gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2, 1, 0));
        break;
    default:
        begin(s, 0, "changing a property");
        change_property(s, rand);
        break;
    }
    g_usleep(g_rand_int_range(rand, 0, 4000));
}

// ---- Both -----------------------------------------------------------------

static GstFlowReturn
receive(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
    Stress *s = gst_pad_get_element_private(pad);

    g_atomic_int_inc(&s->n_received);
    gst_buffer_unref(buffer);
    return GST_FLOW_OK;
}

static gboolean is_live;

static gboolean
answer(GstPad *pad, GstObject *parent, GstQuery *query)
{
    if (GST_QUERY_TYPE(query) != GST_QUERY_LATENCY)
        return gst_pad_query_default(pad, parent, query);
    gst_query_set_latency(query, is_live, 0, GST_CLOCK_TIME_NONE);
    return TRUE;
}

static GstBusSyncReply
drop(GstBus *bus, GstMessage *message, void *data)
{
    gst_message_unref(message);
    return GST_BUS_DROP;
}

static void *
watch(void *data)
{
    Stress *s = data;
    int n = -1;
    int64_t since = g_get_monotonic_time();

    while (!g_atomic_int_get(&s->ended)) {
        if (g_atomic_int_get(&s->n_done) != n) {
            n = g_atomic_int_get(&s->n_done);
            since = g_get_monotonic_time();
        } else if (g_get_monotonic_time() - since > HANGS_US) {
            g_error("hangs: one thread is %s, the other is %s", s->doing[0],
                    s->doing[1]);
        }
        g_usleep(100000);
    }
    return NULL;
}

// Without templates pads would take no other caps than those that they have.
static GstStaticPadTemplate any_src = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate any_sink = GST_STATIC_PAD_TEMPLATE(
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static void
set_up(Stress *s)
{
    g_autoptr(GstBus) bus = gst_bus_new();

    *s = (Stress){.element = make_inference("clip-length=2"),
                  .src = gst_pad_new_from_static_template(&any_src, "src"),
                  .sink = gst_pad_new_from_static_template(&any_sink, "sink"),
                  .fresh = true,
                  .doing = {"nothing", "nothing"}};
    g_mutex_init(&s->pushing);
    gst_bus_set_sync_handler(bus, drop, NULL, NULL);
    gst_element_set_bus(s->element, bus);
    s->e_sink = gst_element_get_static_pad(s->element, "sink");
    s->e_src = gst_element_get_static_pad(s->element, "src");
    gst_pad_set_element_private(s->sink, s);
    gst_pad_set_chain_function(s->sink, receive);
    gst_pad_set_query_function(s->src, answer);
    gst_pad_set_active(s->src, TRUE);
    gst_pad_set_active(s->sink, TRUE);
    gst_pad_link(s->src, s->e_sink);
    gst_pad_link(s->e_src, s->sink);
    gst_element_set_state(s->element, GST_STATE_PLAYING);
}

// What the element has, and what it left, while it is in NULL.
static void
rest(Stress *s, MemorySlope *memory, double seconds)
{
    begin(s, 0, "resting");
    gst_element_set_state(s->element, GST_STATE_NULL);
    g_mutex_lock(&s->pushing);
    memory_slope_sample(memory, seconds);
    s->fresh = true;
    g_mutex_unlock(&s->pushing);
    gst_element_set_state(s->element, GST_STATE_PLAYING);
}

static void
check_memory(const MemorySlope *memory, double seconds)
{
    double since = seconds >= JUDGED_S ? WARM_UP_S : seconds / 4;
    guint n = memory_slope_count(memory, since);

    if (n < 2)
        return;
    double slope = memory_slope_get(memory, since);
    g_test_message("allocated after %.0f s: %+.1f kB an hour", since,
                   memory_slope_get_allocated(memory, since) * 3600 / 1024);
    g_test_message("memory after %.0f s: %+.1f kB an hour by %u samples, "
                   "limit %.0f%s",
                   since, slope * 3600 / 1024, n, MAX_SLOPE * 3600 / 1024,
                   seconds >= JUDGED_S ? "" : ", not asked for so early");
    if (seconds >= JUDGED_S)
        g_assert_cmpfloat(slope, <, MAX_SLOPE);
}

// The element has taken no harm: frames go through, and a result is made.
static void
check_health(Stress *s)
{
    GRand *rand = g_rand_new_with_seed(1);
    int kind;

    begin(s, 0, "checking the element");
    gst_element_set_state(s->element, GST_STATE_NULL);
    // Until then frames may still be on their way.
    int before = g_atomic_int_get(&s->n_received);
    g_object_set(s->element, "mode", 1, "hold", 0, "clip-length", 2,
                 "clip-stride", 0, "frame-rate", 0, 1, "latency", 60000u,
                 "regions", "", "inference-region", 0, NULL);
    gst_element_set_state(s->element, GST_STATE_PLAYING);
    push_start(s, rand, &kind);
    for (int i = 0; i < 4; i++)
        g_assert_cmpint(push_frame(s, kind, i), ==, GST_FLOW_OK);
    push_query(s, kind, false);
    g_assert_cmpint(g_atomic_int_get(&s->n_received) - before, ==, 4);
    g_assert_cmpuint(get_stat(s->element, "clips"), ==, 2);
    g_rand_free(rand);
}

static void
tear_down(Stress *s)
{
    gst_element_set_state(s->element, GST_STATE_NULL);
    gst_element_set_bus(s->element, NULL);
    gst_pad_set_active(s->src, FALSE);
    gst_pad_set_active(s->sink, FALSE);
    gst_object_unref(s->e_sink);
    gst_object_unref(s->e_src);
    gst_object_unref(s->element);
    gst_object_unref(s->src);
    gst_object_unref(s->sink);
    g_mutex_clear(&s->pushing);
}

static const char *
get_variable(const char *name, const char *otherwise)
{
    const char *value = g_getenv(name);

    return value && *value ? value : otherwise;
}

static void
survives_everything_at_once(void)
{
    g_autofree char *random = g_strdup_printf("%u", g_random_int());
    const char *seed = get_variable("PE_STRESS_SEED", random);
    const char *seconds = get_variable("PE_STRESS_SECONDS", "5");
    GRand *rand = g_rand_new_with_seed((guint32)strtoul(seed, NULL, 10));
    g_autoptr(GTimer) timer = g_timer_new();
    double end = atoi(seconds), resting = 0;
    MemorySlope memory = {0};
    Stress s;

    g_test_message("PE_STRESS_SEED=%s PE_STRESS_SECONDS=%s", seed, seconds);
    is_live = g_rand_boolean(rand);
    set_up(&s);
    s.seed = g_rand_int(rand);
    GThread *watcher = g_thread_new("watch", watch, &s);
    GThread *pusher = g_thread_new("push", run_pusher, &s);
    for (double now = 0; now < end; now = g_timer_elapsed(timer, NULL)) {
        if (now >= resting) {
            rest(&s, &memory, now);
            resting = now + REST_S;
        }
        control(&s, rand);
    }
    begin(&s, 0, "waiting for the other");
    g_atomic_int_set(&s.stopping, 1);
    g_thread_join(pusher);
    g_test_message("%d steps, %d frames received", s.n_done,
                   g_atomic_int_get(&s.n_received));
    check_health(&s);
    tear_down(&s);
    g_atomic_int_set(&s.ended, 1);
    g_thread_join(watcher);
    check_memory(&memory, end);
    memory_slope_clear(&memory);
    g_rand_free(rand);
}

static void
add_tests(void)
{
    g_test_add_func("/stress/all", survives_everything_at_once);
}

int
main(int argc, char **argv)
{
    return run_gst_tests(argc, argv, add_tests);
}
