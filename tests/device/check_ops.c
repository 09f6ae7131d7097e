// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_ops.c - every operation of a backend against its plain C definition.
//
// A row of a table below is one operation with one shape. It is run by the
// reference backend and by every variant of the device, in every precision that
// the device has, and the outputs are compared.
//
//     check_ops [--device cpu] [--threads 2] [--bench]
//
// Change an operation: add its row here.

#include <math.h>
#include <stdlib.h>

#include "tests/support/op_problem.h"

// ---- Linear ---------------------------------------------------------------

typedef struct {
    int rows, k, k_padded, n;
    PeEpilogue epilogue;
    bool bias, scale, in_scale, transposed;
    int head_dim; // ROPE
} LinearRow;

static const LinearRow linear_rows[] = {
    {1, 768, 768, 1024, PE_EPILOGUE_F32, .transposed = true},
    {1, 768, 768, 3072, PE_EPILOGUE_GELU, .bias = true},
    {1, 6144, 6144, 768, PE_EPILOGUE_F32, .bias = true, .in_scale = true},
    {197, 768, 768, 2304, PE_EPILOGUE_ROPE, .bias = true, .scale = true,
     .in_scale = true, .head_dim = 64},
    {197, 768, 768, 768, PE_EPILOGUE_RESIDUAL, .bias = true, .scale = true},
    {197, 768, 768, 3072, PE_EPILOGUE_GELU, .bias = true, .in_scale = true},
    {197, 3072, 3072, 768, PE_EPILOGUE_RESIDUAL, .bias = true},
    {576, 588, 588, 192, PE_EPILOGUE_F32, .in_scale = true},
    {36, 588, 608, 96, PE_EPILOGUE_F32, .in_scale = true},
    {577, 192, 192, 384, PE_EPILOGUE_NONE, .bias = true},
    {34, 96, 96, 288, PE_EPILOGUE_ROPE, .bias = true, .head_dim = 24},
    {17, 192, 192, 576, PE_EPILOGUE_ROPE, .bias = true, .head_dim = 96},
    {13, 32, 32, 96, PE_EPILOGUE_ROPE, .bias = true, .head_dim = 16},
    {5, 31, 31, 7, PE_EPILOGUE_NONE, .bias = true, .in_scale = true},
    {7, 75, 75, 41, PE_EPILOGUE_GELU, .bias = true, .scale = true},
    {3, 48, 50, 19, PE_EPILOGUE_RESIDUAL, .bias = true, .scale = true,
     .in_scale = true, .transposed = true},
    {64, 1, 1, 1, PE_EPILOGUE_F32, .bias = true},
    // More rows than are packed at a time, several pieces of odd sizes.
    {901, 301, 301, 71, PE_EPILOGUE_GELU, .bias = true},
    {831, 1027, 1029, 33, PE_EPILOGUE_RESIDUAL, .bias = true, .scale = true},
    {850, 64, 64, 384, PE_EPILOGUE_ROPE, .bias = true, .head_dim = 64},
};

static PeLinear *
prepare_linear(PeBackend *be, const Problem *p)
{
    const LinearRow *row = p->row;
    int64_t shape[2] = {row->n, row->k};
    PeTensor w = pe_tensor_new(PE_DTYPE_F32, 2, shape, p->weight);
    if (row->transposed) {
        w = pe_tensor_new(PE_DTYPE_F32, 2, (int64_t[]){row->k, row->n},
                          p->weight);
        w = pe_tensor_transposed(&w);
    }
    PeLinearParams params = {.weight = w,
                             .bias = p->bias,
                             .scale = p->scale,
                             .in_scale = p->in_scale,
                             .k_padded = p->k_padded,
                             .epilogue = row->epilogue};
    PeLinear *l = be->ops->linear_new(be, &params);
    g_assert_nonnull(l);
    return l;
}

static void
run_linear(PeBackend *be, const Problem *p, const PeLinear *l, void *const *in,
           void *out)
{
    const LinearRow *row = p->row;
    PeRope rope = {in[1], MAX(row->rows / 2, 1), row->head_dim};
    be->ops->linear(be, l, row->epilogue, &rope, out, in[0], row->rows);
}

static void
linear_matches(const LinearRow *row, PePrecision precision)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    size_t k = (size_t)row->k, n = (size_t)row->n, rows = (size_t)row->rows;
    Problem p = {.row = row,
                 .precision = precision,
                 .prepare = prepare_linear,
                 .run = run_linear,
                 .k_padded = problem_pad(row->k_padded),
                 .flops = 2.0 * (double)rows * (double)k * (double)n};
    problem_add_input(&p, true, rows * (size_t)p.k_padded, 1, rand);
    if (row->epilogue == PE_EPILOGUE_ROPE)
        problem_add_input(&p, false,
                          (size_t)MAX(row->rows / 2, 1) * (size_t)row->head_dim,
                          1, rand);
    p.weight = problem_random(n * k, 1 / sqrt((double)k), rand);
    p.bias = row->bias ? problem_random(n, 1, rand) : NULL;
    p.scale = row->scale ? problem_random(n, 0.5, rand) : NULL;
    p.in_scale = row->in_scale ? problem_random(k, 0.5, rand) : NULL;
    // Scales are folded in before rounding, so weights are rounded here only
    // where there are none. Some libraries want the bias in act.
    bool folded = row->scale || row->in_scale;
    for (size_t i = 0; !folded && i < n * k; i++)
        p.weight[i] = problem_round(precision, p.weight[i]);
    for (size_t i = 0; p.bias && i < n; i++)
        p.bias[i] = problem_round(precision, p.bias[i]);
    p.bytes += (double)(n * k) * problem_act_size(precision);
    bool f32 = row->epilogue == PE_EPILOGUE_F32 ||
               row->epilogue == PE_EPILOGUE_RESIDUAL;
    problem_set_output(&p, !f32, rows * n);
    bool early = problem_rounds_early();
    p.n_roundings = (f32 ? 0 : 1) + (row->epilogue == PE_EPILOGUE_ROPE) +
                    (early && row->epilogue == PE_EPILOGUE_GELU) + folded;
    g_autofree float *initial = NULL;
    if (row->epilogue == PE_EPILOGUE_RESIDUAL)
        p.initial = initial = problem_random(rows * n, 1, rand);
    problem_check(&p);
}

// Ragged batches bring any number of rows, and variants that prepare something
// for each number must neither mix them up nor run out of places.
static void
linears_match_for_any_rows(const void *data)
{
    for (int rows = 1; rows <= 300; rows += rows < 80 ? 1 : 37) {
        LinearRow row = {rows, 64, 64, 96, PE_EPILOGUE_GELU, true};
        linear_matches(&row, (PePrecision)GPOINTER_TO_INT(data));
    }
}

// ---- Attention ------------------------------------------------------------

typedef struct {
    int b, n, heads, head_dim;
    bool causal;
    double scale;       // of the inputs
    const int *offsets; // [b + 1]
} AttentionRow;

static const int ragged[] = {0, 1, 9, 12, 44, 45, 117};

static const AttentionRow attention_rows[] = {
    {1, 197, 12, 64, false, 1},      {2, 577, 3, 64, false, 1},
    {1, 1025, 2, 96, false, 1},      {8, 197, 12, 64, false, 1},
    {3, 37, 2, 16, false, 1},        {2, 65, 3, 24, false, 1},
    {1, 33, 2, 32, false, 1},        {2, 50, 1, 48, false, 1},
    {1, 1, 2, 64, false, 1},         {1, 40, 2, 64, false, 8}, // nearly one-hot
    {2, 32, 4, 64, true, 1},         {6, 72, 5, 64, true, 1, ragged},
    {6, 72, 2, 24, true, 1, ragged}, {6, 72, 2, 32, false, 1, ragged},
};

static void
run_attention(PeBackend *be, const Problem *p, const PeLinear *l,
              void *const *in, void *out)
{
    const AttentionRow *r = p->row;
    be->ops->attention(be, out, in[0], r->offsets ? in[1] : NULL, r->b, r->n,
                       r->heads, r->head_dim, r->causal);
}

// As the towers' qkv weights do it.
static void
scale_queries(Problem *p, size_t rows, size_t d, int head_dim)
{
    float scale = (float)(1 / (G_LN2 * sqrt(head_dim)));
    for (size_t i = 0; i < rows * d; i++) {
        float *q = &p->in[0].values[i / d * 3 * d + i % d];
        *q = problem_round(p->precision, *q * scale);
    }
}

static void
attention_matches(const AttentionRow *r, PePrecision precision)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(2);
    size_t d = (size_t)(r->heads * r->head_dim);
    size_t rows = (size_t)(r->offsets ? r->offsets[r->b] : r->b * r->n);
    Problem p = {.row = r,
                 .precision = precision,
                 .run = run_attention,
                 .n_roundings = 2, // probabilities and output
                 .flops = 4.0 * (double)rows * r->n * (double)d};
    problem_add_input(&p, true, rows * 3 * d, r->scale, rand);
    scale_queries(&p, rows, d, r->head_dim);
    if (r->offsets)
        problem_add_ints(&p, r->offsets, (size_t)r->b + 1);
    problem_set_output(&p, true, rows * d);
    problem_check(&p);
}

typedef struct {
    int b, n, heads, d;
    double scale; // of the scores
} PoolRow;

static const PoolRow pool_rows[] = {
    {2, 577, 8, 192, 1},   {1, 197, 8, 768, 1}, {3, 50, 8, 384, 1},
    {1, 577, 8, 1024, 1},  {2, 5, 8, 128, 1},   {8, 197, 8, 768, 1},
    {1, 1024, 8, 1536, 1}, {1, 145, 8, 768, 1}, {1, 1, 8, 192, 8},
    {2, 37, 3, 48, 1},     {1, 300, 13, 80, 1}, {2, 21, 2, 51, 1},
    {1, 40, 8, 64, 20}, // nearly one-hot
};

static void
run_pool(PeBackend *be, const Problem *p, const PeLinear *l, void *const *in,
         void *out)
{
    const PoolRow *r = p->row;
    be->ops->pool(be, out, in[2], in[0], in[1], r->b, r->n, r->heads, r->d);
}

static void
pool_matches(const PoolRow *r, PePrecision precision)
{
    if (r->d != problem_pad(r->d))
        return;
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    size_t d = (size_t)r->d, n = (size_t)(r->b * r->n), h = (size_t)r->heads;
    Problem p = {.row = r,
                 .precision = precision,
                 .run = run_pool,
                 .n_roundings = 1,
                 .flops = 4.0 * (double)n * (double)(d * h)};
    problem_add_input(&p, false, h * d, r->scale / sqrt((double)d), rand);
    problem_add_input(&p, true, n * d, 1, rand);
    problem_add_input(&p, false, n * h, 0, rand); // scratch
    problem_set_output(&p, true, (size_t)r->b * h * d);
    problem_check(&p);
}

// ---- Norm -----------------------------------------------------------------

typedef struct {
    int rows, d;
    bool act;      // output type
    bool in_place; // f32 only
    float mean;
    bool plain; // without weight and bias
    bool shift;
} NormRow;

static const NormRow norm_rows[] = {
    {197, 768, true, false, 0},
    {577, 1024, true, false, 0},
    {1, 1536, true, false, 0},
    {1, 192, false, false, 0},
    {197, 768, false, true, 0},
    {37, 48, true, false, 100},
    {5, 31, true, false, 1},
    {3, 7, false, true, 0},
    {1576, 768, true, false, 0},
    {1576, 768, true, false, 0, true},
    {37, 48, true, false, 9, true},
    {5, 31, false, true, 1, true},
    {37, 768, true, false, 9, true, true},
    {3, 1600, false, true, 1, false, true},
};

static void
run_norm(PeBackend *be, const Problem *p, const PeLinear *l, void *const *in,
         void *out)
{
    const NormRow *r = p->row;
    be->ops->layernorm(be, out, r->act ? be->act : PE_DTYPE_F32,
                       r->in_place ? out : in[0], r->shift ? in[3] : NULL,
                       r->plain ? NULL : in[1], r->plain ? NULL : in[2],
                       r->rows, r->d, 1e-5f);
}

static void
norm_matches(const NormRow *r, PePrecision precision)
{
    if (r->d != problem_pad(r->d))
        return;
    g_autoptr(GRand) rand = g_rand_new_with_seed(4);
    size_t d = (size_t)r->d, n = (size_t)r->rows * d;
    Problem p = {.row = r,
                 .precision = precision,
                 .run = run_norm,
                 .n_roundings = r->act ? 1 : 0,
                 .flops = 8.0 * (double)n};
    problem_add_input(&p, false, n, 3, rand);
    for (size_t i = 0; i < n; i++)
        p.in[0].values[i] += r->mean;
    problem_add_input(&p, false, d, 1, rand);
    problem_add_input(&p, false, d, 1, rand);
    problem_add_input(&p, false, d, 2, rand);
    problem_set_output(&p, r->act, n);
    p.initial = r->in_place ? p.in[0].values : NULL;
    problem_check(&p);
}

// ---- Tokens ---------------------------------------------------------------

typedef struct {
    enum { PATCHIFY, PICTURES, TOKENS, GATHER, CONVERT } op;
    int b, h, w, patch, k_padded; // PATCHIFY, PICTURES
    int n, d;                     // the others
    bool cls;
} TokensRow;

static const int gathered[] = {0, 7, 7, 3, 31};

static const TokensRow tokens_rows[] = {
    {PATCHIFY, 2, 32, 48, 16, 768},
    {PATCHIFY, 1, 45, 31, 14, 608},
    {PATCHIFY, 3, 21, 21, 5, 75},
    {PICTURES, 2, 32, 48, 16, 768},
    {PICTURES, 3, 45, 31, 14, 592},
    {TOKENS, 2, .n = 196, .d = 768, .cls = true},
    {TOKENS, 3, .n = 5, .d = 33},
    {GATHER, .n = 5, .d = 77},
    {CONVERT, .n = 1, .d = 1},
    {CONVERT, .n = 197, .d = 769},
};

// RGB frames of the slots' own size, so that squashing changes nothing.
static void
cut_pictures(PeBackend *be, const TokensRow *r, int k_padded, void *out)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(6);
    g_autofree guint8 *rgb = g_malloc((gsize)(3 * r->w * r->h));
    g_autofree PeSlot **slots = g_new(PeSlot *, r->b);
    for (int i = 0; i < r->b; i++) {
        for (int j = 0; j < 3 * r->w * r->h; j++)
            rgb[j] = (guint8)g_rand_int(rand);
        PeFrame frame = {.memory = PE_MEMORY_HOST,
                         .format = PE_FORMAT_RGB,
                         .width = r->w,
                         .height = r->h,
                         .planes = {rgb},
                         .strides = {3 * r->w}};
        g_autoptr(GError) error = NULL;
        slots[i] = be->ops->slot_new(be, r->w, r->h);
        g_assert_nonnull(slots[i]);
        g_assert_true(be->ops->ingest(be, &slots[i], &frame, NULL, 1, &error));
        g_assert_no_error(error);
    }
    be->ops->patchify(be, out, slots, r->b, r->patch, k_padded);
    g_assert_cmpstr(be->ops->sync(be), ==, NULL);
    for (int i = 0; i < r->b; i++)
        be->ops->slot_free(be, slots[i]);
}

static void
run_tokens(PeBackend *be, const Problem *p, const PeLinear *l, void *const *in,
           void *out)
{
    const TokensRow *r = p->row;
    switch (r->op) {
    case PATCHIFY:
        be->ops->patchify_f32(be, out, in[0], r->b, r->h, r->w, r->patch,
                              p->k_padded);
        break;
    case PICTURES:
        cut_pictures(be, r, p->k_padded, out);
        break;
    case TOKENS:
        be->ops->tokens(be, out, in[0], r->cls ? in[2] : NULL, in[1], r->b,
                        r->n, r->d);
        break;
    case GATHER:
        be->ops->gather(be, out, in[0], in[1], r->n, r->d);
        break;
    case CONVERT:
        be->ops->convert(be, out, in[0], (size_t)r->n * (size_t)r->d);
        break;
    }
}

static void
tokens_match(const TokensRow *r, PePrecision precision)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    size_t b = (size_t)r->b, n = (size_t)r->n, d = (size_t)r->d;
    Problem p = {.row = r,
                 .precision = precision,
                 .run = run_tokens,
                 .k_padded = problem_pad(r->k_padded),
                 .n_roundings = r->op != TOKENS && r->op != GATHER};
    switch (r->op) {
    case PATCHIFY:
    case PICTURES:
        problem_add_input(&p, false, b * 3 * (size_t)(r->h * r->w), 1, rand);
        problem_set_output(&p, true,
                           b * (size_t)(r->h / r->patch * (r->w / r->patch)) *
                               (size_t)p.k_padded);
        break;
    case TOKENS:
        problem_add_input(&p, false, b * n * d, 1, rand);
        problem_add_input(&p, false, (n + (r->cls ? 1 : 0)) * d, 1, rand);
        problem_add_input(&p, false, d, 1, rand);
        problem_set_output(&p, false, b * (n + (r->cls ? 1 : 0)) * d);
        break;
    case GATHER:
        problem_add_input(&p, false, 32 * d, 1, rand);
        problem_add_ints(&p, gathered, G_N_ELEMENTS(gathered));
        problem_set_output(&p, false, n * d);
        break;
    case CONVERT:
        problem_add_input(&p, false, n * d, 1, rand);
        problem_set_output(&p, true, n * d);
        break;
    }
    problem_check(&p);
}

// ---- Tests ----------------------------------------------------------------

// One test a table and precision.
#define TEST_TABLE(name, rows, check) \
    static void name(const void *data) \
    { \
        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) { \
            g_test_message("row %zu", i); \
            check(&rows[i], (PePrecision)GPOINTER_TO_INT(data)); \
        } \
    }

TEST_TABLE(linears_match, linear_rows, linear_matches)
TEST_TABLE(attentions_match, attention_rows, attention_matches)
TEST_TABLE(pools_match, pool_rows, pool_matches)
TEST_TABLE(norms_match, norm_rows, norm_matches)
TEST_TABLE(tokens_all_match, tokens_rows, tokens_match)

static void
refuses_what_is_not_there(void)
{
    static const struct {
        const char *device;
        PePrecision precision;
        const char *message;
    } rows[] = {
        {"tpu", PE_PRECISION_AUTO, "device \"tpu\" is not available*cpu)"},
        {"cpu:1", PE_PRECISION_AUTO, "device \"cpu:1\" is not available*"},
        {"cpu:x", PE_PRECISION_AUTO, "device \"cpu:x\" is not available*"},
        {"cpu", PE_PRECISION_FP16,
         "precision fp16 is not available on cpu (available: fp32, bf16, "
         "int8)"},
        {"cpu", PE_PRECISION_FP8,
         "precision fp8 is not available on cpu (available: fp32, bf16, "
         "int8)"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        g_assert_null(
            pe_backend_open(rows[i].device, rows[i].precision, 0, &error));
        g_assert_error(error, PE_ERROR, PE_ERROR_DEVICE);
        g_test_message("%s", error->message);
        g_assert_true(g_pattern_match_simple(rows[i].message, error->message));
    }
}

static void
count_warnings(PeLogLevel level, const char *message, void *user_data)
{
    *(int *)user_data += level <= PE_LOG_WARNING;
}

// A CPU without bf16 units keeps half of the memory and its fp32 arithmetic;
// plain C keeps neither.
static void
says_how_a_cpu_computes_bf16(void)
{
    static const char note[] = " weights, fp32 arithmetic";
    static const char *const isas[] = {"c", "avx2", "avx512bf16"};
    g_autofree char *own = g_strdup(g_getenv("PE_CPU"));
    int n_warnings = 0;
    pe_log_set(count_warnings, &n_warnings);
    for (size_t i = 0; i < G_N_ELEMENTS(isas); i++) {
        g_setenv("PE_CPU", isas[i], TRUE);
        PeBackend *be = pe_backend_open("cpu", PE_PRECISION_BF16, 1, NULL);
        const char *text = be->ops->describe(be);
        g_test_message("%s", text);
        g_assert_true(!strstr(text, note) == !!strstr(text, " avx512bf16,"));
        g_assert_true(!strstr(text, ", fp32 weights") == !strstr(text, " c,"));
        be->ops->close(be);
        be = pe_backend_open("cpu", PE_PRECISION_FP32, 1, NULL);
        g_assert_null(strstr(be->ops->describe(be), note));
        be->ops->close(be);
    }
    pe_log_set(NULL, NULL);
    g_assert_cmpint(n_warnings, ==, 0);
    if (own)
        g_setenv("PE_CPU", own, TRUE);
    else
        g_unsetenv("PE_CPU");
}

// The last word of the profile's name for a product of 384 x 384.
static char *
multiply_with(const char *gemm, bool *has_onednn)
{
    g_setenv("PE_CPU_GEMM", gemm, TRUE);
    g_autoptr(GError) error = NULL;
    PeBackend *be = pe_backend_open("cpu", PE_PRECISION_FP32, 2, &error);
    g_unsetenv("PE_CPU_GEMM");
    g_assert_no_error(error);
    *has_onednn = strstr(be->ops->describe(be), "oneDNN") != NULL;
    g_autofree float *weight = g_new0(float, 384 * 384);
    g_autofree float *x = g_new0(float, 3 * 384), *y = g_new(float, 3 * 384);
    PeLinearParams params = {
        .weight = pe_tensor_new(PE_DTYPE_F32, 2, (int64_t[]){384, 384}, weight),
        .k_padded = 384,
        .epilogue = PE_EPILOGUE_RESIDUAL};
    PeOperation found[2];
    g_assert_cmpint(be->ops->profile(be, found, 2), ==, 0);
    PeLinear *l = be->ops->linear_new(be, &params);
    for (int i = 0; i < 2; i++)
        be->ops->linear(be, l, PE_EPILOGUE_F32, NULL, y, x, 3);
    g_assert_cmpint(be->ops->profile(be, found, 2), ==, 1);
    g_assert_cmpint(found[0].calls, ==, 2);
    g_assert_cmpfloat(found[0].flops, ==, 2 * 2.0 * 3 * 384 * 384);
    g_assert_cmpint(be->ops->profile(be, found, 2), ==, 0);
    be->ops->linear_free(be, l);
    be->ops->close(be);
    g_test_message("%s: %s", gemm, found[0].name);
    return g_strdup(strrchr(found[0].name, ' ') + 1);
}

static void
multiplies_with_what_is_asked_for(void)
{
    bool has_onednn;
    g_autofree char *own = multiply_with("own", &has_onednn);
    g_assert_cmpstr(own, ==, "own");
    g_assert_false(has_onednn);
    g_autofree char *forced = multiply_with("onednn", &has_onednn);
    g_assert_cmpstr(forced, ==, has_onednn ? "oneDNN" : "own");
    bool with_onednn = has_onednn;
    g_autofree char *any = multiply_with("auto", &has_onednn);
    g_assert_cmpstr(any, ==, has_onednn ? "oneDNN" : "own");
    if (!with_onednn)
        return;
    g_autoptr(GError) error = NULL;
    g_setenv("PE_CPU_GEMM", "fast", TRUE);
    g_assert_null(pe_backend_open("cpu", PE_PRECISION_FP32, 0, &error));
    g_unsetenv("PE_CPU_GEMM");
    g_assert_error(error, PE_ERROR, PE_ERROR_DEVICE);
}

int
main(int argc, char **argv)
{
    const char *device = "cpu";
    int n_threads = 0;
    bool bench = false;
    g_test_init(&argc, &argv, NULL);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bench") == 0)
            bench = true;
        else if (strcmp(argv[i], "--device") == 0 && i + 1 < argc)
            device = argv[++i];
        else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
            n_threads = atoi(argv[++i]);
        else {
            g_printerr(
                "usage: check_ops [--device DEVICE] [--threads N] [--bench]\n");
            return 2;
        }
    }
    if (!problem_open_variants(device, n_threads, bench)) {
        g_printerr("check_ops: device %s cannot be opened\n", device);
        return 1;
    }
    static const struct {
        const char *name;
        GTestDataFunc func;
        bool multiplies_weights; // the others are the same with int8 as fp32
    } tests[] = {
        {"linear", linears_match, true},
        {"rows", linears_match_for_any_rows, true},
        {"attention", attentions_match, false},
        {"pool", pools_match, false},
        {"norm", norms_match, false},
        {"tokens", tokens_all_match, false},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        for (PePrecision p = PE_PRECISION_FP32; p <= PE_PRECISION_INT8; p++) {
            g_autofree char *name = g_strdup_printf("/ops/%s/%s", tests[i].name,
                                                    pe_precision_nick(p));
            bool differs =
                p != PE_PRECISION_INT8 || tests[i].multiplies_weights;
            if (problem_has(p) && differs)
                g_test_add_data_func(name, GINT_TO_POINTER(p), tests[i].func);
        }
    }
    g_test_add_func("/ops/refusals", refuses_what_is_not_there);
    g_test_add_func("/ops/gemm", multiplies_with_what_is_asked_for);
    g_test_add_func("/ops/bf16", says_how_a_cpu_computes_bf16);
    int failed = g_test_run();
    problem_close_variants();
    return failed;
}
