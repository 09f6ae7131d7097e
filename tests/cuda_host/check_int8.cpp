// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_int8.cpp - the kernels of cuda/int8: rows against the equations of
// core/device/int8.h in plain C, products against sums of integers.

#include "tests/cuda_host/arrays.h"

extern "C" {
#include "core/device/cpu/int8/int8.h"
}
#include "cuda/int8/kernels.h"

namespace
{

// ---- Rows -------------------------------------------------------------------

// p [length] of a row of x, and its step.
float
round_row(const float *x, const float *s, int k, Array &p, size_t at)
{
    const int length = pe_int8_length(k);
    std::vector<float> u(length);
    float most = 0, inverse;
    bool finite = true;
    for (int j = 0; j < k; j++)
        u[j] = x[j] * s[j];
    pe_int8_turn_c(u.data(), length, pe_int8_block(k));
    for (float v : u) {
        finite = finite && std::isfinite(v);
        most = fmaxf(most, fabsf(v));
    }
    const float step = pe_int8_step(most, finite, 127, &inverse);
    for (int j = 0; j < length; j++)
        p.set(at + j, finite ? pe_int8_round(u[j] * inverse) : 0);
    return step;
}

// Rows of every kind: one with an outlier, one of zeros, tiny ones.
Array
random_rows(PeDtype type, int rows, int k)
{
    Array x = random_array(type, (size_t)rows * k);
    x.set(k / 2, 60);
    for (int j = 0; j < k && rows > 1; j++)
        x.set((size_t)k + j, 0);
    for (int j = 0; j < k && rows > 2; j++)
        x.set((size_t)2 * k + j, x.get((size_t)2 * k + j) / 1024);
    return x;
}

void
check_rows(PeDtype type, int rows, int k)
{
    const int length = pe_int8_length(k);
    Array x = random_rows(type, rows, k), values = as_f32(x);
    Array s = random_array(PE_DTYPE_F32, k, 0, 2);
    Array p(PE_DTYPE_U8, (size_t)rows * length), r(PE_DTYPE_F32, rows);
    Array expected = p;
    std::vector<float> steps(rows);
    for (int i = 0; i < rows; i++)
        steps[i] = round_row((float *)values.raw() + (size_t)i * k,
                             (float *)s.raw(), k, expected, (size_t)i * length);
    g_autofree char *what =
        g_strdup_printf("%d rows of %d in %s", rows, k, pe_dtype_name(type));
    compare(what, PE_DTYPE_U8, p, expected,
            [&](void *out) {
                pe_int8_round_rows(dependent, type, (int8_t *)out,
                                   (float *)r.raw(), x.raw(), (float *)s.raw(),
                                   rows, k);
            },
            {x, r});
    g_assert_true(r.guarded());
    for (int i = 0; i < rows; i++)
        g_assert_cmpfloat(fabsf(r.get(i) - steps[i]), <=, 1e-6f * steps[i]);
}

// Blocks of all sizes, the last one filled up or not, and more columns than all
// warps have at once.
void
rounds_rows()
{
    for (int k : {16, 48, 80, 208, 384, 768, 1008})
        check_rows(PE_DTYPE_BF16, 3, k);
    check_rows(PE_DTYPE_F16, 2, 3072);
    check_rows(PE_DTYPE_F32, 1, 2064);
    check_rows(PE_DTYPE_BF16, 1, PE_CUDA_INT8_MAX_LENGTH);
}

// What is no number anywhere in a row makes the row's step none, and no
// other's.
void
keeps_what_is_not_finite()
{
    const int k = 768;
    for (float bad : {NAN, INFINITY, -INFINITY}) {
        for (int at : {0, 300, k - 1}) {
            Array x = random_array(PE_DTYPE_BF16, 2 * k);
            Array s = random_array(PE_DTYPE_F32, k, 1, 0);
            Array p(PE_DTYPE_U8, 2 * k), r(PE_DTYPE_F32, 2);
            x.set(at, bad);
            run_orders("not finite", [&](unsigned) {
                pe_int8_round_rows({}, x.type, (int8_t *)p.raw(),
                                   (float *)r.raw(), x.raw(), (float *)s.raw(),
                                   2, k);
                return std::isnan(r.get(0)) && std::isfinite(r.get(1));
            });
        }
    }
}

// ---- Products ---------------------------------------------------------------

// Bytes behind which nobody may read.
struct Bytes : Plane {
    size_t size;

    explicit Bytes(size_t n) : Plane(n), size(n)
    {
        static std::mt19937 generator(2);
        std::uniform_int_distribution<int> d(-127, 127);
        for (size_t i = 0; i < n; i++)
            signed_bytes()[i] = (int8_t)d(generator);
    }

    int8_t *
    signed_bytes()
    {
        return (int8_t *)data;
    }
};

struct Product {
    int m, n, length;
    Bytes p, q;
    Array r, c, bias;

    Product(int rows, int columns, int depth)
        : m(rows), n(columns), length(depth), p((size_t)m * depth),
          q((size_t)n * depth), r(random_array(PE_DTYPE_F32, m, 0.02f, 0.004f)),
          c(random_array(PE_DTYPE_F32, n, 0.01f / sqrtf((float)depth),
                         0.002f / sqrtf((float)depth))),
          bias(random_array(PE_DTYPE_F32, n))
    {
    }

    double
    result(size_t i, size_t j)
    {
        int32_t sum = 0;
        const int8_t *a = p.signed_bytes() + i * length;
        const int8_t *b = q.signed_bytes() + j * length;
        for (int l = 0; l < length; l++)
            sum += a[l] * b[l];
        return (double)sum * r.get(i) * c.get(j);
    }

    PeInt8Product
    describe(int tile, bool with_bias)
    {
        PeInt8Product x = {};
        x.m = m;
        x.n = n;
        x.length = length;
        x.p = p.signed_bytes();
        x.q = q.signed_bytes();
        x.r = (float *)r.raw();
        x.c = (float *)c.raw();
        x.bias = with_bias ? (float *)bias.raw() : nullptr;
        x.tile = tile;
        return x;
    }
};

struct Epilogue {
    const char *name;
    bool gelu, f32, add, bias;
};
const Epilogue epilogues[] = {{"plain", false, false, false, true},
                              {"GELU", true, false, false, true},
                              {"f32", false, true, false, false},
                              {"residual", false, true, true, true},
                              {"residual, no bias", false, true, true, false}};

// Rows and columns that end inside of tiles, depths that end inside of a step,
// and fewer steps and more than there are places.
struct Case {
    int tile, m, n, length;
};
const Case cases[] = {{64, 1, 16, 16},
                      {64, 65, 80, 464},
                      {64, 70, 144, 128},
                      {128, 130, 144, 272},
                      {128, 61, 272, 80}};

void
check_product(const Case &c, const Epilogue &e, PeDtype act)
{
    Product x(c.m, c.n, c.length);
    const PeDtype type = e.f32 ? PE_DTYPE_F32 : act;
    const size_t n = (size_t)c.m * c.n;
    Array y(type, n), z(PE_DTYPE_F32, n);
    if (e.add)
        y = random_array(PE_DTYPE_F32, n, 3);
    for (size_t i = 0; i < n; i++) {
        double v = x.result(i / c.n, i % c.n);
        v += e.bias ? x.bias.get(i % c.n) : 0;
        v = e.gelu ? exact_gelu(v) : v;
        z.set(i, (float)(e.add ? v + y.get(i) : v));
    }
    PeInt8Product p = x.describe(c.tile, e.bias);
    p.gelu = e.gelu;
    p.f32 = e.f32;
    p.add = e.add;
    g_autofree char *what = g_strdup_printf("%d x %d x %d in tiles of %d, %s",
                                            c.m, c.n, c.length, c.tile, e.name);
    compare(what, type, y, z,
            [&](void *out) {
                p.y = out;
                pe_int8_multiply(dependent, act, &p);
            },
            {{x.p.data, x.p.size}, x.r});
}

void
multiplies()
{
    for (const Case &c : cases) {
        for (const Epilogue &e : epilogues) {
            check_product(c, e, PE_DTYPE_BF16);
            if (!e.f32 && c.m > 100)
                check_product(c, e, PE_DTYPE_F16);
        }
    }
}

// A row without a step, and no other, gives nothing that is a number.
void
hands_on_what_is_not_finite()
{
    Product x(3, 16, 64);
    x.r.set(1, NAN);
    Array y(PE_DTYPE_F16, 3 * 16);
    PeInt8Product p = x.describe(64, false);
    p.gelu = true;
    p.y = y.raw();
    run_orders("not finite", [&](unsigned) {
        pe_int8_multiply({}, y.type, &p);
        bool ok = true;
        for (int i = 0; i < 3 * 16; i++)
            ok = ok && std::isnan(y.get(i)) == (i / 16 == 1);
        return ok;
    });
}

} // namespace

void
add_int8_tests()
{
    g_test_add_func("/cuda_host/int8/rows/rounds", rounds_rows);
    g_test_add_func("/cuda_host/int8/rows/not_finite",
                    keeps_what_is_not_finite);
    g_test_add_func("/cuda_host/int8/linear/products", multiplies);
    g_test_add_func("/cuda_host/int8/linear/not_finite",
                    hands_on_what_is_not_finite);
}
