// SPDX-License-Identifier: LGPL-2.1-or-later
//
// queue_plan.c - see queue_plan.h. Running by deadlines is the best order while
// all of them can be met, and the worst when they cannot: every job is then
// finished a little late. So a plan of all that is queued is made first. If it
// fails, jobs run in fair shares until the queue has been empty: a stream that
// asks for little gets all of it, and those that ask for more get equal shares.
//
// Sources: Liu, Layland 1973, "Scheduling algorithms for multiprogramming in a
// hard-real-time environment" (deadlines); Bertsekas, Gallager 1992, "Data
// Networks", 6.5.2 (max-min fair shares).

#include "queue_plan.h"

#include "queue_order.h"

// The largest batch out of n jobs that is ready by `due`; 0: none is. A batch
// that closed for this deadline ends about then, so a little later is in time.
static int
find_size(const PeQueue *q, int n, int64_t now, int64_t due)
{
    for (n = MIN(n, q->batch_size); n > 0 && due != INT64_MAX; n--) {
        int64_t us = pe_batch_times_get(q->times, n);
        if (now + us - us / 4 <= due)
            break;
    }
    return n;
}

static int
compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

// The deadlines of all queued jobs that have one, earliest first.
static GArray *
list_dues(const PeQueue *q)
{
    GArray *dues = g_array_new(FALSE, FALSE, sizeof(int64_t));
    for (const GList *l = pe_client_order_list(q->order); l; l = l->next) {
        const PeClient *client = l->data;
        for (const GList *j = client->jobs.head; j; j = j->next) {
            const PeJob *job = j->data;
            if (job->due != INT64_MAX)
                g_array_append_val(dues, job->due);
        }
    }
    g_array_sort(dues, compare_times);
    return dues;
}

// The size of the next batch when jobs run by their deadlines, each batch as
// large as its first deadline allows; jobs without a deadline fill it up. 0:
// some job would be late.
static int
plan_by_deadline(const PeQueue *q, int64_t now)
{
    g_autoptr(GArray) dues = list_dues(q);
    int first = MIN(q->n_queued, q->batch_size), size;
    for (int i = 0; i < (int)dues->len; i += size) {
        size =
            find_size(q, q->n_queued - i, now, g_array_index(dues, int64_t, i));
        if (size == 0)
            return 0;
        if (i == 0)
            first = size;
        now += pe_batch_times_get(q->times, size);
    }
    return first;
}

// Returns whether jobs ended.
static bool
refuse_late(PeQueue *q, int64_t now)
{
    int64_t ready =
        now + pe_batch_times_get(q->times, MIN(q->n_queued, q->batch_size));
    const GList *next;
    for (const GList *l = pe_client_order_list(q->order); l; l = next) {
        next = l->next;
        PeClient *client = l->data;
        // A batch is not made smaller by this: it would not end earlier.
        while (client->max_queued > 0 && client->jobs.length > 1 &&
               q->n_queued > q->batch_size) {
            PeJob *job = g_queue_peek_head(&client->jobs);
            if (ready <= job->times.deadline)
                break;
            pe_job_refuse_locked(job, "the device is too slow for this job "
                                      "and the newer one behind it");
        }
    }
    g_cond_broadcast(&q->changed);
    return !g_queue_is_empty(&q->ended);
}

bool
pe_queue_plan_locked(PeQueue *q, int64_t now, int *size)
{
    int planned = q->overloaded ? 0 : plan_by_deadline(q, now);
    *size = planned;
    if (q->n_queued == 0 || planned > 0)
        return true;
    q->overloaded = true;
    if (refuse_late(q, now))
        return false;
    *size = MIN(q->n_queued, q->batch_size);
    return true;
}

// First who can be in time, then who is late, then who has no deadline. A job
// that could never have been in time keeps its turn: its stream would get
// nothing at all otherwise.
static int
get_rank(const PeJob *job, int64_t now, int64_t us)
{
    const PeJobTimes *t = &job->times;
    if (t->deadline == INT64_MAX)
        return 2;
    return now + us > t->deadline && t->submitted + us <= t->deadline;
}

PeClient *
pe_queue_next_locked(const PeQueue *q, int64_t now, int size)
{
    if (!q->overloaded)
        return pe_client_order_peek(q->order);
    int64_t us = pe_batch_times_get(q->times, size);
    PeClient *best = NULL;
    int best_rank = 0;
    for (const GList *l = pe_client_order_list(q->order); l; l = l->next) {
        PeClient *client = l->data;
        int rank = get_rank(client->jobs.head->data, now, us);
        if (best && (rank > best_rank ||
                     (rank == best_rank && best->turn <= client->turn)))
            continue;
        best = client;
        best_rank = rank;
    }
    return best;
}
