// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_metrics.c - the numbers of pe-eval, against their definitions.

#include "tools/eval/metrics.h"

#include <glib.h>
#include <math.h>

#define N(a) G_N_ELEMENTS(a)

static void
the_first_of_equal_scores_comes_first(void)
{
    const double scores[] = {.2, .7, .1, .7, .7};
    const size_t ranks[] = {3, 0, 4, 1, 2};
    for (size_t i = 0; i < N(scores); i++)
        g_assert_cmpuint(metrics_rank(scores, N(scores), i), ==, ranks[i]);
    g_assert_cmpuint(metrics_argmax(scores, N(scores)), ==, 1);
    g_assert_cmpuint(metrics_argmax(scores, 1), ==, 0);
}

static void
any_of_several_answers_counts(void)
{
    const double scores[] = {.5, .9, .1, .6, .9};
    g_assert_cmpuint(metrics_rank_of_best(scores, 5, 2, 4), ==, 2);
    g_assert_cmpuint(metrics_rank_of_best(scores, 5, 3, 5), ==, 1);
    g_assert_cmpuint(metrics_rank_of_best(scores, 5, 0, 5), ==, 0);
    g_assert_cmpuint(metrics_rank_of_best(scores, 5, 2, 3), ==, 4);
}

static void
softmax_does_not_overflow(void)
{
    double scores[] = {1000, 1000, -1000};
    metrics_softmax(scores, N(scores), 1000);
    g_assert_cmpfloat(scores[0], ==, .5);
    g_assert_cmpfloat(scores[1], ==, .5);
    g_assert_cmpfloat(scores[2], ==, 0);
    double two[] = {0, log(3) / 2};
    metrics_softmax(two, 2, 2);
    g_assert_cmpfloat_with_epsilon(two[1], .75, 1e-15);
}

// The mean rank of the positives among all, ties sharing theirs.
// Source: Hanley and McNeil 1982, which show that this is the area.
static double
auroc_by_midranks(const double *p, size_t n_p, const double *n, size_t n_n)
{
    double sum = 0;
    for (size_t i = 0; i < n_p; i++) {
        double below = 0, equal = 0;
        for (size_t j = 0; j < n_p + n_n; j++) {
            double other = j < n_p ? p[j] : n[j - n_p];
            below += other < p[i];
            equal += other == p[i];
        }
        sum += below + (equal + 1) / 2;
    }
    double least = (double)n_p * ((double)n_p + 1) / 2;
    return (sum - least) / ((double)n_p * (double)n_n);
}

static void
auroc_gives_ties_midranks(void)
{
    GRand *rand = g_rand_new_with_seed(7);
    for (int round = 0; round < 200; round++) {
        double p[40], n[60];
        int n_p = g_rand_int_range(rand, 1, 41);
        int n_n = g_rand_int_range(rand, 1, 61);
        int n_values = g_rand_int_range(rand, 1, 30);
        for (int i = 0; i < n_p; i++)
            p[i] = g_rand_int_range(rand, 0, n_values);
        for (int i = 0; i < n_n; i++)
            n[i] = g_rand_int_range(rand, 0, n_values) - 1;
        double expected = auroc_by_midranks(p, (size_t)n_p, n, (size_t)n_n);
        Auroc auroc;
        auroc_start(&auroc, p, (size_t)n_p);
        for (int i = 0; i < n_n; i++)
            auroc_add_negative(&auroc, n[i]);
        g_assert_cmpfloat_with_epsilon(auroc_value(&auroc), expected, 1e-12);
    }
    g_rand_free(rand);
}

static void
auroc_needs_both_sides(void)
{
    double positives[] = {2, 1};
    Auroc auroc;
    auroc_start(&auroc, positives, 2);
    g_assert_true(isnan(auroc_value(&auroc)));
    auroc_add_negative(&auroc, 1);
    g_assert_cmpfloat(auroc_value(&auroc), ==, .75);
    auroc_start(&auroc, NULL, 0);
    auroc_add_negative(&auroc, 1);
    g_assert_true(isnan(auroc_value(&auroc)));
}

static void
bins_end_where_the_next_begin(void)
{
    Calibration c = {0};
    g_assert_true(isnan(calibration_error(&c)));
    calibration_add(&c, 0, false);
    calibration_add(&c, 1. / 15, false);
    calibration_add(&c, 1. / 15 + 1e-9, true);
    calibration_add(&c, 1, true);
    g_assert_cmpuint(c.n[0], ==, 2);
    g_assert_cmpuint(c.n[1], ==, 1);
    g_assert_cmpuint(c.n[14], ==, 1);
    g_assert_cmpuint(c.n_right[0], ==, 0);
    // Twice 1/30 too sure, once 14/15 too little, once right.
    double expected = (1. / 15 + 14. / 15 + 0) / 4;
    g_assert_cmpfloat_with_epsilon(calibration_error(&c), expected, 1e-8);
}

static void
calibration_is_of_bins_not_of_predictions(void)
{
    Calibration c = {0};
    for (int i = 0; i < 10; i++)
        calibration_add(&c, .7, i < 7);
    g_assert_cmpfloat_with_epsilon(calibration_error(&c), 0, 1e-12);
    for (int i = 0; i < 10; i++)
        calibration_add(&c, .9, i < 7);
    g_assert_cmpfloat_with_epsilon(calibration_error(&c), .1, 1e-12);
}

#define ADD(test) g_test_add_func("/metrics/" #test, test)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD(the_first_of_equal_scores_comes_first);
    ADD(any_of_several_answers_counts);
    ADD(softmax_does_not_overflow);
    ADD(auroc_gives_ties_midranks);
    ADD(auroc_needs_both_sides);
    ADD(bins_end_where_the_next_begin);
    ADD(calibration_is_of_bins_not_of_predictions);
    return g_test_run();
}
