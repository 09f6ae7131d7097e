// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_score.c - scores are what MODEL.md says, for all vectors, and
// thresholds and the verdict follow from them.

#include "tests/support/label_stand_in.h"

#include <math.h>
#include <string.h>

#define SCALE 100.0 // of the stand-in
#define MAX_ALL 40  // labels, negatives and bank of a test

static void
assert_near(double value, double expected, double limit)
{
    double error = fabs(value - expected);
    if (!(error <= limit))
        g_test_message("%.9g, expected %.9g, limit %.1g", value, expected,
                       limit);
    g_assert_cmpfloat(error, <=, limit);
}

static PeLabels *
make(const char *json, GError **error)
{
    PeLabelSpec *spec = pe_label_spec_parse(json, error);
    g_assert_nonnull(spec);
    g_assert_true(pe_label_spec_set_templates(spec, "{}", NULL));
    return make_labels_of(spec, error);
}

// ---- Against the formulas as they are written ------------------------------

typedef struct {
    int n_labels, n; // labels, then all that they are compared with
    bool independent;
    double slope, offset, offsets[MAX_ALL];
    float vectors[MAX_ALL][MAX_DIM]; // unit
    // Computed.
    double similarity[MAX_ALL], evidence[MAX_ALL], probability[MAX_ALL];
    double mass;
} Twin;

// In the order of MODEL.md, with sums that a long double can hold.
static void
twin_score(Twin *t, const float *x)
{
    long double labels = 0, others = 0;
    for (int i = 0; i < t->n; i++) {
        double sum = 0;
        for (int k = 0; k < stand_in.dim; k++)
            sum += (double)t->vectors[i][k] * (double)x[k];
        t->similarity[i] = sum;
        *(i < t->n_labels ? &labels : &others) += expl(SCALE * sum);
    }
    for (int i = 0; i < t->n_labels; i++) {
        long double rest = others;
        for (int j = 0; j < t->n_labels && !t->independent; j++)
            rest += j == i ? 0 : expl(SCALE * t->similarity[j]);
        long double odds = SCALE * t->similarity[i] - logl(rest);
        t->evidence[i] = (double)(t->slope * odds) + t->offset + t->offsets[i];
        t->probability[i] = (double)(expl(SCALE * t->similarity[i]) / labels);
    }
    t->mass = (double)(others / (labels + others));
}

static void
compare_with_twin(const Twin *t, const PeLabels *labels, const float *x)
{
    const PeScoreParams params = PE_SCORE_PARAMS_TOP(MAX_ALL);
    PeScore scores[MAX_ALL];
    PeVerdict verdict;
    float evidence[MAX_ALL];
    int n = pe_labels_score(labels, x, &params, scores, &verdict, evidence);
    g_assert_cmpint(n, ==, t->n_labels);
    assert_near(verdict.mass, t->mass, 1e-5);
    for (int i = 0; i < n; i++) {
        const PeScore *s = &scores[i];
        // Cosines are of floats, and the scale makes their errors larger.
        assert_near(evidence[i], t->evidence[i], 1e-4);
        assert_near(s->score, 1 / (1 + exp(-t->evidence[s->index])), 3e-5);
        assert_near(s->probability, t->probability[s->index], 3e-5);
        assert_near(s->similarity, t->similarity[s->index], 1e-6);
        if (i > 0)
            g_assert_cmpfloat(evidence[s->index], <=,
                              evidence[scores[i - 1].index]);
    }
}

static void
append_list(GString *json, const char *key, const char *prefix, int n)
{
    g_string_append_printf(json, "\"%s\": [", key);
    for (int i = 0; i < n; i++)
        g_string_append_printf(json, "%s\"%s%d\"", i ? "," : "", prefix, i);
    g_string_append(json, "]");
}

static void
embed(Twin *t, int first, const char *prefix, int n)
{
    for (int i = 0; i < n; i++) {
        g_autofree char *text = g_strdup_printf("%s%d", prefix, i);
        stand_in_embed(text, t->vectors[first + i]);
        pe_embedding_normalize(t->vectors[first + i], stand_in.dim);
    }
}

// Random texts are noise: in few dimensions some are near, in many all are far.
static void
agrees_with_the_formulas(const void *data)
{
    bool independent = data != NULL;
    static const int dims[] = {2, 3, 13, 64, 257};
    for (size_t d = 0; d < G_N_ELEMENTS(dims); d++) {
        stand_in_use("formulas", dims[d]);
        int n_labels = 1 + (int)d * 3, n_negatives = 4;
        g_autoptr(GString) json = g_string_new("{");
        append_list(json, "labels", "label ", n_labels);
        g_string_append(json, ",");
        append_list(json, "negatives", "other ", n_negatives);
        g_string_append_printf(json,
                               ",\"mode\":\"%s\",\"calibration\":{\"slope\":0.7"
                               ",\"offset\":-0.4,\"model\":\"formulas\","
                               "\"mode\":\"%s\"}}",
                               independent ? "independent" : "exclusive",
                               independent ? "independent" : "exclusive");
        PeLabels *labels = make(json->str, NULL);
        g_autofree Twin *t = g_new0(Twin, 1);
        t->n_labels = n_labels;
        t->n = n_labels + n_negatives;
        t->independent = independent;
        t->slope = (double)0.7f;
        t->offset = (double)-0.4f;
        embed(t, 0, "label ", n_labels);
        embed(t, n_labels, "other ", n_negatives);
        for (int round = 0; round < 50; round++) {
            float x[MAX_DIM];
            g_autofree char *text = g_strdup_printf("clip %d", round);
            stand_in_embed(text, x);
            if (round < t->n) // some clips fit exactly
                memcpy(x, t->vectors[round], sizeof x);
            pe_embedding_normalize(x, stand_in.dim);
            twin_score(t, x);
            compare_with_twin(t, labels, x);
        }
        pe_labels_unref(labels);
    }
}

static void
adds_the_offsets_of_labels(void)
{
    stand_in_use("offsets", 2);
    PeLabels *labels = make("{\"labels\": [\"1 0\", {\"name\": \"2 0\", "
                            "\"offset\": 1.5}], \"negatives\": [\"0 1\"]}",
                            NULL);
    const float x[2] = {0.6f, 0.8f};
    const PeScoreParams none = PE_SCORE_PARAMS_TOP(0);
    float evidence[2];
    pe_labels_score(labels, x, &none, NULL, NULL, evidence);
    assert_near(evidence[1] - evidence[0], 1.5, 1e-4);
    g_assert_cmpstr(pe_labels_get_calibration(labels), ==, "labels");
    pe_labels_unref(labels);
}

static void
is_the_softmax_without_calibration(void)
{
    stand_in_use("softmax", 2);
    PeLabels *labels = make_labels("1 0|0.8 0.6|0 1", "0.96 0.28", "{}");
    const PeScoreParams params = PE_SCORE_PARAMS_TOP(5);
    const float x[2] = {1, 0};
    PeScore scores[5];
    PeVerdict verdict;
    int n = pe_labels_score(labels, x, &params, scores, &verdict, NULL);
    double sum = 1 + exp(-20) + exp(-100) + exp(-4);
    g_assert_cmpint(n, ==, 3); // the negative is not reported
    g_assert_cmpint(scores[0].index, ==, 0);
    g_assert_cmpstr(scores[0].name, ==, "1 0");
    assert_near(scores[0].score, 1 / sum, 1e-6);
    assert_near(scores[0].probability, 1 / (sum - exp(-4)), 1e-6);
    assert_near(scores[0].similarity, 1, 1e-6);
    g_assert_cmpint(scores[1].index, ==, 1);
    assert_near(scores[1].score, exp(-20) / sum, 1e-13);
    assert_near(scores[1].similarity, 0.8, 1e-6);
    g_assert_cmpint(scores[2].index, ==, 2);
    assert_near(verdict.mass, exp(-4) / sum, 1e-6);
    g_assert_cmpstr(pe_labels_get_calibration(labels), ==, "none");
    pe_labels_unref(labels);
}

// Rain and night: in independent mode both, in the other they share.
static void
lets_independent_labels_be_true_together(void)
{
    static const char *const modes[] = {"exclusive", "independent"};
    for (int m = 0; m < 2; m++) {
        stand_in_use("together", 3);
        g_autofree char *json = g_strdup_printf(
            "{\"labels\": [\"1 0 0\", \"0 1 0\", \"0.1 0.1 1\"], "
            "\"negatives\": [\"0 0 1\"], \"mode\": \"%s\"}",
            modes[m]);
        PeLabels *labels = make(json, NULL);
        const PeScoreParams params = PE_SCORE_PARAMS_TOP(3);
        const float x[3] = {(float)sqrt(0.5), (float)sqrt(0.5), 0};
        PeScore scores[3];
        g_assert_cmpint(pe_labels_score(labels, x, &params, scores, NULL, NULL),
                        ==, 3);
        for (int i = 0; i < 2; i++) {
            if (m == 0)
                assert_near(scores[i].score, 0.5, 1e-4);
            else
                g_assert_cmpfloat(scores[i].score, >, 0.999f);
            assert_near(scores[i].probability, 0.5, 1e-4);
        }
        g_assert_cmpint(pe_labels_get_mode(labels), ==, m);
        pe_labels_unref(labels);
    }
}

// ---- Extremes -------------------------------------------------------------

// Never infinite, never NaN: who adds up evidence must not be stopped by it.
static void
stays_finite_at_extremes(void)
{
    static const char *const sets[] = {
        "{\"labels\": [\"1 0\"], \"negatives\": []}",
        "{\"labels\": [\"1 0\", \"2 0\"], \"negatives\": []}",
        "{\"labels\": [\"1 0\", \"-1 0\"], \"negatives\": []}",
        "{\"labels\": [\"-1 0\"], \"negatives\": [\"1 0\"]}",
        "{\"labels\": [\"1 0\"], \"negatives\": [\"-1 0\"]}",
        "{\"labels\": [\"1 0\", \"-1 0\", \"-2 0\"], \"negatives\": [\"3 0\"]}",
        "{\"labels\": [\"0 0\"], \"negatives\": [\"0 0\"]}",
    };
    const float clips[][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, 0}};
    for (size_t s = 0; s < G_N_ELEMENTS(sets); s++) {
        stand_in_use("extremes", 2);
        PeLabels *labels = make(sets[s], NULL);
        const PeScoreParams params = PE_SCORE_PARAMS_TOP(4);
        for (size_t c = 0; c < G_N_ELEMENTS(clips); c++) {
            PeScore scores[4];
            PeVerdict verdict;
            float evidence[4];
            int n = pe_labels_score(labels, clips[c], &params, scores, &verdict,
                                    evidence);
            g_assert_cmpint(n, ==, pe_labels_count(labels));
            g_assert_true(verdict.mass >= 0 && verdict.mass <= 1);
            for (int i = 0; i < n; i++) {
                g_assert_true(fabsf(evidence[i]) <= 1e4f);
                g_assert_true(scores[i].score >= 0 && scores[i].score <= 1);
                g_assert_true(scores[i].probability >= 0 &&
                              scores[i].probability <= 1);
            }
        }
        pe_labels_unref(labels);
    }
}

static void
gives_a_label_alone_all_of_it(void)
{
    stand_in_use("alone", 2);
    PeLabels *labels = make("{\"labels\": [\"1 0\"], \"negatives\": []}", NULL);
    const PeScoreParams params = PE_SCORE_PARAMS_TOP(1);
    const float x[2] = {-1, 0};
    PeScore score;
    PeVerdict verdict;
    g_assert_cmpint(pe_labels_score(labels, x, &params, &score, &verdict, NULL),
                    ==, 1);
    g_assert_cmpfloat(score.score, ==, 1);
    g_assert_cmpfloat(verdict.mass, ==, 0);
    g_assert_false(verdict.unknown);
    // Which is worth a warning.
    const char *const *warnings = pe_labels_get_warnings(labels);
    g_assert_nonnull(warnings[0]);
    g_assert_nonnull(strstr(warnings[0], "nothing to compare"));
    pe_labels_unref(labels);
}

static void
reports_nothing_for_a_vector_that_is_not_finite(void)
{
    stand_in_use("bad-clip", 2);
    PeLabels *labels = make_labels("1 0|0 1", NULL, "{}");
    const PeScoreParams params = PE_SCORE_PARAMS_TOP(2);
    const float clips[][2] = {{NAN, 0}, {0, INFINITY}};
    for (size_t i = 0; i < G_N_ELEMENTS(clips); i++) {
        PeScore scores[2];
        PeVerdict verdict;
        float evidence[2];
        g_assert_cmpint(pe_labels_score(labels, clips[i], &params, scores,
                                        &verdict, evidence),
                        ==, 0);
        g_assert_true(verdict.unknown && isnan(verdict.mass));
        g_assert_true(isnan(evidence[0]) && isnan(evidence[1]));
    }
    pe_labels_unref(labels);
}

// ---- What is reported -----------------------------------------------------

static void
reports_the_best_first_and_ties_by_index(void)
{
    stand_in_use("ties", 2);
    // 4 and 1 are best and equal; all scores but these are far below.
    PeLabels *labels = make_labels("0 1|2 0|0 2|0 3|3 0", NULL, "{}");
    const float x[2] = {1, 0};
    PeScore scores[5];
    static const int order[] = {1, 4, 0, 2, 3};
    for (int top_k = 0; top_k <= 5; top_k++) {
        const PeScoreParams params = PE_SCORE_PARAMS_TOP(top_k);
        int n = pe_labels_score(labels, x, &params, scores, NULL, NULL);
        g_assert_cmpint(n, ==, top_k);
        for (int i = 0; i < n; i++)
            g_assert_cmpint(scores[i].index, ==, order[i]);
    }
    pe_labels_unref(labels);
}

// Labels 0.5, 0.5 and 0; similarities 1, 1 and 0.
static const char thresholds[] =
    "{\"labels\": [{\"name\": \"1 0\", \"threshold\": 0.6},"
    "{\"name\": \"2 0\", \"threshold\": 0.1, \"probability-threshold\": 0.2},"
    "{\"name\": \"0 1\", \"similarity-threshold\": -0.5}], \"negatives\": []}";

static void
applies_the_larger_of_each_threshold(void)
{
    static const struct {
        PeScoreParams params;
        int n;
        int first;
    } cases[] = {
        {{1, 0, 0, -1}, 1, 1},    {{3, 0, 0, -1}, 2, 1},
        {{3, 0.4f, 0, -1}, 1, 1}, {{3, 0.7f, 0, -1}, 0, 0},
        {{3, 0, 0.4f, -1}, 1, 1}, {{3, 0, 0.6f, -1}, 0, 0},
        {{3, 0, 0, 0.5f}, 1, 1},  {{3, 0, 0, 0}, 2, 1},
    };
    stand_in_use("threshold", 2);
    PeLabels *labels = make(thresholds, NULL);
    const float x[2] = {1, 0};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        PeScore scores[3];
        PeVerdict verdict;
        float evidence[3];
        int n = pe_labels_score(labels, x, &cases[i].params, scores, &verdict,
                                evidence);
        g_test_message("case %zu", i);
        // All of it, whatever the thresholds: two labels share, one is far.
        assert_near(evidence[0], 0, 1e-5);
        assert_near(evidence[1], 0, 1e-5);
        assert_near(evidence[2], -100 - log(2), 1e-4);
        g_assert_cmpint(n, ==, cases[i].n);
        if (n > 0)
            g_assert_cmpint(scores[0].index, ==, cases[i].first);
        g_assert_true(verdict.unknown == (n == 0));
    }
    // Also when none of them is asked for.
    PeVerdict verdict;
    const PeScoreParams params = {0, 0.7f, 0, -1};
    g_assert_cmpint(pe_labels_score(labels, x, &params, NULL, &verdict, NULL),
                    ==, 0);
    g_assert_true(verdict.unknown);
    pe_labels_unref(labels);
}

static void
is_unknown_when_negatives_weigh_more(void)
{
    stand_in_use("unknown", 2);
    PeLabels *labels = make_labels("1 0", "0 1", "{}");
    const PeScoreParams params = PE_SCORE_PARAMS_TOP(1);
    const float seen[2] = {0.8f, 0.6f}, other[2] = {0.6f, 0.8f};
    PeScore score;
    PeVerdict verdict;
    g_assert_cmpint(
        pe_labels_score(labels, seen, &params, &score, &verdict, NULL), ==, 1);
    g_assert_false(verdict.unknown);
    assert_near(verdict.mass, 1 / (1 + exp(20)), 1e-10);
    // It is still reported what is least unlikely.
    g_assert_cmpint(
        pe_labels_score(labels, other, &params, &score, &verdict, NULL), ==, 1);
    g_assert_true(verdict.unknown);
    assert_near(verdict.mass, 1, 1e-6);
    pe_labels_unref(labels);
}

// Enough of them that rows are shared out over threads.
static void
scores_ten_thousand_labels(void)
{
    enum { N = 10000, DIM = 512 };
    stand_in_use("many", DIM);
    g_autoptr(GString) text = g_string_new("label 0");
    for (int i = 1; i < N; i++)
        g_string_append_printf(text, "|label %d", i);
    PeLabels *labels = make_labels(text->str, "other", "{}");
    const PeScoreParams params = PE_SCORE_PARAMS_TOP(1);
    for (int i = 0; i < N; i += 997) {
        PeScore score;
        const float *x = pe_labels_get_vector(labels, i);
        g_assert_cmpint(pe_labels_score(labels, x, &params, &score, NULL, NULL),
                        ==, 1);
        g_assert_cmpint(score.index, ==, i);
        assert_near(score.similarity, 1, 1e-5);
    }
    pe_labels_unref(labels);
}

// sum over all but i of e [n]
static long double
sum_without(const long double *e, int n, int i)
{
    long double sum = 0;
    for (int k = 0; k < n; k++)
        sum += k == i ? 0 : e[k];
    return sum;
}

// As many vectors as are kept in half floats, too. The clip is between some of
// them, so that several scores are neither 0 nor 1.
static void
rounds_no_score_among_many(void)
{
    enum { N = 5000, TOP = 10 };
    stand_in_use("rounded", MAX_DIM);
    g_autoptr(GString) text = g_string_new("label 0");
    for (int i = 1; i < N; i++)
        g_string_append_printf(text, "|label %d", i);
    PeLabels *labels = make_labels(text->str, NULL, "{}");
    float x[MAX_DIM] = {0};
    for (int i = 0; i < 60; i++) {
        const float *vector = pe_labels_get_vector(labels, 80 * i);
        for (int k = 0; k < MAX_DIM; k++)
            x[k] += (1 + 0.004f * (float)i) * vector[k];
    }
    pe_embedding_normalize(x, MAX_DIM);

    g_autofree long double *e = g_new(long double, N);
    g_autofree double *logits = g_new(double, N);
    for (int i = 0; i < N; i++) {
        const float *vector = pe_labels_get_vector(labels, i);
        logits[i] = 0;
        for (int k = 0; k < MAX_DIM; k++)
            logits[i] += SCALE * (double)vector[k] * (double)x[k];
        e[i] = expl((long double)logits[i]);
    }
    const PeScoreParams params = PE_SCORE_PARAMS_TOP(TOP);
    PeScore scores[TOP];
    g_autofree float *evidence = g_new(float, N);
    g_assert_cmpint(pe_labels_score(labels, x, &params, scores, NULL, evidence),
                    ==, TOP);
    double best = 0;
    for (int i = 0; i < N; i++) {
        double odds = (double)(e[i] / sum_without(e, N, i));
        double score = odds / (1 + odds);
        best = fmax(best, score);
        assert_near(1 / (1 + exp(-(double)evidence[i])), score, 1e-5);
    }
    g_assert_true(best > 0.05 && best < 0.95);
    for (int k = 0; k < TOP; k++) {
        int i = scores[k].index, better = 0;
        for (int j = 0; j < N; j++)
            better += logits[j] > logits[i];
        g_assert_cmpint(better, ==, k);
        assert_near(scores[k].similarity, logits[i] / SCALE, 1e-6);
    }
    pe_labels_unref(labels);
}

static void
add_tests(void)
{
    g_test_add_data_func("/score/exclusive", NULL, agrees_with_the_formulas);
    g_test_add_data_func("/score/independent", "", agrees_with_the_formulas);
    g_test_add_func("/score/offsets", adds_the_offsets_of_labels);
    g_test_add_func("/score/softmax", is_the_softmax_without_calibration);
    g_test_add_func("/score/together",
                    lets_independent_labels_be_true_together);
    g_test_add_func("/score/extremes", stays_finite_at_extremes);
    g_test_add_func("/score/alone", gives_a_label_alone_all_of_it);
    g_test_add_func("/score/finite",
                    reports_nothing_for_a_vector_that_is_not_finite);
    g_test_add_func("/score/order", reports_the_best_first_and_ties_by_index);
    g_test_add_func("/score/threshold", applies_the_larger_of_each_threshold);
    g_test_add_func("/score/unknown", is_unknown_when_negatives_weigh_more);
    g_test_add_func("/score/many", scores_ten_thousand_labels);
    g_test_add_func("/score/rounded", rounds_no_score_among_many);
}

int
main(int argc, char **argv)
{
    return stand_in_run(argc, argv, add_tests);
}
