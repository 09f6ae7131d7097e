// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_threads.c - every task runs once, lanes never meet, and nobody waits
// for a thread that has no task.

#include "core/base/threads.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 10000

typedef struct {
    int calls[MANY];  // atomic
    int in_lane[16];  // atomic
    int most_at_once; // atomic
    int at_once;      // atomic
} Record;

static void
note(void *data, int task, int lane)
{
    Record *r = data;
    g_atomic_int_inc(&r->calls[task]);
    g_assert_cmpint(g_atomic_int_add(&r->in_lane[lane], 1), ==, 0);
    int now = g_atomic_int_add(&r->at_once, 1) + 1;
    int most;
    while ((most = g_atomic_int_get(&r->most_at_once)) < now &&
           !g_atomic_int_compare_and_exchange(&r->most_at_once, most, now))
        ;
    g_atomic_int_add(&r->at_once, -1);
    g_atomic_int_add(&r->in_lane[lane], -1);
}

static void
runs_every_task_once(void)
{
    static const int sizes[][2] = {{1, MANY}, {2, MANY}, {4, 3},   {16, 17},
                                   {3, 1},    {2, 0},    {8, MANY}};
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree Record *r = g_new0(Record, 1);
        pe_threads_run(sizes[i][0], sizes[i][1], note, r);
        for (int t = 0; t < MANY; t++)
            g_assert_cmpint(r->calls[t], ==, t < sizes[i][1]);
        g_assert_cmpint(r->most_at_once, <=, sizes[i][0]);
    }
}

static int
count_threads(void)
{
    GDir *dir = g_dir_open("/proc/self/task", 0, NULL);
    int n = 0;
    while (g_dir_read_name(dir))
        n++;
    g_dir_close(dir);
    return n;
}

// With the first thread, ThreadSanitizer starts one of its own.
#ifdef __SANITIZE_THREAD__
#define SANITIZERS 1
#else
#define SANITIZERS 0
#endif

// The first test, while the process has no threads for loops.
static void
starts_no_more_threads_than_its_caller_may_use(void)
{
    int before = count_threads();
    for (int limit = 1; limit <= 3; limit++) {
        g_autofree Record *r = g_new0(Record, 1);
        pe_threads_limit(limit);
        pe_threads_run(8, MANY, note, r);
        for (int t = 0; t < MANY; t++)
            g_assert_cmpint(r->calls[t], ==, 1);
        g_assert_cmpint(r->most_at_once, <=, limit);
        g_assert_cmpint(count_threads() - before, ==,
                        limit > 1 ? limit - 1 + SANITIZERS : 0);
    }
    pe_threads_limit(0);
}

static void
runs_many_short_loops(void)
{
    g_autofree Record *r = g_new0(Record, 1);
    for (int i = 0; i < 20000; i++)
        pe_threads_run(4, 8, note, r);
    for (int t = 0; t < 8; t++)
        g_assert_cmpint(r->calls[t], ==, 20000);
}

static void *
run_loops(void *data)
{
    for (int i = 0; i < 2000; i++) {
        g_autofree Record *r = g_new0(Record, 1);
        pe_threads_run(3, 20, note, r);
        for (int t = 0; t < 20; t++)
            g_assert_cmpint(r->calls[t], ==, 1);
    }
    return NULL;
}

static void
serves_several_callers_at_once(void)
{
    GThread *callers[4];
    for (size_t i = 0; i < G_N_ELEMENTS(callers); i++)
        callers[i] = g_thread_new("caller", run_loops, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(callers); i++)
        g_thread_join(callers[i]);
}

// A task that another thread is stuck in.
typedef struct {
    GMutex lock;
    GCond cond;
    bool inside; // somebody else is in the task
    bool done;   // of the other tasks
} Stuck;

static void
get_stuck_elsewhere(void *data, int task, int lane)
{
    Stuck *s = data;
    g_mutex_lock(&s->lock);
    if (lane != 0) {
        s->inside = true;
        g_cond_broadcast(&s->cond);
        while (!s->done)
            g_cond_wait(&s->cond, &s->lock);
    } else if (task == 99) {
        s->done = true;
        g_cond_broadcast(&s->cond);
    } else {
        while (!s->inside)
            g_cond_wait(&s->cond, &s->lock);
    }
    g_mutex_unlock(&s->lock);
}

// Ends only with the help of another thread.
static bool
run_with_help(void)
{
    Stuck s = {.inside = false};
    g_mutex_init(&s.lock);
    g_cond_init(&s.cond);
    pe_threads_run(2, 100, get_stuck_elsewhere, &s);
    g_mutex_clear(&s.lock);
    g_cond_clear(&s.cond);
    return s.done;
}

// With shares of equal size the caller would have to wait for half of them.
static void
gives_a_late_thread_less_to_do(void)
{
    g_assert_true(run_with_help());
}

static void *
run_until_stopped(void *stop)
{
    Record *r = g_new0(Record, 1);
    while (!g_atomic_int_get((int *)stop))
        pe_threads_run(4, 50, note, r);
    g_free(r);
    return NULL;
}

// While others have the lock, and loops that the child must not touch.
static void
has_threads_in_a_child_of_fork(void)
{
#ifdef __SANITIZE_THREAD__
    g_test_skip("the sanitizer starts no threads in such a child");
    return;
#endif
    int stop = 0;
    GThread *caller = g_thread_new("caller", run_until_stopped, &stop);
    g_assert_true(run_with_help());
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(60);
            _exit(run_with_help() ? 0 : 1);
        }
        int status = -1;
        g_assert_cmpint(waitpid(child, &status, 0), ==, child);
        g_assert_cmpint(status, ==, 0);
    }
    g_atomic_int_set(&stop, 1);
    g_thread_join(caller);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/threads/limit",
                    starts_no_more_threads_than_its_caller_may_use);
    g_test_add_func("/threads/once", runs_every_task_once);
    g_test_add_func("/threads/short", runs_many_short_loops);
    g_test_add_func("/threads/callers", serves_several_callers_at_once);
    g_test_add_func("/threads/late", gives_a_late_thread_less_to_do);
    g_test_add_func("/threads/fork", has_threads_in_a_child_of_fork);
    return g_test_run();
}
