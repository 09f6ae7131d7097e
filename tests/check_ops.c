// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_ops.c - every operation of a backend against its plain C definition.
//
// A row of a table below is one operation with one shape. It is run by the
// reference backend and by every variant of the device, in every precision that
// the device has, and the outputs are compared. Outputs begin as NaN between
// guards, so that elements not written and writes outside are seen.
//
//     check_ops [--device cpu] [--threads 2] [--bench]
//
// Change an operation: add its row here.

#include "core/backend.h"

#include <math.h>
#include <stdlib.h>

#define GUARD 64
#define MAX_INPUTS 4

typedef struct {
    PeDtype type; // I32 or F32 (then `values`)
    bool act;     // rounded to, and handed over as, the activation type
    size_t n;
    float *values;
    const int *ints;
} Input;

typedef struct Problem Problem;
struct Problem {
    const void *row;
    PePrecision precision;
    Input in[MAX_INPUTS];
    int n_in;
    size_t n_out;
    bool out_act;         // else f32
    int n_roundings;      // to act, between inputs and outputs
    const float *initial; // output before the call; NULL: NaN
    float *weight;        // linear only, with bias and scale
    float *bias, *scale;
    int k_padded;
    double flops, bytes; // of one run
    PeLinear *(*prepare)(PeBackend *be, const Problem *p);
    void (*run)(PeBackend *be, const Problem *p, const PeLinear *l,
                void *const *in, void *out);
};

typedef struct {
    char *name;
    PeBackend *be;
} Variant;

static Variant variants[16];
static int n_variants;
static PeBackend *reference;
static bool bench;
static int k_align = 1; // that suits every variant
// Bias and GELU come before the product is rounded to act, and a scaled bias
// stays f32.
static bool f32_epilogues;
static int n_threads;

// NMSE and largest |difference| over RMS that an output may have; the second
// catches the one wrong element that the first would hide.
typedef struct {
    double nmse, peak;
} Limit;

static const Limit exact_limit = {1e-11, 1e-4};
// For each rounding to bf16 between inputs and outputs; one gives 2.8e-6, and
// one to f16, which has three bits more, 4.4e-8.
static const Limit bf16_limit = {4e-6, 4e-2};
static const Limit f16_limit = {6.3e-8, 5e-3};

// ---- Inputs ---------------------------------------------------------------

static float *
random_values(size_t n, double scale, GRand *rand)
{
    float *x = g_new(float, n);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(scale * (g_rand_double_range(rand, -1, 1) +
                                g_rand_double_range(rand, -1, 1)));
    return x;
}

static float
round_value(PePrecision precision, float v)
{
    switch (precision) {
    case PE_PRECISION_BF16:
        return pe_bf16_to_f32(pe_bf16_from_f32(v));
    case PE_PRECISION_FP16:
        return pe_f16_to_f32(pe_f16_from_f32(v));
    default:
        return v;
    }
}

static double
element_size(const Problem *p, bool act)
{
    return act && p->precision != PE_PRECISION_FP32 ? 2 : 4;
}

static void
add_input(Problem *p, bool act, size_t n, double scale, GRand *rand)
{
    Input *in = &p->in[p->n_in++];
    *in = (Input){.type = PE_DTYPE_F32, .act = act, .n = n};
    in->values = random_values(n, scale, rand);
    for (size_t i = 0; act && i < n; i++)
        in->values[i] = round_value(p->precision, in->values[i]);
    p->bytes += (double)n * element_size(p, act);
}

static void
add_ints(Problem *p, const int *ints, size_t n)
{
    p->in[p->n_in++] = (Input){.type = PE_DTYPE_I32, .n = n, .ints = ints};
}

static void
set_output(Problem *p, bool act, size_t n)
{
    p->n_out = n;
    p->out_act = act;
    p->bytes += (double)n * element_size(p, act);
}

static void
problem_clear(Problem *p)
{
    for (int i = 0; i < p->n_in; i++)
        g_free(p->in[i].values);
    g_free(p->weight);
    g_free(p->bias);
    g_free(p->scale);
}

// ---- Running --------------------------------------------------------------

static void *
upload_input(PeBackend *be, const Input *in)
{
    PeDtype type = in->act ? be->act : in->type;
    size_t size = in->n * pe_dtype_size(type);
    void *p = be->ops->alloc(be, size);
    g_assert_nonnull(p);
    if (pe_dtype_size(type) != 2) {
        be->ops->upload(be, p, in->values ? (const void *)in->values : in->ints,
                        size);
        return p;
    }
    g_autofree uint16_t *half = g_new(uint16_t, in->n);
    for (size_t i = 0; i < in->n; i++)
        half[i] = type == PE_DTYPE_BF16 ? pe_bf16_from_f32(in->values[i])
                                        : pe_f16_from_f32(in->values[i]);
    be->ops->upload(be, p, half, size);
    return p;
}

// All ones is NaN in f32, bf16 and f16.
static char *
new_output_host(const Problem *p, size_t element)
{
    size_t size = (p->n_out + 2 * GUARD) * element;
    char *host = g_malloc(size);
    memset(host, 0xff, size);
    if (p->initial)
        memcpy(host + GUARD * element, p->initial, p->n_out * element);
    return host;
}

static void
check_guards(const char *host, size_t n, size_t element)
{
    for (size_t i = 0; i < GUARD * element; i++) {
        g_assert_cmphex((guint8)host[i], ==, 0xff);
        g_assert_cmphex((guint8)host[(GUARD + n) * element + i], ==, 0xff);
    }
}

static void
print_rate(PeBackend *be, const Problem *p, const PeLinear *l, void *const *in,
           void *out, const char *name)
{
    // The fastest of some: what disturbs only ever adds.
    double t = INFINITY;
    for (int i = 0; i < 20; i++) {
        gint64 start = g_get_monotonic_time();
        int n = 0;
        do {
            p->run(be, p, l, in, out);
            be->ops->sync(be);
            n++;
        } while (g_get_monotonic_time() - start < 2000);
        t = MIN(t, (double)(g_get_monotonic_time() - start) / n * 1e-6);
    }
    g_test_message("%-24s %9.3f ms %8.1f GFLOP/s %7.1f GB/s", name, t * 1e3,
                   p->flops / t * 1e-9, p->bytes / t * 1e-9);
}

// Returns [n_out] f32, free with g_free().
static float *
run_on(PeBackend *be, const Problem *p, const char *name)
{
    void *in[MAX_INPUTS] = {NULL};
    for (int i = 0; i < p->n_in; i++)
        in[i] = upload_input(be, &p->in[i]);
    PeDtype type = p->out_act ? be->act : PE_DTYPE_F32;
    size_t element = pe_dtype_size(type);
    size_t size = (p->n_out + 2 * GUARD) * element;
    g_autofree char *host = new_output_host(p, element);
    char *out = be->ops->alloc(be, size);
    g_assert_nonnull(out);
    be->ops->upload(be, out, host, size);

    PeLinear *l = p->prepare ? p->prepare(be, p) : NULL;
    p->run(be, p, l, in, out + GUARD * element);
    g_assert_cmpstr(be->ops->sync(be), ==, NULL);
    be->ops->download(be, host, out, size);
    check_guards(host, p->n_out, element);
    float *result = g_new(float, p->n_out);
    PeTensor t = pe_tensor_new(type, 1, (int64_t[]){(int64_t)p->n_out},
                               host + GUARD * element);
    pe_tensor_to_f32(&t, result);
    if (bench && be != reference)
        print_rate(be, p, l, in, out + GUARD * element, name);

    be->ops->linear_free(be, l);
    be->ops->free(be, out);
    for (int i = 0; i < p->n_in; i++)
        be->ops->free(be, in[i]);
    return result;
}

static void
compare(const char *name, const float *got, const float *expected, size_t n,
        Limit limit)
{
    double error = 0, power = 0, peak = 0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)got[i] - expected[i];
        if (isnan(d)) {
            g_test_message("%s: element %zu of %zu is %g, expected %g", name, i,
                           n, got[i], expected[i]);
            g_test_fail();
            return;
        }
        error += d * d;
        power += (double)expected[i] * expected[i];
        peak = MAX(peak, fabs(d));
    }
    double nmse = error / power, share = nmse / limit.nmse;
    peak /= sqrt(power / (double)n);
    share = MAX(share, peak / limit.peak);
    if (!bench || share > 1)
        g_test_message("%-24s nmse %.2e (%.0e) peak %.2e (%.0e) share %.2f",
                       name, nmse, limit.nmse, peak, limit.peak, share);
    if (share > 1)
        g_test_fail();
}

static void
check_problem(Problem *p)
{
    int n = p->n_roundings;
    Limit limit = exact_limit;
    if (n > 0 && p->precision == PE_PRECISION_BF16)
        limit = (Limit){bf16_limit.nmse * n, bf16_limit.peak * n};
    else if (n > 0 && p->precision == PE_PRECISION_FP16)
        limit = (Limit){f16_limit.nmse * n, f16_limit.peak * n};
    g_autofree float *expected = run_on(reference, p, NULL);
    for (int i = 0; i < n_variants; i++) {
        if (variants[i].be->precision != p->precision)
            continue;
        g_autofree float *got = run_on(variants[i].be, p, variants[i].name);
        compare(variants[i].name, got, expected, p->n_out, limit);
    }
    problem_clear(p);
}

// ---- Linear ---------------------------------------------------------------

typedef struct {
    int rows, k, k_padded, n;
    PeEpilogue epilogue;
    bool bias, scale, transposed;
    int head_dim; // ROPE
} LinearRow;

static const LinearRow linear_rows[] = {
    {1, 768, 768, 1024, PE_EPILOGUE_F32, false, false, true},
    {1, 768, 768, 3072, PE_EPILOGUE_GELU, true},
    {197, 768, 768, 2304, PE_EPILOGUE_ROPE, true, .head_dim = 64},
    {197, 768, 768, 768, PE_EPILOGUE_RESIDUAL, true, true},
    {197, 768, 768, 3072, PE_EPILOGUE_GELU, true},
    {197, 3072, 3072, 768, PE_EPILOGUE_RESIDUAL, true},
    {576, 588, 588, 192, PE_EPILOGUE_F32, false},
    {36, 588, 608, 96, PE_EPILOGUE_F32, false},
    {577, 192, 192, 384, PE_EPILOGUE_NONE, true},
    {34, 96, 96, 288, PE_EPILOGUE_ROPE, true, .head_dim = 24},
    {17, 192, 192, 576, PE_EPILOGUE_ROPE, true, .head_dim = 96},
    {13, 32, 32, 96, PE_EPILOGUE_ROPE, true, .head_dim = 16},
    {5, 31, 31, 7, PE_EPILOGUE_NONE, true},
    {7, 75, 75, 41, PE_EPILOGUE_GELU, true, true},
    {3, 48, 50, 19, PE_EPILOGUE_RESIDUAL, true, false, true},
    {64, 1, 1, 1, PE_EPILOGUE_F32, true},
};

static int
pad(int k)
{
    return (k + k_align - 1) / k_align * k_align;
}

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
    PeLinearParams params = {w, p->bias, p->scale, p->k_padded};
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
                 .k_padded = pad(row->k_padded),
                 .flops = 2.0 * (double)rows * (double)k * (double)n};
    add_input(&p, true, rows * (size_t)p.k_padded, 1, rand);
    if (row->epilogue == PE_EPILOGUE_ROPE)
        add_input(&p, false,
                  (size_t)MAX(row->rows / 2, 1) * (size_t)row->head_dim, 1,
                  rand);
    p.weight = random_values(n * k, 1 / sqrt((double)k), rand);
    p.bias = row->bias ? random_values(n, 1, rand) : NULL;
    p.scale = row->scale ? random_values(n, 0.5, rand) : NULL;
    // The scale is folded in before rounding, so weights are rounded here only
    // where there is none. Some libraries want the bias in act.
    for (size_t i = 0; !row->scale && i < n * k; i++)
        p.weight[i] = round_value(precision, p.weight[i]);
    for (size_t i = 0; !row->scale && p.bias && i < n; i++)
        p.bias[i] = round_value(precision, p.bias[i]);
    p.bytes += (double)(n * k) * element_size(&p, true);
    bool f32 = row->epilogue == PE_EPILOGUE_F32 ||
               row->epilogue == PE_EPILOGUE_RESIDUAL;
    set_output(&p, !f32, rows * n);
    p.n_roundings = (f32 ? 0 : 1) + (row->epilogue == PE_EPILOGUE_ROPE) +
                    (row->epilogue == PE_EPILOGUE_GELU && !f32_epilogues) +
                    (!row->scale     ? 0
                     : f32_epilogues ? 1
                                     : 2);
    g_autofree float *initial = NULL;
    if (row->epilogue == PE_EPILOGUE_RESIDUAL)
        p.initial = initial = random_values(rows * n, 1, rand);
    check_problem(&p);
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
    add_input(&p, true, rows * 3 * d, r->scale, rand);
    if (r->offsets)
        add_ints(&p, r->offsets, (size_t)r->b + 1);
    set_output(&p, true, rows * d);
    check_problem(&p);
}

static const AttentionRow pool_rows[] = {
    {2, 577, 8, 24, false, 1},   {1, 197, 8, 96, false, 1},
    {3, 50, 8, 48, false, 1},    {1, 577, 8, 128, false, 1},
    {1, 1024, 8, 192, false, 1}, {2, 5, 8, 16, false, 1},
    {8, 197, 8, 96, false, 1},   {1, 1, 8, 24, false, 8},
};

static void
run_pool(PeBackend *be, const Problem *p, const PeLinear *l, void *const *in,
         void *out)
{
    const AttentionRow *r = p->row;
    be->ops->attention_pool(be, out, in[0], in[1], r->b, r->n, r->heads,
                            r->head_dim);
}

static void
pool_matches(const AttentionRow *r, PePrecision precision)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    size_t d = (size_t)(r->heads * r->head_dim), n = (size_t)(r->b * r->n);
    Problem p = {.row = r,
                 .precision = precision,
                 .run = run_pool,
                 .n_roundings = 1,
                 .flops = 4.0 * (double)n * (double)d};
    add_input(&p, false, d, 0.3, rand);
    add_input(&p, true, n * 2 * d, r->scale, rand);
    set_output(&p, true, (size_t)r->b * d);
    check_problem(&p);
}

// ---- Norm -----------------------------------------------------------------

typedef struct {
    int rows, d;
    bool act;      // output type
    bool in_place; // f32 only
    float mean;
} NormRow;

static const NormRow norm_rows[] = {
    {197, 768, true, false, 0},  {577, 1024, true, false, 0},
    {1, 1536, true, false, 0},   {1, 192, false, false, 0},
    {197, 768, false, true, 0},  {37, 48, true, false, 100},
    {5, 31, true, false, 1},     {3, 7, false, true, 0},
    {1576, 768, true, false, 0},
};

static void
run_norm(PeBackend *be, const Problem *p, const PeLinear *l, void *const *in,
         void *out)
{
    const NormRow *r = p->row;
    be->ops->layernorm(be, out, r->act ? be->act : PE_DTYPE_F32,
                       r->in_place ? out : in[0], in[1], in[2], r->rows, r->d,
                       1e-5f);
}

static void
norm_matches(const NormRow *r, PePrecision precision)
{
    if (r->d % k_align != 0)
        return;
    g_autoptr(GRand) rand = g_rand_new_with_seed(4);
    size_t d = (size_t)r->d, n = (size_t)r->rows * d;
    Problem p = {.row = r,
                 .precision = precision,
                 .run = run_norm,
                 .n_roundings = r->act ? 1 : 0,
                 .flops = 8.0 * (double)n};
    add_input(&p, false, n, 3, rand);
    for (size_t i = 0; i < n; i++)
        p.in[0].values[i] += r->mean;
    add_input(&p, false, d, 1, rand);
    add_input(&p, false, d, 1, rand);
    set_output(&p, r->act, n);
    p.initial = r->in_place ? p.in[0].values : NULL;
    check_problem(&p);
}

// ---- Tokens ---------------------------------------------------------------

typedef struct {
    enum { PATCHIFY, TOKENS, GATHER, CONVERT } op;
    int b, h, w, patch, k_padded; // PATCHIFY
    int n, d;                     // the others
    bool cls;
} TokensRow;

static const int gathered[] = {0, 7, 7, 3, 31};

static const TokensRow tokens_rows[] = {
    {PATCHIFY, 2, 32, 48, 16, 768},
    {PATCHIFY, 1, 45, 31, 14, 608},
    {PATCHIFY, 3, 21, 21, 5, 75},
    {TOKENS, 2, .n = 196, .d = 768, .cls = true},
    {TOKENS, 3, .n = 5, .d = 33},
    {GATHER, .n = 5, .d = 77},
    {CONVERT, .n = 1, .d = 1},
    {CONVERT, .n = 197, .d = 769},
};

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
                 .k_padded = pad(r->k_padded),
                 .n_roundings = r->op == PATCHIFY || r->op == CONVERT};
    switch (r->op) {
    case PATCHIFY:
        add_input(&p, false, b * 3 * (size_t)(r->h * r->w), 1, rand);
        set_output(&p, true,
                   b * (size_t)(r->h / r->patch * (r->w / r->patch)) *
                       (size_t)p.k_padded);
        break;
    case TOKENS:
        add_input(&p, false, b * n * d, 1, rand);
        add_input(&p, false, (n + (r->cls ? 1 : 0)) * d, 1, rand);
        add_input(&p, false, d, 1, rand);
        set_output(&p, false, b * (n + (r->cls ? 1 : 0)) * d);
        break;
    case GATHER:
        add_input(&p, false, 32 * d, 1, rand);
        add_ints(&p, gathered, G_N_ELEMENTS(gathered));
        set_output(&p, false, n * d);
        break;
    case CONVERT:
        add_input(&p, false, n * d, 1, rand);
        set_output(&p, true, n * d);
        break;
    }
    check_problem(&p);
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
        {"cpu", PE_PRECISION_INT8,
         "precision int8 is not available on cpu (available: fp32, bf16)"},
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
add_variant(const char *device, const char *rung, PePrecision precision)
{
    if (rung)
        g_setenv("PE_CPU", rung, TRUE);
    else
        g_unsetenv("PE_CPU");
    g_autoptr(GError) error = NULL;
    PeBackend *be = pe_backend_open(device, precision, n_threads, &error);
    if (!be) {
        g_test_message("%s %s: %s", device, pe_precision_nick(precision),
                       error->message);
        return;
    }
    // A machine without this rung opens a lower one, which has its own turn.
    g_autofree char *first = g_strdup_printf("* %s,*", rung);
    if (rung && !g_pattern_match_simple(first, be->ops->describe(be))) {
        be->ops->close(be);
        return;
    }
    k_align = MAX(k_align, be->k_align);
    variants[n_variants++] = (Variant){
        g_strdup_printf("%s%s%s", device, rung ? " " : "", rung ? rung : ""),
        be};
}

static const PePrecision precisions[] = {PE_PRECISION_FP32, PE_PRECISION_BF16,
                                         PE_PRECISION_FP16};

static bool
has_precision(PePrecision precision)
{
    for (int i = 0; i < n_variants; i++) {
        if (variants[i].be->precision == precision)
            return true;
    }
    return false;
}

static void
add_variants(const char *device)
{
    static const char *const rungs[] = {"c", "avx2", "avx512", "avx512bf16"};
    g_autofree char *forced = g_strdup(g_getenv("PE_CPU"));
    for (size_t i = 0; i < G_N_ELEMENTS(precisions); i++) {
        for (size_t j = 0;
             strcmp(device, "cpu") == 0 && !forced && j < G_N_ELEMENTS(rungs);
             j++)
            add_variant(device, rungs[j], precisions[i]);
        add_variant(device, forced, precisions[i]);
    }
}

int
main(int argc, char **argv)
{
    const char *device = "cpu";
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
    reference = pe_backend_open_reference();
    add_variants(device);
    if (n_variants == 0) {
        g_printerr("check_ops: device %s cannot be opened\n", device);
        return 1;
    }
    f32_epilogues = strcmp(device, "cpu") == 0;
    static const struct {
        const char *name;
        GTestDataFunc func;
    } tests[] = {
        {"linear", linears_match},    {"attention", attentions_match},
        {"pool", pools_match},        {"norm", norms_match},
        {"tokens", tokens_all_match},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++) {
        for (size_t j = 0; j < G_N_ELEMENTS(precisions); j++) {
            g_autofree char *name = g_strdup_printf(
                "/ops/%s/%s", tests[i].name, pe_precision_nick(precisions[j]));
            if (has_precision(precisions[j]))
                g_test_add_data_func(name, GINT_TO_POINTER(precisions[j]),
                                     tests[i].func);
        }
    }
    g_test_add_func("/ops/refusals", refuses_what_is_not_there);
    int failed = g_test_run();
    for (int i = 0; i < n_variants; i++) {
        variants[i].be->ops->close(variants[i].be);
        g_free(variants[i].name);
    }
    reference->ops->close(reference);
    return failed;
}
