// SPDX-License-Identifier: LGPL-2.1-or-later
//
// softmax.h - the online softmax of attention on tensor cores, on what the
// threads of a warp hold of scores and sums: fragments of 16x8, in which a
// thread has rows lane / 4 and that + 8, columns lane % 4 * 2 and that + 1.
// mma.sync gives a warp 16 rows and wgmma a warpgroup 64; a warp's part is the
// same.
//
// Source: PTX ISA, "Matrix Fragments for mma.m16n8k16" and "Register Fragments
// and Shared Memory Matrix Layouts" of wgmma.

#pragma once

#include "cuda/device.h"

#define MASKED -1e30f // a score that no softmax notices
#define SLACK 8       // see raise_maxima()
#define FEW 16        // keys of a last tile that is not computed whole

// Hide the keys behind the end, and those that a causal query must not see.
//
//   s         scores of keys key0..
//   q0        the first of 16 queries; a thread's rows are q0 + lane / 4 and
//             that + 8, its columns of a fragment lane % 4 * 2 and that + 1
template <int BN>
PE_DEVICE void
mask_keys(float (&s)[BN / 8][4], int key0, int len, int q0, bool causal)
{
    const int lane = threadIdx.x % 32;
    for (int j = 0; j < 4; j++) {
        int query = q0 + lane / 4 + j / 2 * 8;
        int keys = causal && query < len ? query + 1 : len;
        int left = keys - key0 - lane % 4 * 2 - j % 2;
        for (int i = 0; i < BN / 8; i++) {
            if (i * 8 >= left)
                s[i][j] = MASKED;
        }
    }
}

// One of the two query rows that a thread holds of 16.
struct Row {
    float max; // what is subtracted from scores: their largest, less at most
               // SLACK
    float sum; // of powers of two
};

// The largest score of a row: elements `first`, `first + 1` of each fragment.
template <int BN>
PE_DEVICE float
row_max(const float (&s)[BN / 8][4], int first)
{
    float max = fmaxf(s[0][first], s[0][first + 1]);
    for (int i = 1; i < BN / 8; i++)
        max = fmaxf(max, fmaxf(s[i][first], s[i][first + 1]));
    // The four threads of a group share a row.
    max = fmaxf(max, pe_shuffle_xor(max, 1));
    return fmaxf(max, pe_shuffle_xor(max, 2));
}

// Let the rows' maxima follow the scores of a tile. As any number will do that
// keeps powers of two in range, and f16 ends at 2^16, what has been summed up
// is rescaled only when it must be.
template <int D, int BN, int M>
PE_DEVICE void
raise_maxima(Row (&rows)[M][2], float (&o)[M][D / 8][4],
             const float (&s)[M][BN / 8][4])
{
    float max[M][2];
    bool grown = false;
#pragma unroll
    for (int m = 0; m < M; m++) {
        for (int r = 0; r < 2; r++) {
            max[m][r] = row_max<BN>(s[m], r * 2);
            grown = grown || max[m][r] > rows[m][r].max + SLACK;
        }
    }
    if (!grown)
        return;
#pragma unroll
    for (int m = 0; m < M; m++) {
        for (int r = 0; r < 2; r++) {
            float to = fmaxf(rows[m][r].max, max[m][r]);
            float scale = pe_exp2(rows[m][r].max - to);
            rows[m][r].max = to;
            rows[m][r].sum *= scale;
            for (int i = 0; i < D / 8; i++) {
                o[m][i][r * 2] *= scale;
                o[m][i][r * 2 + 1] *= scale;
            }
        }
    }
}

// s = exp2(s - max) of two rows, added to their sums.
template <int BN>
PE_DEVICE void
exponentiate(float (&s)[BN / 8][4], Row (&row)[2])
{
    for (int i = 0; i < BN / 8; i++) {
        for (int j = 0; j < 4; j++) {
            s[i][j] = pe_exp2(s[i][j] - row[j / 2].max);
            row[j / 2].sum += s[i][j];
        }
    }
}

// Probabilities as the left operand of the next product: the accumulators of
// two 16x8 tiles lie just as the fragments of one 16x16 tile.
template <typename T, int KEYS, int BN>
PE_DEVICE void
pack_tile(uint32_t (&p)[BN / 16][4], const float (&s)[KEYS / 8][4])
{
    for (int i = 0; i < KEYS / 16; i++) {
        p[i][0] = pe_pack<T>(s[2 * i][0], s[2 * i][1]);
        p[i][1] = pe_pack<T>(s[2 * i][2], s[2 * i][3]);
        p[i][2] = pe_pack<T>(s[2 * i + 1][0], s[2 * i + 1][1]);
        p[i][3] = pe_pack<T>(s[2 * i + 1][2], s[2 * i + 1][3]);
    }
}

// Write a warp's rows of y as far as the sequence goes, o over the rows' sums.
// It is the last thing that a kernel does: dependents may begin.
//
//   out   the thread's first row and column
//   left  rows of the sequence from that row on
template <int D, int M, typename Y>
PE_DEVICE void
store_rows(Y *out, int width, int left, const float (&o)[M][D / 8][4],
           Row (&rows)[M][2])
{
    pe_launch_dependents();
#pragma unroll
    for (int m = 0; m < M; m++) {
        Row upper = rows[m][0], lower = rows[m][1];
        for (int mask = 1; mask <= 2; mask <<= 1) {
            upper.sum += pe_shuffle_xor(upper.sum, mask);
            lower.sum += pe_shuffle_xor(lower.sum, mask);
        }
        const float a = 1 / upper.sum, b = 1 / lower.sum;
        for (int i = 0; i < D / 8; i++) {
            if (left > m * 16)
                pe_store2(out + i * 8, o[m][i][0] * a, o[m][i][1] * a);
            if (left > m * 16 + 8)
                pe_store2(out + 8 * width + i * 8, o[m][i][2] * b,
                          o[m][i][3] * b);
        }
        out += 16 * width;
    }
}
