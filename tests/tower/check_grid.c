// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_grid.c - rotations and positions, to the last bit where the reference
// has one.

#include "core/tower/grid.h"

#include <glib.h>
#include <math.h>
#include <stdint.h>

static void
computes_the_exact_rope_frequencies(void)
{
    // As torch 2.6 computes them on a CPU.
    static const uint32_t hd64[] = {
        0x3f800000, 0x3f0ff59a, 0x3ea1e89b, 0x3e361887, 0x3dcccccd, 0x3d6655c2,
        0x3d0186e3, 0x3c91ad39, 0x3c23d70a, 0x3bb8449c, 0x3b4f3e38, 0x3ae91528,
        0x3a83126f, 0x3a136a16, 0x39a5cb60, 0x393a7753};
    static const uint32_t hd96[] = {
        0x3f800000, 0x3f2e6928, 0x3eeda63c, 0x3ea1e89b, 0x3e5c9d35, 0x3e164d7a,
        0x3dcccccd, 0x3d8b8754, 0x3d3e1e95, 0x3d0186e3, 0x3cb07dc6, 0x3c707bf6,
        0x3c23d70a, 0x3bdf3ee9, 0x3b98187a, 0x3b4f3e38, 0x3b0d3169, 0x3ac0632e,
        0x3a83126f, 0x3a3298ba, 0x39f35a5c, 0x39a5cb60, 0x3961e8a7, 0x3919e8f2};
    float f[24];
    pe_rope_frequencies(64, f);
    g_assert_cmpmem(f, sizeof hd64, hd64, sizeof hd64);
    pe_rope_frequencies(96, f);
    g_assert_cmpmem(f, sizeof hd96, hd96, sizeof hd96);
}

// Token t of a table of head dim 64: the cosines of its first x and y angles.
static void
expect_token(const float *table, int t, int x, int y)
{
    g_assert_cmpfloat(table[64 * t], ==, (float)cos((double)x));
    g_assert_cmpfloat(table[64 * t + 1], ==, (float)sin((double)x));
    g_assert_cmpfloat(table[64 * t + 32], ==, (float)cos((double)y));
    g_assert_cmpfloat(table[64 * t + 33], ==, (float)sin((double)y));
}

static void
counts_patches_from_one_with_a_class_token(void)
{
    float table[7 * 64];
    pe_rope_table(2, 3, true, 64, table);
    expect_token(table, 0, 0, 0); // the class token is not rotated
    expect_token(table, 1, 1, 1);
    expect_token(table, 3, 3, 1); // columns first
    expect_token(table, 4, 1, 2);
}

static void
counts_patches_from_zero_without_one(void)
{
    float table[6 * 64];
    pe_rope_table(2, 3, false, 64, table);
    expect_token(table, 0, 0, 0);
    expect_token(table, 2, 2, 0);
    expect_token(table, 5, 2, 1);
}

static void
resizes_positions_between_neighbours(void)
{
    // [2, 2, 1] to [1, 4, 1]: rows halve, columns spread, ends are held.
    static const float pos[] = {0, 4, 2, 6};
    static const float want[] = {1, 2, 4, 5};
    float out[4];
    pe_positions_resize(pos, 2, 1, 1, 4, out);
    for (int i = 0; i < 4; i++)
        g_assert_cmpfloat(out[i], ==, want[i]);
}

static void
takes_no_antialiasing_when_shrinking(void)
{
    // [4, 4, 1] to [1, 1, 1] reads the middle four only.
    float pos[16] = {0}, out;
    pos[0] = pos[3] = pos[12] = pos[15] = 1000;
    pos[5] = 1;
    pos[6] = 2;
    pos[9] = 3;
    pos[10] = 4;
    pe_positions_resize(pos, 4, 1, 1, 1, &out);
    g_assert_cmpfloat(out, ==, 2.5f);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/grid/rope/frequencies",
                    computes_the_exact_rope_frequencies);
    g_test_add_func("/grid/rope/class_token",
                    counts_patches_from_one_with_a_class_token);
    g_test_add_func("/grid/rope/no_class_token",
                    counts_patches_from_zero_without_one);
    g_test_add_func("/grid/positions/grow",
                    resizes_positions_between_neighbours);
    g_test_add_func("/grid/positions/shrink",
                    takes_no_antialiasing_when_shrinking);
    return g_test_run();
}
