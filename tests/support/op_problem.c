// SPDX-License-Identifier: LGPL-2.1-or-later
//
// op_problem.c - runs operations on backends and compares what they wrote.
// Outputs begin as NaN between guards, so that elements not written and writes
// outside are seen.

#include "op_problem.h"

#include <math.h>
#include <stdlib.h>

#define GUARD 64

typedef struct {
    char *name;
    PeBackend *be;
} Variant;

// Four precisions of four instruction sets and of the whole.
static Variant variants[24];
static int n_variants;
static PeBackend *reference;
static bool bench;
static int k_align = 1; // that suits every variant

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
// What 8 bits cost a weight, whose largest is 2.4 times the RMS here.
static const Limit int8_limit = {1e-4, 6e-2};
// Sums are exact, so that variants whose rows have 16 bits differ in what
// surrounds them.
static const Limit int8_variants = {1e-9, 1e-3};

// ---- Inputs ---------------------------------------------------------------

float
problem_round(PePrecision precision, float v)
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

int
problem_act_size(PePrecision precision)
{
    return precision == PE_PRECISION_FP32 || precision == PE_PRECISION_INT8 ? 4
                                                                            : 2;
}

float *
problem_random(size_t n, double scale, GRand *rand)
{
    float *x = g_new(float, n);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(scale * (g_rand_double_range(rand, -1, 1) +
                                g_rand_double_range(rand, -1, 1)));
    return x;
}

void
problem_add_input(Problem *p, bool act, size_t n, double scale, GRand *rand)
{
    ProblemInput *in = &p->in[p->n_in++];
    *in = (ProblemInput){.type = PE_DTYPE_F32, .act = act, .n = n};
    in->values = problem_random(n, scale, rand);
    for (size_t i = 0; act && i < n; i++)
        in->values[i] = problem_round(p->precision, in->values[i]);
    p->bytes += (double)n * (act ? problem_act_size(p->precision) : 4);
}

void
problem_add_ints(Problem *p, const int *ints, size_t n)
{
    p->in[p->n_in++] =
        (ProblemInput){.type = PE_DTYPE_I32, .n = n, .ints = ints};
}

void
problem_set_output(Problem *p, bool act, size_t n)
{
    p->n_out = n;
    p->out_act = act;
    p->bytes += (double)n * (act ? problem_act_size(p->precision) : 4);
}

static void
problem_clear(Problem *p)
{
    for (int i = 0; i < p->n_in; i++)
        g_free(p->in[i].values);
    g_free(p->weight);
    g_free(p->bias);
    g_free(p->scale);
    g_free(p->in_scale);
}

// ---- Running --------------------------------------------------------------

static void *
upload_input(PeBackend *be, const ProblemInput *in)
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
    void *in[PROBLEM_MAX_INPUTS] = {NULL};
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

static Limit
get_limit(const Problem *p)
{
    int n = p->n_roundings;
    Limit one = p->precision == PE_PRECISION_FP16 ? f16_limit : bf16_limit;
    if (p->precision == PE_PRECISION_INT8)
        return int8_limit;
    if (p->precision == PE_PRECISION_FP32 || n == 0)
        return exact_limit;
    return (Limit){one.nmse * n, one.peak * n};
}

void
problem_check(Problem *p)
{
    Limit limit = get_limit(p);
    g_autofree float *exact = run_on(reference, p, NULL);
    g_autofree float *first = NULL; // of those with int16 rows
    for (int i = 0; i < n_variants; i++) {
        if (variants[i].be->precision != p->precision)
            continue;
        g_autofree float *got = run_on(variants[i].be, p, variants[i].name);
        compare(variants[i].name, got, exact, p->n_out, limit);
        const char *about = variants[i].be->ops->describe(variants[i].be);
        if (!strstr(about, "int16 rows"))
            continue;
        if (first)
            compare(variants[i].name, got, first, p->n_out, int8_variants);
        else
            first = g_steal_pointer(&got);
    }
    problem_clear(p);
}

// ---- Variants --------------------------------------------------------------

static void
add_variant(const char *device, const char *isa, PePrecision precision,
            int n_threads)
{
    if (isa)
        g_setenv("PE_CPU", isa, TRUE);
    else
        g_unsetenv("PE_CPU");
    g_autoptr(GError) error = NULL;
    PeBackend *be = pe_backend_open(device, precision, n_threads, &error);
    if (!be) {
        g_test_message("%s %s: %s", device, pe_precision_nick(precision),
                       error->message);
        return;
    }
    // A machine without it opens a lower one, which has its own turn.
    g_autofree char *first = g_strdup_printf("* %s,*", isa);
    if (isa && !g_pattern_match_simple(first, be->ops->describe(be))) {
        be->ops->close(be);
        return;
    }
    k_align = MAX(k_align, be->k_align);
    variants[n_variants++] = (Variant){
        g_strdup_printf("%s%s%s", device, isa ? " " : "", isa ? isa : ""), be};
}

bool
problem_open_variants(const char *device, int n_threads, bool with_bench)
{
    static const char *const isas[] = {"c", "avx2", "avx512", "avx512bf16"};
    static const PePrecision precisions[] = {
        PE_PRECISION_FP32, PE_PRECISION_BF16, PE_PRECISION_FP16,
        PE_PRECISION_INT8};
    bench = with_bench;
    reference = pe_backend_open_reference();
    g_autofree char *forced = g_strdup(g_getenv("PE_CPU"));
    for (size_t i = 0; i < G_N_ELEMENTS(precisions); i++) {
        for (size_t j = 0;
             strcmp(device, "cpu") == 0 && !forced && j < G_N_ELEMENTS(isas);
             j++)
            add_variant(device, isas[j], precisions[i], n_threads);
        add_variant(device, forced, precisions[i], n_threads);
        if (strcmp(device, "cpu") != 0 || forced)
            continue;
        g_setenv("PE_CPU_GEMM", "onednn", TRUE);
        add_variant(device, NULL, precisions[i], n_threads);
        g_unsetenv("PE_CPU_GEMM");
    }
    return n_variants > 0;
}

int
problem_pad(int k)
{
    return (k + k_align - 1) / k_align * k_align;
}

bool
problem_has(PePrecision precision)
{
    for (int i = 0; i < n_variants; i++) {
        if (variants[i].be->precision == precision)
            return true;
    }
    return false;
}

bool
problem_rounds_early(void)
{
    return strcmp(variants[0].be->ops->name, "cpu") != 0;
}

void
problem_close_variants(void)
{
    for (int i = 0; i < n_variants; i++) {
        variants[i].be->ops->close(variants[i].be);
        g_free(variants[i].name);
    }
    reference->ops->close(reference);
}
