// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_hopper.cpp - the kernels of cuda/hopper.

#include "tests/cuda_host/arrays.h"
#include "tests/cuda_host/matrices.h"

#include "cuda/hopper/kernels.h"

namespace
{

struct Case {
    int b, n, heads, head_dim;
    float loudest; // see random_qkv()
};

void
check_attention(PeDtype type, const Case &c)
{
    const int width = c.heads * c.head_dim, rows = c.b * c.n;
    Array qkv = random_qkv(type, rows, c.heads, c.head_dim, c.loudest);
    Array same = as_f32(qkv);
    Array y(type, (size_t)rows * width), z(PE_DTYPE_F32, y.n);
    pe_attention_c(reference, z.raw(), same.raw(), nullptr, c.b, c.n, c.heads,
                   c.head_dim, false);
    const FakeTensorMap map =
        fake_tensor_map(qkv.raw(), c.b, c.n, 3 * width, PE_HOPPER_ROWS,
                        PE_HOPPER_CHANNELS(c.head_dim));
    g_autofree char *what = g_strdup_printf("attention %d x %d, %d heads of %d",
                                            c.b, c.n, c.heads, c.head_dim);
    compare(what, type, y, z,
            [&](void *out) {
                g_assert_true(pe_hopper_attention(
                    dependent, type, out, &map, c.b, c.n, c.heads, c.head_dim));
            },
            {qkv});
}

// Lengths around the ends of fragments, few keys, tiles, blocks, and more tiles
// than the ring has places; the towers' own.
void
attends()
{
    const Case cases[] = {
        {1, 1, 1, 64, 1},   {2, 5, 2, 64, 1},   {1, 16, 1, 64, 1},
        {1, 17, 1, 64, 1},  {2, 63, 1, 64, 1},  {1, 65, 2, 64, 1},
        {1, 129, 1, 64, 1}, {2, 197, 2, 64, 1}, {1, 577, 1, 64, 1},
    };
    for (const Case &c : cases) {
        check_attention(PE_DTYPE_BF16, c);
        if (c.n < 100)
            check_attention(PE_DTYPE_F16, c);
    }
    check_attention(PE_DTYPE_F16, {1, 1025, 1, 64, 1});
}

void
attends_with_wide_heads()
{
    const Case cases[] = {
        {1, 1, 2, 96, 1},   {1, 63, 1, 96, 1},  {2, 65, 1, 96, 1},
        {1, 80, 1, 96, 1},  {1, 193, 2, 96, 1}, {1, 256, 1, 96, 1},
        {1, 577, 1, 96, 1},
    };
    for (const Case &c : cases) {
        check_attention(PE_DTYPE_BF16, c);
        if (c.n < 100)
            check_attention(PE_DTYPE_F16, c);
    }
}

// Scores outgrow the largest so far by a little and by a lot.
void
attends_to_ever_larger_scores()
{
    check_attention(PE_DTYPE_F16, {1, 261, 1, 64, 8});
    check_attention(PE_DTYPE_BF16, {1, 197, 1, 64, 60});
    check_attention(PE_DTYPE_F16, {1, 130, 1, 96, 60});
}

void
leaves_the_rest_to_others()
{
    FakeTensorMap map = {};
    g_assert_false(pe_hopper_attention(dependent, PE_DTYPE_F32, nullptr, &map,
                                       1, 1, 1, 64));
    g_assert_false(pe_hopper_attention(dependent, PE_DTYPE_BF16, nullptr, &map,
                                       1, 1, 1, 32));
}

} // namespace

void
add_hopper_tests()
{
    g_test_add_func("/cuda_host/hopper/attention/heads_of_64", attends);
    g_test_add_func("/cuda_host/hopper/attention/heads_of_96",
                    attends_with_wide_heads);
    g_test_add_func("/cuda_host/hopper/attention/larger_scores",
                    attends_to_ever_larger_scores);
    g_test_add_func("/cuda_host/hopper/attention/others",
                    leaves_the_rest_to_others);
}
