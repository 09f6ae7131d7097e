// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_schedule.c - many streams on one device, below and above what it can
// do: a simulation with a clock of its own and a device that takes as long as
// it is told. Nothing here waits.

#include "core/queue/queue.h"

#include <math.h>

#define SECOND 1000000 // us
#define SECONDS 60     // that count
#define BATCH 8
#define MAX_STREAMS 1024

// A batch of n images takes FIXED_US + n * IMAGE_US.
#define FIXED_US 2000
#define IMAGE_US 1000
#define CAPACITY (BATCH * (double)SECOND / (FIXED_US + BATCH * IMAGE_US))

typedef struct {
    PeClient *client;
    int64_t period; // us between two samples; 0: an archive, always ready
    int64_t next;   // sample
    GQueue due;     // deadlines of the jobs that have not ended, oldest first
    int n_asked, n_in_time, n_done;
} Stream;

typedef struct {
    PeQueue *queue;
    GRand *random;
    Stream streams[MAX_STREAMS];
    int n;
    int64_t now, warm; // nothing counts before
} World;

static World *world; // of the callback

static void
on_done(PeJob *job, void *data)
{
    Stream *s = data;
    int64_t due = *(int64_t *)g_queue_peek_head(&s->due);
    g_free(g_queue_pop_head(&s->due));
    if (world->now < world->warm)
        return;
    s->n_asked++;
    if (!pe_job_get_embedding(job, NULL))
        return;
    s->n_done++;
    s->n_in_time += world->now <= due;
}

static World *
world_new(uint32_t seed)
{
    world = g_new0(World, 1);
    world->queue = pe_queue_new(1, BATCH, 0);
    world->random = g_rand_new_with_seed(seed);
    world->warm = 2 * (int64_t)SECOND;
    return world;
}

// n streams with so many samples a second; at most `queued` wait.
static void
add_streams(World *w, int n, double rate, int queued)
{
    for (int i = 0; i < n; i++) {
        g_assert_cmpint(w->n, <, MAX_STREAMS);
        Stream *s = &w->streams[w->n++];
        s->client = pe_queue_add_client(w->queue, on_done, s);
        s->period = rate > 0 ? (int64_t)(SECOND / rate) : 0;
        s->next = g_rand_int_range(w->random, 0, MAX(1, (int)s->period));
        pe_client_set_max_queued(s->client, queued);
    }
}

static void
submit(World *w, Stream *s)
{
    PeSlot *slot = pe_queue_get_slot(w->queue);
    PeJob *job;
    PeJobTimes times = {s->next, s->period ? s->next + s->period : INT64_MAX,
                        INT64_MAX};
    if (!slot)
        slot = (PeSlot *)g_malloc(1);
    g_queue_push_tail(&s->due,
                      g_memdup2(&times.deadline, sizeof times.deadline));
    g_assert_true(pe_queue_push(s->client, &slot, 1, &times, &job, NULL));
    pe_job_unref(job);
}

// All samples that are taken until now.
static void
submit_until(World *w, int64_t now)
{
    for (int i = 0; i < w->n; i++) {
        Stream *s = &w->streams[i];
        while (s->period && s->next <= now) {
            submit(w, s);
            // Cameras are not quite regular.
            s->next +=
                s->period + g_rand_int_range(w->random, -(int)s->period / 50,
                                             (int)s->period / 50 + 1);
        }
        while (!s->period && pe_client_count_queued(s->client) < 2 * BATCH) {
            s->next = now;
            submit(w, s);
        }
    }
}

static int64_t
first_sample(const World *w)
{
    int64_t first = INT64_MAX;
    for (int i = 0; i < w->n; i++) {
        if (w->streams[i].period)
            first = MIN(first, w->streams[i].next);
    }
    return first;
}

static void
run(World *w)
{
    static const float results[BATCH];
    int64_t end = w->warm + SECONDS * (int64_t)SECOND;
    while (w->now < end) {
        PeJob *jobs[BATCH];
        int64_t wake;
        submit_until(w, w->now);
        int n = pe_queue_take(w->queue, w->now, jobs, &wake);
        if (n == 0) {
            w->now = MIN(wake, first_sample(w));
            continue;
        }
        int64_t us = FIXED_US + (int64_t)n * IMAGE_US;
        submit_until(w, w->now + us - 1); // while it runs
        w->now += us;
        pe_queue_add_time(w->queue, n, us);
        pe_queue_finish(w->queue, jobs, n, results, NULL);
    }
}

static void
world_free(World *w)
{
    for (int i = 0; i < w->n; i++) {
        pe_queue_remove_client(w->streams[i].client);
        g_queue_clear_full(&w->streams[i].due, g_free);
    }
    // What was refused since the last batch ends now.
    PeJob *jobs[BATCH];
    int64_t wake;
    g_assert_cmpint(pe_queue_take(w->queue, w->now, jobs, &wake), ==, 0);
    PeSlot *slot;
    while ((slot = pe_queue_get_slot(w->queue)))
        g_free(slot);
    pe_queue_unref(w->queue);
    g_rand_free(w->random);
    g_free(w);
}

// ---- What came out --------------------------------------------------------

static double
count(const World *w, size_t offset)
{
    double sum = 0;
    for (int i = 0; i < w->n; i++)
        sum += G_STRUCT_MEMBER(int, &w->streams[i], offset);
    return sum;
}
#define COUNT(w, member) count(w, G_STRUCT_OFFSET(Stream, member))

// Shares min(asked, level) add up to what was done.
static double
find_level(const World *w)
{
    double low = 0, high = COUNT(w, n_done), done = high;
    for (int k = 0; k < 60; k++) {
        double level = (low + high) / 2, sum = 0;
        for (int i = 0; i < w->n; i++)
            sum += MIN(w->streams[i].n_asked, level);
        *(sum < done ? &low : &high) = level;
    }
    return low;
}

// How far the worst stream is from its max-min fair share, as a part of it.
static double
find_worst_share(const World *w)
{
    double level = find_level(w), worst = 0;
    for (int i = 0; i < w->n; i++) {
        double fair = MIN(level, w->streams[i].n_asked);
        worst = MAX(worst, fabs(w->streams[i].n_done / fair - 1));
    }
    return worst;
}

// ---- Cases ----------------------------------------------------------------

typedef struct {
    const char *name;
    void (*add)(World *w, double load, int queued);
} Shape;

static void
add_equal(World *w, double load, int queued)
{
    add_streams(w, (int)(CAPACITY / 10 * load), 10, queued);
}

static void
add_fast(World *w, double load, int queued)
{
    add_streams(w, (int)(CAPACITY / 30 * load), 30, queued);
}

static void
add_mixed(World *w, double load, int queued)
{
    add_streams(w, (int)(10 * load), 30, queued);
    add_streams(w, (int)(60 * load), 5, queued);
    add_streams(w, (int)(100 * load), 2, queued);
}

// One stream wants half of the device, at a rate that it cannot follow.
static void
add_greedy(World *w, double load, int queued)
{
    add_streams(w, 1, CAPACITY / 2 * load, queued);
    add_streams(w, (int)(CAPACITY / 20 * load), 10, queued);
}

static const Shape shapes[] = {
    {"equal", add_equal},
    {"fast", add_fast},
    {"mixed", add_mixed},
    {"greedy", add_greedy},
};

static void
tell(const World *w, const Shape *shape, double load, int queued)
{
    double full = CAPACITY * SECONDS;
    g_test_message("load %g, %s, %d queued: asked %.3f of what the device can "
                   "do, done %.3f, in time %.3f, worst share off by %.1f %%",
                   load, shape->name, queued, COUNT(w, n_asked) / full,
                   COUNT(w, n_done) / full, COUNT(w, n_in_time) / full,
                   100 * find_worst_share(w));
}

static void
meets_all_deadlines_below_its_capacity(void)
{
    for (int i = 0; i < 3; i++) {
        for (int queued = 1; queued <= 8; queued *= 2) {
            World *w = world_new((uint32_t)queued);
            shapes[i].add(w, 0.95, queued);
            run(w);
            tell(w, &shapes[i], 0.95, queued);
            g_assert_cmpfloat(COUNT(w, n_asked), >, 0);
            g_assert_cmpfloat(COUNT(w, n_in_time), ==, COUNT(w, n_asked));
            world_free(w);
        }
    }
}

static void
shares_what_it_can_do_above_it(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(shapes); i++) {
        for (int queued = 2; queued <= 8; queued *= 2) {
            World *w = world_new((uint32_t)queued);
            shapes[i].add(w, 2, queued);
            run(w);
            tell(w, &shapes[i], 2, queued);
            g_assert_cmpfloat(COUNT(w, n_in_time), >=,
                              0.95 * CAPACITY * SECONDS);
            g_assert_cmpfloat(find_worst_share(w), <=, 0.05);
            world_free(w);
        }
    }
}

// It never takes back what it is given, and has hundreds of jobs queued.
static void
lets_no_archive_harm_a_camera(void)
{
    World *w = world_new(7);
    add_mixed(w, 0.8, 2);
    add_streams(w, 3, 0, 0);
    run(w);
    double cameras = 0, in_time = 0, done = COUNT(w, n_done);
    for (int i = 0; i < w->n; i++) {
        cameras += w->streams[i].period ? w->streams[i].n_asked : 0;
        in_time += w->streams[i].period ? w->streams[i].n_in_time : 0;
    }
    g_test_message("cameras ask %.3f of what the device can do, in time %.5f "
                   "of it; together %.3f",
                   cameras / CAPACITY / SECONDS, in_time / cameras,
                   done / CAPACITY / SECONDS);
    g_assert_cmpfloat(in_time, ==, cameras);
    g_assert_cmpfloat(done, >=, 0.99 * CAPACITY * SECONDS);
    world_free(w);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/schedule/below", meets_all_deadlines_below_its_capacity);
    g_test_add_func("/schedule/above", shares_what_it_can_do_above_it);
    g_test_add_func("/schedule/archive", lets_no_archive_harm_a_camera);
    return g_test_run();
}
