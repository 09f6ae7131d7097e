// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_attention.cpp - layer norm, self attention and attention pooling.

#include "tests/cuda_host/arrays.h"

#include "cuda/kernels.h"

namespace
{

void
normalizes_rows()
{
    for (PeDtype type : activation_types) {
        for (int rows : {1, 3, 5}) {
            for (int d : {64, 192, 1536}) {
                Array x = random_array(PE_DTYPE_F32, (size_t)rows * d, 30);
                Array w = random_array(PE_DTYPE_F32, d, 1, 0.1f);
                Array b = random_array(PE_DTYPE_F32, d);
                Array y(type, (size_t)rows * d), z(PE_DTYPE_F32, y.n);
                pe_layernorm_c(reference, z.raw(), PE_DTYPE_F32,
                               (float *)x.raw(), (float *)w.raw(),
                               (float *)b.raw(), rows, d, 1e-5f);
                g_autofree char *what =
                    g_strdup_printf("layernorm %d x %d", rows, d);
                compare(what, type, y, z, [&](void *out) {
                    pe_cuda_layernorm(nullptr, type, out, (float *)x.raw(),
                                      (float *)w.raw(), (float *)b.raw(), rows,
                                      d, 1e-5f);
                });
            }
        }
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
pools()
{
    for (int head_dim : {8, 24, 48, 96, 128, 192}) {
        for (PeDtype type : activation_types) {
            int b = 2, n = 197, heads = 2, width = heads * head_dim;
            Array q = random_array(PE_DTYPE_F32, width, 0, 0.3f);
            Array kv = random_array(type, (size_t)b * n * 2 * width);
            Array same = as_f32(kv);
            Array y(type, (size_t)b * width), z(PE_DTYPE_F32, y.n);
            pe_attention_pool_c(reference, z.raw(), (float *)q.raw(),
                                same.raw(), b, n, heads, head_dim);
            g_autofree char *what =
                g_strdup_printf("attention_pool heads of %d", head_dim);
            compare(what, type, y, z, [&](void *out) {
                pe_cuda_attention_pool(nullptr, type, out, (float *)q.raw(),
                                       kv.raw(), b, n, heads, head_dim);
            });
        }
    }
}

} // namespace

void
add_attention_tests()
{
    g_test_add_func("/cuda_host/norm/layernorm", normalizes_rows);
    g_test_add_func("/cuda_host/attention/attention", attends);
    g_test_add_func("/cuda_host/pool/attention_pool", pools);
}
