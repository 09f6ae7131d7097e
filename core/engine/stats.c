// SPDX-License-Identifier: LGPL-2.1-or-later
//
// stats.c - percentiles of the last PE_STATS_RECENT values.

#include "stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void
pe_recent_add(PeRecent *recent, double value)
{
    recent->values[recent->n++ % PE_STATS_RECENT] = (float)value;
}

static int
compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;
    return (x > y) - (x < y);
}

void
pe_recent_get(const PeRecent *recent, double percentiles[3])
{
    static const double ranks[3] = {0.50, 0.95, 0.99};
    float sorted[PE_STATS_RECENT];
    size_t n = (size_t)MIN(recent->n, PE_STATS_RECENT);
    memcpy(sorted, recent->values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_floats);
    for (int i = 0; i < 3; i++) {
        size_t rank = (size_t)ceil(ranks[i] * (double)n);
        percentiles[i] = n > 0 ? (double)sorted[rank - 1] : 0;
    }
}
