// SPDX-License-Identifier: LGPL-2.1-or-later
//
// threads.h - loops that are shared out over the cores. One set of threads
// serves the whole process, however many engines and elements it has. Private
// to core.
//
// A thread takes the next task when it has finished one, so a core that a
// neighbour holds simply gets less to do. Whoever starts a loop works on it
// itself and never waits for a thread to wake up, only for tasks that another
// one has begun. Threads without work spin for some microseconds, then sleep.

#pragma once

// Called for each task once; calls that run at the same time have different
// lanes.
typedef void (*PeTaskFunc)(void *data, int task, int lane);

// Call `func` for the tasks 0..n_tasks - 1 on this thread and at most
// n_threads - 1 others; lanes are 0..n_threads - 1, this thread's is 0. Returns
// when all have ended. Any thread, several at the same time, also in a child of
// fork(); a task may neither fork nor start a loop of more than one thread.
void pe_threads_run(int n_threads, int n_tasks, PeTaskFunc func, void *data);

// Loops that the calling thread starts from now on take at most this many
// threads, itself among them, whatever they ask for. 0: no limit.
void pe_threads_limit(int n_threads);
