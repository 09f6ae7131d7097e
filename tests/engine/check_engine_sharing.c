// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_engine_sharing.c - which engines are one, and what callers get when
// several ask at the same time. All of it over the fake device.

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

int
main(int argc, char **argv)
{
    static const EngineTest tests[] = {
        {"/engine-sharing/share", shares_one_engine_for_one_key},
        {"/engine-sharing/auto", knows_what_auto_means},
        {"/engine-sharing/load-once", loads_once_for_callers_at_the_same_time},
        {"/engine-sharing/load-failed", tells_every_caller_that_loading_failed},
        {"/engine-sharing/no-embedding", refuses_models_without_an_embedding},
    };
    return fake_engine_run(argc, argv, tests, G_N_ELEMENTS(tests));
}
