// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fake_engine.c - see fake_engine.h.

#include "fake_engine.h"

#include "core/engine/engine_private.h"

TinyModel fake_tiny;

PeEngine *
fake_engine_get(const char *device, PePrecision precision, int batch,
                int timeout)
{
    PeEngineParams params = {
        .model = fake_tiny.model,
        .device = device,
        .precision = precision,
        .batch_size = batch,
        .batch_timeout = timeout,
    };
    GError *error = NULL;
    PeEngine *e = pe_engine_get_with(&params, &fake_runner_ops, &error);
    g_assert_no_error(error);
    return e;
}

PeEngine *
fake_engine_get_default(void)
{
    return fake_engine_get("cpu", PE_PRECISION_FP32, 4, 0);
}

static void
run_test(const void *data)
{
    const EngineTest *test = data;
    fake_reset();
    test->func();
    if (strcmp(g_getenv("GST_PE_ENGINE_LINGER"), "0") != 0)
        g_setenv("GST_PE_ENGINE_LINGER", "0", TRUE);
    g_assert_cmpint(fake.n_opened, ==, fake.n_closed);
    g_assert_cmpint(fake.n_slots, ==, 0);
}

int
fake_engine_run(int argc, char **argv, const EngineTest *tests, size_t n)
{
    g_setenv("GST_PE_ENGINE_LINGER", "0", TRUE);
    g_test_init(&argc, &argv, NULL);
    tiny_model_open(&fake_tiny, 1);
    for (size_t i = 0; i < n; i++)
        g_test_add_data_func(tests[i].path, &tests[i], run_test);
    int status = g_test_run();
    tiny_model_close(&fake_tiny);
    return status;
}
