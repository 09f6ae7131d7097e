// SPDX-License-Identifier: LGPL-2.1-or-later
//
// memory_slope.c - see memory_slope.h.

#include "tests/support/memory_slope.h"

#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

typedef struct {
    double seconds;
    double resident, allocated; // bytes
} Sample;

void
memory_slope_clear(MemorySlope *slope)
{
    g_clear_pointer(&slope->samples, g_array_unref);
}

static double
get_resident(void)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    unsigned long pages = 0;

    g_file_get_contents("/proc/self/statm", &text, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(sscanf(text, "%*u %lu", &pages), ==, 1);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

void
memory_slope_sample(MemorySlope *slope, double seconds)
{
    if (!slope->samples)
        slope->samples = g_array_new(FALSE, FALSE, sizeof(Sample));
    malloc_trim(0);
    struct mallinfo2 info = mallinfo2();
    Sample sample = {seconds, get_resident(),
                     (double)info.uordblks + (double)info.hblkhd};
    g_array_append_val(slope->samples, sample);
}

// The index of the first sample from then on.
static guint
find(const MemorySlope *slope, double since)
{
    guint i = 0;

    while (slope->samples && i < slope->samples->len &&
           g_array_index(slope->samples, Sample, i).seconds < since)
        i++;
    return i;
}

guint
memory_slope_count(const MemorySlope *slope, double since)
{
    return slope->samples ? slope->samples->len - find(slope, since) : 0;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double
get_slope(const MemorySlope *slope, double since, bool allocated)
{
    g_autoptr(GArray) slopes = g_array_new(FALSE, FALSE, sizeof(double));
    guint n = slope->samples ? slope->samples->len : 0;

    for (guint i = find(slope, since); i < n; i++) {
        const Sample *a = &g_array_index(slope->samples, Sample, i);
        for (guint j = i + 1; j < n; j++) {
            const Sample *b = &g_array_index(slope->samples, Sample, j);
            double bytes = allocated ? b->allocated - a->allocated
                                     : b->resident - a->resident;
            double rise = bytes / (b->seconds - a->seconds);
            g_array_append_val(slopes, rise);
        }
    }
    g_assert_cmpuint(slopes->len, >, 0);
    qsort(slopes->data, slopes->len, sizeof(double), compare);
    return g_array_index(slopes, double, slopes->len / 2);
}

double
memory_slope_get(const MemorySlope *slope, double since)
{
    return get_slope(slope, since, false);
}

double
memory_slope_get_allocated(const MemorySlope *slope, double since)
{
    return get_slope(slope, since, true);
}
