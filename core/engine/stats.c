// SPDX-License-Identifier: LGPL-2.1-or-later
//
// stats.c - percentiles of the last PE_STATS_RECENT values, and histograms of
// all.

#include "stats.h"

#include <math.h>
#include <string.h>

#define FIRST_BOUND 1e-3 // s

void
pe_recent_add(PeRecent *recent, double value)
{
    recent->values[recent->n++ % PE_STATS_RECENT] = (float)value;
}

void
pe_recent_get(const PeRecent *recent, double percentiles[3])
{
    static const double p[3] = {0.50, 0.95, 0.99};
    float values[PE_STATS_RECENT];
    size_t n = (size_t)MIN(recent->n, PE_STATS_RECENT);
    memcpy(values, recent->values, n * sizeof *values);
    for (int i = 0; i < 3; i++)
        percentiles[i] = pe_percentile(values, n, p[i]);
}

double
pe_histogram_get_bound(int bucket)
{
    g_return_val_if_fail(bucket >= 0 && bucket < PE_HISTOGRAM_BUCKETS, 0);
    return bucket < PE_HISTOGRAM_BUCKETS - 1 ? ldexp(FIRST_BOUND, bucket)
                                             : INFINITY;
}

void
pe_histogram_add(PeHistogram *histogram, double seconds)
{
    g_return_if_fail(histogram && !isnan(seconds));
    int bucket = 0;
    while (seconds > pe_histogram_get_bound(bucket))
        bucket++;
    histogram->counts[bucket]++;
    histogram->sum += seconds;
}
