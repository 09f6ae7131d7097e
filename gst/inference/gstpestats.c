// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpestats.c - counters, and percentiles over the most recent times of each
// stage of the element; those of the engine are added when there is one.

#include "gst/inference/gstpestats.h"

#include <string.h>

static const char *const count_names[GST_PE_N_COUNTS] = {
    [GST_PE_COUNT_FRAMES] = "frames",
    [GST_PE_COUNT_NO_PTS] = "frames-without-pts",
    [GST_PE_COUNT_CORRUPTED] = "corrupted",
    [GST_PE_COUNT_STRAY] = "stray-timestamps",
    [GST_PE_COUNT_HELD] = "held",
    [GST_PE_COUNT_SAMPLED] = "sampled",
    [GST_PE_COUNT_SKIPPED] = "skipped",
    [GST_PE_COUNT_REGIONS] = "regions",
    [GST_PE_COUNT_REUSED] = "regions-reused",
    [GST_PE_COUNT_OUTSIDE] = "regions-outside",
    [GST_PE_COUNT_SMALL] = "regions-too-small",
    [GST_PE_COUNT_OVER] = "regions-over-limit",
    [GST_PE_COUNT_CLIPS] = "clips",
    [GST_PE_COUNT_PARTIAL] = "partial-clips",
    [GST_PE_COUNT_LATE] = "late",
    [GST_PE_COUNT_SUPERSEDED] = "superseded",
    [GST_PE_COUNT_QOS] = "qos-events-stopped",
    [GST_PE_COUNT_IN_PLACE] = "frames-in-place",
    [GST_PE_COUNT_DEVICE_COPIED] = "frames-device-copied",
    [GST_PE_COUNT_UPLOADED] = "frames-uploaded",
    [GST_PE_COUNT_DOWNLOADED] = "frames-downloaded",
};

static const char *const stage_names[GST_PE_N_STAGES] = {
    [GST_PE_STAGE_PREPROCESS] = "preprocess",
    [GST_PE_STAGE_QUEUE] = "queue",
    [GST_PE_STAGE_INFER] = "infer",
    [GST_PE_STAGE_PUSH] = "push",
    [GST_PE_STAGE_HOLD] = "hold",
    [GST_PE_STAGE_SCORE] = "score",
};

void
gst_pe_stats_init(GstPeStats *stats)
{
    memset(stats, 0, sizeof *stats);
    g_mutex_init(&stats->lock);
}

void
gst_pe_stats_clear(GstPeStats *stats)
{
    g_mutex_clear(&stats->lock);
}

void
gst_pe_stats_reset(GstPeStats *stats)
{
    g_mutex_lock(&stats->lock);
    memset(stats->counts, 0, sizeof stats->counts);
    memset(stats->n_times, 0, sizeof stats->n_times);
    memset(stats->all, 0, sizeof stats->all);
    g_mutex_unlock(&stats->lock);
}

void
gst_pe_stats_add(GstPeStats *stats, GstPeCount what, uint64_t n)
{
    g_mutex_lock(&stats->lock);
    stats->counts[what] += n;
    g_mutex_unlock(&stats->lock);
}

void
gst_pe_stats_count(GstPeStats *stats, GstPeCount what)
{
    gst_pe_stats_add(stats, what, 1);
}

void
gst_pe_stats_time(GstPeStats *stats, GstPeStage stage, int64_t start)
{
    gst_pe_stats_took(stats, stage, g_get_monotonic_time() - start);
}

void
gst_pe_stats_took(GstPeStats *stats, GstPeStage stage, int64_t us)
{
    float ms = (float)us / 1000;

    g_mutex_lock(&stats->lock);
    pe_histogram_add(&stats->all[stage], (double)us / 1e6);
    uint64_t i = stats->n_times[stage]++ % GST_PE_STATS_RECENT;
    stats->times_ms[stage][i] = ms;
    g_mutex_unlock(&stats->lock);
}

static void
set_percentiles(GstStructure *s, const char *stage, const double ms[3])
{
    static const char *const names[3] = {"p50", "p95", "p99"};

    for (int i = 0; i < 3; i++) {
        g_autofree char *name = g_strdup_printf("%s-%s", stage, names[i]);
        gst_structure_set(s, name, G_TYPE_DOUBLE, ms[i], NULL);
    }
}

// Everything that was ever counted, as Prometheus wants it: `…-buckets` are
// those of PeHistogram.
static void
set_histogram(GstStructure *s, const char *stage, const PeHistogram *histogram)
{
    g_autofree char *count = g_strdup_printf("%s-count", stage);
    g_autofree char *sum = g_strdup_printf("%s-seconds", stage);
    g_autofree char *buckets = g_strdup_printf("%s-buckets", stage);
    GValue array = G_VALUE_INIT, n = G_VALUE_INIT;
    guint64 total = 0;

    g_value_init(&array, GST_TYPE_ARRAY);
    g_value_init(&n, G_TYPE_UINT64);
    for (int i = 0; i < PE_HISTOGRAM_BUCKETS; i++) {
        total += histogram->counts[i];
        g_value_set_uint64(&n, histogram->counts[i]);
        gst_value_array_append_value(&array, &n);
    }
    gst_structure_set(s, count, G_TYPE_UINT64, total, sum, G_TYPE_DOUBLE,
                      histogram->sum, NULL);
    gst_structure_take_value(s, buckets, &array);
}

static void
set_stage_locked(GstPeStats *stats, GstPeStage stage, GstStructure *s)
{
    float times[GST_PE_STATS_RECENT];
    size_t n = (size_t)MIN(stats->n_times[stage], GST_PE_STATS_RECENT);

    memcpy(times, stats->times_ms[stage], n * sizeof *times);
    set_percentiles(s, stage_names[stage],
                    (const double[]){pe_percentile(times, n, 0.50),
                                     pe_percentile(times, n, 0.95),
                                     pe_percentile(times, n, 0.99)});
    set_histogram(s, stage_names[stage], &stats->all[stage]);
}

static void
set_engine(GstStructure *s, PeEngine *engine)
{
    PeEngineStats e;

    pe_engine_get_stats(engine, &e);
    gst_structure_set(s, "device", G_TYPE_STRING, pe_engine_get_device(engine),
                      "precision", G_TYPE_STRING,
                      pe_precision_nick(pe_engine_get_precision(engine)),
                      "engine-images", G_TYPE_UINT64, (guint64)e.images,
                      "engine-batches", G_TYPE_UINT64, (guint64)e.batches,
                      "batch-fill", G_TYPE_DOUBLE, e.batch_fill, NULL);
    set_percentiles(s, "wait", e.wait_ms);
    set_percentiles(s, "compute", e.compute_ms);
}

GstStructure *
gst_pe_stats_to_structure(GstPeStats *stats, PeEngine *engine)
{
    GstStructure *s = gst_structure_new_empty("application/x-pe-stats");

    g_mutex_lock(&stats->lock);
    for (int i = 0; i < GST_PE_N_COUNTS; i++)
        gst_structure_set(s, count_names[i], G_TYPE_UINT64,
                          (guint64)stats->counts[i], NULL);
    for (int i = 0; i < GST_PE_N_STAGES; i++)
        set_stage_locked(stats, (GstPeStage)i, s);
    g_mutex_unlock(&stats->lock);
    if (engine)
        set_engine(s, engine);
    return s;
}
