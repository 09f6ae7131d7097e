// SPDX-License-Identifier: LGPL-2.1-or-later
//
// attention.cu - self attention for Hopper: products of warpgroups on tiles
// that the copy engine brings. attention.cu in the folder above does it on all
// devices; attention/choose.c takes the faster of the two.

#include "cuda/hopper/device.h"
#include "cuda/hopper/kernels.h"
#include "cuda/hopper/ring.h"
#include "cuda/softmax.h"

#include <cstring>

#define ROWS PE_HOPPER_ROWS // of a tile: queries of a warpgroup, or keys
#define STAGES 6            // tiles of keys and values that fit at once

// A tile [ROWS, D] in shared memory: panels [ROWS, PANEL], each swizzled.
template <int D> struct Tile {
    static const int PANEL = PE_HOPPER_CHANNELS(D), LINE = PANEL * 2;
    static const int PANEL_SIZE = ROWS * LINE, SIZE = D / PANEL * PANEL_SIZE;
    static const PeSwizzle SWIZZLE =
        PANEL == 64 ? PE_SWIZZLE_128 : PE_SWIZZLE_64;
};

// Warpgroups that compute in a block, and blocks a multiprocessor. Each of its
// four parts has registers for 5 warps of 96, which do for D = 64 and four
// warpgroups, or for 4 warps of 128: three warpgroups.
template <int D> struct Block {
    static const int GROUPS = D == 64 ? 2 : 3, PER_SM = D == 64 ? 2 : 1;
    static const int QUERIES = GROUPS * ROWS, THREADS = GROUPS * 128 + 32;
};

// The tiles of keys and values in turn.
typedef RingOf<STAGES> Ring;

template <int D>
PE_DEVICE PeSharedAddress
tile_of(const Ring &r)
{
    return r.tiles + r.place * Tile<D>::SIZE;
}

// Queue the copy of a tile of a head.
template <int D>
PE_DEVICE void
load_tile(PeSharedAddress tile, const PeTensorMap *map, int channel, int row,
          int picture, PeSharedAddress barrier)
{
#pragma unroll
    for (int i = 0; i < D / Tile<D>::PANEL; i++)
        pe_tensor_load(tile + i * Tile<D>::PANEL_SIZE, map,
                       channel + i * Tile<D>::PANEL, row, picture, barrier);
}

// What one thread does all the time: queries, then keys and values in turn.
template <int D>
PE_DEVICE void
load_tiles(Ring ring, PeSharedAddress queries, PeSharedAddress landed,
           const PeTensorMap *qkv, int q0, int groups, int tiles, int width)
{
    const int channel = blockIdx.y * D;
    pe_barrier_expect(landed, groups * Tile<D>::SIZE);
    for (int g = 0; g < groups; g++)
        load_tile<D>(queries + g * Tile<D>::SIZE, qkv, channel, q0 + g * ROWS,
                     blockIdx.z, landed);
    for (int i = 0; i < 2 * tiles; i++) {
        // Before the first round nobody has read anything: the phase before a
        // barrier's first counts as ended.
        pe_barrier_wait(ring.empty + 8 * ring.place, ring.parity ^ 1);
        pe_barrier_expect(ring.full + 8 * ring.place, Tile<D>::SIZE);
        load_tile<D>(tile_of<D>(ring), qkv, channel + (1 + i % 2) * width,
                     i / 2 * ROWS, blockIdx.z, ring.full + 8 * ring.place);
        go_on(&ring);
    }
}

// p = exp2(q k^T) of a warpgroup's queries and the first KEYS keys of a tile,
// after the rows' maxima have followed the scores.
template <typename T, int D, int KEYS>
PE_DEVICE void
weigh_keys(uint32_t (&p)[KEYS / 16][4], float (&o)[1][D / 8][4],
           Row (&rows)[1][2], PeSharedAddress queries, const Ring &ring,
           int key0, int len)
{
    typedef Tile<D> Tile;
    float s[1][KEYS / 8][4];
    const PeSharedAddress keys = tile_of<D>(ring);
    pe_barrier_wait(ring.full + 8 * ring.place, ring.parity);
    pe_wgmma_fence();
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
        const int at =
            k * 16 / Tile::PANEL * Tile::PANEL_SIZE + k * 16 % Tile::PANEL * 2;
        pe_wgmma_shared(
            T(), s[0],
            pe_matrix(queries + at, 0, 8 * Tile::LINE, Tile::SWIZZLE),
            pe_matrix(keys + at, 0, 8 * Tile::LINE, Tile::SWIZZLE), k > 0);
    }
    pe_wgmma_commit();
    pe_wgmma_wait<0>();
    release(ring);
    if (key0 + KEYS > len)
        mask_keys<KEYS>(s[0], key0, len, 0, false);
    raise_maxima<D, KEYS, 1>(rows, o, s);
    exponentiate<KEYS>(s[0], rows[0]);
    pack_tile<T, KEYS, KEYS>(p, s[0]);
}

// o += p v for the first KEYS keys of a tile.
template <typename T, int D, int KEYS>
PE_DEVICE void
multiply_values(float (&o)[D / 8][4], const uint32_t (&p)[KEYS / 16][4],
                const Ring &ring)
{
    typedef Tile<D> Tile;
    const PeSharedAddress values = tile_of<D>(ring);
    pe_barrier_wait(ring.full + 8 * ring.place, ring.parity);
    pe_wgmma_fence();
#pragma unroll
    for (int k = 0; k < KEYS / 16; k++)
        pe_wgmma_registers(T(), o, p[k],
                           pe_matrix(values + k * 16 * Tile::LINE,
                                     Tile::PANEL_SIZE, 8 * Tile::LINE,
                                     Tile::SWIZZLE));
    pe_wgmma_commit();
    pe_wgmma_wait<0>();
    release(ring);
}

// The first KEYS keys of a tile and their values.
template <typename T, int D, int KEYS>
PE_DEVICE void
attend_tile(float (&o)[1][D / 8][4], Row (&rows)[1][2], PeSharedAddress queries,
            Ring *ring, int key0, int len)
{
    uint32_t p[KEYS / 16][4];
    weigh_keys<T, D, KEYS>(p, o, rows, queries, *ring, key0, len);
    go_on(ring);
    multiply_values<T, D, KEYS>(o[0], p, *ring);
    go_on(ring);
}

// What a warpgroup does all the time. A last tile with few keys is not computed
// whole.
template <typename T, int D>
PE_DEVICE void
attend(T *y, Ring ring, PeSharedAddress queries, PeSharedAddress landed, int q0,
       int len, int tiles, int width)
{
    float o[1][D / 8][4];
    Row rows[1][2] = {{{MASKED, 0}, {MASKED, 0}}};
    for (int i = 0; i < D / 8; i++)
        o[0][i][0] = o[0][i][1] = o[0][i][2] = o[0][i][3] = 0;
    pe_barrier_wait(landed, 0);
    const bool few = len - (tiles - 1) * ROWS <= FEW;
    for (int t = 0; t < tiles - few; t++)
        attend_tile<T, D, ROWS>(o, rows, queries, &ring, t * ROWS, len);
    if (few)
        attend_tile<T, D, FEW>(o, rows, queries, &ring, (tiles - 1) * ROWS,
                               len);
    const int lane = threadIdx.x % 32;
    const int row = q0 + threadIdx.x % 128 / 32 * 16 + lane / 4;
    const size_t first = (size_t)blockIdx.z * len;
    store_rows<D, 1>(y + (first + row) * width + blockIdx.y * D + lane % 4 * 2,
                     width, len - row, o, rows);
}

// Attention with an online softmax; see pe_attention_c for the equation.
//
//   qkv  [b, n, 3 * heads * D] T, a map of boxes [ROWS, PANEL]
//   y    [b, n, heads * D] T
//
//   grid    (ceil(n / QUERIES), heads, b)   block THREADS: warpgroups, and a
//           warp of which one thread queues the copies
//   a group owns 64 queries, which stay in shared memory; its scores, sums and
//           probabilities stay in registers. It waits for its own products
//           only; what fills the tensor cores meanwhile are the other groups
//           of the multiprocessor: four in all for D = 64, three for D = 96
//   shared  queries [QUERIES, D], and a ring of STAGES tiles [64, D]: 65 KiB
//           for D = 64, of which two blocks fit, 109 KiB for D = 96
//   flops   4 * n^2 * D per head, and what the last tile has too many of
//   moves   a block reads all keys and values, mostly from the L2 cache: 2 / 3
//           (D = 96: 4 / 9) of a byte for 64 flops
//   needs   compute capability 9.0. No setmaxnreg: it takes a whole warpgroup
//           for the one warp that copies, whose registers are then missing
//
// Source: Dao 2023, FlashAttention-2, algorithm 1; Shah et al. 2024,
// FlashAttention-3, for producer and consumers.
template <typename T, int D>
__global__ void
__launch_bounds__(Block<D>::THREADS, Block<D>::PER_SM)
    hopper_flash_kernel(T *y, const PE_GRID_CONSTANT PeTensorMap qkv, int n,
                        int heads)
{
    PE_SHARED(unsigned char, shared);
    // Swizzles go by the address: a panel begins where their pattern does.
    const PeSharedAddress queries =
        pe_shared_align(pe_shared_address(shared), 1024);
    const int GROUPS = Block<D>::GROUPS;
    const PeSharedAddress tiles = queries + GROUPS * Tile<D>::SIZE;
    const PeSharedAddress barriers = tiles + STAGES * Tile<D>::SIZE;
    const PeSharedAddress landed = barriers + 16 * STAGES;
    const Ring ring = {tiles, barriers, barriers + 8 * STAGES, 0, 0};

    const int group = threadIdx.x / 128, q0 = blockIdx.x * Block<D>::QUERIES;
    const int n_tiles = (n + ROWS - 1) / ROWS;
    const int left = n_tiles - blockIdx.x * GROUPS; // tiles of queries
    const int groups = left < GROUPS ? left : GROUPS;
    if (threadIdx.x == 0) {
        make_barriers(ring, groups * 4);
        pe_barrier_init(landed, 1);
        pe_barrier_init_done();
    }
    __syncthreads();
    pe_grid_dependency_wait();
    if (threadIdx.x == GROUPS * 128)
        load_tiles<D>(ring, queries, landed, &qkv, q0, groups, n_tiles,
                      heads * D);
    else if (group < groups)
        attend<T, D>(y, ring, queries + group * Tile<D>::SIZE, landed,
                     q0 + group * ROWS, n, n_tiles, heads * D);
}

template <typename T, int D>
static void
launch(PeCudaStream stream, void *y, const void *qkv, int b, int n, int heads)
{
    PeTensorMap map;
    memcpy(&map, qkv, sizeof map);
    const int QUERIES = Block<D>::QUERIES, GROUPS = Block<D>::GROUPS;
    dim3 grid((n + QUERIES - 1) / QUERIES, heads, b);
    // 1023 bytes may be lost before the queries.
    size_t shared =
        1024 + (GROUPS + STAGES) * Tile<D>::SIZE + 8 * (2 * STAGES + 1);
    PE_LAUNCH_DEPENDENT((hopper_flash_kernel<T, D>), grid,
                        dim3(Block<D>::THREADS), shared, stream, (T *)y, map, n,
                        heads);
}

extern "C" bool
pe_hopper_attention(PeCudaStream stream, PeDtype act, void *y, const void *qkv,
                    int b, int n, int heads, int head_dim)
{
    if ((act != PE_DTYPE_BF16 && act != PE_DTYPE_F16) ||
        (head_dim != 64 && head_dim != 96))
        return false;
    bool bf16 = act == PE_DTYPE_BF16;
    if (head_dim == 64)
        (bf16 ? launch<PeBf16, 64> : launch<PeHalf, 64>)(stream, y, qkv, b, n,
                                                         heads);
    else
        (bf16 ? launch<PeBf16, 96> : launch<PeHalf, 96>)(stream, y, qkv, b, n,
                                                         heads);
    return true;
}
