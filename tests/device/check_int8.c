// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_int8.c - what linear layers with weights of 8 bits promise beyond the
// rows of check_ops.c, on the CPU or with `--device cuda`.

#include <math.h>

#include "core/device/cpu/int8/int8.h"
#include "tests/support/op_problem.h"

enum { K = 784, N = 80, ROWS = 29, LARGE = 100, LARGE_CHANNEL = 9, BAD = 11 };

static const char *device = "cpu";

static float *
make_random(size_t n, guint32 seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    return problem_random(n, 1, rand);
}

// An array on the device.
static void *
send(PeBackend *be, const void *data, size_t size)
{
    void *there = be->ops->alloc(be, size);
    g_assert_nonnull(there);
    be->ops->upload(be, there, data, size);
    return there;
}

// Returns [ROWS, N], free with g_free().
static float *
multiply(PePrecision precision, int n_threads, const float *w, const float *x)
{
    g_autoptr(GError) error = NULL;
    float in_size[K];
    for (int j = 0; j < K; j++)
        in_size[j] = j == LARGE_CHANNEL ? LARGE : 1;
    PeLinearParams params = {
        .weight = pe_tensor_new(PE_DTYPE_F32, 2, (int64_t[]){N, K}, w),
        .in_size = in_size,
        .k_padded = K,
        .epilogue = PE_EPILOGUE_RESIDUAL};
    PeBackend *be = pe_backend_open(device, precision, n_threads, &error);
    g_assert_no_error(error);
    PeLinear *l = be->ops->linear_new(be, &params);
    g_assert_nonnull(l);
    float *y = g_new0(float, ROWS *N);
    g_autofree uint16_t *rounded = g_new(uint16_t, ROWS * K);
    for (int i = 0; i < ROWS * K; i++)
        rounded[i] = be->act == PE_DTYPE_F16 ? pe_f16_from_f32(x[i])
                                             : pe_bf16_from_f32(x[i]);
    bool f32 = be->act == PE_DTYPE_F32;
    void *rows = send(be, f32 ? (const void *)x : rounded,
                      (size_t)(ROWS * K) * pe_dtype_size(be->act));
    void *sums = send(be, y, ROWS * N * sizeof *y);
    be->ops->linear(be, l, PE_EPILOGUE_RESIDUAL, NULL, sums, rows, ROWS);
    be->ops->download(be, y, sums, ROWS * N * sizeof *y);
    g_assert_null(be->ops->sync(be));
    be->ops->free(be, rows);
    be->ops->free(be, sums);
    be->ops->linear_free(be, l);
    be->ops->close(be);
    return y;
}

// A column and a row of the weight, and a channel of the input, that are a
// hundred times larger than the others cost no output its precision.
static void
keeps_outliers_apart(void)
{
    g_autofree float *w = make_random(N * K, 4), *x = make_random(ROWS * K, 5);
    for (int i = 0; i < N; i++)
        w[i * K + 5] *= LARGE;
    for (int j = 0; j < K; j++)
        w[7 * K + j] *= LARGE;
    for (int r = 0; r < ROWS; r++)
        x[r * K + LARGE_CHANNEL] *= LARGE;
    g_autofree float *wanted = multiply(PE_PRECISION_FP32, 2, w, x);
    g_autofree float *got = multiply(PE_PRECISION_INT8, 2, w, x);
    double worst = 0;
    for (int i = 0; i < N; i++) {
        double error = 0, power = 0;
        for (int r = 0; r < ROWS; r++) {
            double a = wanted[r * N + i], b = got[r * N + i];
            error += (a - b) * (a - b);
            power += a * a;
        }
        worst = fmax(worst, error / power);
    }
    g_test_message("worst nmse of an output %.2e", worst);
    g_assert_cmpfloat(worst, <=, 1e-3);
}

// Numbers that are none spoil their own row and no other; a row of zeros, or of
// numbers whose scale would be none, is not one of those.
static void
keeps_damage_apart(void)
{
    g_autofree float *w = make_random(N * K, 4), *x = make_random(ROWS * K, 5);
    g_autofree float *wanted = multiply(PE_PRECISION_INT8, 1, w, x);
    x[BAD * K + 3] = NAN;
    x[(BAD + 2) * K + 4] = -INFINITY;
    memset(x + (BAD + 4) * K, 0, K * sizeof *x);
    for (int j = 0; j < K; j++)
        x[(BAD + 5) * K + j] = 1e-42f;
    g_autofree float *got = multiply(PE_PRECISION_INT8, 1, w, x);
    for (int i = 0; i < ROWS * N; i++) {
        int r = i / N - BAD;
        if (r == 0 || r == 2)
            g_assert_true(isnan(got[i]));
        else if (r == 4 || r == 5)
            g_assert_cmpfloat(got[i], ==, 0);
        else
            g_assert_cmpfloat(got[i], ==, wanted[i]);
    }
}

static void
does_not_depend_on_threads(void)
{
    g_autofree float *w = make_random(N * K, 4), *x = make_random(ROWS * K, 5);
    g_autofree float *wanted = multiply(PE_PRECISION_INT8, 1, w, x);
    for (int n_threads = 2; n_threads <= 5; n_threads++) {
        g_autofree float *got = multiply(PE_PRECISION_INT8, n_threads, w, x);
        g_assert_cmpmem(got, ROWS * N * sizeof *got, wanted,
                        ROWS * N * sizeof *got);
    }
}

// Columns of zeros, and a weight of zeros.
static void
multiplies_with_zeros(void)
{
    g_autofree float *w = make_random(N * K, 4), *x = make_random(ROWS * K, 5);
    for (int i = 0; i < N * K; i++)
        w[i] *= i % K < 3 || i / K == 2 ? 0 : 1;
    g_autofree float *got = multiply(PE_PRECISION_INT8, 2, w, x);
    for (int i = 0; i < ROWS * N; i++)
        g_assert_true(i % N == 2 ? got[i] == 0 : isfinite(got[i]));
    memset(w, 0, (size_t)N * K * sizeof *w);
    g_autofree float *none = multiply(PE_PRECISION_INT8, 2, w, x);
    for (int i = 0; i < ROWS * N; i++)
        g_assert_cmpfloat(none[i], ==, 0);
}

// Blocks of 1 to 256 columns, with zeros behind the last one and without, on
// each instruction set: the bits of plain C.
static void
turns_rows(void)
{
    static const char *const sets[] = {"avx2", "avx512", "avx512bf16"};
    static const int widths[] = {1,   5,   24,  40,  48,  96,   100, 192,
                                 384, 511, 768, 770, 999, 1536, 3072};
    g_autofree char *before = g_strdup(g_getenv("PE_CPU"));
    g_autofree float *x = make_random(4096, 6), *y = g_new(float, 4096);
    for (gsize s = 0; s < G_N_ELEMENTS(sets); s++) {
        g_setenv("PE_CPU", sets[s], true);
        PeBackend *be = pe_backend_open("cpu", PE_PRECISION_INT8, 1, NULL);
        for (gsize i = 0; i < G_N_ELEMENTS(widths); i++) {
            int n = pe_int8_length(widths[i]), b = pe_int8_block(widths[i]);
            g_autofree float *wanted = g_memdup2(x, 4096 * sizeof *x);
            memcpy(y, x, 4096 * sizeof *x);
            pe_int8_turn_c(wanted, n, b);
            ((PeCpu *)be)->int8_turn(y, n, b);
            g_assert_cmpmem(y, 4096 * sizeof *y, wanted, 4096 * sizeof *y);
        }
        be->ops->close(be);
    }
    if (before)
        g_setenv("PE_CPU", before, true);
    else
        g_unsetenv("PE_CPU");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (argc > 2 && strcmp(argv[1], "--device") == 0)
        device = argv[2];
    g_test_add_func("/int8/outliers", keeps_outliers_apart);
    g_test_add_func("/int8/damage", keeps_damage_apart);
    g_test_add_func("/int8/zeros", multiplies_with_zeros);
    if (strcmp(device, "cpu") == 0) {
        g_test_add_func("/int8/threads", does_not_depend_on_threads);
        g_test_add_func("/int8/rotation", turns_rows);
    }
    return g_test_run();
}
