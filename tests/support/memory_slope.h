// SPDX-License-Identifier: LGPL-2.1-or-later
//
// memory_slope.h - does a process that runs for long grow? Resident memory at
// moments of the test's choice, and how fast it rises; and the same of what is
// allocated, which does not rise when memory is only cut into small pieces.

#pragma once

#include <glib.h>

// Zeros have no samples. One owner.
typedef struct {
    GArray *samples; // NULL: none
} MemorySlope;

void memory_slope_clear(MemorySlope *slope);
// Give free memory back to the system, and note what is resident now, in bytes
// of the process, `seconds` after the test's start.
void memory_slope_sample(MemorySlope *slope, double seconds);
// How many samples there are from `since` seconds on.
guint memory_slope_count(const MemorySlope *slope, double since);
// The median of the slopes between all pairs of samples from `since` seconds on
// (Theil 1950, Sen 1968), in bytes a second: a cache that fills once, or a
// moment with more in use, does not count. Needs two samples.
double memory_slope_get(const MemorySlope *slope, double since);
double memory_slope_get_allocated(const MemorySlope *slope, double since);
