// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_gst_stats.c - the percentiles that `stats` shows are those of the
// library.

#include "gst/inference/gstpestats.h"

static double
get_double(const GstStructure *s, const char *name)
{
    double value;
    g_assert_true(gst_structure_get_double(s, name, &value));
    g_test_message("%s: %.3f", name, value);
    return value;
}

static void
shows_percentiles_as_the_library_defines_them(void)
{
    GstPeStats stats;
    gst_pe_stats_init(&stats);
    // An hour ago and a day ago: what this thread waits does not matter.
    gst_pe_stats_time(&stats, GST_PE_STAGE_HOLD,
                      g_get_monotonic_time() - G_TIME_SPAN_HOUR);
    gst_pe_stats_time(&stats, GST_PE_STAGE_HOLD,
                      g_get_monotonic_time() - G_TIME_SPAN_DAY);
    g_autoptr(GstStructure) s = gst_pe_stats_to_structure(&stats, NULL);
    g_assert_cmpfloat(get_double(s, "hold-p50"), <, 2 * 3600e3);
    g_assert_cmpfloat(get_double(s, "hold-p95"), >=, 24 * 3600e3);
    g_assert_cmpfloat(get_double(s, "hold-p99"), >=, 24 * 3600e3);
    g_assert_cmpfloat(get_double(s, "score-p99"), ==, 0);
    gst_pe_stats_clear(&stats);
}

int
main(int argc, char **argv)
{
    gst_init(&argc, &argv);
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stats/percentiles",
                    shows_percentiles_as_the_library_defines_them);
    return g_test_run();
}
