// SPDX-License-Identifier: LGPL-2.1-or-later
//
// stats.h - counters and percentiles of recent times. Private to the
// engine, which locks it.

#pragma once

#include "core/pe.h"

#define PE_STATS_RECENT 1024

typedef struct {
    float values[PE_STATS_RECENT];
    uint64_t n; // ever added
} PeRecent;

void pe_recent_add(PeRecent *recent, double value);
// p50, p95 and p99 by the nearest rank; zeros when there is nothing.
void pe_recent_get(const PeRecent *recent, double percentiles[3]);
