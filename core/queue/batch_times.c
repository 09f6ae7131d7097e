// SPDX-License-Identifier: LGPL-2.1-or-later
//
// batch_times.c - see batch_times.h. One outlier, such as a page fault or a
// busy machine, changes an estimate for RECENT batches at most.

#include "batch_times.h"

#include "core/pe.h"

#include <string.h>

#define RECENT 16
#define HIGH 0.9

typedef struct {
    float us[RECENT];
    uint64_t n; // ever added
    int64_t high;
} Bucket;

struct PeBatchTimes {
    int batch_size;
    Bucket buckets[]; // [batch_size], of 1, 2, .. images
};

PeBatchTimes *
pe_batch_times_new(int batch_size)
{
    PeBatchTimes *t =
        g_malloc0(sizeof *t + sizeof(Bucket) * (size_t)batch_size);
    t->batch_size = batch_size;
    return t;
}

void
pe_batch_times_free(PeBatchTimes *t)
{
    g_free(t);
}

void
pe_batch_times_add(PeBatchTimes *t, int n, int64_t us)
{
    g_assert(n >= 1 && n <= t->batch_size);
    Bucket *b = &t->buckets[n - 1];
    float sorted[RECENT];
    b->us[b->n++ % RECENT] = (float)us;
    size_t n_recent = (size_t)MIN(b->n, RECENT);
    memcpy(sorted, b->us, n_recent * sizeof *sorted);
    b->high = MAX(1, (int64_t)pe_percentile(sorted, n_recent, HIGH));
}

int64_t
pe_batch_times_get(const PeBatchTimes *t, int n)
{
    for (int i = n; i <= t->batch_size; i++) {
        if (t->buckets[i - 1].n > 0)
            return t->buckets[i - 1].high;
    }
    for (int i = MIN(n, t->batch_size); i >= 1; i--) {
        if (t->buckets[i - 1].n > 0)
            return t->buckets[i - 1].high * n / i;
    }
    return 0;
}
