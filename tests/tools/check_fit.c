// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_fit.c - the line of pe-calibrate against what defines it, and the edits
// of its labels file.

#include "tools/calibrate/class_vector.h"
#include "tools/calibrate/fit.h"
#include "tools/calibrate/json_edit.h"

#include <glib.h>
#include <math.h>

#define N 60

// What fit.h says that the line minimises.
static double
get_cost(const Examples *e, double slope, double offset)
{
    double cost = offset * offset / 200 + (slope - 1) * (slope - 1) / 20;
    double n_kind[2] = {0, 0};
    for (size_t i = 0; i < e->n; i++)
        n_kind[e->positive[i]]++;
    for (size_t i = 0; i < e->n; i++) {
        double x = slope * e->evidence[i] + offset;
        double w = (double)e->n / 2 / n_kind[e->positive[i]];
        cost += w * log(1 + exp(e->positive[i] ? -x : x));
    }
    return cost;
}

static Examples
draw(GRand *rand, double *evidence, bool *positive, size_t n)
{
    double gap = g_rand_double_range(rand, -1, 6);
    double shift = g_rand_double_range(rand, -12, 12);
    for (size_t i = 0; i < n; i++) {
        positive[i] = i < 2 || (i > 3 && g_rand_boolean(rand));
        evidence[i] =
            shift + g_rand_double_range(rand, -4, 4) + (positive[i] ? gap : 0);
    }
    return (Examples){evidence, positive, n};
}

static void
no_other_line_costs_less(void)
{
    GRand *rand = g_rand_new_with_seed(3);
    double evidence[N];
    bool positive[N];
    for (int round = 0; round < 100; round++) {
        size_t n = (size_t)g_rand_int_range(rand, 4, N + 1);
        Examples e = draw(rand, evidence, positive, n);
        Line line = fit_line(&e);
        double least = get_cost(&e, line.slope, line.offset);
        for (double step = 1; step > 1e-4; step /= 4) {
            for (int k = 0; k < 8; k++) {
                double a = step * sin(k * G_PI / 4);
                double b = step * cos(k * G_PI / 4);
                double other =
                    get_cost(&e, line.slope + a / 4, line.offset + b);
                g_assert_cmpfloat(other, >=, least - 1e-9);
            }
        }
    }
    g_rand_free(rand);
}

static void
both_kinds_count_half(void)
{
    // The same examples, one kind ten times: the line stays.
    double few[4] = {-1, 0, -3, -2}, many[22] = {-1, 0};
    bool of_few[4] = {true, true}, of_many[22] = {true, true};
    for (int i = 2; i < 22; i++)
        many[i] = i % 2 ? -3 : -2;
    Line a = fit_shift(fit_line(&(Examples){few, of_few, 4}), 1);
    Line b = fit_shift(fit_line(&(Examples){many, of_many, 22}), 1);
    // Between -1 and -2, but for the ridge.
    g_assert_cmpfloat_with_epsilon(a.offset, 1.5, .05);
    g_assert_cmpfloat_with_epsilon(b.offset, 1.5, .05);
}

static void
a_shift_crosses_where_the_line_does(void)
{
    Line line = fit_shift((Line){.5, -2}, 1);
    g_assert_cmpfloat(line.slope, ==, 1);
    g_assert_cmpfloat(line.offset, ==, -4);
    g_assert_cmpfloat(fit_shift((Line){.5, -2}, .25).offset, ==, -1);
    // And not at the end of the world, where it hardly has a slope.
    g_assert_cmpfloat(fabs(fit_shift((Line){1e-9, -2}, 1).offset), <=, 40);
}

static void
trusts_many_examples_more(void)
{
    static const struct {
        size_t n_positives, n;
        double trust;
    } cases[] = {{5, 25, .5}, {2, 4, .2}, {20, 40, 10. / 14}, {2, 60, .3258}};
    double evidence[N] = {0};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        bool positive[N] = {false};
        for (size_t k = 0; k < cases[i].n_positives; k++)
            positive[k] = true;
        Examples e = {evidence, positive, cases[i].n};
        g_assert_cmpfloat_with_epsilon(fit_way(&e, false).trust, cases[i].trust,
                                       1e-4);
        g_assert_cmpfloat(fit_way(&e, true).trust, ==, 1);
        double further = fit_way_further(fit_way(&e, false)).trust;
        g_assert_cmpfloat_with_epsilon(further, .5 + cases[i].trust / 2, 1e-4);
    }
}

static void
survives_evidence_without_bounds(void)
{
    double evidence[] = {1e4, 9e3, -1e4, -1e4};
    bool positive[] = {true, false, true, false};
    Examples e = {evidence, positive, 4};
    Line line = fit_line(&e);
    g_assert_true(isfinite(line.slope) && isfinite(line.offset));
    g_assert_true(isfinite(fit_shift(line, 1).offset));
    FitQuality q = fit_measure(&e, .5);
    g_assert_true(isfinite(q.log_loss) && isfinite(q.ece));
    g_assert_cmpfloat_with_epsilon(q.error, .5, 1e-12);
    // What is as it was is no gain, to the last digit.
    for (int with_slope = 0; with_slope < 2; with_slope++) {
        FitGain gain = fit_compare(&e, evidence, fit_way(&e, with_slope));
        g_assert_cmpfloat(gain.gain, ==, 0);
        g_assert_false(fit_is_better(gain));
    }
}

static void
leaves_out_the_one_that_it_judges(void)
{
    GRand *rand = g_rand_new_with_seed(5);
    double evidence[20], out[20], others[19];
    bool positive[20], of_others[19];
    Examples e = draw(rand, evidence, positive, 20);
    for (int with_slope = 0; with_slope < 2; with_slope++) {
        FitWay way = fit_way(&e, with_slope);
        fit_leave_one_out(&e, way, out);
        for (size_t i = 0; i < 20; i++) {
            for (size_t j = 0; j < 19; j++) {
                others[j] = evidence[j + (j >= i)];
                of_others[j] = positive[j + (j >= i)];
            }
            Line line = fit_line(&(Examples){others, of_others, 19});
            line = with_slope ? line : fit_shift(line, way.trust);
            g_assert_cmpfloat_with_epsilon(
                out[i], line.slope * evidence[i] + line.offset, 1e-9);
        }
    }
    g_rand_free(rand);
}

static void
measures_what_passes(void)
{
    double evidence[] = {2, -1, 0, -3};
    bool positive[] = {true, true, false, false};
    FitQuality q = fit_measure(&(Examples){evidence, positive, 4}, .5);
    g_assert_cmpuint(q.n_found, ==, 1);
    g_assert_cmpuint(q.n_false_alarms, ==, 1);
    g_assert_cmpfloat(q.auroc, ==, .75);
    double loss =
        (log(1 + exp(-2)) + log(1 + exp(1)) + log(2) + log(1 + exp(-3))) / 4;
    g_assert_cmpfloat_with_epsilon(q.log_loss, loss, 1e-12);
    double error =
        (1 / (1 + exp(2)) + 1 / (1 + exp(-1)) + .5 + 1 / (1 + exp(3))) / 4;
    g_assert_cmpfloat_with_epsilon(q.error, error, 1e-12);
}

static void
gains_are_those_of_both_kinds(void)
{
    GRand *rand = g_rand_new_with_seed(8);
    double evidence[N], after[N];
    bool positive[N];
    Examples e = draw(rand, evidence, positive, N);
    for (size_t i = 0; i < N; i++)
        after[i] = g_rand_double_range(rand, -5, 5);
    for (int with_slope = 0; with_slope < 2; with_slope++) {
        FitWay way = fit_way(&e, with_slope);
        double n[2] = {0}, sum[2] = {0}, squares[2] = {0};
        for (size_t i = 0; i < N; i++) {
            double sign = positive[i] ? -1 : 1;
            double was = exp(sign * evidence[i]), is = exp(sign * after[i]);
            double gain = with_slope ? log(1 + was) - log(1 + is)
                                     : was / (1 + was) - is / (1 + is);
            n[positive[i]]++;
            sum[positive[i]] += gain;
            squares[positive[i]] += gain * gain;
        }
        double mean = 0, variance = 0;
        for (int k = 0; k < 2; k++) {
            mean += sum[k] / n[k] / 2;
            variance +=
                (squares[k] - sum[k] * sum[k] / n[k]) / (n[k] - 1) / n[k] / 4;
        }
        FitGain gain = fit_compare(&e, after, way);
        FitQuality before = fit_measure(&e, .5);
        FitQuality then = fit_measure(&(Examples){after, positive, N}, .5);
        g_assert_cmpfloat_with_epsilon(gain.gain, mean, 1e-12);
        g_assert_cmpfloat_with_epsilon(
            gain.gain, fit_get_loss(&before, way) - fit_get_loss(&then, way),
            1e-12);
        g_assert_cmpfloat_with_epsilon(gain.standard_error, sqrt(variance),
                                       1e-12);
    }
    g_rand_free(rand);
}

// One more of five that is found, for one of twenty that is a false alarm then,
// is no gain; three more, for none, are.
static void
a_gain_within_its_error_is_none(void)
{
    double evidence[25], after[25];
    bool positive[25];
    Examples e = {evidence, positive, 25};
    FitWay way = {false, 1};
    for (int n_missed = 1; n_missed <= 3; n_missed += 2) {
        for (int i = 0; i < 25; i++) {
            positive[i] = i < 5;
            evidence[i] = i < 5 && i >= n_missed ? 9 : -9;
            after[i] = i < 5 ? 9 : -9;
        }
        after[5] = n_missed == 1 ? 9 : -9;
        g_assert_cmpint(fit_is_better(fit_compare(&e, after, way)), ==,
                        n_missed == 3);
    }
    g_assert_true(fit_is_better((FitGain){.009, .001}));
    g_assert_false(fit_goes_further((FitGain){.009, .001}));
    g_assert_true(fit_goes_further((FitGain){.011, .001}));
    g_assert_false(fit_goes_further((FitGain){.011, .012}));
}

// ---- Edits ----------------------------------------------------------------

static void
edits_and_leaves_the_rest(void)
{
    static const struct {
        const char *text, *name, *expected;
    } cases[] = {
        {"{}", "a", "{\"a\": 7}"},
        {"{ }", "a", "{\"a\": 7 }"},
        {"{\"b\" :\t1 }\n", "a", "{\"b\" :\t1, \"a\": 7 }\n"},
        {"{\"a\":1,\"b\":2}", "a", "{\"a\":7,\"b\":2}"},
        {"{\"b\":[1,{\"a\":\"]}\"}],\"a\" : {\"x\":[]} }", "a",
         "{\"b\":[1,{\"a\":\"]}\"}],\"a\" : 7 }"},
        {"{\"b\":\"\\\"a\\\":1\\\\\",\n\"ab\":true}", "a",
         "{\"b\":\"\\\"a\\\":1\\\\\",\n\"ab\":true, \"a\": 7}"},
        {"{\"a\":-1.5e3}", "a", "{\"a\":7}"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *edited =
            json_edit_set(cases[i].text, cases[i].text, cases[i].name, "7");
        g_assert_cmpstr(edited, ==, cases[i].expected);
    }
}

static void
counts_elements(void)
{
    const char *list = "[ \"a,]\" , {\"b\":[1,2]},[ [] , {} ],null,\n3 ]";
    static const char first[] = "\"{[n3";
    for (guint i = 0; i < 5; i++) {
        const char *found = json_edit_nth(list, i);
        g_assert_nonnull(found);
        g_assert_cmpint(*found, ==, first[i]);
    }
    g_assert_null(json_edit_nth(list, 5));
    g_assert_null(json_edit_nth("[]", 0));
}

// Unit vectors of a plane by their angles, in which a sum of two is easy.
static void
moves_a_vector_by_its_definition(void)
{
    enum { N_SHOWN = 3, N_ALL = 6 };
    static const double angles[N_ALL] = {1.0, 1.2, 1.4, -.9, -1.1, .2};
    const float label[2] = {1, 0};
    float vectors[N_ALL * 2], mean[2];
    double evidence[N_ALL], moved[N_ALL], left_out[N_ALL];
    bool positive[N_ALL];
    for (size_t i = 0; i < N_ALL; i++) {
        vectors[2 * i] = (float)cos(angles[i]);
        vectors[2 * i + 1] = (float)sin(angles[i]);
        positive[i] = i < N_SHOWN;
        evidence[i] = 10 * cos(angles[i]) - 3;
    }
    ClassExamples e = {{evidence, positive, N_ALL}, vectors, label, 2, 10};
    FitWay all = {false, 1}, half = {false, .5};
    class_vector_mean(&e, N_ALL, mean);
    g_assert_cmpfloat_with_epsilon(atan2(mean[1], mean[0]), 1.2, 1e-6);
    class_vector_mean(&e, 0, mean);
    g_assert_cmpfloat_with_epsilon(atan2(mean[1], mean[0]), 1.3, 1e-6);
    class_vector_weigh(&e, mean, .25, moved);
    double to = atan2(.25 * sin(1.3), .75 + .25 * cos(1.3));
    for (size_t i = 0; i < N_ALL; i++)
        g_assert_cmpfloat_with_epsilon(moved[i], 10 * cos(angles[i] - to) - 3,
                                       1e-5);
    // What is left out is in neither the mean nor the fit.
    class_vector_leave_one_out(&e, .25, all, left_out);
    Examples of_moved = {moved, positive, N_ALL};
    Line line = fit_without(&of_moved, 0, all);
    g_assert_cmpfloat_with_epsilon(left_out[0], moved[0] + line.offset, 1e-5);
    // A fit that is trusted by half moves the vector and the offset by half.
    class_vector_leave_one_out(&e, .25, half, left_out);
    class_vector_weigh(&e, mean, .125, moved);
    g_assert_cmpfloat_with_epsilon(left_out[0], moved[0] + line.offset / 2,
                                   1e-5);
    // Positives that lie together beside the label draw it towards them; those
    // all around it do not.
    double together = class_vector_choose(&e, all);
    g_assert_cmpfloat(together, >, 0);
    for (size_t i = 0; i < N_ALL; i++)
        positive[i] = i % 2;
    g_assert_cmpfloat(class_vector_choose(&e, all), <, together);
}

#define ADD(test) g_test_add_func("/fit/" #test, test)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD(no_other_line_costs_less);
    ADD(both_kinds_count_half);
    ADD(a_shift_crosses_where_the_line_does);
    ADD(trusts_many_examples_more);
    ADD(survives_evidence_without_bounds);
    ADD(leaves_out_the_one_that_it_judges);
    ADD(measures_what_passes);
    ADD(gains_are_those_of_both_kinds);
    ADD(a_gain_within_its_error_is_none);
    ADD(moves_a_vector_by_its_definition);
    ADD(edits_and_leaves_the_rest);
    ADD(counts_elements);
    return g_test_run();
}
