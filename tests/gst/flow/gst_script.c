// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gst_script.c - see gst_script.h.

#include "gst_script.h"

#include "core/engine/engine_private.h"
#include "gst/inference/gstpeinference.h"

Gate ingesting, loading;

static bool
script_ingest(PeRunner *runner, PeSlot *const *slots, const PeFrame *frame,
              const PeRect *regions, int n, GError **error)
{
    g_mutex_lock(&ingesting.lock);
    ingesting.n_begun++;
    g_cond_broadcast(&ingesting.changed);
    while (ingesting.held)
        g_cond_wait(&ingesting.changed, &ingesting.lock);
    g_mutex_unlock(&ingesting.lock);
    return fake_runner_ops.ingest(runner, slots, frame, regions, n, error);
}

void
hold(Gate *gate, bool held)
{
    g_mutex_lock(&gate->lock);
    gate->held = held;
    g_cond_broadcast(&gate->changed);
    g_mutex_unlock(&gate->lock);
}

void
wait_for(Gate *gate, int n)
{
    g_mutex_lock(&gate->lock);
    while (gate->n_begun < n)
        g_cond_wait(&gate->changed, &gate->lock);
    g_mutex_unlock(&gate->lock);
}

static bool
script_load(PeRunner *runner, GError **error)
{
    g_mutex_lock(&loading.lock);
    loading.n_begun++;
    g_cond_broadcast(&loading.changed);
    while (loading.held)
        g_cond_wait(&loading.changed, &loading.lock);
    g_mutex_unlock(&loading.lock);
    return fake_runner_ops.load(runner, error);
}

int
script_run(int argc, char **argv, void (*add_tests)(void))
{
    static PeRunnerOps script; // an engine that lingers has it to the end

    script = fake_runner_ops;
    script.load = script_load;
    script.ingest = script_ingest;
    fake_reset();
    pe_engine_set_ops_for_tests(&script);
    gst_init(&argc, &argv);
    GST_ELEMENT_REGISTER(peinference, NULL);
    return run_gst_tests(argc, argv, add_tests);
}
