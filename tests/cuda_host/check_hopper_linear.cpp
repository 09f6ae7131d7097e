// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_hopper_linear.cpp - the products of cuda/hopper/linear.cu and what
// their epilogues do, against what the operations one by one are defined as.

#include "tests/cuda_host/arrays.h"
#include "tests/cuda_host/matrices.h"

#include "cuda/hopper/kernels.h"

namespace
{

const float eps = 1e-5f;

// x [m, k] and w [n, k] in the type of activations, and what of them a product
// is told.
struct Product {
    int m, n, k;
    Array x, w, bias;
    FakeTensorMap x_map, w_map;
    PeHopperProduct p;

    Product(PeDtype type, int tile, int rows, int columns, int depth)
        : m(rows), n(columns), k(depth), x(random_array(type, (size_t)m * k)),
          w(random_array(type, (size_t)n * k, 0, 1 / sqrtf((float)k))),
          bias(random_array(PE_DTYPE_F32, n))
    {
        describe(tile);
    }
    Product(const Product &) = delete;
    Product &operator=(const Product &) = delete;

    void
    describe(int tile)
    {
        x_map = fake_tensor_map(x.raw(), 1, m, k, PE_HOPPER_TILE_ROWS(tile),
                                PE_HOPPER_DEPTH);
        w_map = fake_tensor_map(w.raw(), 1, n, k, tile, PE_HOPPER_DEPTH);
        p = {&x_map, &w_map, tile, m, n, k, (float *)bias.raw(), eps};
    }

    // x w^T [m, n]
    std::vector<double>
    multiply()
    {
        std::vector<double> y((size_t)m * n);
        const Array a = as_f32(x), b = as_f32(w);
        const float *left = (float *)const_cast<Array &>(a).raw();
        const float *right = (float *)const_cast<Array &>(b).raw();
        for (int i = 0; i < m; i++) {
            for (int j = 0; j < n; j++) {
                double sum = 0;
                for (int l = 0; l < k; l++)
                    sum += (double)left[(size_t)i * k + l] *
                           right[(size_t)j * k + l];
                y[(size_t)i * n + j] = sum;
            }
        }
        return y;
    }
};

// Rows and columns that end inside of tiles, depths that end inside of a step,
// and more steps than there are places.
struct Case {
    int tile, m, n, k;
};
const Case cases[] = {{64, 1, 16, 16},
                      {64, 65, 80, 464},
                      {128, 130, 144, 272},
                      {256, 70, 272, 336},
                      {256, 129, 32, 80}};

// Without a norm, with a bias and with GELU.
void
multiplies()
{
    for (const Case &c : cases) {
        for (PeDtype type : {PE_DTYPE_BF16, PE_DTYPE_F16}) {
            Product p(type, c.tile, c.m, c.n, c.k);
            const std::vector<double> sums = p.multiply();
            for (bool gelu : {false, true}) {
                Array y(type, sums.size()), z(PE_DTYPE_F32, sums.size());
                for (size_t i = 0; i < sums.size(); i++) {
                    const double v = sums[i] + p.bias.get(i % c.n);
                    z.set(i, (float)(gelu ? exact_gelu(v) : v));
                }
                g_autofree char *what =
                    g_strdup_printf("%d x %d x %d in tiles of %d%s", c.m, c.n,
                                    c.k, c.tile, gelu ? ", GELU" : "");
                compare(what, type, y, z,
                        [&](void *out) {
                            g_assert_true(pe_hopper_linear(dependent, type,
                                                           &p.p, out, nullptr,
                                                           nullptr, gelu));
                        },
                        {p.x});
            }
            if (c.m > 1 && c.tile == 64)
                break;
        }
    }
}

// What is known of rows, in memory of its own.
struct Rows {
    Array norms, sums;
    PeHopperRows rows;

    Rows(int m, int n_sums)
        : norms(PE_DTYPE_F32, (size_t)2 * m),
          sums(PE_DTYPE_F32, (size_t)2 * m * n_sums)
    {
        rows = {(float *)norms.raw(), (float *)sums.raw(), n_sums};
    }
    Rows(const Rows &) = delete;
    Rows &operator=(const Rows &) = delete;
};

// Streams of real towers have rows whose mean is not small, some channels that
// are a hundred times the others, and rows that grow.
Array
random_stream(int m, int n)
{
    Array y = random_array(PE_DTYPE_F32, (size_t)m * n, 20, 1);
    for (int i = 0; i < m; i++) {
        y.set((size_t)i * n + 3, 120);
        for (int j = 0; j < n && i % 3 == 1; j++)
            y.set((size_t)i * n + j, y.get((size_t)i * n + j) / 64);
    }
    return y;
}

// Norms of y + shift as a norm before has found them, [m, 2].
void
find_norms(Array &norms, Array &y, Array &shift, int m, int n)
{
    for (int i = 0; i < m; i++) {
        double sum = 0, squares = 0;
        for (int j = 0; j < n; j++)
            sum += y.get((size_t)i * n + j) + shift.get(j);
        for (int j = 0; j < n; j++) {
            double d = y.get((size_t)i * n + j) + shift.get(j) - sum / n;
            squares += d * d;
        }
        norms.set(2 * i, (float)(sum / n));
        norms.set(2 * i + 1, (float)(1 / sqrt(squares / n + eps)));
    }
}

// The stream after a product, and the norm of it through the next product.
// `guess`: the first norms are only near, so that sums have to put them right.
void
check_stream(PeDtype type, const Case &c, bool guess)
{
    Product first(type, c.tile, c.m, c.n, c.k);
    Array stream = random_stream(c.m, c.n), result = stream;
    Array shift = random_array(PE_DTYPE_F32, c.n);
    Array none = random_array(PE_DTYPE_F32, c.n, 0, 0);
    const int tiles = (c.n + c.tile - 1) / c.tile;
    Rows from(c.m, 1), to(c.m, tiles);
    find_norms(from.norms, stream, none, c.m, c.n);
    Array before = from.norms;
    from.rows.n_sums = 0;
    // Sums of what is normalised but for this mean and this deviation.
    for (int i = 0; guess && i < c.m; i++) {
        const float mean = 0.25f, spread = 1.5f;
        const float taken = from.norms.get(2 * i + 1) * spread;
        from.sums.set(2 * i, mean * c.n);
        from.sums.set(2 * i + 1, c.n * (mean * mean + spread * spread));
        from.norms.set(2 * i, from.norms.get(2 * i) - mean / taken);
        from.norms.set(2 * i + 1, taken);
        from.rows.n_sums = 1;
    }
    const std::vector<double> sums = first.multiply();
    for (size_t i = 0; i < sums.size(); i++)
        result.set(i,
                   (float)(stream.get(i) + sums[i] + first.bias.get(i % c.n)));
    g_autofree char *what =
        g_strdup_printf("stream %d x %d x %d in tiles of %d%s", c.m, c.n, c.k,
                        c.tile, guess ? ", a norm to be put right" : "");
    Array z(type, sums.size());
    compare(what, PE_DTYPE_F32, stream, result,
            [&](void *out) {
                g_assert_true(pe_hopper_residual(
                    dependent, type, &first.p, (float *)out, z.raw(),
                    (float *)shift.raw(), &from.rows, &to.rows));
            },
            {first.x, z, from.norms, from.sums, to.norms, to.sums});

    // What was taken out is the norm that the product began with.
    for (int i = 0; i < 2 * c.m; i++)
        g_assert_cmpfloat(fabsf(to.norms.get(i) - before.get(i)), <=,
                          0.01f * fabsf(before.get(i)));

    Product next(type, c.tile, c.m, 48, c.n);
    next.x = z;
    next.describe(c.tile);
    Array columns(PE_DTYPE_F32, next.n), norms(PE_DTYPE_F32, (size_t)2 * c.m);
    for (int j = 0; j < next.n; j++) {
        double sum = 0;
        for (int l = 0; l < c.n; l++)
            sum += next.w.get((size_t)j * c.n + l);
        columns.set(j, (float)sum);
    }
    find_norms(norms, result, shift, c.m, c.n);
    Array expected(PE_DTYPE_F32, (size_t)c.m * next.n);
    for (int i = 0; i < c.m; i++) {
        for (int j = 0; j < next.n; j++) {
            double sum = 0;
            for (int l = 0; l < c.n; l++)
                sum += ((double)result.get((size_t)i * c.n + l) + shift.get(l) -
                        norms.get(2 * i)) *
                       next.w.get((size_t)j * c.n + l);
            expected.set(
                (size_t)i * next.n + j,
                (float)(sum * norms.get(2 * i + 1) + next.bias.get(j)));
        }
    }
    Array y(type, expected.n);
    compare("norm of it", type, y, expected,
            [&](void *out) {
                g_assert_true(pe_hopper_linear(dependent, type, &next.p, out,
                                               &to.rows, (float *)columns.raw(),
                                               false));
            },
            {next.x, to.norms, to.sums});
    g_assert_true(z.guarded());
    g_assert_true(to.norms.guarded());
    g_assert_true(to.sums.guarded());
}

void
adds_to_the_stream_and_norms_it()
{
    const Case streams[] = {
        {64, 65, 80, 80}, {128, 130, 272, 208}, {256, 70, 272, 80}};
    for (const Case &c : streams) {
        check_stream(PE_DTYPE_BF16, c, false);
        check_stream(PE_DTYPE_F16, c, true);
    }
    check_stream(PE_DTYPE_BF16, streams[0], true);
}

void
leaves_the_rest_to_others()
{
    PeHopperProduct p = {};
    PeHopperRows rows = {};
    for (int tile : {64, 128, 256, 32}) {
        p.tile = tile;
        const PeDtype type = tile == 32 ? PE_DTYPE_BF16 : PE_DTYPE_F32;
        g_assert_false(pe_hopper_linear(dependent, type, &p, nullptr, nullptr,
                                        nullptr, false));
        g_assert_false(pe_hopper_residual(dependent, type, &p, nullptr, nullptr,
                                          nullptr, &rows, &rows));
    }
}

} // namespace

void
add_hopper_linear_tests()
{
    g_test_add_func("/cuda_host/hopper/linear/products", multiplies);
    g_test_add_func("/cuda_host/hopper/linear/stream",
                    adds_to_the_stream_and_norms_it);
    g_test_add_func("/cuda_host/hopper/linear/others",
                    leaves_the_rest_to_others);
}
