// SPDX-License-Identifier: LGPL-2.1-or-later
//
// bucket.c - which batch sizes keep a whole device busy. A matrix product is
// cut into tiles, and a multiprocessor computes one tile at a time: a last wave
// that fills a quarter of the device takes as long as a full one. So the time
// of a batch is a staircase, and the best sizes end just before a step. Where
// memory is slow, smaller batches can be faster: what one operation leaves in
// the cache, the next one finds there.

#include "cuda/bucket.h"

#include <glib.h>

// Larger batches gain nothing on today's devices and cost latency and memory.
#define MAX_BATCH 64
#define MAX_ROWS 23000

// Two sizes in a list are at least this far apart, and at most a factor of 2.
#define MIN_STEP 1.2

// Rates nearer than this are equal, then the smaller batch wins.
#define TOLERANCE 0.01

// Seconds in which a layer's eight kernels are started and drained.
#define LAYER_OVERHEAD 16e-6

// How much of the cache holds what was just written, beside all else that
// passes through, and bytes that it gives a multiprocessor in a clock: about
// what copies reach on Ampere to Hopper.
#define CACHE_SHARE 0.8
#define CACHE_BYTES 20

// The share of writing a product's result that no other tile's work hides.
#define EXPOSED 0.5

// The tiles that matter; a small one reuses less of what it loads.
static const struct {
    int rows, columns;
    double efficiency;
} tiles[] = {{128, 256, 1}, {128, 128, 0.6}};

typedef struct {
    PeCudaRates rates;
    int tokens, width, mlp_width;
} Shape;

// Multiply-accumulates in 16 bits of one multiprocessor a second. Source: the
// dense rates in NVIDIA's architecture white papers, less what power takes of
// them from Hopper on. GeForce cards of 8.6 and later do half as much with
// 32-bit sums, but have the compute capability of others.
static double
multiply_rate(const PeCudaRates *r)
{
    if (r->sm == 80)
        return 1024 * r->clock;
    if (r->sm >= 90 && r->sm < 120)
        return (r->sm < 100 ? 1600 : 3200) * r->clock;
    return 512 * r->clock;
}

// Seconds to move so many bytes, in an operation that touches `used` bytes.
static double
moving_time(const PeCudaRates *r, double bytes, double used)
{
    double rate = r->bandwidth;
    if (used < CACHE_SHARE * (double)r->l2_size)
        rate = MAX(rate, CACHE_BYTES * r->n_sms * r->clock);
    return bytes / rate;
}

// Of x [m, k] w [n, k]^T in 16 bits with a result of `size` bytes an element,
// which counts what is read of it, too.
static double
product_time(const PeCudaRates *r, int m, int n, int k, int size)
{
    double best = G_MAXDOUBLE;
    for (size_t i = 0; i < G_N_ELEMENTS(tiles); i++) {
        int rows = tiles[i].rows, columns = tiles[i].columns;
        int count = ((m + rows - 1) / rows) * ((n + columns - 1) / columns);
        int waves = (count + r->n_sms - 1) / r->n_sms;
        best = MIN(best, waves * (double)rows * columns * k /
                             tiles[i].efficiency / multiply_rate(r));
    }
    double in = 2.0 * m * k, out = (double)size * m * n;
    double weights = moving_time(r, 2.0 * n * k, G_MAXDOUBLE);
    best += EXPOSED * moving_time(r, out, in + out);
    return MAX(best, weights + moving_time(r, in + out, in + out));
}

// Of one layer, in seconds; 0 for no images.
static double
batch_time(const Shape *s, int b)
{
    const PeCudaRates *r = &s->rates;
    int m = b * s->tokens, d = s->width, mlp = s->mlp_width;
    double stream = (double)m * d, hidden = (double)m * mlp;
    if (b == 0)
        return 0;
    // Two norms read f32 and write 16 bits, the rotation and GELU work in
    // place.
    return product_time(r, m, 3 * d, d, 2) + product_time(r, m, d, d, 8) +
           product_time(r, m, mlp, d, 2) + product_time(r, m, d, mlp, 8) +
           2 * moving_time(r, 6 * stream, 6 * stream) +
           moving_time(r, 8 * stream, 6 * stream) +
           moving_time(r, 4 * hidden, 2 * hidden) + LAYER_OVERHEAD;
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

static int
list_buckets(const Shape *s, int buckets[PE_CUDA_MAX_BUCKETS])
{
    int max = CLAMP(MAX_ROWS / s->tokens, 1, MAX_BATCH);
    int n = 0, b = 1;
    while (n < PE_CUDA_MAX_BUCKETS) {
        buckets[n++] = b;
        int first = MAX(b + 1, (int)(b * MIN_STEP) + 1);
        int last = MIN(2 * b, max);
        if (first > last)
            break;
        b = best_between(s, first, last);
    }
    return n;
}

int
pe_cuda_list_buckets(const PeCudaRates *rates, int tokens, int width,
                     int mlp_width, int buckets[PE_CUDA_MAX_BUCKETS])
{
    Shape s = {*rates, tokens, width, mlp_width};
    return list_buckets(&s, buckets);
}

// The sizes of the list that are at most `max`, and `max` itself where the list
// goes on: whoever asks for a batch size gets it. Returns how many.
static int
list_up_to(const Shape *s, int max, int sizes[PE_CUDA_MAX_BUCKETS + 1])
{
    int buckets[PE_CUDA_MAX_BUCKETS], n = 0;
    int count = list_buckets(s, buckets);
    while (n < count && buckets[n] <= max) {
        sizes[n] = buckets[n];
        n++;
    }
    if (n < count && sizes[n - 1] < max)
        sizes[n++] = max;
    return n;
}

// The size of the best rate.
static int
best_size(const Shape *s, const int *sizes, int count)
{
    double best = 0;
    for (int i = 0; i < count; i++)
        best = MAX(best, batch_rate(s, sizes[i]));
    int i = 0;
    while (batch_rate(s, sizes[i]) < best * (1 - TOLERANCE))
        i++;
    return sizes[i];
}

int
pe_cuda_batch_bucket(const PeCudaRates *rates, int n, int max, int tokens,
                     int width, int mlp_width)
{
    Shape s = {*rates, tokens, width, mlp_width};
    int sizes[PE_CUDA_MAX_BUCKETS + 1], first[MAX_BATCH + 1] = {0};
    double times[PE_CUDA_MAX_BUCKETS + 1], least[MAX_BATCH + 1] = {0};
    int count = list_up_to(&s, max, sizes);
    if (n > sizes[count - 1])
        return best_size(&s, sizes, count);
    for (int i = 0; i < count; i++)
        times[i] = batch_time(&s, sizes[i]);
    // The least time for so many images, by any sequence of sizes; the last may
    // be larger than what is left.
    for (int images = 1; images <= n; images++) {
        least[images] = G_MAXDOUBLE;
        for (int i = 0; i < count; i++) {
            double time = times[i] + least[MAX(images - sizes[i], 0)];
            if (time > least[images])
                continue;
            least[images] = time;
            first[images] = sizes[i];
        }
    }
    return first[n];
}
