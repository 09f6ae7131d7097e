// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_queue.c - order, fairness and the rule that closes a batch, with
// a clock of the test's own and no threads.

#include "core/queue/queue.h"

#include <string.h>

#define BATCH 4
#define TIMEOUT 1000 // us

// Slots are only carried; these stand for them.
static PeSlot *
slot(void)
{
    return (PeSlot *)g_malloc(1);
}

typedef struct {
    PeQueue *queue;
    GString *called; // names of the clients, in order
} Fixture;

typedef struct {
    Fixture *f;
    char name;
    PeClient *client;
} User;

static void
setup(Fixture *f, const void *timeout)
{
    f->queue = pe_queue_new(1, BATCH, GPOINTER_TO_INT(timeout));
    f->called = g_string_new(NULL);
}

static void
teardown(Fixture *f, const void *unused)
{
    PeSlot *s;
    while ((s = pe_queue_get_slot(f->queue)))
        g_free(s);
    pe_queue_unref(f->queue);
    g_string_free(f->called, TRUE);
}

static void
on_done(PeJob *job, void *data)
{
    User *u = data;
    g_assert_true(pe_job_is_done(job));
    g_string_append_c(u->f->called, u->name);
}

static User
user(Fixture *f, char name)
{
    return (User){f, name, NULL};
}

static void
join(User *u)
{
    u->client = pe_queue_add_client(u->f->queue, on_done, u);
}

static PeJob *
push_times(User *u, PeSlot *s, const PeJobTimes *times)
{
    PeJob *job;
    g_assert_true(pe_queue_push(u->client, &s, 1, times, &job, NULL));
    return job;
}

static PeJob *
push_slot(User *u, PeSlot *s, int64_t now)
{
    return push_times(u, s, &(PeJobTimes){now, INT64_MAX, INT64_MAX});
}

// At time 0.
static void
push_due(User *u, int64_t deadline)
{
    pe_job_unref(push_times(u, slot(), &(PeJobTimes){0, deadline, INT64_MAX}));
}

static PeJob *
push(User *u, int64_t now)
{
    return push_slot(u, slot(), now);
}

static void
push_many(User *u, int n, int64_t now)
{
    for (int i = 0; i < n; i++)
        pe_job_unref(push(u, now));
}

// One batch as the worker would run it; results count up from `first`.
static int
run(Fixture *f, int64_t now, const GError *error)
{
    static const float results[BATCH] = {0, 1, 2, 3};
    PeJob *jobs[BATCH];
    int64_t deadline;
    int n = pe_queue_take(f->queue, now, jobs, &deadline);
    pe_queue_finish(f->queue, jobs, n, error ? NULL : results, error);
    return n;
}

static void
keeps_the_order_of_a_client(Fixture *f, const void *unused)
{
    User a = user(f, 'a');
    join(&a);
    PeJob *jobs[6];
    for (int i = 0; i < 6; i++)
        jobs[i] = push(&a, 0);
    g_assert_cmpint(run(f, 0, NULL), ==, 4);
    g_assert_cmpint(run(f, 0, NULL), ==, 2);
    for (int i = 0; i < 6; i++) {
        const float *x = pe_job_get_embedding(jobs[i], NULL);
        g_assert_cmpfloat(x[0], ==, (float)(i % 4));
        pe_job_unref(jobs[i]);
    }
    pe_queue_remove_client(a.client);
}

static void
serves_clients_in_turn(Fixture *f, const void *unused)
{
    User a = user(f, 'a'), b = user(f, 'b'), c = user(f, 'c');
    join(&a);
    join(&b);
    join(&c);
    push_many(&a, 7, 0);
    push_many(&b, 1, 0);
    push_many(&c, 2, 0);
    while (run(f, 0, NULL) > 0)
        g_string_append_c(f->called, '|');
    g_assert_cmpstr(f->called->str, ==, "abca|caaa|aa|");
    pe_queue_remove_client(a.client);
    pe_queue_remove_client(b.client);
    pe_queue_remove_client(c.client);
}

static void
serves_the_earliest_deadline_first(Fixture *f, const void *unused)
{
    User a = user(f, 'a'), b = user(f, 'b'), c = user(f, 'c');
    join(&a);
    join(&b);
    join(&c);
    push_many(&a, 3, 0);
    for (int i = 0; i < 3; i++)
        push_due(&b, 500 + i);
    for (int i = 0; i < 2; i++)
        push_due(&c, 501);
    while (run(f, 0, NULL) > 0)
        g_string_append_c(f->called, '|');
    g_assert_cmpstr(f->called->str, ==, "bcbc|baaa|");
    pe_queue_remove_client(a.client);
    pe_queue_remove_client(b.client);
    pe_queue_remove_client(c.client);
}

// Its client's other jobs are before it, so they are as urgent.
static void
lends_its_deadline_to_the_jobs_before_it(Fixture *f, const void *unused)
{
    User a = user(f, 'a'), b = user(f, 'b');
    join(&a);
    join(&b);
    push_many(&a, 2, 0);
    for (int i = 0; i < 3; i++)
        push_due(&b, 700);
    push_due(&a, 300);
    push_many(&a, 1, 0);
    while (run(f, 0, NULL) > 0)
        g_string_append_c(f->called, '|');
    g_assert_cmpstr(f->called->str, ==, "aaab|bba|");
    pe_queue_remove_client(a.client);
    pe_queue_remove_client(b.client);
}

static void
lets_nobody_wait_for_ever(Fixture *f, const void *unused)
{
    User live = user(f, 'l'), archive = user(f, 'a');
    join(&live);
    join(&archive);
    push_many(&archive, 2, 0);
    for (int i = 0; i < 11; i++) {
        for (int j = 0; j < BATCH; j++)
            push_due(&live, 100 * i);
        g_assert_cmpint(run(f, 0, NULL), ==, BATCH);
        g_string_append_c(f->called, '|');
    }
    g_assert_cmpstr(f->called->str, ==,
                    "llll|llll|llll|llll|alll|llll|llll|llll|llll|alll|llll|");
    pe_queue_remove_client(live.client);
    pe_queue_remove_client(archive.client);
}

static void
closes_a_batch_for_its_deadline(Fixture *f, const void *unused)
{
    User a = user(f, 'a'), b = user(f, 'b');
    join(&a);
    join(&b);
    PeJob *jobs[BATCH];
    int64_t wake;
    // Nobody knows how long it takes.
    push_due(&a, 900);
    g_assert_cmpint(run(f, 0, NULL), ==, 1);

    for (int i = 0; i < 15; i++)
        pe_queue_add_time(f->queue, 2, 100);
    pe_queue_add_time(f->queue, 2, 5000); // an outlier
    pe_queue_add_time(f->queue, 3, 250);
    push_due(&a, 900);
    g_assert_cmpint(pe_queue_take(f->queue, 10, jobs, &wake), ==, 0);
    g_assert_cmpint(wake, ==, 800); // 1 takes no longer than 2
    push_due(&b, INT64_MAX);
    g_assert_cmpint(pe_queue_take(f->queue, 799, jobs, &wake), ==, 0);
    g_assert_cmpint(wake, ==, 800);
    push_due(&b, 950);
    g_assert_cmpint(pe_queue_take(f->queue, 600, jobs, &wake), ==, 0);
    g_assert_cmpint(wake, ==, 650);
    g_assert_cmpint(run(f, 650, NULL), ==, 3);

    // The timeout holds, too.
    push_due(&a, 5000);
    g_assert_cmpint(run(f, TIMEOUT - 1, NULL), ==, 0);
    g_assert_cmpint(run(f, TIMEOUT, NULL), ==, 1);
    pe_queue_remove_client(a.client);
    pe_queue_remove_client(b.client);
}

static void
runs_fewer_jobs_to_be_in_time(Fixture *f, const void *unused)
{
    User a = user(f, 'a');
    join(&a);
    for (int i = 1; i <= BATCH; i++)
        pe_queue_add_time(f->queue, i, 1000 * i);
    for (int i = 0; i < 3 * BATCH; i++)
        push_due(&a, 2100 + 1000 * i);
    g_assert_cmpint(run(f, 0, NULL), ==, 2);
    // A little late is as good.
    g_assert_cmpint(run(f, 1200, NULL), ==, 3);
    // Too late for any.
    g_assert_cmpint(run(f, 90000, NULL), ==, BATCH);
    pe_queue_remove_client(a.client);
}

static void
never_runs_what_has_expired(Fixture *f, const void *unused)
{
    User a = user(f, 'a'), b = user(f, 'b');
    join(&a);
    join(&b);
    PeJob *early = push_times(&a, slot(), &(PeJobTimes){0, INT64_MAX, 300});
    PeJob *late = push_times(&a, slot(), &(PeJobTimes){0, INT64_MAX, 400});
    PeJob *gone = push_times(&b, slot(), &(PeJobTimes){0, INT64_MAX, 100});
    PeJob *batch[BATCH];
    int64_t wake;
    g_assert_cmpint(pe_queue_take(f->queue, 100, batch, &wake), ==, 0);
    g_assert_cmpint(wake, ==, 100);
    g_assert_cmpint(pe_queue_take(f->queue, 101, batch, &wake), ==, 0);
    g_assert_cmpint(wake, ==, 300);
    g_assert_true(pe_job_is_done(gone) && !pe_job_is_done(early));
    g_autoptr(GError) error = NULL;
    g_assert_null(pe_job_get_embedding(gone, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_CANCELLED);
    g_assert_cmpstr(f->called->str, ==, "b");

    pe_client_run_now(a.client);
    g_assert_cmpint(run(f, 301, NULL), ==, 1);
    g_assert_cmpstr(f->called->str, ==, "baa");
    g_assert_null(pe_job_get_embedding(early, NULL));
    g_assert_nonnull(pe_job_get_embedding(late, NULL));
    pe_job_unref(early);
    pe_job_unref(late);
    pe_job_unref(gone);
    pe_queue_remove_client(a.client);
    pe_queue_remove_client(b.client);
}

static void
closes_a_batch_when_full_or_due(Fixture *f, const void *unused)
{
    User a = user(f, 'a'), b = user(f, 'b');
    join(&a);
    join(&b);
    PeJob *jobs[BATCH];
    int64_t deadline;

    g_assert_cmpint(pe_queue_take(f->queue, 0, jobs, &deadline), ==, 0);
    g_assert_true(deadline == INT64_MAX);

    push_many(&b, 1, 100);
    push_many(&a, 1, 300);
    g_assert_cmpint(pe_queue_take(f->queue, 400, jobs, &deadline), ==, 0);
    g_assert_cmpint(deadline, ==, 100 + TIMEOUT);
    g_assert_cmpint(run(f, 100 + TIMEOUT, NULL), ==, 2);

    push_many(&a, 3, 5000);
    g_assert_cmpint(run(f, 5001, NULL), ==, 0);
    push_many(&b, 1, 5002);
    g_assert_cmpint(run(f, 5003, NULL), ==, 4);
    pe_queue_remove_client(a.client);
    pe_queue_remove_client(b.client);
}

static void
runs_now_for_one_client(Fixture *f, const void *unused)
{
    User a = user(f, 'a'), b = user(f, 'b');
    join(&a);
    join(&b);
    push_many(&a, 1, 0);
    push_many(&b, 1, 0);
    pe_client_run_now(a.client);
    g_assert_cmpint(run(f, 1, NULL), ==, 2);
    // Only what was queued then does not wait.
    push_many(&a, 1, 2);
    g_assert_cmpint(run(f, 3, NULL), ==, 0);
    // Nor does a job that was cancelled after that.
    PeJob *job = push(&b, 4);
    pe_client_run_now(b.client);
    pe_job_cancel(job);
    g_assert_cmpint(run(f, 5, NULL), ==, 0);
    pe_job_unref(job);
    pe_queue_remove_client(a.client);
    pe_queue_remove_client(b.client);
}

static void
never_runs_cancelled_jobs(Fixture *f, const void *unused)
{
    User a = user(f, 'a');
    join(&a);
    push_many(&a, 1, 0);
    PeJob *job = push(&a, 0);
    push_many(&a, 1, 0);
    pe_job_cancel(job);
    pe_job_cancel(job);
    g_assert_true(pe_job_is_done(job));
    g_autoptr(GError) error = NULL;
    g_assert_null(pe_job_get_embedding(job, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_CANCELLED);
    g_assert_cmpint(run(f, 0, NULL), ==, 2);
    g_assert_cmpstr(f->called->str, ==, "aa");
    pe_job_unref(job);
    pe_queue_remove_client(a.client);
}

static void
replaces_the_oldest_queued_job(Fixture *f, const void *unused)
{
    User a = user(f, 'a'), b = user(f, 'b');
    join(&a);
    join(&b);
    pe_client_set_max_queued(a.client, 2);
    PeJob *running = push(&a, 0);
    PeJob *batch[BATCH];
    int64_t deadline;
    g_assert_cmpint(pe_queue_take(f->queue, 0, batch, &deadline), ==, 1);
    PeJob *jobs[4];
    for (int i = 0; i < 4; i++)
        jobs[i] = push(&a, 0);
    push_many(&b, 1, 0);
    g_assert_cmpint(pe_client_count_queued(a.client), ==, 2);
    for (int i = 0; i < 4; i++)
        g_assert_cmpint(pe_job_is_done(jobs[i]), ==, i < 2);
    g_autoptr(GError) error = NULL;
    g_assert_null(pe_job_get_embedding(jobs[0], &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_CANCELLED);
    // The client hears of them after what was submitted before them.
    g_assert_cmpstr(f->called->str, ==, "");
    pe_queue_finish(f->queue, batch, 1, (float[]){7}, NULL);
    g_assert_cmpstr(f->called->str, ==, "a");
    g_assert_cmpint(run(f, 0, NULL), ==, 3);
    // b has never been served.
    g_assert_cmpstr(f->called->str, ==, "aaabaa");
    pe_job_unref(running);
    for (int i = 0; i < 4; i++)
        pe_job_unref(jobs[i]);
    pe_queue_remove_client(a.client);
    pe_queue_remove_client(b.client);
}

static void
finishes_a_started_job_in_spite_of_cancel(Fixture *f, const void *unused)
{
    User a = user(f, 'a');
    join(&a);
    PeJob *job = push(&a, 0);
    PeJob *jobs[BATCH];
    int64_t deadline;
    g_assert_cmpint(pe_queue_take(f->queue, 0, jobs, &deadline), ==, 1);
    pe_job_cancel(job);
    g_assert_false(pe_job_is_done(job));
    pe_queue_finish(f->queue, jobs, 1, (float[]){7}, NULL);
    g_assert_cmpfloat(pe_job_get_embedding(job, NULL)[0], ==, 7);
    pe_job_unref(job);
    pe_queue_remove_client(a.client);
}

static void
forgets_a_client_that_left(Fixture *f, const void *unused)
{
    User a = user(f, 'a'), b = user(f, 'b');
    join(&a);
    join(&b);
    PeJob *running = push(&a, 0);
    PeJob *jobs[BATCH];
    int64_t deadline;
    g_assert_cmpint(pe_queue_take(f->queue, 0, jobs, &deadline), ==, 1);
    PeJob *queued = push(&a, 0);
    push_many(&b, 1, 0);
    pe_queue_remove_client(a.client);
    g_assert_true(pe_job_is_done(queued));
    pe_queue_finish(f->queue, jobs, 1, (float[]){7}, NULL);
    g_assert_cmpstr(f->called->str, ==, "");
    g_assert_nonnull(pe_job_get_embedding(running, NULL));
    g_assert_cmpint(run(f, 0, NULL), ==, 1);
    g_assert_cmpstr(f->called->str, ==, "b");
    pe_job_unref(running);
    pe_job_unref(queued);
    pe_queue_remove_client(b.client);
}

static void
gives_a_failed_batch_its_error_and_goes_on(Fixture *f, const void *unused)
{
    User a = user(f, 'a');
    join(&a);
    PeJob *bad = push(&a, 0);
    g_autoptr(GError) fault =
        g_error_new_literal(PE_ERROR, PE_ERROR_SHAPE, "too odd");
    g_assert_cmpint(run(f, 0, fault), ==, 1);
    PeJob *good = push(&a, 0);
    g_assert_cmpint(run(f, 0, NULL), ==, 1);

    g_autoptr(GError) error = NULL;
    g_assert_null(pe_job_get_embedding(bad, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_SHAPE);
    g_assert_nonnull(pe_job_get_embedding(good, NULL));
    g_assert_cmpstr(f->called->str, ==, "aa");
    pe_job_unref(bad);
    pe_job_unref(good);
    pe_queue_remove_client(a.client);
}

static void
refuses_everything_once_the_device_is_dead(Fixture *f, const void *unused)
{
    User a = user(f, 'a');
    join(&a);
    push_many(&a, 1, 0);
    g_autoptr(GError) fault =
        g_error_new_literal(PE_ERROR, PE_ERROR_BACKEND, "fell off the bus");
    pe_queue_fail(f->queue, fault);
    g_assert_cmpint(run(f, 1, fault), ==, 1); // in spite of the timeout
    g_autoptr(GError) error = NULL;
    PeSlot *s = slot();
    PeJob *job;
    g_assert_false(
        pe_queue_push(a.client, &s, 1, &(PeJobTimes){0}, &job, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_BACKEND);
    g_assert_cmpstr(error->message, ==, "fell off the bus");
    pe_queue_remove_client(a.client);
}

static void
reuses_slots(Fixture *f, const void *unused)
{
    User a = user(f, 'a');
    join(&a);
    PeSlot *first = slot(), *second = slot();
    PeJob *ran = push_slot(&a, first, 0);
    g_assert_cmpint(run(f, 0, NULL), ==, 1);
    PeJob *cancelled = push_slot(&a, second, 0);
    pe_job_cancel(cancelled);
    g_assert_true(pe_queue_get_slot(f->queue) == second);
    g_assert_true(pe_queue_get_slot(f->queue) == first);
    g_assert_null(pe_queue_get_slot(f->queue));
    pe_queue_put_slot(f->queue, first);
    pe_queue_put_slot(f->queue, second);
    pe_job_unref(ran);
    pe_job_unref(cancelled);
    pe_queue_remove_client(a.client);
}

#define ADD(path, timeout, func) \
    g_test_add("/queue/" path, Fixture, GINT_TO_POINTER(timeout), setup, func, \
               teardown)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("order", 0, keeps_the_order_of_a_client);
    ADD("fair", 0, serves_clients_in_turn);
    ADD("deadline", 0, serves_the_earliest_deadline_first);
    ADD("lend", 0, lends_its_deadline_to_the_jobs_before_it);
    ADD("patience", 0, lets_nobody_wait_for_ever);
    ADD("close-for-deadline", TIMEOUT, closes_a_batch_for_its_deadline);
    ADD("fewer", 0, runs_fewer_jobs_to_be_in_time);
    ADD("expire", TIMEOUT, never_runs_what_has_expired);
    ADD("close", TIMEOUT, closes_a_batch_when_full_or_due);
    ADD("run-now", TIMEOUT, runs_now_for_one_client);
    ADD("cancel", 0, never_runs_cancelled_jobs);
    ADD("replace", 0, replaces_the_oldest_queued_job);
    ADD("cancel-started", 0, finishes_a_started_job_in_spite_of_cancel);
    ADD("leave", 0, forgets_a_client_that_left);
    ADD("batch-error", 0, gives_a_failed_batch_its_error_and_goes_on);
    ADD("dead", TIMEOUT, refuses_everything_once_the_device_is_dead);
    ADD("slots", 0, reuses_slots);
    return g_test_run();
}
