// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_score_many.c - many clips at once have the scores that each has alone,
// and the loops of score_simd.c are what they say, whatever the processor.
//
//   check_score_many --bench [VECTORS]   stored vectors among 400 labels, as
//                                        pe-tag relabels them, beside oneDNN's
//                                        product

#include "tests/support/label_stand_in.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/labels/score_simd.h"

#ifdef PE_HAVE_ONEDNN
#include <oneapi/dnnl/dnnl.h>
#endif

static float *
make_noise(GRand *random, size_t n)
{
    float *x = g_new(float, n);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)g_rand_double_range(random, -1, 1);
    return x;
}

// ---- Loops ----------------------------------------------------------------

static const PeScoreLoops *
get_loops(const void *data)
{
    const PeScoreLoops *loops = pe_score_loops((PeDots)GPOINTER_TO_INT(data));
    if (!loops)
        g_test_skip("not on this machine");
    return loops;
}

static void
check_products(const PeScoreLoops *loops, GRand *random, size_t n, size_t n_x,
               size_t dim)
{
    size_t stride = n + 3;
    g_autofree float *m = make_noise(random, n * dim);
    g_autofree float *x = make_noise(random, n_x * dim);
    g_autofree float *y = g_new(float, n_x *stride);
    g_autofree float *alone = g_new(float, n);
    g_autofree float *scratch = g_new(float, MIN(n_x, PE_SCORE_BLOCK) * dim);
    for (size_t i = 0; i < n_x * stride; i++)
        y[i] = -7;
    loops->products(m, n, x, n_x, dim, scratch, y, stride);
    for (size_t j = 0; j < n_x; j++) {
        const float *row = y + j * stride;
        loops->products(m, n, x + j * dim, 1, dim, NULL, alone, n);
        g_assert_cmpmem(row, n * sizeof *row, alone, n * sizeof *alone);
        for (size_t i = n; i < stride; i++)
            g_assert_cmpfloat(row[i], ==, -7);
        for (size_t i = 0; i < n; i++) {
            double sum = 0, size = 0;
            for (size_t k = 0; k < dim; k++) {
                double product =
                    (double)m[i * dim + k] * (double)x[j * dim + k];
                sum += product;
                size += fabs(product);
            }
            double error = fabs((double)row[i] - sum);
            double limit = (double)(dim + 1) * 0x1p-24 * size;
            if (error > limit)
                g_test_message("%zu, %zu: %.3g, limit %.3g", i, j, error,
                               limit);
            g_assert_cmpfloat(error, <=, limit);
        }
    }
}

static void
multiplies_many_as_one(const void *data)
{
    static const size_t dims[] = {1, 4, 7, 16, 33, 100, 1024};
    const PeScoreLoops *loops = get_loops(data);
    g_autoptr(GRand) random = g_rand_new_with_seed(3);
    for (int i = 0; loops && i < 70; i++)
        check_products(loops, random, (size_t)g_rand_int_range(random, 1, 90),
                       (size_t)g_rand_int_range(random, 1, 120), dims[i % 7]);
}

static void
shares_are_exponentials(const void *data)
{
    enum { N = 1000 };
    const PeScoreLoops *loops = get_loops(data);
    double logits[N], shares[N + 1];
    for (int n = 0; loops && n <= N; n += n < 20 ? 1 : 49) {
        for (int i = 0; i < n; i++)
            logits[i] = 90 - 1.3e-6 * pow(i, 3); // to 90 - 1300
        shares[n] = -7;
        double sum = 0, total = loops->shares(logits, (size_t)n, 90, shares);
        g_assert_cmpfloat(shares[n], ==, -7);
        for (int i = 0; i < n; i++) {
            double x = logits[i] - 90, share = x >= -708 ? exp(x) : 0;
            double error = fabs(shares[i] - share);
            if (error > 1e-15 * share)
                g_test_message("exp(%.17g) = %.17g", x, shares[i]);
            g_assert_cmpfloat(error, <=, 1e-15 * share);
            sum += share;
        }
        g_assert_cmpfloat(fabs(total - sum), <=, 1e-13 * sum);
    }
}

// ---- Scores ---------------------------------------------------------------

// Labels of each kind: with thresholds and offsets of their own, or nothing.
static PeLabels *
make_some(GRand *random, int n_labels, int n_negatives, bool independent)
{
    g_autoptr(GString) json = g_string_new("{\"labels\": [");
    for (int i = 0; i < n_labels; i++) {
        g_string_append_printf(json, "%s{\"name\": \"label %d\"", i ? "," : "",
                               i);
        if (g_rand_int_range(random, 0, 4) == 0)
            g_string_append_printf(json, ", \"offset\": %.2f",
                                   g_rand_double_range(random, -3, 3));
        if (g_rand_int_range(random, 0, 4) == 0)
            g_string_append(json, ", \"threshold\": 0.2");
        if (g_rand_int_range(random, 0, 8) == 0)
            g_string_append(json, ", \"probability-threshold\": 0.1");
        if (g_rand_int_range(random, 0, 8) == 0)
            g_string_append(json, ", \"similarity-threshold\": 0.1");
        g_string_append_c(json, '}');
    }
    g_string_append(json, "], \"negatives\": [");
    for (int i = 0; i < n_negatives; i++)
        g_string_append_printf(json, "%s\"other %d\"", i ? "," : "", i);
    const char *mode = independent ? "independent" : "exclusive";
    g_string_append_printf(json,
                           "], \"mode\": \"%s\", \"calibration\": {"
                           "\"slope\": 0.8, \"offset\": 0.3, \"model\": "
                           "\"some\", \"mode\": \"%s\"}}",
                           mode, mode);
    g_autoptr(GError) error = NULL;
    PeLabelSpec *spec = pe_label_spec_parse(json->str, &error);
    g_assert_no_error(error);
    g_assert_true(pe_label_spec_set_templates(spec, "{}", NULL));
    PeLabels *labels = make_labels_of(spec, &error);
    g_assert_no_error(error);
    return labels;
}

// Near a label, or between two, or nowhere; a few are not finite.
static float *
make_clips(GRand *random, const PeLabels *labels, int n)
{
    size_t dim = (size_t)stand_in.dim;
    float *clips = make_noise(random, (size_t)n * dim);
    for (int i = 0; i < n; i++) {
        float *x = clips + (size_t)i * dim;
        for (int near = g_rand_int_range(random, 0, 3); near > 0; near--) {
            int label = g_rand_int_range(random, 0, pe_labels_count(labels));
            for (size_t k = 0; k < dim; k++)
                x[k] += 3 * pe_labels_get_vector(labels, label)[k];
        }
        pe_embedding_normalize(x, stand_in.dim);
        if (i % 29 == 7)
            x[(size_t)i % dim] = i % 2 ? NAN : -INFINITY;
    }
    return clips;
}

static void
assert_same_bits(const void *a, const void *b, size_t size)
{
    g_assert_cmpmem(a, size, b, size);
}

static void
compare_with_each(const PeLabels *labels, const float *clips, int n,
                  const PeScoreParams *params, bool with_evidence)
{
    size_t top_k = (size_t)params->top_k,
           n_labels = (size_t)pe_labels_count(labels);
    size_t size = (size_t)n;
    g_autofree PeScore *scores = g_new0(PeScore, size * top_k);
    g_autofree PeScore *one = g_new0(PeScore, top_k);
    g_autofree int *n_scores = g_new(int, size);
    g_autofree PeVerdict *verdicts = g_new(PeVerdict, size);
    g_autofree float *evidence = g_new(float, size *n_labels);
    g_autofree float *evidence_of_one = g_new(float, n_labels);
    pe_labels_score_many(labels, clips, n, params, top_k ? scores : NULL,
                         n_scores, verdicts, with_evidence ? evidence : NULL);
    for (size_t i = 0; i < size; i++) {
        PeVerdict verdict;
        int n_found = pe_labels_score(labels, clips + i * (size_t)stand_in.dim,
                                      params, top_k ? one : NULL, &verdict,
                                      with_evidence ? evidence_of_one : NULL);
        g_assert_cmpint(n_scores[i], ==, n_found);
        g_assert_true(verdicts[i].unknown == verdict.unknown);
        assert_same_bits(&verdicts[i].mass, &verdict.mass, sizeof(float));
        for (int k = 0; k < n_found; k++) {
            const PeScore *a = &scores[i * top_k + (size_t)k], *b = &one[k];
            g_assert_cmpint(a->index, ==, b->index);
            g_assert_true(a->name == b->name);
            assert_same_bits(&a->score, &b->score, sizeof(float));
            assert_same_bits(&a->probability, &b->probability, sizeof(float));
            assert_same_bits(&a->similarity, &b->similarity, sizeof(float));
        }
        if (with_evidence)
            assert_same_bits(evidence + i * n_labels, evidence_of_one,
                             n_labels * sizeof(float));
    }
}

static void
scores_many_as_one(void)
{
    static const int dims[] = {2, 13, 31, 257, 1024};
    g_autoptr(GRand) random = g_rand_new_with_seed(5);
    for (int i = 0; i < 60; i++) {
        stand_in_use("some", dims[i % 5]);
        int n_labels = g_rand_int_range(random, 1, i % 4 ? 20 : 150);
        bool independent = i % 2;
        PeLabels *labels =
            make_some(random, n_labels,
                      g_rand_int_range(random, independent, 5), independent);
        int n = g_rand_int_range(random, 0, i % 3 ? 60 : 300);
        g_autofree float *clips = make_clips(random, labels, n);
        PeScoreParams params = PE_SCORE_PARAMS_TOP(0);
        params.top_k = g_rand_int_range(random, 0, n_labels + 3);
        params.threshold = i % 3 == 1 ? 0.4f : 0;
        compare_with_each(labels, clips, n, &params, false);
        compare_with_each(labels, clips, n, &params, true);
        pe_labels_unref(labels);
    }
}

// Which labels are the best does not depend on whether all evidence is asked
// for, although most is computed only then.
static void
chooses_as_if_it_computed_all(void)
{
    enum { N_LABELS = 60, TOP = 5, N = 200 };
    g_autoptr(GRand) random = g_rand_new_with_seed(6);
    for (int independent = 0; independent < 2; independent++) {
        stand_in_use("some", 40);
        PeLabels *labels = make_some(random, N_LABELS, 3, independent);
        g_autofree float *clips = make_clips(random, labels, N);
        PeScoreParams params = PE_SCORE_PARAMS_TOP(TOP);
        for (int i = 0; i < N; i++) {
            const float *x = clips + i * stand_in.dim;
            PeScore few[TOP], all[TOP];
            float evidence[N_LABELS];
            int n = pe_labels_score(labels, x, &params, few, NULL, NULL);
            g_assert_cmpint(
                pe_labels_score(labels, x, &params, all, NULL, evidence), ==,
                n);
            for (int k = 0; k < n; k++) {
                g_assert_cmpint(few[k].index, ==, all[k].index);
                assert_same_bits(&few[k].score, &all[k].score, sizeof(float));
            }
        }
        pe_labels_unref(labels);
    }
}

// So many that one clip alone is compared with half floats.
static void
rounds_nothing_of_very_many(void)
{
    enum { N_LABELS = 4500, N = 7 };
    stand_in_use("very-many", MAX_DIM);
    g_autoptr(GString) text = g_string_new("label 0");
    for (int i = 1; i < N_LABELS; i++)
        g_string_append_printf(text, "|label %d", i);
    PeLabels *labels = make_labels(text->str, NULL, "{}");
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    g_autofree float *clips = make_noise(random, (size_t)N * MAX_DIM);
    g_autofree float *evidence = g_new(float, N_LABELS);
    g_autofree float *many = g_new(float, (size_t)N *N_LABELS);
    PeScoreParams params = PE_SCORE_PARAMS_TOP(0);
    int n_scores[N];
    for (int i = 0; i < N; i++)
        pe_embedding_normalize(clips + i * MAX_DIM, MAX_DIM);
    pe_labels_score_many(labels, clips, N, &params, NULL, n_scores, NULL, many);
    for (int i = 0; i < N; i++) {
        const float *x = clips + i * MAX_DIM;
        pe_labels_score(labels, x, &params, NULL, NULL, evidence);
        for (int k = 0; k < N_LABELS; k++) {
            double a = (double)evidence[k], b = (double)many[i * N_LABELS + k];
            g_assert_cmpfloat(fabs(1 / (1 + exp(-a)) - 1 / (1 + exp(-b))), <,
                              1e-5);
        }
    }
    pe_labels_unref(labels);
}

static void
add_tests(void)
{
    static const char *const names[] = {"c", "avx2", "avx512"};
    for (int i = 0; i < PE_DOTS_N; i++) {
        g_autofree char *products =
            g_strdup_printf("/score-many/%s/products", names[i]);
        g_autofree char *shares =
            g_strdup_printf("/score-many/%s/shares", names[i]);
        g_test_add_data_func(products, GINT_TO_POINTER(i),
                             multiplies_many_as_one);
        g_test_add_data_func(shares, GINT_TO_POINTER(i),
                             shares_are_exponentials);
    }
    g_test_add_func("/score-many/scores", scores_many_as_one);
    g_test_add_func("/score-many/best", chooses_as_if_it_computed_all);
    g_test_add_func("/score-many/very-many", rounds_nothing_of_very_many);
}

// ---- How long ---------------------------------------------------------------

#ifdef PE_HAVE_ONEDNN
enum {
    BENCH_LABELS = 400,
    BENCH_TOP = 5,
    BENCH_ROUNDS = 21,
    BENCH_BLOCK = 1024
};

static const PeScoreParams bench_params = PE_SCORE_PARAMS_TOP(BENCH_TOP);
static int bench_n = 20000;

typedef struct {
    PeLabels *labels;
    uint16_t *halves; // [bench_n, MAX_DIM]
    float *a, *b, *c; // of oneDNN's product
    float *x;         // [BENCH_BLOCK, MAX_DIM]
    PeScore *scores;  // [BENCH_BLOCK, BENCH_TOP]
} Bench;

static double
time_many(const Bench *b)
{
    int n_scores[BENCH_BLOCK];
    int64_t start = g_get_monotonic_time();
    for (int i = 0; i < bench_n; i += BENCH_BLOCK) {
        int n = MIN(BENCH_BLOCK, bench_n - i);
        pe_halves_to_floats(b->halves + (size_t)i * MAX_DIM,
                            (size_t)n * MAX_DIM, b->x);
        pe_labels_score_many(b->labels, b->x, n, &bench_params, b->scores,
                             n_scores, NULL, NULL);
    }
    return (double)(g_get_monotonic_time() - start) / 1000;
}

static double
time_each(const Bench *b)
{
    int64_t start = g_get_monotonic_time();
    for (int i = 0; i < bench_n; i++) {
        pe_halves_to_floats(b->halves + (size_t)i * MAX_DIM, MAX_DIM, b->x);
        pe_labels_score(b->labels, b->x, &bench_params, b->scores, NULL, NULL);
    }
    return (double)(g_get_monotonic_time() - start) / 1000;
}

static double
time_product(const Bench *b)
{
    int64_t start = g_get_monotonic_time();
    dnnl_status_t status =
        dnnl_sgemm('N', 'T', bench_n, BENCH_LABELS, MAX_DIM, 1, b->a, MAX_DIM,
                   b->b, MAX_DIM, 0, b->c, BENCH_LABELS);
    g_assert_cmpint((int)status, ==, (int)dnnl_success);
    return (double)(g_get_monotonic_time() - start) / 1000;
}

static void
bench(void)
{
    size_t size = (size_t)bench_n * MAX_DIM;
    g_autoptr(GString) list = g_string_new("label 0");
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    for (int i = 1; i < BENCH_LABELS; i++)
        g_string_append_printf(list, "|label %d", i);
    stand_in_use("bench", MAX_DIM);
    Bench b = {.labels = make_labels(list->str, NULL, "{}"),
               .halves = g_new(uint16_t, size),
               .a = make_noise(random, size),
               .b = make_noise(random, (size_t)BENCH_LABELS * MAX_DIM),
               .c = g_new(float, (size_t)bench_n *BENCH_LABELS),
               .x = g_new(float, (size_t)BENCH_BLOCK *MAX_DIM),
               .scores = g_new(PeScore, (size_t)BENCH_BLOCK * BENCH_TOP)};
    for (int i = 0; i < bench_n; i++)
        pe_embedding_normalize(b.a + (size_t)i * MAX_DIM, MAX_DIM);
    pe_halves_from_floats(b.a, size, b.halves);
    float many[BENCH_ROUNDS], products[BENCH_ROUNDS], ratios[BENCH_ROUNDS];
    for (int i = 0; i < BENCH_ROUNDS; i++) {
        many[i] = (float)time_many(&b);
        products[i] = (float)time_product(&b);
        ratios[i] = products[i] / many[i];
    }
    g_print("# %d x %d among %d labels, medians of %d rounds: scores %.1f ms, "
            "oneDNN %.1f ms, %.0f %% of its rate; one by one %.1f ms\n",
            bench_n, MAX_DIM, BENCH_LABELS, BENCH_ROUNDS,
            (double)pe_percentile(many, BENCH_ROUNDS, 0.5),
            (double)pe_percentile(products, BENCH_ROUNDS, 0.5),
            100 * (double)pe_percentile(ratios, BENCH_ROUNDS, 0.5),
            time_each(&b));
    pe_labels_unref(b.labels);
    g_free(b.halves);
    g_free(b.a);
    g_free(b.b);
    g_free(b.c);
    g_free(b.x);
    g_free(b.scores);
}
#endif

static void
add_bench(void)
{
#ifdef PE_HAVE_ONEDNN
    g_test_add_func("/score-many/bench", bench);
#endif
}

int
main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
#ifdef PE_HAVE_ONEDNN
        bench_n = argc > 2 ? atoi(argv[2]) : bench_n;
#endif
        return stand_in_run(1, argv, add_bench);
    }
    return stand_in_run(argc, argv, add_tests);
}
