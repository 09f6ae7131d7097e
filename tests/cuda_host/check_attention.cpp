// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_attention.cpp - layer norm, self attention and attention pooling.

#include "tests/cuda_host/arrays.h"

#include "core/device/narrow.h"
#include "cuda/kernels.h"

namespace
{

// As the towers' qkv weights do it.
void
scale_queries(Array &qkv, int width, int head_dim)
{
    float scale = (float)(M_LOG2E / sqrt(head_dim));
    for (size_t i = 0; i < qkv.n; i++) {
        if (i % (3 * width) < (size_t)width)
            qkv.set(i, qkv.get(i) * scale);
    }
}

// From 1 for the first key to `loudest` for the last.
void
scale_keys(Array &qkv, int width, int rows, float loudest)
{
    for (size_t i = 0; i < qkv.n; i++) {
        float row = (float)(i / (3 * width));
        if (i / width % 3 == 1)
            qkv.set(i, qkv.get(i) * (1 + row * (loudest - 1) / rows));
    }
}

} // namespace

Array
random_qkv(PeDtype type, int rows, int heads, int head_dim, float loudest)
{
    const int width = heads * head_dim;
    Array qkv = random_array(type, (size_t)rows * 3 * width);
    scale_queries(qkv, width, head_dim);
    if (loudest != 1)
        scale_keys(qkv, width, rows, loudest);
    return qkv;
}

namespace
{

void
check_layernorm(PeDtype type, int rows, int d, float mean, float deviation,
                bool plain, bool shifts = false)
{
    Array x = random_array(PE_DTYPE_F32, (size_t)rows * d, mean, deviation);
    Array w = random_array(PE_DTYPE_F32, d, 1, 0.1f);
    Array b = random_array(PE_DTYPE_F32, d);
    Array y(type, (size_t)rows * d), z(PE_DTYPE_F32, y.n);
    const float *weight = plain ? nullptr : (float *)w.raw();
    const float *bias = plain ? nullptr : (float *)b.raw();
    Array s = random_array(PE_DTYPE_F32, d);
    const float *shift = shifts ? (float *)s.raw() : nullptr;
    pe_layernorm_c(reference, z.raw(), PE_DTYPE_F32, (float *)x.raw(), shift,
                   weight, bias, rows, d, 1e-5f);
    g_autofree char *what =
        g_strdup_printf("layernorm %d x %d%s%s", rows, d,
                        shifts ? ", shift" : "", plain ? ", no weight" : "");
    compare(what, type, y, z,
            [&](void *out) {
                pe_cuda_layernorm(dependent, type, out, (float *)x.raw(), shift,
                                  weight, bias, rows, d, 1e-5f, nullptr);
            },
            {x});
}

void
normalizes_rows()
{
    for (PeDtype type : activation_types) {
        for (int rows : {1, 3, 5}) {
            for (int d : {64, 192, 1536, 1700})
                check_layernorm(type, rows, d, 30, 1, false);
            check_layernorm(type, rows, 192, 30, 1, true);
            for (int d : {192, 1700})
                check_layernorm(type, rows, d, 1, 1, true, true);
        }
        // Epsilon shows in small values only.
        check_layernorm(type, 2, 128, 0, 0.01f, false);
    }
}

// Mean and 1 / deviation of rows that are shifted.
void
tells_the_norms_of_rows()
{
    const int rows = 5, d = 192;
    Array x = random_array(PE_DTYPE_F32, (size_t)rows * d, 30, 2);
    Array s = random_array(PE_DTYPE_F32, d);
    Array norms(PE_DTYPE_F32, 2 * rows), z(PE_DTYPE_F32, 2 * rows);
    for (int i = 0; i < rows; i++) {
        double sum = 0, squares = 0;
        for (int j = 0; j < d; j++)
            sum += x.get(i * d + j) + s.get(j);
        for (int j = 0; j < d; j++) {
            const double v = x.get(i * d + j) + s.get(j) - sum / d;
            squares += v * v;
        }
        z.set(2 * i, (float)(sum / d));
        z.set(2 * i + 1, (float)(1 / sqrt(squares / d + 1e-5)));
    }
    for (PeDtype type : activation_types) {
        Array y(type, x.n);
        compare("norms of rows", PE_DTYPE_F32, norms, z,
                [&](void *out) {
                    pe_cuda_layernorm(dependent, type, y.raw(),
                                      (float *)x.raw(), (float *)s.raw(),
                                      nullptr, nullptr, rows, d, 1e-5f,
                                      (float *)out);
                },
                {x, y});
    }
}

// To 8 bits, as large as they can be: one channel of a row has all its power.
void
normalizes_rows_to_8_bits()
{
    for (int d : {64, 192, 1700}) {
        const int rows = 5;
        const float gain = pe_narrow_norm_gain(d);
        Array x = random_array(PE_DTYPE_F32, (size_t)rows * d, 30, 1);
        Array s = random_array(PE_DTYPE_F32, d);
        Array y(PE_DTYPE_E4M3, (size_t)rows * d), z(PE_DTYPE_F32, y.n);
        x.set((size_t)d + 3, 1e6f);
        pe_layernorm_c(reference, z.raw(), PE_DTYPE_F32, (float *)x.raw(),
                       (float *)s.raw(), nullptr, nullptr, rows, d, 1e-5f);
        g_assert_cmpfloat(z.get((size_t)d + 3) * gain, <=, PE_NARROW_ROOM);
        g_assert_cmpfloat(sqrtf((float)d) * gain * 2, >, PE_NARROW_ROOM);
        for (size_t i = 0; i < z.n; i++)
            z.set(i, z.get(i) * gain);
        compare("layernorm", PE_DTYPE_E4M3, y, z,
                [&](void *out) {
                    pe_cuda_layernorm(dependent, PE_DTYPE_E4M3, out,
                                      (float *)x.raw(), (float *)s.raw(),
                                      nullptr, nullptr, rows, d, 1e-5f,
                                      nullptr);
                },
                {x});
    }
}

struct AttentionCase {
    int b, n, heads, head_dim;
    bool causal;
    std::vector<int> lengths; // ragged when not empty
};

// Devices whose multiprocessors get few blocks and many: 64 and, where a
// sequence may be longer than that, 128 queries a block. The last has smaller
// tiles.
const struct {
    int sm, n_sms;
} devices[] = {{90, 1000}, {90, 1}, {75, 1}};

// For 64 and, where it makes a difference, 128 queries a block. `out` is the
// type of y.
void
check_attention(PeDtype type, const AttentionCase &c, float loudest,
                PeDtype out)
{
    if (type == PE_DTYPE_BF16 && !has_bf16_products)
        return;
    int width = c.heads * c.head_dim, rows = c.b * c.n;
    std::vector<int> offsets;
    if (!c.lengths.empty()) {
        offsets.push_back(0);
        for (int length : c.lengths)
            offsets.push_back(offsets.back() + length);
        rows = offsets.back();
    }
    const int *at = offsets.empty() ? nullptr : offsets.data();
    Lent lent(at, offsets.size() * sizeof(int));
    Array qkv = random_qkv(type, rows, c.heads, c.head_dim, loudest);
    Array same = as_f32(qkv);
    Array y(out, (size_t)rows * width), z(PE_DTYPE_F32, y.n);
    pe_attention_c(reference, z.raw(), same.raw(), at, c.b, c.n, c.heads,
                   c.head_dim, c.causal);
    for (auto &device : devices) {
        if (type == PE_DTYPE_F32 && &device != devices)
            continue; // all the same
        g_autofree char *what = g_strdup_printf(
            "attention %d x %d%s, %d heads of %d%s, sm_%d x %d", c.b, c.n,
            at ? " ragged" : "", c.heads, c.head_dim,
            c.causal ? ", causal" : "", device.sm, device.n_sms);
        compare(what, out, y, z,
                [&](void *to) {
                    PeAttention a = {out, at,      nullptr,    false,   c.b,
                                     c.n, c.heads, c.head_dim, c.causal};
                    pe_cuda_attention(dependent, type, to, qkv.raw(), &a,
                                      device.sm, device.n_sms);
                },
                {qkv, {offsets.data(), offsets.size() * sizeof(int)}});
    }
}

void
check_attention(PeDtype type, const AttentionCase &c, float loudest)
{
    check_attention(type, c, loudest, type);
}

// What the product behind it reads is of 8 bits.
void
attends_to_8_bits()
{
    const AttentionCase cases[] = {
        {3, 32, 2, 64, true, {1, 32, 7}},
        {1, 37, 1, 24, false, {}},
        {1, 150, 1, 64, false, {}},
        {2, 130, 1, 96, false, {}},
    };
    for (const AttentionCase &c : cases)
        check_attention(PE_DTYPE_BF16, c, 1, PE_DTYPE_E4M3);
}

void
attends()
{
    // The quickest first: planted bugs are caught by the first that they spoil.
    const AttentionCase cases[] = {
        {1, 1, 2, 64, false, {}},   {3, 32, 2, 64, true, {1, 32, 7}},
        {1, 32, 2, 64, true, {}},   {2, 20, 1, 32, true, {3, 20}},
        {2, 16, 3, 16, false, {}},  {1, 37, 1, 24, false, {}},
        {1, 72, 1, 64, false, {}},  {1, 72, 2, 64, true, {}},
        {1, 150, 1, 64, false, {}}, {2, 130, 1, 96, false, {}},
        {1, 150, 1, 96, true, {}},  {1, 197, 2, 64, false, {}},
        {1, 577, 1, 64, false, {}},
    };
    for (const AttentionCase &c : cases) {
        for (PeDtype type : activation_types)
            check_attention(type, c, 1);
    }
}

// Lengths around the ends of fragments, tiles and blocks.
void
attends_to_odd_lengths()
{
    const std::vector<int> lengths = {1,  2,  15, 16,  17,  33,
                                      63, 64, 65, 127, 128, 129};
    const int b = (int)lengths.size();
    for (bool causal : {false, true}) {
        check_attention(PE_DTYPE_F16, {b, 129, 1, 64, causal, lengths}, 1);
        check_attention(PE_DTYPE_BF16, {b, 129, 1, 96, causal, lengths}, 1);
    }
}

// Scores outgrow the largest so far by a little and by a lot.
void
attends_to_ever_larger_scores()
{
    check_attention(PE_DTYPE_F16, {1, 261, 2, 64, false, {}}, 8);
    check_attention(PE_DTYPE_BF16, {1, 197, 2, 96, true, {}}, 8);
    check_attention(PE_DTYPE_BF16, {1, 197, 2, 64, false, {}}, 60);
    check_attention(PE_DTYPE_F16, {1, 130, 2, 96, false, {}}, 60);
}

// q, k and v that are still to be rotated.
struct Turned {
    PeAttention a;
    Plane cos_sin; // nobody may read the angles of tokens behind the last
    Array qkv;

    Turned(PeDtype type, int b, int n, int heads, int head_dim)
        : a{type, nullptr, nullptr, false, b, n, heads, head_dim, false},
          cos_sin((size_t)n * head_dim * sizeof(float)),
          qkv(random_array(type, (size_t)b * n * 3 * heads * head_dim))
    {
        Array angles =
            random_array(PE_DTYPE_F32, (size_t)n * head_dim / 2, 0, 3);
        float *at = (float *)cos_sin.data;
        for (size_t i = 0; i < angles.n; i++) {
            at[2 * i] = cosf(angles.get(i));
            at[2 * i + 1] = sinf(angles.get(i));
        }
        a.cos_sin = at;
        scale_queries(qkv, width(), head_dim);
    }

    int
    width() const
    {
        return a.heads * a.head_dim;
    }

    int
    rows() const
    {
        return a.b * a.n;
    }

    // The twin's result, rounded once.
    Array
    rotated()
    {
        Array y = qkv, exact = as_f32(qkv);
        PeRope rope = {a.cos_sin, a.n, a.head_dim};
        pe_rope_c(reference, exact.raw(), &rope, rows(), width());
        for (size_t i = 0; i < y.n; i++)
            y.set(i, exact.get(i));
        return y;
    }
};

// Those parts of `a` that have q, or k, and the others of `b`.
Array
mix(Array a, Array &b, int width, int part)
{
    for (size_t i = 0; i < a.n; i++) {
        if (i / width % 3 != (size_t)part)
            a.set(i, b.get(i));
    }
    return a;
}

// `out` is the type of y.
void
check_turned(PeDtype type, PeDtype out, int b, int n, int heads, int head_dim)
{
    if (type == PE_DTYPE_BF16 && !has_bf16_products)
        return;
    Turned t(type, b, n, heads, head_dim);
    Array both = t.rotated(), same = as_f32(both);
    Array keys = mix(t.qkv, both, t.width(), 0);
    Array y(out, (size_t)t.rows() * t.width()), z(PE_DTYPE_F32, y.n);
    t.a.out = out;
    pe_attention_c(reference, z.raw(), same.raw(), nullptr, b, n, heads,
                   head_dim, false);
    for (auto &device : devices) {
        for (bool turn_keys : {true, false}) {
            PeAttention a = t.a;
            a.turn_keys = turn_keys;
            g_autofree char *what = g_strdup_printf(
                "attention %d x %d, %d heads of %d, q%s turned, sm_%d x %d", b,
                n, heads, head_dim, turn_keys ? " and k" : "", device.sm,
                device.n_sms);
            Array &qkv = turn_keys ? t.qkv : keys;
            compare(what, out, y, z,
                    [&](void *to) {
                        pe_cuda_attention(dependent, type, to, qkv.raw(), &a,
                                          device.sm, device.n_sms);
                    },
                    {qkv});
        }
    }
}

void
turns_what_it_reads()
{
    // The quickest first. The last key tiles are of a few keys and of more.
    static const struct {
        int b, n, heads, head_dim;
    } cases[] = {
        {1, 1, 2, 64}, {2, 20, 2, 64}, {1, 72, 2, 96}, {1, 150, 1, 64}};
    for (auto &c : cases)
        check_turned(PE_DTYPE_F16, PE_DTYPE_F16, c.b, c.n, c.heads, c.head_dim);
    check_turned(PE_DTYPE_BF16, PE_DTYPE_BF16, 2, 20, 2, 64);
    // Two blocks, so that the kernel for many queries is among those asked.
    for (int head_dim : {64, 96})
        check_turned(PE_DTYPE_BF16, PE_DTYPE_E4M3, 1, 72, 2, head_dim);
    g_assert_false(pe_cuda_attention_turns(PE_DTYPE_F32, 64));
    g_assert_false(pe_cuda_attention_turns(PE_DTYPE_F16, 32));
}

// By a pass, by a pass for the keys, and in attention.
Array
attend_turned(Turned &t, int way, int sm, int n_sms)
{
    Array qkv = t.qkv, y(qkv.type, (size_t)t.rows() * t.width());
    PeAttention a = t.a;
    a.turn_keys = way == 2;
    if (way < 2)
        pe_cuda_rope(dependent, qkv.type, qkv.raw(), a.cos_sin, way == 0,
                     t.rows(), t.width(), a.n, a.head_dim);
    if (way == 0)
        a.cos_sin = nullptr;
    pe_cuda_attention(dependent, qkv.type, y.raw(), qkv.raw(), &a, sm, n_sms);
    return y;
}

void
turns_as_the_pass_does()
{
    for (PeDtype type : {PE_DTYPE_F16, PE_DTYPE_BF16}) {
        if (type == PE_DTYPE_BF16 && !has_bf16_products)
            continue;
        for (int head_dim : {64, 96}) {
            Turned t(type, 1, 150, 2, head_dim);
            for (auto &device : devices) {
                run_orders("three ways to rotate", [&](unsigned) {
                    Array y[3] = {attend_turned(t, 0, device.sm, device.n_sms),
                                  attend_turned(t, 1, device.sm, device.n_sms),
                                  attend_turned(t, 2, device.sm, device.n_sms)};
                    size_t size = y[0].n * pe_dtype_size(type);
                    return !std::isnan(y[0].get(0)) &&
                           memcmp(y[0].raw(), y[1].raw(), size) == 0 &&
                           memcmp(y[0].raw(), y[2].raw(), size) == 0;
                });
            }
        }
    }
}

void
check_pool(PeDtype type, Array &u, Array &x, int b, int n, int heads, int d)
{
    Array same = as_f32(x);
    Array y(type, (size_t)b * heads * d), z(PE_DTYPE_F32, y.n);
    Array scratch(PE_DTYPE_F32, (size_t)b * heads * n);
    Plane tokens(x.n * pe_dtype_size(type));
    memcpy(tokens.data, x.raw(), x.n * pe_dtype_size(type));
    pe_pool_c(reference, z.raw(), (float *)scratch.raw(), (float *)u.raw(),
              same.raw(), b, n, heads, d);
    g_autofree char *what =
        g_strdup_printf("pool %d x %d x %d, %d heads", b, n, d, heads);
    compare(what, type, y, z, [&](void *out) {
        Array scores(PE_DTYPE_F32, scratch.n);
        pe_cuda_pool(nullptr, type, out, (float *)scores.raw(),
                     (float *)u.raw(), tokens.data, b, n, heads, d);
        g_assert_true(scores.guarded());
    });
}

void
pools()
{
    // Tokens: fewer than a tile, ragged tiles, more than a chunk. Heads: fewer
    // and more than are done at once. Channels: fewer and more than a block's.
    static const struct {
        int b, n, heads, d;
    } cases[] = {
        {2, 37, 8, 192}, {1, 300, 8, 32},  {1, 6, 8, 528},  {3, 1, 8, 48},
        {2, 21, 3, 80},  {1, 270, 11, 16}, {1, 9, 17, 528},
    };
    for (auto &c : cases) {
        for (PeDtype type : activation_types) {
            Array u = random_array(PE_DTYPE_F32, (size_t)c.heads * c.d, 0,
                                   2 / sqrtf((float)c.d));
            Array x = random_array(type, (size_t)c.b * c.n * c.d);
            check_pool(type, u, x, c.b, c.n, c.heads, c.d);
        }
    }
}

// Scores near 200 and -200, whose powers of two are no f32, without rounding.
void
pools_large_scores()
{
    int n = 40, d = 32;
    for (PeDtype type : activation_types) {
        for (int sign : {1, -1}) {
            Array u = random_array(PE_DTYPE_F32, d, 0, 0);
            u.set(0, (float)sign);
            Array x = random_array(type, (size_t)n * d);
            for (int i = 0; i < n; i++)
                x.set((size_t)i * d, (float)(200 - i % 4));
            check_pool(type, u, x, 1, n, 1, d);
        }
    }
}

} // namespace

void
add_attention_tests()
{
    g_test_add_func("/cuda_host/norm/layernorm", normalizes_rows);
    g_test_add_func("/cuda_host/norm/norms", tells_the_norms_of_rows);
    g_test_add_func("/cuda_host/attention/turned", turns_what_it_reads);
    g_test_add_func("/cuda_host/norm/layernorm_8_bits",
                    normalizes_rows_to_8_bits);
    g_test_add_func("/cuda_host/attention/attention", attends);
    g_test_add_func("/cuda_host/attention/8_bits", attends_to_8_bits);
    g_test_add_func("/cuda_host/attention/odd_lengths", attends_to_odd_lengths);
    g_test_add_func("/cuda_host/attention/larger_scores",
                    attends_to_ever_larger_scores);
    // Not of one file, as planted bugs are.
    g_test_add_func("/cuda_host/files/turned", turns_as_the_pass_does);
    g_test_add_func("/cuda_host/pool/pool", pools);
    g_test_add_func("/cuda_host/pool/large_scores", pools_large_scores);
}
