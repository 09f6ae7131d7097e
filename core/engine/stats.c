// SPDX-License-Identifier: LGPL-2.1-or-later
//
// stats.c - percentiles of the last PE_STATS_RECENT values.

#include "stats.h"

#include <string.h>

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
