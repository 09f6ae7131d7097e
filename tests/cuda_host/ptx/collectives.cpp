// SPDX-License-Identifier: LGPL-2.1-or-later
//
// collectives.cpp - what the lanes of a warp do together: shuffles, matrix
// loads and products. machine.cpp has made sure that the lanes which must be
// there are. Sections are those of the PTX ISA 9.0.

#include <cstring>

#include "tests/cuda_host/ptx/operate.h"

extern "C" {
#include "core/base/tensor.h"
}

namespace
{

// ---- 9.7.9.6, shfl.sync -----------------------------------------------------

enum Shuffle { UP, DOWN, BUTTERFLY, INDEX };

// The lane that `lane` reads from; itself, and false, when there is none.
template <Shuffle MODE>
bool
find_source(int lane, uint32_t b, uint32_t c, int *source)
{
    const int bval = b & 31, cval = c & 31, segment = c >> 8 & 31;
    const int last = (lane & segment) | (cval & ~segment & 31);
    const int first = lane & segment;
    int from;
    bool inside;
    switch (MODE) {
    case UP:
        from = lane - bval;
        inside = from >= last;
        break;
    case DOWN:
        from = lane + bval;
        inside = from <= last;
        break;
    case BUTTERFLY:
        from = lane ^ bval;
        inside = from <= last;
        break;
    default:
        from = first | (bval & ~segment & 31);
        inside = from <= last;
    }
    *source = inside ? from : lane;
    return inside;
}

// Operands: d, p or -1, a, b, c, the mask of members.
template <Shuffle MODE>
void
shuffle(PtxWarp &w, const PtxInstruction &i, PtxLanes active)
{
    uint32_t *d = ptx_cell<uint32_t>(w, i.operands[0]), a[ptx_lanes];
    memcpy(a, ptx_cell<uint32_t>(w, i.operands[2]), sizeof a);
    uint32_t b[ptx_lanes], c[ptx_lanes];
    memcpy(b, ptx_cell<uint32_t>(w, i.operands[3]), sizeof b);
    memcpy(c, ptx_cell<uint32_t>(w, i.operands[4]), sizeof c);
    PtxLanes in_range = 0;
    ptx_each(active, [&](int l) {
        int source;
        in_range |= (PtxLanes)find_source<MODE>(l, b[l], c[l], &source) << l;
        if (!(active >> source & 1))
            w.fail(l, "reads lane " + std::to_string(source) +
                          ", which is no member");
        d[l] = a[source];
    });
    if (i.operands[1] >= 0) {
        PtxLanes *p = &w.predicates[i.operands[1]];
        *p = (*p & ~active) | (in_range & active);
    }
}

// 9.7.13.2, bar.warp.sync: what a lane wrote is seen by the others.
void
synchronize(PtxWarp &w, const PtxInstruction &, PtxLanes)
{
    w.syncs++;
}

// 9.7.19.4, trap: where the kernel must not come.
void
trap(PtxWarp &w, const PtxInstruction &, PtxLanes active)
{
    w.fail(__builtin_ctz(active), "is where the kernel gives up");
}

// ---- 9.7.14.5.15, ldmatrix --------------------------------------------------

// Lane l has the address of row l % 8 of matrix l / 8, 16 bytes. It gets of
// each matrix elements l % 4 * 2 and the next of row l / 4; with .trans of
// column l / 4. Operands: the registers, the address.
template <int COUNT, bool TRANSPOSE>
void
load_matrices(PtxWarp &w, const PtxInstruction &i, PtxLanes)
{
    const uint32_t *address = ptx_cell<uint32_t>(w, i.operands[COUNT]);
    uint16_t rows[COUNT * 8][8];
    for (int l = 0; l < COUNT * 8; l++)
        memcpy(rows[l], ptx_shared_read(w, l, address[l], 16), 16);
    for (int m = 0; m < COUNT; m++) {
        uint32_t *d = ptx_cell<uint32_t>(w, i.operands[m]);
        const uint16_t(*matrix)[8] = &rows[m * 8];
        for (int l = 0; l < ptx_lanes; l++) {
            const int a = l / 4, b = l % 4 * 2;
            d[l] = TRANSPOSE ? matrix[b][a] | (uint32_t)matrix[b + 1][a] << 16
                             : matrix[a][b] | (uint32_t)matrix[a][b + 1] << 16;
        }
    }
}

// ---- 9.7.14.5.7 and 9.7.14.5.8, mma.m16n8k8 and mma.m16n8k16 ----------------

struct Bf16 {
    static float
    to_f32(uint32_t bits)
    {
        return pe_bf16_to_f32((uint16_t)bits);
    }
};

struct Half {
    static float
    to_f32(uint32_t bits)
    {
        static std::vector<float> table;
        if (table.empty()) {
            for (unsigned v = 0; v < 65536; v++)
                table.push_back(pe_f16_to_f32((uint16_t)v));
        }
        return table[bits & 0xffff];
    }
};

// Two neighbours of a fragment's register.
template <typename T>
void
unpack(uint32_t bits, float *low, float *high)
{
    *low = T::to_f32(bits & 0xffff);
    *high = T::to_f32(bits >> 16);
}

// d [16, 8] = a [16, K] b [K, 8] + c, sums in f32 in some order. Operands: four
// registers of d, K / 4 of a, K / 8 of b, four of c.
template <typename T, int K>
void
multiply(PtxWarp &w, const PtxInstruction &i, PtxLanes)
{
    const int A = 4, B = A + K / 4, C = B + K / 8;
    float a[16][K], b[K][8], c[16][8];
    for (int l = 0; l < ptx_lanes; l++) {
        const int group = l / 4, t = l % 4;
        for (int r = 0; r < K / 4; r++) {
            const int row = group + r % 2 * 8, k = t * 2 + r / 2 * 8;
            unpack<T>(ptx_cell<uint32_t>(w, i.operands[A + r])[l], &a[row][k],
                      &a[row][k + 1]);
        }
        for (int r = 0; r < K / 8; r++) {
            const int k = t * 2 + r * 8;
            unpack<T>(ptx_cell<uint32_t>(w, i.operands[B + r])[l], &b[k][group],
                      &b[k + 1][group]);
        }
        for (int r = 0; r < 4; r++)
            c[group + r / 2 * 8][t * 2 + r % 2] =
                ptx_cell<float>(w, i.operands[C + r])[l];
    }
    for (int row = 0; row < 16; row++) {
        for (int k = 0; k < K; k++) {
            for (int column = 0; column < 8; column++)
                c[row][column] += a[row][k] * b[k][column];
        }
    }
    for (int l = 0; l < ptx_lanes; l++) {
        for (int r = 0; r < 4; r++)
            ptx_cell<float>(w, i.operands[r])[l] =
                c[l / 4 + r / 2 * 8][l % 4 * 2 + r % 2];
    }
}

// ---- 9.7.14.5.3 and 9.7.14.5.10, mma.m8n8k16 and mma.m16n8k32 of signed bytes

// d [8 R, 8] = a [8 R, K] b [K, 8] + c, sums that wrap. Operands: 2 R registers
// of d, R K / 16 of a, K / 16 of b, 2 R of c.
template <int R, int K>
void
multiply_bytes(PtxWarp &w, const PtxInstruction &i, PtxLanes)
{
    const int A = 2 * R, B = A + R * K / 16, C = B + K / 16;
    int8_t a[8 * R][K], b[8][K];
    uint32_t c[8 * R][8];
    for (int l = 0; l < ptx_lanes; l++) {
        const int group = l / 4, t = l % 4;
        for (int r = 0; r < R * K / 16; r++)
            memcpy(&a[group + r % R * 8][t * 4 + r / R * 16],
                   &ptx_cell<uint32_t>(w, i.operands[A + r])[l], 4);
        for (int r = 0; r < K / 16; r++)
            memcpy(&b[group][t * 4 + r * 16],
                   &ptx_cell<uint32_t>(w, i.operands[B + r])[l], 4);
        for (int r = 0; r < 2 * R; r++)
            c[group + r / 2 * 8][t * 2 + r % 2] =
                ptx_cell<uint32_t>(w, i.operands[C + r])[l];
    }
    for (int l = 0; l < ptx_lanes; l++) {
        for (int r = 0; r < 2 * R; r++) {
            const int row = l / 4 + r / 2 * 8, column = l % 4 * 2 + r % 2;
            uint32_t sum = c[row][column];
            for (int k = 0; k < K; k++)
                sum += (uint32_t)(a[row][k] * b[column][k]);
            ptx_cell<uint32_t>(w, i.operands[r])[l] = sum;
        }
    }
}

} // namespace

void
ptx_add_collectives(PtxForms *forms)
{
    PtxForms &f = *forms;
    f["shfl.sync.up.b32"] = {"qwwww", shuffle<UP>, PTX_MEMBERS};
    f["shfl.sync.down.b32"] = {"qwwww", shuffle<DOWN>, PTX_MEMBERS};
    f["shfl.sync.bfly.b32"] = {"qwwww", shuffle<BUTTERFLY>, PTX_MEMBERS};
    f["shfl.sync.idx.b32"] = {"qwwww", shuffle<INDEX>, PTX_MEMBERS};
    f["trap"] = {"", trap, PTX_PLAIN};
    f["bar.sync"] = {"n", nullptr, PTX_BARRIER}; // only one barrier is known
    f["bar.warp.sync"] = {"w", synchronize, PTX_MEMBERS};
    const std::string load = "ldmatrix.sync.aligned.m8n8.";
    f[load + "x1.shared.b16"] = {"1a", load_matrices<1, false>, PTX_ALIGNED};
    f[load + "x2.shared.b16"] = {"2a", load_matrices<2, false>, PTX_ALIGNED};
    f[load + "x4.shared.b16"] = {"4a", load_matrices<4, false>, PTX_ALIGNED};
    f[load + "x1.trans.shared.b16"] = {"1a", load_matrices<1, true>,
                                       PTX_ALIGNED};
    f[load + "x2.trans.shared.b16"] = {"2a", load_matrices<2, true>,
                                       PTX_ALIGNED};
    f[load + "x4.trans.shared.b16"] = {"4a", load_matrices<4, true>,
                                       PTX_ALIGNED};
    const std::string k8 = "mma.sync.aligned.m16n8k8.row.col.f32.";
    f[k8 + "f16.f16.f32"] = {"4214", multiply<Half, 8>, PTX_ALIGNED};
    f[k8 + "bf16.bf16.f32"] = {"4214", multiply<Bf16, 8>, PTX_ALIGNED};
    const std::string k16 = "mma.sync.aligned.m16n8k16.row.col.f32.";
    f[k16 + "f16.f16.f32"] = {"4424", multiply<Half, 16>, PTX_ALIGNED};
    f[k16 + "bf16.bf16.f32"] = {"4424", multiply<Bf16, 16>, PTX_ALIGNED};
    f["mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32"] = {
        "2112", multiply_bytes<1, 16>, PTX_ALIGNED};
    f["mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32"] = {
        "4424", multiply_bytes<2, 32>, PTX_ALIGNED};
}
