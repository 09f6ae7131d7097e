// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bucket.c - which batch sizes keep a whole device busy. A matrix product is
// cut into tiles, and a multiprocessor computes one tile at a time: a last wave
// that fills a quarter of the device takes as long as a full one. So the time
// of a batch is a staircase, and the best sizes end just before a step.

#include "cuda/bucket.h"

#include <glib.h>

// Larger batches gain nothing on today's devices and cost latency and memory.
#define MAX_BATCH 64
#define MAX_ROWS 23000

// Two sizes in a list are at least this far apart, and at most a factor of 2.
#define MIN_STEP 1.2

// Rates nearer than this are equal, then the smaller batch wins.
#define TOLERANCE 0.01

// Multiply-accumulates that one multiprocessor could do while a layer's eight
// kernels are started and drained, 16 us at the rate of a large product on
// Hopper.
#define LAYER_OVERHEAD 50e6

// The tiles that matter; a small one reuses less of what it loads.
static const struct {
    int rows, columns;
    double efficiency;
} tiles[] = {{128, 256, 1}, {128, 128, 0.6}};

typedef struct {
    int n_sms, tokens, width, mlp_width;
} Shape;

static double
product_time(int n_sms, int m, int n, int k)
{
    double best = G_MAXDOUBLE;
    for (size_t i = 0; i < G_N_ELEMENTS(tiles); i++) {
        int r = tiles[i].rows, c = tiles[i].columns;
        int count = ((m + r - 1) / r) * ((n + c - 1) / c);
        int waves = (count + n_sms - 1) / n_sms;
        best = MIN(best, waves * (double)r * c * k / tiles[i].efficiency);
    }
    return best;
}

// Of one layer, in multiply-accumulates of one multiprocessor; 0 for no images.
static double
batch_time(const Shape *s, int b)
{
    int m = b * s->tokens, d = s->width;
    if (b == 0)
        return 0;
    return product_time(s->n_sms, m, 3 * d, d) +
           product_time(s->n_sms, m, d, d) +
           product_time(s->n_sms, m, s->mlp_width, d) +
           product_time(s->n_sms, m, d, s->mlp_width) + LAYER_OVERHEAD;
}

static double
batch_rate(const Shape *s, int b)
{
    return b / batch_time(s, b);
}

// The smallest of first..last whose rate is the best of them.
static int
best_between(const Shape *s, int first, int last)
{
    double best = 0;
    for (int b = first; b <= last; b++)
        best = MAX(best, batch_rate(s, b));
    int b = first;
    while (batch_rate(s, b) < best * (1 - TOLERANCE))
        b++;
    return b;
}

int
pe_cuda_list_buckets(int n_sms, int tokens, int width, int mlp_width,
                     int buckets[PE_CUDA_MAX_BUCKETS])
{
    Shape s = {n_sms, tokens, width, mlp_width};
    int max = CLAMP(MAX_ROWS / tokens, 1, MAX_BATCH);
    int n = 0, b = 1;
    while (n < PE_CUDA_MAX_BUCKETS) {
        buckets[n++] = b;
        int first = MAX(b + 1, (int)(b * MIN_STEP) + 1);
        int last = MIN(2 * b, max);
        if (first > last)
            break;
        b = best_between(&s, first, last);
    }
    return n;
}

// The bucket of the best rate.
static int
best_bucket(const Shape *s, const int *buckets, int count)
{
    double best = 0;
    for (int i = 0; i < count; i++)
        best = MAX(best, batch_rate(s, buckets[i]));
    int i = 0;
    while (batch_rate(s, buckets[i]) < best * (1 - TOLERANCE))
        i++;
    return buckets[i];
}

int
pe_cuda_batch_bucket(int n_sms, int n, int tokens, int width, int mlp_width)
{
    Shape s = {n_sms, tokens, width, mlp_width};
    int buckets[PE_CUDA_MAX_BUCKETS];
    int count = pe_cuda_list_buckets(n_sms, tokens, width, mlp_width, buckets);
    if (n > buckets[count - 1])
        return best_bucket(&s, buckets, count);
    // All at once, or a bucket and the rest after it?
    double least = batch_time(&s, n);
    int best = n;
    for (int i = 0; i < count && buckets[i] < n; i++) {
        double time =
            batch_time(&s, buckets[i]) + batch_time(&s, n - buckets[i]);
        if (time < least) {
            least = time;
            best = buckets[i];
        }
    }
    return best;
}
