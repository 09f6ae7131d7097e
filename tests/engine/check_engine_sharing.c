// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_engine_sharing.c - which engines are one, and what callers get when
// several ask at the same time. All of it over the fake device.

#include <stdlib.h>

#include "core/engine/engine_private.h"
#include "core/pe.h"
#include "tests/support/fake_engine.h"

static void
shares_one_engine_for_one_key(void)
{
    PeEngine *a = fake_engine_get("cpu", PE_PRECISION_FP32, 0, 0);
    PeEngine *b = fake_engine_get("cpu", PE_PRECISION_FP32, 0, 0);
    PeEngine *other = fake_engine_get("cpu", PE_PRECISION_BF16, 0, 0);
    g_assert_true(a == b);
    g_assert_true(a != other);
    g_assert_cmpint(fake.n_loaded, ==, 2);
    pe_engine_unref(a);
    g_assert_cmpint(fake.n_closed, ==, 0);
    pe_engine_unref(b);
    g_assert_cmpint(fake.n_closed, ==, 1);
    pe_engine_unref(other);
    g_assert_cmpint(fake.n_closed, ==, 2);
}

static void
knows_what_auto_means(void)
{
    PeEngine *named = fake_engine_get("cpu", PE_PRECISION_BF16, 0, 0);
    PeEngine *automatic = fake_engine_get(NULL, PE_PRECISION_AUTO, 0, 0);
    g_assert_true(named == automatic);
    pe_engine_unref(named);
    pe_engine_unref(automatic);
    g_assert_cmpint(fake.n_loaded, ==, 1);

    automatic = fake_engine_get("auto", PE_PRECISION_AUTO, 0, 0);
    named = fake_engine_get("cpu", PE_PRECISION_BF16, 0, 0);
    PeEngine *again = fake_engine_get("auto", PE_PRECISION_AUTO, 0, 0);
    g_assert_true(named == automatic && again == automatic);
    g_assert_cmpint(fake.n_loaded, ==, 2);
    pe_engine_unref(named);
    pe_engine_unref(automatic);
    pe_engine_unref(again);
}

static void *
get_in_thread(void *unused)
{
    return fake_engine_get(g_random_boolean() ? "cpu" : "auto",
                           PE_PRECISION_BF16, 0, 0);
}

static void
loads_once_for_callers_at_the_same_time(void)
{
    fake.load_ms = 50;
    GThread *threads[6];
    PeEngine *engines[6];
    for (int i = 0; i < 6; i++)
        threads[i] = g_thread_new("get", get_in_thread, NULL);
    for (int i = 0; i < 6; i++) {
        engines[i] = g_thread_join(threads[i]);
        g_assert_true(engines[i] == engines[0]);
    }
    g_assert_cmpint(fake.n_loaded, ==, 1);
    for (int i = 0; i < 6; i++)
        pe_engine_unref(engines[i]);
}

static void *
fail_in_thread(void *unused)
{
    PeEngineParams params = {.model = fake_tiny.model, .device = "cpu"};
    GError *error = NULL;
    g_assert_null(pe_engine_get_with(&params, &fake_runner_ops, &error));
    return error;
}

static void
tells_every_caller_that_loading_failed(void)
{
    fake.load_ms = 50;
    fake.fail_load = true;
    GThread *threads[4];
    for (int i = 0; i < 4; i++)
        threads[i] = g_thread_new("get", fail_in_thread, NULL);
    for (int i = 0; i < 4; i++) {
        g_autoptr(GError) error = g_thread_join(threads[i]);
        g_assert_error(error, PE_ERROR, PE_ERROR_NOMEM);
        g_assert_cmpstr(error->message, ==, "too little of it");
    }
    fake.fail_load = false;
    pe_engine_unref(fake_engine_get("cpu", PE_PRECISION_AUTO, 0, 0));
}

static void
refuses_models_without_an_embedding(void)
{
    g_autoptr(GError) error = NULL;
    PeModel *lang = pe_model_new_random("PE-Lang-L14-448", 1, &error);
    g_assert_no_error(error);
    PeEngineParams params = {.model = lang};
    g_assert_null(pe_engine_get_with(&params, &fake_runner_ops, &error));
    g_assert_error(error, PE_ERROR, PE_ERROR_SHAPE);
    g_assert_nonnull(strstr(error->message, "PE-Lang-L14-448"));
    pe_model_unref(lang);
}

static void
embed_one(PeEngine *e, int code)
{
    PeFrame frame = {.width = 1};
    float out[TINY_MODEL_DIM];
    g_autoptr(GError) error = NULL;
    bool ok = pe_engine_embed_frames(e, &frame, 1, out, &error);
    g_assert_cmpint(ok, ==, code == 0);
    if (code != 0)
        g_assert_error(error, PE_ERROR, code);
}

static void
shares_no_engine_whose_device_failed(void)
{
    g_setenv("GST_PE_ENGINE_LINGER", "60", TRUE);
    PeEngine *dead = fake_engine_get_default();
    fake.fail_batches = 1;
    fake.batch_error = PE_ERROR_BACKEND;
    embed_one(dead, PE_ERROR_BACKEND);
    PeEngine *next = fake_engine_get_default();
    g_assert_true(next != dead);
    embed_one(next, 0);
    embed_one(dead, PE_ERROR_BACKEND);
    PeEngine *again = fake_engine_get_default();
    g_assert_true(again == next);
    pe_engine_unref(again);
    pe_engine_unref(dead); // does not linger
    g_assert_cmpint(fake.n_closed, ==, 1);
    pe_engine_unref(next);
    pe_engine_end_idle();
}

// ---- Lingering -------------------------------------------------------------

static void
keeps_an_engine_for_the_next_user(void)
{
    g_setenv("GST_PE_ENGINE_LINGER", "60", TRUE);
    for (int i = 0; i < 3; i++) {
        PeEngine *e = fake_engine_get_default();
        embed_one(e, 0);
        PeEngineStats stats;
        pe_engine_get_stats(e, &stats);
        g_assert_cmpuint(stats.images, ==, i + 1);
        pe_engine_unref(e);
    }
    // "auto" is opened to find out what it means.
    pe_engine_unref(fake_engine_get("auto", PE_PRECISION_FP32, 4, 0));
    g_assert_cmpint(fake.n_loaded, ==, 1);
    g_assert_cmpint(fake.n_closed, ==, fake.n_opened - 1);
    pe_engine_end_idle();
    g_assert_cmpint(fake.n_closed, ==, fake.n_opened);
}

static void
ends_an_engine_that_nobody_wants(void)
{
    g_setenv("GST_PE_ENGINE_LINGER", "0.02", TRUE);
    PeEngine *e = fake_engine_get_default();
    embed_one(e, 0);
    pe_engine_unref(e);
    while (g_atomic_int_get(&fake.n_closed) == 0)
        g_usleep(1000);
    pe_engine_end_idle(); // also waits for the rest of it
    pe_engine_unref(fake_engine_get_default());
    g_assert_cmpint(fake.n_loaded, ==, 2);
    pe_engine_end_idle();
}

static void
makes_room_for_another_engine_on_the_device(void)
{
    g_setenv("GST_PE_ENGINE_LINGER", "60", TRUE);
    pe_engine_unref(fake_engine_get("cpu", PE_PRECISION_FP32, 4, 0));
    // Other settings, then another precision.
    PeEngine *other = fake_engine_get("cpu", PE_PRECISION_FP32, 8, 0);
    g_assert_cmpint(fake.n_closed_at_load, ==, 1);
    pe_engine_unref(other);
    pe_engine_unref(fake_engine_get("cpu", PE_PRECISION_BF16, 8, 0));
    g_assert_cmpint(fake.n_closed_at_load, ==, 2);
    pe_engine_end_idle();
}

static void *
get_and_unref(void *unused)
{
    for (int i = 0; i < 200; i++) {
        PeEngine *e = fake_engine_get(
            "cpu", g_random_boolean() ? PE_PRECISION_FP32 : PE_PRECISION_BF16,
            4, 0);
        if (g_random_boolean())
            embed_one(e, 0);
        pe_engine_unref(e);
        if (g_random_int_range(0, 20) == 0)
            g_usleep((gulong)g_random_int_range(0, 2000));
    }
    return NULL;
}

static void
lingers_and_ends_under_many_threads(void)
{
    g_setenv("GST_PE_ENGINE_LINGER", "0.0005", TRUE);
    GThread *threads[4];
    for (int i = 0; i < 4; i++)
        threads[i] = g_thread_new("get", get_and_unref, NULL);
    for (int i = 0; i < 4; i++)
        g_thread_join(threads[i]);
    pe_engine_end_idle();
}

static void
ends_with_the_process(void)
{
    if (g_test_subprocess()) {
        g_setenv("GST_PE_ENGINE_LINGER", "60", TRUE);
        fake.tell_close = true;
        embed_one(fake_engine_get_default(), 0);
        PeEngine *e = fake_engine_get_default();
        pe_engine_unref(e);
        pe_engine_unref(e);
        g_printerr("leaving\n");
        exit(0);
    }
    g_test_trap_subprocess(NULL, 30 * G_TIME_SPAN_SECOND, 0);
    g_test_trap_assert_passed();
    g_test_trap_assert_stderr("*leaving*closed*");
}

// ---- The fake device -------------------------------------------------------

// An element that keeps its engine from test to test.
static void
resets_the_fake_device_behind_what_it_has_begun(void)
{
    PeEngine *e = fake_engine_get_default();
    for (int i = 0; i < 200; i++) {
        PeClient *client = pe_client_new(e, NULL, NULL);
        PeFrame frame = {.width = 1};
        PeSubmit submit = {.frame = &frame};
        PeJob *job;
        fake_hold(i % 2);
        g_assert_true(pe_client_submit(client, &submit, &job, NULL));
        if (i % 4 == 1)
            fake_wait_for_work(1);
        pe_client_free(client);
        fake_reset();
        g_assert_cmpuint(fake.log->len, ==, 0);
        g_assert_cmpint(fake.n_opened, ==, 1);
        pe_queue_wait_job(job);
        g_assert_cmpuint(fake.log->len, ==, 0);
        pe_job_unref(job);
    }
    pe_engine_unref(e);
}

int
main(int argc, char **argv)
{
    static const EngineTest tests[] = {
        {"/engine-sharing/share", shares_one_engine_for_one_key},
        {"/engine-sharing/auto", knows_what_auto_means},
        {"/engine-sharing/load-once", loads_once_for_callers_at_the_same_time},
        {"/engine-sharing/load-failed", tells_every_caller_that_loading_failed},
        {"/engine-sharing/no-embedding", refuses_models_without_an_embedding},
        {"/engine-sharing/dead", shares_no_engine_whose_device_failed},
        {"/engine-sharing/linger", keeps_an_engine_for_the_next_user},
        {"/engine-sharing/linger-end", ends_an_engine_that_nobody_wants},
        {"/engine-sharing/linger-room",
         makes_room_for_another_engine_on_the_device},
        {"/engine-sharing/linger-threads", lingers_and_ends_under_many_threads},
        {"/engine-sharing/linger-exit", ends_with_the_process},
        {"/engine-sharing/reset",
         resets_the_fake_device_behind_what_it_has_begun},
    };
    return fake_engine_run(argc, argv, tests, G_N_ELEMENTS(tests));
}
