// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_engine.c - order, failure and the end of jobs, and of engines and
// clients around them. All of it over the fake device.

#include "core/engine/engine_private.h"
#include "core/pe.h"
#include "tests/support/fake_engine.h"

static PeJob *
submit(PeClient *client, int width)
{
    PeFrame frame = {.width = width};
    PeSubmit what = {.frame = &frame};
    PeJob *job;
    GError *error = NULL;
    g_assert_true(pe_client_submit(client, &what, &job, &error));
    g_assert_no_error(error);
    return job;
}

// ---- Jobs ------------------------------------------------------------------

typedef struct {
    GMutex lock;
    GCond changed;
    int n_called;
    float last;
    bool gone; // the client has been freed
} Listener;

static void
listen_done(PeJob *job, void *data)
{
    Listener *l = data;
    g_mutex_lock(&l->lock);
    g_assert_false(l->gone);
    g_assert_true(pe_job_is_done(job));
    const float *x = pe_job_get_embedding(job, NULL);
    if (x) {
        g_assert_cmpfloat(x[0], >, l->last); // widths grow
        l->last = x[0];
    }
    l->n_called++;
    g_cond_broadcast(&l->changed);
    g_mutex_unlock(&l->lock);
}

// Within five seconds.
static void
wait_for_calls(Listener *l, int n)
{
    int64_t end = g_get_monotonic_time() + 5 * G_TIME_SPAN_SECOND;
    g_mutex_lock(&l->lock);
    while (l->n_called < n && g_cond_wait_until(&l->changed, &l->lock, end))
        continue;
    g_assert_cmpint(l->n_called, ==, n);
    g_mutex_unlock(&l->lock);
}

static void *
submit_fifty(void *engine)
{
    Listener l = {0};
    PeClient *client = pe_client_new(engine, listen_done, &l);
    for (int i = 1; i <= 50; i++)
        pe_job_unref(submit(client, i));
    wait_for_calls(&l, 50);
    g_assert_cmpfloat(l.last, ==, 50);
    pe_client_free(client);
    return NULL;
}

static void
answers_each_client_in_order(void)
{
    PeEngine *e = fake_engine_get_default();
    GThread *threads[4];
    for (int i = 0; i < 4; i++)
        threads[i] = g_thread_new("submit", submit_fifty, e);
    for (int i = 0; i < 4; i++)
        g_thread_join(threads[i]);

    PeEngineStats stats;
    pe_engine_get_stats(e, &stats);
    g_assert_cmpuint(stats.images, ==, 200);
    g_assert_cmpuint(stats.batches, >=, 50);
    g_assert_cmpfloat(stats.batch_fill, ==,
                      200.0 / (4.0 * (double)stats.batches));
    g_assert_cmpfloat(stats.wait_ms[0], <=, stats.wait_ms[2]);
    pe_engine_unref(e);
}

typedef struct {
    const Listener *busy;
    int n_before; // calls of the busy one, and 1
} Quiet;

static void
quiet_done(PeJob *job, void *data)
{
    Quiet *q = data;
    g_atomic_int_set(&q->n_before, 1 + q->busy->n_called);
}

static void
does_not_starve_a_quiet_client(void)
{
    PeEngine *e = fake_engine_get_default();
    Listener busy = {0};
    Quiet quiet = {&busy, 0};
    PeClient *a = pe_client_new(e, listen_done, &busy);
    PeClient *b = pe_client_new(e, quiet_done, &quiet);
    fake_hold(true);
    for (int i = 1; i <= 100; i++)
        pe_job_unref(submit(a, i));
    fake_wait_for_work(1);
    pe_job_unref(submit(b, 1));
    fake.batch_ms = 5;
    fake_hold(false);
    while (g_atomic_int_get(&quiet.n_before) == 0)
        g_usleep(1000);
    // The batch that was running, and the one that b is in.
    g_assert_cmpint(quiet.n_before, <=, 8);
    pe_client_free(a);
    pe_client_free(b);
    pe_engine_unref(e);
}

static void
runs_a_partial_batch_after_the_timeout(void)
{
    PeEngine *e = fake_engine_get("cpu", PE_PRECISION_FP32, 8, 60);
    Listener l = {0};
    PeClient *client = pe_client_new(e, listen_done, &l);
    int64_t start = g_get_monotonic_time();
    pe_job_unref(submit(client, 1));
    pe_job_unref(submit(client, 2));
    wait_for_calls(&l, 2);
    int64_t took = g_get_monotonic_time() - start;
    g_assert_cmpint(took, >=, 60000);
    g_assert_cmpstr(fake.log->str, ==, "i");
    pe_client_free(client);
    pe_engine_unref(e);
}

static void
runs_now_on_demand(void)
{
    PeEngine *e = fake_engine_get("cpu", PE_PRECISION_FP32, 8, 600000);
    Listener l = {0};
    PeClient *client = pe_client_new(e, listen_done, &l);
    pe_job_unref(submit(client, 1));
    g_usleep(20000);
    g_assert_cmpint(l.n_called, ==, 0);
    pe_client_run_now(client);
    wait_for_calls(&l, 1);
    pe_client_free(client);
    pe_engine_unref(e);
}

static void
rejects_a_bad_frame_at_submission(void)
{
    PeEngine *e = fake_engine_get_default();
    PeClient *client = pe_client_new(e, NULL, NULL);
    g_autoptr(GError) error = NULL;
    PeFrame frame = {.width = 0};
    PeJob *job;
    g_assert_false(
        pe_client_submit(client, &(PeSubmit){.frame = &frame}, &job, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    pe_client_free(client);
    pe_engine_unref(e);
}

static void
embeds_every_region_of_a_frame(void)
{
    PeEngine *e = fake_engine_get_default();
    PeClient *client = pe_client_new(e, NULL, NULL);
    const PeRect regions[] = {{0, 0, 3, 2}, {1, 1, 5, 2}, {7, 0, 1, 1}};
    PeFrame frame = {.width = 8, .height = 2};
    PeSubmit submit = {&frame, regions, 3, INT64_MAX, INT64_MAX};
    PeJob *jobs[3];
    g_assert_true(pe_client_submit(client, &submit, jobs, NULL));
    // The first float of a result is the width of what was embedded.
    for (int i = 0; i < 3; i++) {
        pe_queue_wait_job(jobs[i]);
        g_assert_cmpfloat(pe_job_get_embedding(jobs[i], NULL)[0], ==,
                          (float)regions[i].width);
        pe_job_unref(jobs[i]);
    }
    g_autoptr(GError) error = NULL;
    frame.width = 0;
    g_assert_false(pe_client_submit(client, &submit, jobs, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_FORMAT);
    g_assert_cmpint(pe_client_count_queued(client), ==, 0);
    pe_client_free(client);
    pe_engine_unref(e);
}

static void
goes_on_after_a_failed_batch(void)
{
    PeEngine *e = fake_engine_get_default();
    PeFrame frames[2] = {{.width = 1}, {.width = 2}};
    float out[2 * TINY_MODEL_DIM];
    g_autoptr(GError) error = NULL;
    fake.fail_batches = 1;
    fake.batch_error = PE_ERROR_NOMEM;
    g_assert_false(pe_engine_embed_frames(e, frames, 2, out, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_NOMEM);
    g_clear_error(&error);
    g_assert_true(pe_engine_embed_frames(e, frames, 2, out, &error));
    g_assert_cmpfloat(out[TINY_MODEL_DIM], ==, 2);
    pe_engine_unref(e);
}

static void
reports_a_dead_device_for_ever(void)
{
    PeEngine *e = fake_engine_get_default();
    PeClient *client = pe_client_new(e, NULL, NULL);
    PeFrame frame = {.width = 1};
    float out[TINY_MODEL_DIM];
    g_autoptr(GError) error = NULL;
    fake.fail_batches = 1;
    fake.batch_error = PE_ERROR_BACKEND;
    g_assert_false(pe_engine_embed_frames(e, &frame, 1, out, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_BACKEND);
    g_clear_error(&error);
    PeJob *job;
    g_assert_false(
        pe_client_submit(client, &(PeSubmit){.frame = &frame}, &job, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_BACKEND);
    g_clear_error(&error);
    const char *text = "a dog";
    g_assert_false(
        pe_engine_embed_texts(e, fake_tiny.tokenizer, &text, 1, out, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_BACKEND);
    g_assert_cmpstr(fake.log->str, ==, "i"); // the device was left alone
    pe_client_free(client);
    pe_engine_unref(e);
}

static void
cancels_what_has_not_started(void)
{
    PeEngine *e = fake_engine_get("cpu", PE_PRECISION_FP32, 1, 0);
    Listener l = {0};
    PeClient *client = pe_client_new(e, listen_done, &l);
    fake_hold(true);
    pe_job_unref(submit(client, 1));
    fake_wait_for_work(1);
    PeJob *job = submit(client, 2);
    pe_job_unref(submit(client, 3));
    pe_job_cancel(job);
    g_assert_true(pe_job_is_done(job));
    fake_hold(false);
    wait_for_calls(&l, 2);
    g_assert_cmpfloat(l.last, ==, 3);
    pe_client_free(client);
    pe_engine_unref(e);
    pe_job_cancel(job); // without an engine
    g_assert_null(pe_job_get_embedding(job, NULL));
    pe_job_unref(job);
}

// A batch whose jobs are all cancelled, or whose clients have gone, ends
// between two of its layers.
static void
abandons_a_batch_that_nobody_waits_for(void)
{
    PeEngine *e = fake_engine_get("cpu", PE_PRECISION_FP32, 4, 600000);
    PeClient *a = pe_client_new(e, NULL, NULL);
    PeClient *b = pe_client_new(e, NULL, NULL);
    fake.n_layers = 10;
    fake_hold(true);
    PeJob *jobs[3] = {submit(a, 1), submit(a, 2), submit(b, 3)};
    pe_client_run_now(a);
    fake_wait_for_work(1);
    pe_job_cancel(jobs[0]);
    pe_job_cancel(jobs[0]);
    pe_job_cancel(jobs[2]);
    pe_client_free(a); // and with it the job in between
    fake_hold(false);
    g_autoptr(GError) error = NULL;
    for (int i = 0; i < 3; i++) {
        pe_queue_wait_job(jobs[i]);
        g_assert_null(pe_job_get_embedding(jobs[i], &error));
        g_assert_error(error, PE_ERROR, PE_ERROR_CANCELLED);
        g_clear_error(&error);
        pe_job_unref(jobs[i]);
    }
    g_assert_cmpint(fake.layers_run, ==, 0);

    // Nothing of it is left for the next batch.
    PeJob *job = submit(b, 4);
    pe_client_run_now(b);
    pe_queue_wait_job(job);
    g_assert_cmpfloat(pe_job_get_embedding(job, NULL)[0], ==, 4);
    g_assert_cmpint(fake.layers_run, ==, 10);
    pe_job_unref(job);
    pe_client_free(b);
    pe_engine_unref(e);
}

static void
finishes_a_batch_that_somebody_waits_for(void)
{
    PeEngine *e = fake_engine_get("cpu", PE_PRECISION_FP32, 2, 600000);
    PeClient *a = pe_client_new(e, NULL, NULL);
    PeClient *b = pe_client_new(e, NULL, NULL);
    fake.n_layers = 10;
    fake_hold(true);
    PeJob *left = submit(a, 1), *wanted = submit(b, 2);
    fake_wait_for_work(1);
    pe_client_free(a);
    fake_hold(false);
    pe_queue_wait_job(wanted);
    g_assert_cmpfloat(pe_job_get_embedding(wanted, NULL)[0], ==, 2);
    g_assert_cmpint(fake.layers_run, ==, 10);
    pe_job_unref(left);
    pe_job_unref(wanted);
    pe_client_free(b);
    pe_engine_unref(e);
}

static void
tells_a_client_of_a_job_that_expired(void)
{
    PeEngine *e = fake_engine_get("cpu", PE_PRECISION_FP32, 4, 600000);
    Listener l = {0};
    PeClient *client = pe_client_new(e, listen_done, &l);
    PeFrame frame = {.width = 1};
    PeSubmit what = {.frame = &frame, .expire = g_get_monotonic_time() + 20000};
    PeJob *job;
    g_assert_true(pe_client_submit(client, &what, &job, NULL));
    wait_for_calls(&l, 1); // long before the batch's timeout
    g_autoptr(GError) error = NULL;
    g_assert_null(pe_job_get_embedding(job, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_CANCELLED);
    g_assert_cmpstr(fake.log->str, ==, "");
    pe_job_unref(job);
    pe_client_free(client);
    pe_engine_unref(e);
}

static void *
come_and_go(void *engine)
{
    for (int round = 0; round < 60; round++) {
        Listener l = {0};
        PeClient *client = pe_client_new(engine, listen_done, &l);
        PeJob *jobs[12];
        for (int i = 0; i < 12; i++)
            jobs[i] = submit(client, i + 1);
        for (int i = 0; i < 12; i++) {
            if (g_random_int_range(0, 3) == 0)
                pe_job_cancel(jobs[i]);
        }
        if (g_random_boolean())
            g_usleep((gulong)g_random_int_range(0, 800));
        pe_client_free(client);
        g_mutex_lock(&l.lock);
        l.gone = true;
        g_mutex_unlock(&l.lock);
        for (int i = 0; i < 12; i++) {
            pe_job_cancel(jobs[i]);
            pe_job_unref(jobs[i]);
        }
    }
    return NULL;
}

static void
never_calls_a_client_that_has_gone(void)
{
    PeEngine *e = fake_engine_get_default();
    GThread *threads[4];
    for (int i = 0; i < 4; i++)
        threads[i] = g_thread_new("come", come_and_go, e);
    for (int i = 0; i < 4; i++)
        g_thread_join(threads[i]);
    // The last batch may still run.
    pe_engine_unref(e);
}

static void
free_client(PeJob *job, void *data)
{
    PeClient **client = data;
    pe_client_free(*client);
    g_atomic_pointer_set(client, NULL);
}

static void
lets_a_client_leave_in_its_callback(void)
{
    PeEngine *e = fake_engine_get_default();
    PeClient *client = NULL;
    client = pe_client_new(e, free_client, &client);
    fake_hold(true);
    PeJob *first = submit(client, 1);
    PeJob *second = submit(client, 2);
    pe_engine_unref(e); // the client's is the last reference
    fake_hold(false);
    while (g_atomic_int_get(&fake.n_closed) == 0)
        g_usleep(1000);
    g_assert_null(g_atomic_pointer_get(&client));
    g_assert_true(pe_job_is_done(first) && pe_job_is_done(second));
    pe_job_unref(first);
    pe_job_unref(second);
}

static void
measures_on_the_worker(void)
{
    PeEngine *e = fake_engine_get_default();
    g_assert_cmpfloat(pe_engine_measure_gemm(e, 3), ==, 3);
    g_assert_cmpfloat(pe_engine_measure_peak(e, 2), ==, 20);
    PeOperation operations[5];
    g_assert_cmpint(pe_engine_profile(e, operations, 5), ==, 6);
    pe_engine_unref(e);
}

int
main(int argc, char **argv)
{
    static const EngineTest tests[] = {
        {"/engine/order", answers_each_client_in_order},
        {"/engine/fair", does_not_starve_a_quiet_client},
        {"/engine/timeout", runs_a_partial_batch_after_the_timeout},
        {"/engine/run-now", runs_now_on_demand},
        {"/engine/bad-frame", rejects_a_bad_frame_at_submission},
        {"/engine/regions", embeds_every_region_of_a_frame},
        {"/engine/failed-batch", goes_on_after_a_failed_batch},
        {"/engine/dead", reports_a_dead_device_for_ever},
        {"/engine/cancel", cancels_what_has_not_started},
        {"/engine/abandon", abandons_a_batch_that_nobody_waits_for},
        {"/engine/abandon-some", finishes_a_batch_that_somebody_waits_for},
        {"/engine/expire", tells_a_client_of_a_job_that_expired},
        {"/engine/stress", never_calls_a_client_that_has_gone},
        {"/engine/leave", lets_a_client_leave_in_its_callback},
        {"/engine/gemm", measures_on_the_worker},
    };
    return fake_engine_run(argc, argv, tests, G_N_ELEMENTS(tests));
}
