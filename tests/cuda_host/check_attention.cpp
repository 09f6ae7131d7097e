// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_attention.cpp - layer norm, self attention and attention pooling.

#include "tests/cuda_host/arrays.h"

#include "cuda/kernels.h"

namespace
{

void
check_layernorm(PeDtype type, int rows, int d, float mean, float deviation)
{
    Array x = random_array(PE_DTYPE_F32, (size_t)rows * d, mean, deviation);
    Array w = random_array(PE_DTYPE_F32, d, 1, 0.1f);
    Array b = random_array(PE_DTYPE_F32, d);
    Array y(type, (size_t)rows * d), z(PE_DTYPE_F32, y.n);
    pe_layernorm_c(reference, z.raw(), PE_DTYPE_F32, (float *)x.raw(),
                   (float *)w.raw(), (float *)b.raw(), rows, d, 1e-5f);
    g_autofree char *what = g_strdup_printf("layernorm %d x %d", rows, d);
    compare(what, type, y, z, [&](void *out) {
        pe_cuda_layernorm(nullptr, type, out, (float *)x.raw(),
                          (float *)w.raw(), (float *)b.raw(), rows, d, 1e-5f);
    });
}

void
normalizes_rows()
{
    for (PeDtype type : activation_types) {
        for (int rows : {1, 3, 5}) {
            for (int d : {64, 192, 1536})
                check_layernorm(type, rows, d, 30, 1);
        }
        // Epsilon shows in small values only.
        check_layernorm(type, 2, 128, 0, 0.01f);
    }
}

struct AttentionCase {
    int b, n, heads, head_dim;
    bool causal;
    std::vector<int> lengths; // ragged when not empty
};

void
attends()
{
    const AttentionCase cases[] = {
        {1, 197, 2, 64, false, {}}, {2, 65, 1, 64, false, {}},
        {1, 130, 1, 96, false, {}}, {1, 577, 1, 64, false, {}},
        {2, 16, 3, 16, false, {}},  {1, 37, 1, 24, false, {}},
        {1, 1, 2, 64, false, {}},   {1, 32, 2, 64, true, {}},
        {1, 72, 1, 64, true, {}},   {3, 32, 2, 64, true, {1, 32, 7}},
        {1, 150, 1, 96, true, {}},  {2, 20, 1, 32, true, {3, 20}},
    };
    for (const AttentionCase &c : cases) {
        int width = c.heads * c.head_dim, rows = c.b * c.n;
        std::vector<int> offsets;
        if (!c.lengths.empty()) {
            offsets.push_back(0);
            for (int length : c.lengths)
                offsets.push_back(offsets.back() + length);
            rows = offsets.back();
        }
        const int *at = offsets.empty() ? nullptr : offsets.data();
        for (PeDtype type : activation_types) {
            Array qkv = random_array(type, (size_t)rows * 3 * width);
            Array same = as_f32(qkv);
            Array y(type, (size_t)rows * width), z(PE_DTYPE_F32, y.n);
            pe_attention_c(reference, z.raw(), same.raw(), at, c.b, c.n,
                           c.heads, c.head_dim, c.causal);
            g_autofree char *what =
                g_strdup_printf("attention %d x %d%s, %d heads of %d%s", c.b,
                                c.n, at ? " ragged" : "", c.heads, c.head_dim,
                                c.causal ? ", causal" : "");
            compare(what, type, y, z, [&](void *out) {
                pe_cuda_attention(nullptr, type, out, qkv.raw(), at, c.b, c.n,
                                  c.heads, c.head_dim, c.causal);
            });
        }
    }
}

void
check_pool(PeDtype type, int head_dim, Array &q, Array &kv, int b, int n,
           int heads)
{
    Array same = as_f32(kv);
    Array y(type, (size_t)b * heads * head_dim), z(PE_DTYPE_F32, y.n);
    pe_attention_pool_c(reference, z.raw(), (float *)q.raw(), same.raw(), b, n,
                        heads, head_dim);
    g_autofree char *what =
        g_strdup_printf("attention_pool heads of %d", head_dim);
    compare(what, type, y, z, [&](void *out) {
        pe_cuda_attention_pool(nullptr, type, out, (float *)q.raw(), kv.raw(),
                               b, n, heads, head_dim);
    });
}

void
pools()
{
    for (int head_dim : {8, 24, 48, 96, 128, 192}) {
        for (PeDtype type : activation_types) {
            int b = 2, n = 197, heads = 2, width = heads * head_dim;
            Array q = random_array(PE_DTYPE_F32, width, 0, 0.3f);
            Array kv = random_array(type, (size_t)b * n * 2 * width);
            check_pool(type, head_dim, q, kv, b, n, heads);
        }
    }
}

// Scores near 100, whose exponentials are no f32, without any rounding.
void
pools_large_scores()
{
    int n = 40, head_dim = 32;
    for (PeDtype type : activation_types) {
        Array q = random_array(PE_DTYPE_F32, head_dim, 0, 0);
        q.set(0, 1);
        Array kv = random_array(type, (size_t)n * 2 * head_dim);
        for (int i = 0; i < n; i++)
            kv.set((size_t)i * 2 * head_dim, (float)(100 - i % 4));
        check_pool(type, head_dim, q, kv, 1, n, 1);
    }
}

} // namespace

void
add_attention_tests()
{
    g_test_add_func("/cuda_host/norm/layernorm", normalizes_rows);
    g_test_add_func("/cuda_host/attention/attention", attends);
    g_test_add_func("/cuda_host/pool/attention_pool", pools);
    g_test_add_func("/cuda_host/pool/large_scores", pools_large_scores);
}
