// SPDX-License-Identifier: LGPL-2.1-or-later
//
// threads.c - see threads.h.
//
// DESIGN
//
// Loops that still have lanes to give stand in a list. An idle thread takes a
// lane of the first, works until no task is left, and leaves. The caller does
// the same as lane 0, then takes its loop from the list and waits until the
// threads that have joined have left: they are in the middle of a task, because
// nobody joins a loop without tasks. So a thread that the system has not yet
// woken costs nothing, and a thread that the system has put aside costs the
// rest of its one task.
//
// Threads are started when a loop first asks for more than there are, and live
// as long as the process. A child of fork() has none of them, nor the loops of
// its parent's other threads, and starts its own.

#include "threads.h"

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

// Pauses before a thread sleeps: tens of microseconds, less than it takes to
// wake one up, and longer than the gaps between the loops of a tower.
#define SPINS 2000

typedef struct Loop Loop;
struct Loop {
    PeTaskFunc func;
    void *data;
    int n_tasks;
    int n_lanes;
    int next_task; // atomic
    int n_joined;  // atomic, changed under the lock
    int next_lane; // under the lock
    Loop *next;    // in `loops`, under the lock
};

static struct {
    GMutex lock;
    GCond work; // for sleeping threads: there is a loop
    GCond left; // for callers: a thread has left a loop
    Loop *loops;
    int n_threads;
    int n_asleep;
    int n_loops; // atomic, changed under the lock; for who spins
} threads;

static _Thread_local int limit; // of loops that this thread starts; 0: none

static inline void
pause_core(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

static void
work_on(Loop *loop, int lane)
{
    int task;
    while ((task = g_atomic_int_add(&loop->next_task, 1)) < loop->n_tasks)
        loop->func(loop->data, task, lane);
}

static void
unlist_locked(Loop *loop)
{
    for (Loop **l = &threads.loops; *l; l = &(*l)->next) {
        if (*l == loop) {
            *l = loop->next;
            g_atomic_int_add(&threads.n_loops, -1);
            return;
        }
    }
}

// A lane of a loop that has tasks left, or NULL.
static Loop *
join_locked(int *lane)
{
    Loop *loop;
    while ((loop = threads.loops)) {
        bool has_tasks = g_atomic_int_get(&loop->next_task) < loop->n_tasks;
        if (has_tasks) {
            *lane = loop->next_lane++;
            g_atomic_int_inc(&loop->n_joined);
        }
        if (!has_tasks || loop->next_lane == loop->n_lanes)
            unlist_locked(loop);
        if (has_tasks)
            return loop;
    }
    return NULL;
}

static void
leave_locked(Loop *loop)
{
    if (g_atomic_int_dec_and_test(&loop->n_joined))
        g_cond_broadcast(&threads.left);
}

static void
spin_for_a_loop(void)
{
    for (int i = 0; i < SPINS && g_atomic_int_get(&threads.n_loops) == 0; i++)
        pause_core();
}

static void *
thread_main(void *unused)
{
    for (;;) {
        int lane;
        spin_for_a_loop();
        g_mutex_lock(&threads.lock);
        Loop *loop;
        while (!(loop = join_locked(&lane))) {
            threads.n_asleep++;
            g_cond_wait(&threads.work, &threads.lock);
            threads.n_asleep--;
        }
        g_mutex_unlock(&threads.lock);
        work_on(loop, lane);
        g_mutex_lock(&threads.lock);
        leave_locked(loop);
        g_mutex_unlock(&threads.lock);
    }
    return NULL;
}

// The lock may be held by a thread that the child does not have. A lock of GLib
// that is all zero is free.
static void
forget_in_child(void)
{
    memset(&threads, 0, sizeof threads);
}

// Without enough threads the caller does more itself.
static void
start_threads_locked(int n)
{
    static bool forgets;
    if (!forgets)
        forgets = pthread_atfork(NULL, NULL, forget_in_child) == 0;
    while (threads.n_threads < n) {
        GThread *thread = g_thread_try_new("pe-cpu", thread_main, NULL, NULL);
        if (!thread)
            return;
        g_thread_unref(thread);
        threads.n_threads++;
    }
}

static void
list_loop(Loop *loop)
{
    g_mutex_lock(&threads.lock);
    start_threads_locked(loop->n_lanes - 1);
    Loop **end = &threads.loops;
    while (*end)
        end = &(*end)->next;
    *end = loop;
    g_atomic_int_inc(&threads.n_loops);
    for (int i = MIN(threads.n_asleep, loop->n_lanes - 1); i > 0; i--)
        g_cond_signal(&threads.work);
    g_mutex_unlock(&threads.lock);
}

static void
wait_until_left(Loop *loop)
{
    for (int i = 0; i < SPINS && g_atomic_int_get(&loop->n_joined) > 0; i++)
        pause_core();
    g_mutex_lock(&threads.lock);
    unlist_locked(loop);
    while (g_atomic_int_get(&loop->n_joined) > 0)
        g_cond_wait(&threads.left, &threads.lock);
    g_mutex_unlock(&threads.lock);
}

void
pe_threads_limit(int n_threads)
{
    limit = n_threads;
}

void
pe_threads_run(int n_threads, int n_tasks, PeTaskFunc func, void *data)
{
    if (limit > 0)
        n_threads = MIN(n_threads, limit);
    Loop loop = {
        .func = func,
        .data = data,
        .n_tasks = n_tasks,
        .n_lanes = MIN(n_threads, n_tasks),
        .next_lane = 1,
    };
    if (loop.n_lanes > 1)
        list_loop(&loop);
    work_on(&loop, 0);
    if (loop.n_lanes > 1)
        wait_until_left(&loop);
}
