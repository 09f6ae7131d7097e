// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_rows.c - gains of 8-bit inputs: no picture can exceed what they were
// made for, and they are no smaller than that asks for.

#include "core/tower/rows.h"

#include <glib.h>
#include <math.h>

#include "core/device/narrow.h"

#define N 130 // more than two tasks
#define K 48

static float
random_float(GRand *random)
{
    return (float)g_rand_double_range(random, -1, 1);
}

typedef struct {
    float w[N * K], g[K], h[K], b[N];
    float x[K]; // a normalised row
} Layer;

static void
fill(Layer *l)
{
    GRand *random = g_rand_new_with_seed(1);
    for (int i = 0; i < N * K; i++)
        l->w[i] = random_float(random) * (i / K == 7 ? 1000 : 1);
    for (int j = 0; j < K; j++) {
        l->g[j] = random_float(random) * (j == 3 ? 30 : 1);
        l->h[j] = random_float(random);
    }
    for (int i = 0; i < N; i++)
        l->b[i] = random_float(random);
    for (int j = 0; j < K; j++)
        l->w[9 * K + j] = 0;
    g_rand_free(random);
}

// The row that makes output i of the layer the largest.
static void
find_worst_row(Layer *l, int i)
{
    double squares = 0, shift = l->b[i];
    for (int j = 0; j < K; j++) {
        l->x[j] = l->w[i * K + j] * l->g[j];
        squares += (double)l->x[j] * l->x[j];
        shift += (double)l->w[i * K + j] * l->h[j];
    }
    double to = squares > 0 ? sqrt(K / squares) : 0;
    for (int j = 0; j < K; j++)
        l->x[j] *= (float)(shift < 0 ? -to : to);
}

static double
output_of(const Layer *l, int i)
{
    double y = l->b[i];
    for (int j = 0; j < K; j++)
        y += (double)l->w[i * K + j] * (l->g[j] * l->x[j] + l->h[j]);
    return y;
}

static void
gains_suit_the_worst_row(void)
{
    enum { FIRST = 5 };
    static Layer l;
    float gains[N - FIRST];
    int exponent;
    fill(&l);
    PeTensor w = pe_tensor_new(PE_DTYPE_F32, 2, (int64_t[]){N, K}, l.w);
    pe_rows_find_gains(gains, &w, l.g, l.h, l.b, FIRST, N - FIRST);
    for (int i = FIRST; i < N; i++) {
        find_worst_row(&l, i);
        double most = fabs(output_of(&l, i)) * gains[i - FIRST];
        g_assert_cmpfloat(most, <=, PE_NARROW_ROOM * 1.0001);
        g_assert_cmpfloat(most, >, PE_NARROW_ROOM / 2);
        g_assert_cmpfloat(frexpf(gains[i - FIRST], &exponent), ==, 0.5f);
    }
}

// Nothing but weights, and a row of zeros.
static void
gains_of_weights_alone(void)
{
    static Layer l;
    float gains[N];
    fill(&l);
    PeTensor w = pe_tensor_new(PE_DTYPE_F32, 2, (int64_t[]){N, K}, l.w);
    pe_rows_find_gains(gains, &w, NULL, NULL, NULL, 0, N);
    for (int j = 0; j < K; j++) {
        l.g[j] = 1;
        l.h[j] = 0;
    }
    for (int i = 0; i < N; i++) {
        l.b[i] = 0;
        g_assert_true(isfinite(gains[i]));
        find_worst_row(&l, i);
        double most = fabs(output_of(&l, i)) * gains[i];
        g_assert_cmpfloat(most, <=, PE_NARROW_ROOM * 1.0001);
        g_assert_true(i == 9 || most > PE_NARROW_ROOM / 2);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/rows/gains", gains_suit_the_worst_row);
    g_test_add_func("/rows/gains/weights", gains_of_weights_alone);
    return g_test_run();
}
