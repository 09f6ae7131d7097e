// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_stats.c - percentiles, and which values they are of.

#include "core/engine/stats.h"

#include <math.h>

// The smallest value that at least p of all do not exceed.
static void
takes_percentiles_by_the_nearest_rank(void)
{
    float values[20];
    for (int n = 1; n <= 20; n++) {
        for (int percent = 1; percent <= 100; percent++) {
            for (int i = 0; i < n; i++)
                values[i] = (float)((i * 7 + 3) % n + 1); // 1 .. n, mixed
            if (n % 7 == 0) {
                for (int i = 0; i < n; i++)
                    values[i] = (float)(n - i);
            }
            int rank = (percent * n + 99) / 100;
            g_assert_cmpfloat(pe_percentile(values, (size_t)n, percent / 100.0),
                              ==, rank);
        }
    }
    g_assert_cmpfloat(pe_percentile(NULL, 0, 0.5), ==, 0);
}

static void
forgets_all_but_the_recent_values(void)
{
    static PeRecent recent;
    double p[3];
    pe_recent_get(&recent, p);
    g_assert_cmpfloat(p[0], ==, 0);
    for (int i = 0; i < PE_STATS_RECENT; i++)
        pe_recent_add(&recent, 1000);
    for (int i = 1; i <= PE_STATS_RECENT; i++)
        pe_recent_add(&recent, i);
    pe_recent_get(&recent, p);
    g_assert_cmpfloat(p[0], ==, 512);
    g_assert_cmpfloat(p[1], ==, 973);
    g_assert_cmpfloat(p[2], ==, 1014);
}

static void
counts_each_value_in_the_first_bucket_that_it_fits(void)
{
    PeHistogram histogram = {0};
    double sum = 0;
    for (int b = 0; b < PE_HISTOGRAM_BUCKETS - 1; b++) {
        double bound = pe_histogram_get_bound(b);
        g_assert_cmpfloat(bound, ==, 1e-3 * (double)(1 << b));
        pe_histogram_add(&histogram, bound); // the bound itself fits
        pe_histogram_add(&histogram, bound * 0.75);
        sum += 1.75 * bound;
    }
    pe_histogram_add(&histogram, 1e9);
    pe_histogram_add(&histogram, 0);
    g_assert_true(isinf(pe_histogram_get_bound(PE_HISTOGRAM_BUCKETS - 1)));
    for (int b = 0; b < PE_HISTOGRAM_BUCKETS; b++)
        g_assert_cmpuint(histogram.counts[b], ==,
                         b == 0                          ? 3
                         : b == PE_HISTOGRAM_BUCKETS - 1 ? 1
                                                         : 2);
    g_assert_cmpfloat_with_epsilon(histogram.sum, sum + 1e9, 1e-3);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/stats/percentiles",
                    takes_percentiles_by_the_nearest_rank);
    g_test_add_func("/stats/recent", forgets_all_but_the_recent_values);
    g_test_add_func("/stats/histogram",
                    counts_each_value_in_the_first_bucket_that_it_fits);
    return g_test_run();
}
