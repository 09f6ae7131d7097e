// SPDX-License-Identifier: LGPL-2.1-or-later
//
// warp_operations.cpp - what the lanes of a warp do together: shuffles, matrix
// loads and products, as the PTX ISA defines them.

#include "tests/cuda_host/emulator.h"

namespace
{

const int max_lanes = 32;

float
to_f32(PeBf16 v)
{
    return pe_bf16_to_f32(v.bits);
}

float
to_f32(PeHalf v)
{
    static std::vector<float> table;
    if (table.empty()) {
        for (unsigned i = 0; i < 65536; i++)
            table.push_back(pe_f16_to_f32((uint16_t)i));
    }
    return table[v.bits];
}

// f32 product of one 16x8x16 tile in the fragment layout of mma.m16n8k16.
// Source: PTX ISA, "Matrix Fragments for mma.m16n8k16".
struct MmaOperands {
    float *c;
    const uint32_t *a;
    uint32_t b[2];
};

template <typename T>
void
collect(const void *const *in, float (&a)[16][16], float (&b)[16][8])
{
    for (int l = 0; l < max_lanes; l++) {
        const MmaOperands *m = (const MmaOperands *)in[l];
        int group = l / 4, t = l % 4;
        for (int i = 0; i < 4; i++) {
            int row = group + (i & 1) * 8, k = t * 2 + (i >> 1) * 8;
            a[row][k] = to_f32(T{(uint16_t)m->a[i]});
            a[row][k + 1] = to_f32(T{(uint16_t)(m->a[i] >> 16)});
        }
        for (int i = 0; i < 2; i++) {
            int k = t * 2 + i * 8;
            b[k][group] = to_f32(T{(uint16_t)m->b[i]});
            b[k + 1][group] = to_f32(T{(uint16_t)(m->b[i] >> 16)});
        }
    }
}

template <typename T>
void
mma_16816(const void *const *in, void *const *, int)
{
    float a[16][16], b[16][8], c[16][8] = {};
    collect<T>(in, a, b);
    for (int row = 0; row < 16; row++) {
        for (int k = 0; k < 16; k++) {
            for (int col = 0; col < 8; col++)
                c[row][col] += a[row][k] * b[k][col];
        }
    }
    for (int l = 0; l < max_lanes; l++) {
        const MmaOperands *m = (const MmaOperands *)in[l];
        for (int i = 0; i < 4; i++)
            m->c[i] += c[l / 4 + (i >> 1) * 8][l % 4 * 2 + (i & 1)];
    }
}

template <typename T>
void
mma(float (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
    MmaOperands m = {c, a, {b0, b1}};
    pe_emulator_warp(&m, nullptr, mma_16816<T>, 0);
}

// The same of signed bytes, k = 32. Sums wrap. Source: PTX ISA, "Matrix
// Fragments for mma.m16n8k32".
struct ByteOperands {
    int32_t *c;
    const uint32_t *a;
    uint32_t b[2];
};

void
mma_16832(const void *const *in, void *const *, int)
{
    int8_t a[16][32], b[8][32];
    for (int l = 0; l < max_lanes; l++) {
        const ByteOperands *m = (const ByteOperands *)in[l];
        for (int i = 0; i < 4; i++)
            memcpy(&a[l / 4 + i % 2 * 8][l % 4 * 4 + i / 2 * 16], &m->a[i], 4);
        for (int i = 0; i < 2; i++)
            memcpy(&b[l / 4][l % 4 * 4 + i * 16], &m->b[i], 4);
    }
    for (int l = 0; l < max_lanes; l++) {
        const ByteOperands *m = (const ByteOperands *)in[l];
        for (int i = 0; i < 4; i++) {
            const int row = l / 4 + i / 2 * 8, column = l % 4 * 2 + i % 2;
            uint32_t sum = (uint32_t)m->c[i];
            for (int k = 0; k < 32; k++)
                sum += (uint32_t)(a[row][k] * b[column][k]);
            m->c[i] = (int32_t)sum;
        }
    }
}

void
ldmatrix_x4(const void *const *in, void *const *out, int transpose)
{
    for (int l = 0; l < max_lanes; l++) {
        uint32_t *r = (uint32_t *)out[l];
        for (int m = 0; m < 4; m++) {
            uint16_t e[2];
            for (int j = 0; j < 2; j++) {
                int row = transpose ? l % 4 * 2 + j : l / 4;
                int col = transpose ? l / 4 : l % 4 * 2 + j;
                memcpy(&e[j], (const unsigned char *)in[m * 8 + row] + col * 2,
                       2);
            }
            r[m] = e[0] | (uint32_t)e[1] << 16;
        }
    }
}

void
shuffle_xor(const void *const *in, void *const *out, int mask)
{
    float values[max_lanes];
    for (int l = 0; l < max_lanes; l++)
        values[l] = *(const float *)in[l];
    for (int l = 0; l < max_lanes; l++)
        *(float *)out[l] = values[l ^ mask];
}

} // namespace

float
pe_shuffle_xor(float v, int mask)
{
    float out;
    pe_emulator_warp(&v, &out, shuffle_xor, mask);
    return out;
}

void
pe_emulator_ldmatrix_x4(uint32_t (&r)[4], PeSharedAddress a, bool transpose)
{
    if ((uintptr_t)a & 15)
        pe_emulator_fail("an ldmatrix row is not aligned");
    pe_emulator_warp(a, r, ldmatrix_x4, transpose);
}

void
pe_mma_16816(PeBf16, float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
             uint32_t b1)
{
    mma<PeBf16>(c, a, b0, b1);
}

void
pe_mma_16816(PeHalf, float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
             uint32_t b1)
{
    mma<PeHalf>(c, a, b0, b1);
}

void
pe_mma_16832(int32_t (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
    ByteOperands m = {c, a, {b0, b1}};
    pe_emulator_warp(&m, nullptr, mma_16832, 0);
}
