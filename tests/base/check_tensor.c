// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_tensor.c - views keep their meaning through rows, transposition and
// conversion.

#include "core/base/tensor.h"

#include <glib.h>
#include <math.h>

#include "core/base/dots.h"
#include "core/pe.h"
#include "tests/support/e4m3.h"

static const float values[6] = {0, 1, 2, 3, 4, 5}; // [2, 3]

static void
reads_rows_and_transposed_views(void)
{
    PeTensor t = pe_tensor_new(PE_DTYPE_F32, 2, (int64_t[]){2, 3}, values);
    PeTensor row = pe_tensor_rows(&t, 1, 1);
    PeTensor turned = pe_tensor_transposed(&t);
    float out[6];

    pe_tensor_to_f32(&row, out);
    g_assert_cmpfloat(out[0], ==, 3);
    g_assert_cmpfloat(out[2], ==, 5);

    g_assert_false(pe_tensor_is_contiguous(&turned));
    pe_tensor_to_f32(&turned, out);
    static const float expected[6] = {0, 3, 1, 4, 2, 5};
    g_assert_cmpmem(out, sizeof out, expected, sizeof expected);
}

static void
reads_a_scalar(void)
{
    double d = 2.5;
    PeTensor t = pe_tensor_new(PE_DTYPE_F64, 0, NULL, &d);
    float out;
    pe_tensor_to_f32(&t, &out);
    g_assert_cmpfloat(out, ==, 2.5f);
}

static void
rounds_bf16_to_nearest_even(void)
{
    g_assert_cmpint(pe_bf16_from_f32(1.0f), ==, 0x3f80);
    g_assert_cmpint(pe_bf16_from_f32(1.00390625f), ==, 0x3f80); // tie, down
    g_assert_cmpint(pe_bf16_from_f32(1.01171875f), ==, 0x3f82); // tie, up
    g_assert_cmpint(pe_bf16_from_f32(INFINITY), ==, 0x7f80);
    g_assert_true(isnan(pe_bf16_to_f32(pe_bf16_from_f32(NAN))));
}

static void
keeps_every_f16(void)
{
    for (int i = 0; i < 65536; i++) {
        float f = pe_f16_to_f32((uint16_t)i);
        if (!isnan(f))
            g_assert_cmpint(pe_f16_from_f32(f), ==, i);
    }
}

// The loops over many are others: all of them, and what they leave over.
static void
converts_many_f16_as_one(const void *data)
{
    enum { N = 65536 + 3 };
    g_autofree uint16_t *halves = g_new(uint16_t, N);
    g_autofree float *floats = g_new(float, N);
    const PeDotsLoops *loops = pe_dots_loops((PeDots)GPOINTER_TO_INT(data));
    if (!loops) {
        g_test_skip("not on this machine");
        return;
    }
    for (int i = 0; i < N; i++)
        halves[i] = (uint16_t)i;
    int n = (int)loops->to_floats(halves, N, floats);
    g_assert_cmpint(n, >, N - 64);
    for (int i = 0; i < n; i++) {
        float f = pe_f16_to_f32(halves[i]);
        g_assert_true(isnan(f) == isnan(floats[i]));
        if (!isnan(f))
            g_assert_cmpmem(&floats[i], sizeof f, &f, sizeof f);
    }
}

static void
rounds_f16_to_nearest_even(void)
{
    g_assert_cmpint(pe_f16_from_f32(0x1.002p0f), ==, 0x3c00);  // tie, down
    g_assert_cmpint(pe_f16_from_f32(0x1.006p0f), ==, 0x3c02);  // tie, up
    g_assert_cmpint(pe_f16_from_f32(65519.0f), ==, 0x7bff);    // largest
    g_assert_cmpint(pe_f16_from_f32(-65520.0f), ==, 0xfc00);   // -infinity
    g_assert_cmpint(pe_f16_from_f32(0x1p-25f), ==, 0);         // tie, down
    g_assert_cmpint(pe_f16_from_f32(-0x1.8p-24f), ==, 0x8002); // tie, up
    g_assert_cmpint(pe_f16_from_f32(0x1.ffep-15f), ==, 0x400); // to normal
    g_assert_true(isnan(pe_f16_to_f32(pe_f16_from_f32(NAN))));
}

static void
keeps_every_e4m3(void)
{
    for (int i = 0; i < 256; i++) {
        float f = pe_e4m3_to_f32((uint8_t)i), wanted = value_of_e4m3(i);
        if ((i & 0x7f) == 0x7f) {
            g_assert_true(isnan(f));
            continue;
        }
        g_assert_cmpmem(&f, sizeof f, &wanted, sizeof wanted);
        g_assert_cmpint(pe_e4m3_from_f32(f), ==, i);
    }
    g_assert_cmpfloat(pe_e4m3_to_f32(0x7e), ==, 448);
}

static void
rounds_e4m3_to_nearest_even(void)
{
    for (int i = 0; i < 0x7e; i++) {
        float a = value_of_e4m3(i), b = value_of_e4m3(i + 1),
              half = (a + b) / 2;
        int even = i % 2 ? i + 1 : i;
        g_assert_cmpint(pe_e4m3_from_f32(half), ==, even);
        g_assert_cmpint(pe_e4m3_from_f32(-half), ==, even | 0x80);
        g_assert_cmpint(pe_e4m3_from_f32(nextafterf(half, a)), ==, i);
        g_assert_cmpint(pe_e4m3_from_f32(nextafterf(half, b)), ==, i + 1);
    }
    for (float large = 448; large < INFINITY; large *= 1.01f)
        g_assert_cmpint(pe_e4m3_from_f32(large), ==, 0x7e);
    g_assert_cmpint(pe_e4m3_from_f32(-INFINITY), ==, 0xfe);
    g_assert_cmpint(pe_e4m3_from_f32(NAN) & 0x7f, ==, 0x7f);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tensor/views", reads_rows_and_transposed_views);
    g_test_add_func("/tensor/scalar", reads_a_scalar);
    g_test_add_func("/tensor/bf16", rounds_bf16_to_nearest_even);
    g_test_add_func("/tensor/f16", keeps_every_f16);
    g_test_add_data_func("/tensor/f16-many", GINT_TO_POINTER(PE_DOTS_C),
                         converts_many_f16_as_one);
    g_test_add_data_func("/tensor/f16-many/avx2", GINT_TO_POINTER(PE_DOTS_AVX2),
                         converts_many_f16_as_one);
    g_test_add_data_func("/tensor/f16-many/avx512",
                         GINT_TO_POINTER(PE_DOTS_AVX512),
                         converts_many_f16_as_one);
    g_test_add_func("/tensor/f16-rounding", rounds_f16_to_nearest_even);
    g_test_add_func("/tensor/e4m3", keeps_every_e4m3);
    g_test_add_func("/tensor/e4m3-rounding", rounds_e4m3_to_nearest_even);
    return g_test_run();
}
