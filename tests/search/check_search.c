// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_search.c - every variant of the search against a slow one that sorts.
//
//   check_search --bench [GiB]   how long it takes beside reading alone

#include "core/search/search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cores.h"
#include "core/base/tensor.h"
#include "core/base/threads.h"

static float
next_normal(GRand *random)
{
    double sum = 0;
    for (int i = 0; i < 12; i++)
        sum += g_rand_double(random);
    return (float)(sum - 6);
}

static void
fill_unit(GRand *random, float *x, int dim)
{
    double norm = 0;
    for (int i = 0; i < dim; i++) {
        x[i] = next_normal(random);
        norm += (double)x[i] * (double)x[i];
    }
    for (int i = 0; i < dim; i++)
        x[i] = (float)((double)x[i] / sqrt(norm));
}

// ---- Against a slow one ---------------------------------------------------

typedef struct {
    uint64_t row;
    double similarity;
} Row;

static int
compare_rows(const void *a, const void *b)
{
    const Row *x = a, *y = b;
    if (x->similarity != y->similarity)
        return x->similarity > y->similarity ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

typedef struct {
    uint16_t *values;
    float *queries;
    uint64_t *selected;
    PeRows rows;
    PeSearch search;
} Problem;

static Problem
make_problem(GRand *random, int n, int dim, int n_queries, int top_k)
{
    Problem p = {
        .values = g_new(uint16_t, (size_t)n * (size_t)dim + 1),
        .queries = g_new(float, (size_t)n_queries *(size_t)dim),
        .selected = g_new(uint64_t, (size_t)n + 1),
    };
    g_autofree float *x = g_new(float, (size_t)dim);
    for (int i = 0; i < n; i++) {
        uint16_t *row = p.values + (size_t)i * (size_t)dim;
        fill_unit(random, x, dim);
        for (int k = 0; k < dim; k++)
            row[k] = pe_f16_from_f32(x[k]);
        // A still picture: the same vector again.
        if (i > 0 && g_rand_int_range(random, 0, 4) == 0)
            memcpy(row, row - dim, sizeof *row * (size_t)dim);
    }
    for (int q = 0; q < n_queries; q++)
        fill_unit(random, p.queries + (size_t)q * (size_t)dim, dim);
    p.rows = (PeRows){p.values, (size_t)n, dim};
    p.search = (PeSearch){
        .queries = p.queries, .n_queries = n_queries, .top_k = top_k};
    return p;
}

static void
clear_problem(Problem *p)
{
    g_free(p->values);
    g_free(p->queries);
    g_free(p->selected);
}

static void
select_some(Problem *p, GRand *random, int one_in)
{
    size_t n = 0;
    for (size_t i = 0; i < p->rows.n; i++) {
        if (g_rand_int_range(random, 0, one_in) == 0)
            p->selected[n++] = i;
    }
    p->search.selected = p->selected;
    p->search.n_selected = n;
}

// All rows that are looked at, best first, and how many are finite: what hits
// must be. Returns, g_free().
static Row *
sort_rows(const Problem *p, int query, size_t *n_finite)
{
    const PeSearch *s = &p->search;
    size_t n = s->selected ? s->n_selected : p->rows.n;
    size_t dim = (size_t)p->rows.dim;
    Row *all = g_new(Row, n + 1);
    *n_finite = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t row = s->selected ? s->selected[i] : i;
        double sum = 0;
        for (size_t k = 0; k < dim; k++)
            sum += (double)pe_f16_to_f32(p->rows.values[row * dim + k]) *
                   (double)p->queries[(size_t)query * dim + k];
        if (isfinite(sum))
            all[(*n_finite)++] = (Row){row, sum};
    }
    qsort(all, *n_finite, sizeof *all, compare_rows);
    return all;
}

static void
compare_hits(const Row *all, size_t n_finite, const PeHit *hits, int n_hits,
             int top_k)
{
    g_assert_cmpint(n_hits, ==, (int)MIN(n_finite, (size_t)top_k));
    for (int i = 0; i < n_hits; i++) {
        g_assert_cmpuint(hits[i].row, ==, all[i].row);
        g_assert_cmpfloat(hits[i].similarity, ==, (float)all[i].similarity);
    }
}

static void
check_hits(const Problem *p, int query, const PeHit *hits, int n_hits)
{
    size_t n_finite;
    g_autofree Row *all = sort_rows(p, query, &n_finite);
    compare_hits(all, n_finite, hits, n_hits, p->search.top_k);
}

static void
check_problem(Problem *p, const PeDotsLoops *loops)
{
    int n_queries = p->search.n_queries, top_k = p->search.top_k;
    g_autofree PeHit *hits = g_new0(PeHit, (size_t)n_queries * (size_t)top_k);
    g_autofree int *n_hits = g_new0(int, (size_t)n_queries);
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        p->search.n_threads = n_threads;
        pe_search_with(loops, &p->rows, &p->search, hits, n_hits);
        for (int q = 0; q < n_queries; q++)
            check_hits(p, q, hits + q * top_k, n_hits[q]);
    }
}

static const PeDotsLoops *
get_variant(const void *data)
{
    const PeDotsLoops *loops = pe_dots_loops((PeDots)GPOINTER_TO_INT(data));
    if (!loops)
        g_test_skip("not on this machine");
    return loops;
}

static void
finds_what_sorting_finds(const void *data)
{
    static const int dims[] = {1, 7, 8, 16, 19, 64, 100, 1024};
    const PeDotsLoops *loops = get_variant(data);
    g_autoptr(GRand) random = g_rand_new_with_seed(11);
    for (int i = 0; loops && i < 60; i++) {
        int n = g_rand_int_range(random, 0, i % 4 ? 300 : 3000);
        int dim = dims[i % 8];
        Problem p =
            make_problem(random, n, dim, g_rand_int_range(random, 1, 11),
                         g_rand_int_range(random, 1, 120));
        check_problem(&p, loops);
        select_some(&p, random, i % 2 ? 2 : 100);
        check_problem(&p, loops);
        clear_problem(&p);
    }
}

static void
never_finds_what_is_not_finite(const void *data)
{
    const PeDotsLoops *loops = get_variant(data);
    g_autoptr(GRand) random = g_rand_new_with_seed(12);
    Problem p = make_problem(random, 200, 32, 5, 200);
    for (int i = 0; i < 200; i += 3)
        p.values[i * 32 + i % 32] = i % 2 ? 0x7c00 : 0x7e01; // inf, NaN
    if (loops)
        check_problem(&p, loops);
    clear_problem(&p);
}

// Rows that differ in the last bit of one value, in falling order.
static void
tells_nearly_equal_rows_apart(const void *data)
{
    const PeDotsLoops *loops = get_variant(data);
    g_autoptr(GRand) random = g_rand_new_with_seed(13);
    Problem p = make_problem(random, 1500, 512, 4, 100);
    for (int i = 1; i < 1500; i++) {
        memcpy(p.values + i * 512, p.values, 512 * sizeof *p.values);
        p.values[i * 512 + g_rand_int_range(random, 0, 512)] ^= 1;
    }
    if (loops)
        check_problem(&p, loops);
    clear_problem(&p);
}

// The sums that decide have the bits of plain C.
static void
sums_exactly_as_plain_c(const void *data)
{
    const PeDotsLoops *loops = get_variant(data);
    g_autoptr(GRand) random = g_rand_new_with_seed(14);
    for (int dim = 1; loops && dim < 70; dim++) {
        Problem p = make_problem(random, 20, dim, 1, 1);
        for (int i = 0; i < 20; i++) {
            const uint16_t *row = p.values + i * dim;
            double sum = loops->dot_exact(row, p.search.queries, dim);
            double plain =
                pe_dots_loops_c.dot_exact(row, p.search.queries, dim);
            g_assert_cmpmem(&sum, sizeof sum, &plain, sizeof plain);
        }
        clear_problem(&p);
    }
}

// ---- How long -------------------------------------------------------------

typedef struct {
    const uint16_t *values;
    size_t n;
    uint64_t sums[64];
} Reading;

#define READ_SIZE (1 << 20) // values of a task

static void
read_task(void *data, int task, int lane)
{
    Reading *r = data;
    size_t first = (size_t)task * READ_SIZE;
    size_t end = MIN(r->n, first + READ_SIZE);
    uint64_t sums[8] = {0};
    for (size_t i = first; i + 32 <= end; i += 32) {
        uint64_t words[8];
        memcpy(words, r->values + i, sizeof words);
        for (int k = 0; k < 8; k++)
            sums[k] += words[k];
    }
    for (int k = 0; k < 8; k++)
        r->sums[lane % 64] += sums[k];
}

static double
time_reading(Reading *r, int n_threads)
{
    int64_t start = g_get_monotonic_time();
    pe_threads_run(n_threads, (int)((r->n + READ_SIZE - 1) / READ_SIZE),
                   read_task, r);
    return (double)(g_get_monotonic_time() - start) / 1000;
}

static double
time_search(const PeRows *rows, const PeSearch *search)
{
    g_autofree PeHit *hits =
        g_new(PeHit, (size_t)search->n_queries * (size_t)search->top_k);
    g_autofree int *n_hits = g_new(int, (size_t)search->n_queries);
    int64_t start = g_get_monotonic_time();
    pe_search(rows, search, hits, n_hits);
    return (double)(g_get_monotonic_time() - start) / 1000;
}

enum { READ, ONE, EIGHT, FEW, N_TIMES };
#define ROUNDS 21
#define BENCH_DIM 1024
#define BENCH_POOL 4096
#define BENCH_CHECKED 2 // queries

// Rows between two of a pool each, which are made in no time: none is there
// twice.
static void
fill_rows(Problem *p, GRand *random, size_t n)
{
    g_autofree float *pool = g_new(float, BENCH_POOL *BENCH_DIM);
    float x[BENCH_DIM];
    for (int i = 0; i < BENCH_POOL; i++)
        fill_unit(random, pool + (size_t)i * BENCH_DIM, BENCH_DIM);
    p->rows = (PeRows){p->values, n, BENCH_DIM};
    for (size_t i = 0; i < n; i++) {
        const float *a = pool + i % BENCH_POOL * BENCH_DIM;
        const float *b = pool + i / BENCH_POOL % BENCH_POOL * BENCH_DIM;
        for (int k = 0; k < BENCH_DIM; k++)
            x[k] = 0.8f * a[k] + 0.6f * b[k];
        pe_embedding_normalize(x, BENCH_DIM);
        pe_halves_from_floats(x, BENCH_DIM, p->values + i * BENCH_DIM);
        if (g_rand_int_range(random, 0, 100) == 0)
            p->selected[p->search.n_selected++] = i;
    }
}

// Every variant finds what sums in double precision and sorting find.
static void
check_variants(const Problem *p)
{
    int top_k = p->search.top_k, n_queries = p->search.n_queries;
    g_autofree PeHit *hits = g_new(PeHit, (size_t)top_k * (size_t)n_queries);
    g_autofree int *n_hits = g_new(int, (size_t)n_queries);
    for (int q = 0; q < BENCH_CHECKED; q++) {
        size_t n_finite;
        g_autofree Row *all = sort_rows(p, q, &n_finite);
        for (int v = 0; v < PE_DOTS_N; v++) {
            const PeDotsLoops *loops = pe_dots_loops((PeDots)v);
            if (!loops)
                continue;
            pe_search_with(loops, &p->rows, &p->search, hits, n_hits);
            compare_hits(all, n_finite, hits + q * top_k, n_hits[q], top_k);
            g_print("variant %d, query %d: the same best %d as sorted sums in "
                    "double precision\n",
                    v, q, top_k);
        }
    }
}

static void
bench(double gib)
{
    size_t n = (size_t)(gib * (1 << 30) / 2 / BENCH_DIM);
    int n_threads = pe_cores_count();
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    Problem p = make_problem(random, 1, BENCH_DIM, 8, 100);
    g_free(p.values);
    g_free(p.selected);
    p.values = g_new(uint16_t, n * BENCH_DIM);
    p.selected = g_new(uint64_t, n);
    fill_rows(&p, random, n);
    Reading reading = {.values = p.values, .n = n * BENCH_DIM};
    PeSearch one = p.search, few;
    one.n_queries = 1;
    few = one;
    few.selected = p.selected;
    one.n_selected = p.search.n_selected = 0;
    float times[N_TIMES][ROUNDS], ratios[N_TIMES][ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        times[READ][i] = (float)time_reading(&reading, n_threads);
        times[ONE][i] = (float)time_search(&p.rows, &one);
        times[EIGHT][i] = (float)time_search(&p.rows, &p.search);
        times[FEW][i] = (float)time_search(&p.rows, &few);
        ratios[ONE][i] = times[ONE][i] / times[READ][i];
        ratios[EIGHT][i] = times[EIGHT][i] / times[ONE][i];
        ratios[FEW][i] = times[FEW][i] / times[ONE][i];
    }
    g_print("%zu rows of %d, %d threads, variant %d; medians of %d rounds\n", n,
            BENCH_DIM, n_threads, (int)pe_dots_best(), ROUNDS);
    g_print("reading alone  %8.1f ms\n",
            pe_percentile(times[READ], ROUNDS, .5));
    g_print("one query      %8.1f ms  %.2f of reading\n",
            pe_percentile(times[ONE], ROUNDS, .5),
            pe_percentile(ratios[ONE], ROUNDS, .5));
    g_print("eight queries  %8.1f ms  %.2f of one\n",
            pe_percentile(times[EIGHT], ROUNDS, .5),
            pe_percentile(ratios[EIGHT], ROUNDS, .5));
    g_print("1 %% of rows    %8.1f ms  %.3f of all\n",
            pe_percentile(times[FEW], ROUNDS, .5),
            pe_percentile(ratios[FEW], ROUNDS, .5));
    check_variants(&p);
    clear_problem(&p);
}

int
main(int argc, char **argv)
{
    static const char *const names[] = {"c", "avx2", "avx512"};
    if (argc > 1 && strcmp(argv[1], "--bench") == 0) {
        bench(argc > 2 ? atof(argv[2]) : 2);
        return 0;
    }
    g_test_init(&argc, &argv, NULL);
    for (int i = 0; i < PE_DOTS_N; i++) {
        const struct {
            const char *name;
            GTestDataFunc func;
        } tests[] = {
            {"sorting", finds_what_sorting_finds},
            {"finite", never_finds_what_is_not_finite},
            {"near", tells_nearly_equal_rows_apart},
            {"exact", sums_exactly_as_plain_c},
        };
        for (size_t k = 0; k < G_N_ELEMENTS(tests); k++) {
            g_autofree char *path =
                g_strdup_printf("/search/%s/%s", names[i], tests[k].name);
            g_test_add_data_func(path, GINT_TO_POINTER(i), tests[k].func);
        }
    }
    return g_test_run();
}
