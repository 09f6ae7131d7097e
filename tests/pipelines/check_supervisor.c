// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_supervisor.c - streams that fail in all ways, by a clock of the test's
// own. Nothing here waits.

#include "pipelines/live/supervisor.h"

#define SECOND G_USEC_PER_SEC
#define TICK (SECOND / 20)

// A stream and what is simulated around it.
typedef struct {
    Supervisor supervisor;
    gint64 now, prepared, last_frame;
    bool closes; // at once, when it is told to
    int n_started, n_abandoned;
    gint64 starts[1000];
} World;

static World
world_new(guint32 seed)
{
    const SupervisorLimits limits = SUPERVISOR_LIMITS;
    World w = {.now = 1000 * (gint64)SECOND, .closes = true};
    supervisor_init(&w.supervisor, &limits, seed, w.now);
    return w;
}

static void
act(World *w, Action action)
{
    if (action == DO_START) {
        w->starts[w->n_started++] = w->now;
        w->prepared = w->last_frame = 0;
    } else if (action == DO_STOP && w->closes) {
        supervisor_closed(&w->supervisor);
    } else if (action == DO_ABANDON) {
        w->n_abandoned++;
    }
}

static void
run(World *w, double seconds, bool frames)
{
    gint64 end = w->now + (gint64)(seconds * SECOND);
    for (; w->now < end; w->now += TICK) {
        if (w->supervisor.phase == PHASE_OPEN) {
            if (!w->prepared)
                w->prepared = w->now;
            if (frames)
                w->last_frame = w->now;
        }
        act(w, supervisor_tick(&w->supervisor, w->now, w->prepared,
                               w->last_frame));
    }
}

static void
fail(World *w, Reason reason, FaultKind kind)
{
    act(w, supervisor_fault(&w->supervisor, w->now, reason, kind));
}

static void
notices_a_stream_that_stops(void)
{
    World w = world_new(1);
    run(&w, 10, true);
    g_assert_cmpint(w.supervisor.status, ==, STATUS_RUNNING);
    gint64 last = w.last_frame;
    while (w.supervisor.status == STATUS_RUNNING)
        run(&w, 0.05, false);
    double after = (double)(w.now - last) / SECOND;
    g_test_message("noticed after %.2f s, limit 3.5", after);
    g_assert_cmpfloat(after, >=, 3);
    g_assert_cmpfloat(after, <=, 3.5);
    g_assert_cmpint(w.supervisor.reason, ==, REASON_TIMEOUT);
    g_assert_cmpint(w.supervisor.n_restarts[REASON_TIMEOUT], ==, 1);
    supervisor_clear(&w.supervisor);
}

// The model may take long to load, and a camera to answer.
static void
gives_time_to_start(void)
{
    World w = world_new(2);
    act(&w, supervisor_tick(&w.supervisor, w.now, 0, 0));
    w.now += 59 * (gint64)SECOND;
    g_assert_cmpint(supervisor_tick(&w.supervisor, w.now, 0, 0), ==,
                    DO_NOTHING);
    g_assert_cmpint(
        supervisor_tick(&w.supervisor, w.now, w.now - 9 * SECOND, 0), ==,
        DO_NOTHING);
    g_assert_cmpint(
        supervisor_tick(&w.supervisor, w.now, w.now - 10 * SECOND, 0), ==,
        DO_STOP);
    supervisor_clear(&w.supervisor);
}

static void
waits_longer_and_longer(void)
{
    for (guint32 seed = 0; seed < 100; seed++) {
        World w = world_new(seed);
        for (int i = 0; i < 12; i++) {
            act(&w, supervisor_tick(&w.supervisor, w.now, 0, 0));
            g_assert_cmpint(w.n_started, ==, i + 1);
            fail(&w, REASON_ERROR, FAULT_USUAL);
            double wait = (double)(w.supervisor.next_start - w.now) / SECOND;
            double usual = i < 5 ? 1 << i : 30;
            g_assert_cmpfloat(wait, >=, 0.75 * usual);
            g_assert_cmpfloat(wait, <=, MIN(1.25 * usual, 30));
            w.now = w.supervisor.next_start;
        }
        supervisor_clear(&w.supervisor);
    }
}

static void
begins_anew_after_success(void)
{
    World w = world_new(3);
    for (int i = 0; i < 6; i++) {
        run(&w, 60, false);
        fail(&w, REASON_ERROR, FAULT_USUAL);
    }
    run(&w, 40, true);
    g_assert_cmpint(w.supervisor.status, ==, STATUS_RUNNING);
    fail(&w, REASON_EOS, FAULT_USUAL);
    double wait = (double)(w.supervisor.next_start - w.now) / SECOND;
    g_test_message("waits %.2f s, limit 1.25", wait);
    g_assert_cmpfloat(wait, <=, 1.25);
    supervisor_clear(&w.supervisor);
}

// Killed every five seconds, and then away for one and a half.
static void
is_back_soon_however_often_a_server_is_killed(void)
{
    for (guint32 seed = 0; seed < 100; seed++) {
        World w = world_new(seed);
        run(&w, 5, true);
        for (int i = 0; i < 50; i++) {
            gint64 killed = w.now, returned = killed + 3 * SECOND / 2;
            gint64 first = 0;
            fail(&w, REASON_ERROR, FAULT_USUAL);
            while (w.now < killed + 5 * (gint64)SECOND) {
                bool there = w.now >= returned;
                if (!there && w.supervisor.phase == PHASE_OPEN)
                    fail(&w, REASON_ERROR, FAULT_USUAL);
                run(&w, 0.05, there);
                if (first == 0 && w.last_frame >= returned)
                    first = w.last_frame;
            }
            g_assert_cmpint(first, >, 0);
            g_assert_cmpint(first - returned, <=, 3 * SECOND);
        }
        supervisor_clear(&w.supervisor);
    }
}

static void
tries_a_wrong_password_ten_times_a_minute_at_most(void)
{
    for (guint32 seed = 0; seed < 100; seed++) {
        World w = world_new(seed);
        while (w.now < 1600 * (gint64)SECOND) {
            run(&w, 0.05, false);
            fail(&w, REASON_ERROR, FAULT_LOGIN);
        }
        for (int i = 0; i + 10 < w.n_started; i++)
            g_assert_cmpint(w.starts[i + 10] - w.starts[i], >=, 60 * SECOND);
        g_assert_cmpint(w.n_started, >=, 16);
        supervisor_clear(&w.supervisor);
    }
}

static void
goes_on_without_what_hangs(void)
{
    World w = world_new(4);
    w.closes = false;
    run(&w, 600, false);
    g_assert_cmpint(w.n_abandoned, ==, 3);
    g_assert_cmpint(w.n_started, ==, 4);
    g_assert_true(w.supervisor.stuck);
    // One of them ends after all.
    supervisor_abandoned_closed(&w.supervisor);
    run(&w, 60, false);
    g_assert_cmpint(w.n_started, ==, 5);
    supervisor_clear(&w.supervisor);
}

static void
ends_for_good(void)
{
    World w = world_new(5);
    run(&w, 5, true);
    fail(&w, REASON_EOS, FAULT_FINAL);
    run(&w, 100, true);
    g_assert_cmpint(w.supervisor.status, ==, STATUS_STOPPED);
    g_assert_cmpint(w.supervisor.reason, ==, REASON_EOS);
    g_assert_cmpint(w.supervisor.phase, ==, PHASE_DONE);
    g_assert_cmpint(w.n_started, ==, 1);
    // Stopped again, as with all others, it keeps its reason.
    act(&w, supervisor_stop(&w.supervisor, w.now));
    g_assert_cmpint(w.supervisor.reason, ==, REASON_EOS);
    supervisor_clear(&w.supervisor);

    w = world_new(6);
    run(&w, 5, false);
    fail(&w, REASON_ERROR, FAULT_USUAL);
    act(&w, supervisor_stop(&w.supervisor, w.now));
    run(&w, 100, true);
    g_assert_cmpint(w.n_started, ==, 1);
    supervisor_clear(&w.supervisor);
}

static void
plays_a_file_again_at_once(void)
{
    World w = world_new(7);
    run(&w, 5, true);
    fail(&w, REASON_EOS, FAULT_AGAIN);
    run(&w, 0.1, true);
    g_assert_cmpint(w.n_started, ==, 2);
    supervisor_clear(&w.supervisor);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/supervisor/watchdog", notices_a_stream_that_stops);
    g_test_add_func("/supervisor/start", gives_time_to_start);
    g_test_add_func("/supervisor/delays", waits_longer_and_longer);
    g_test_add_func("/supervisor/success", begins_anew_after_success);
    g_test_add_func("/supervisor/killed",
                    is_back_soon_however_often_a_server_is_killed);
    g_test_add_func("/supervisor/login",
                    tries_a_wrong_password_ten_times_a_minute_at_most);
    g_test_add_func("/supervisor/hang", goes_on_without_what_hangs);
    g_test_add_func("/supervisor/end", ends_for_good);
    g_test_add_func("/supervisor/again", plays_a_file_again_at_once);
    return g_test_run();
}
