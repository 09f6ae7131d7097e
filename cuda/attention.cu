// SPDX-License-Identifier: LGPL-2.1-or-later
//
// attention.cu - self attention, full or causal, over packed q, k and v.
//
// flash_kernel does the towers' head dims in 16 bits on tensor cores;
// attention_kernel does everything else: f32, and odd head dims of small
// models.

#include "cuda/device.h"
#include "cuda/kernels.h"
#include "cuda/softmax.h"

// How many blocks of M * 64 queries registers are for. Turing has the shared
// memory for two where a head has 96 channels.
#if defined __CUDA_ARCH__ && __CUDA_ARCH__ < 800
#define BLOCKS(D, M) ((M) == 1 && (D) == 64 ? 3 : 2)
#else
#define BLOCKS(D, M) ((M) == 1 ? 3 : 2)
#endif

// ---- Tensor cores -----------------------------------------------------------

// Where a thread begins when all copy a tile. Four threads share a row, each
// takes every fourth 16 bytes: addresses that differ by constants. Eight
// threads that write together have two rows 4 apart, which fall into different
// banks.
struct Copy {
    int row, column;
};

PE_DEVICE Copy
first_copy()
{
    const int i = threadIdx.x / 4;
    return {i / 8 * 8 + i % 2 * 4 + i % 8 / 2, (int)threadIdx.x % 4 * 8};
}

// Queue a copy of ROWS rows of a head to shared memory [ROWS, D + 8]. The
// padding makes the rows of a matrix that ldmatrix reads together fall into
// different banks, for D = 64 and 96 alike.
//
//   tile  from where this thread begins
//   from  the element of the head where it begins
//   rows  from there on; those behind become zeros and are not read
template <typename T, int D, int ROWS, int THREADS>
PE_DEVICE void
load_tile(PeSharedAddress tile, const T *head, int from, int stride, int rows)
{
#pragma unroll
    for (int r = 0; r < ROWS; r += THREADS / 4) {
#pragma unroll
        for (int c = 0; c < D; c += 32)
            pe_cp_async16(tile + (r * (D + 8) + c) * sizeof(T), head + from + c,
                          r < rows);
        from += THREADS / 4 * stride;
    }
}

// (cos, sin) of the channels that a thread copies of a tile.
template <int D, int ROWS, int THREADS> struct Angles {
    float4 v[ROWS / (THREADS / 4)][D / 32][2];
};

// Those of tokens behind the end are 0, and not read.
//
//   at    those of the token and the channel where this thread begins
//   rows  from there on
template <int D, int ROWS, int THREADS>
PE_DEVICE void
load_angles(Angles<D, ROWS, THREADS> &angles, const float *at, int rows)
{
#pragma unroll
    for (int r = 0; r < ROWS / (THREADS / 4); r++) {
        const bool ok = r * (THREADS / 4) < rows;
#pragma unroll
        for (int c = 0; c < D / 32; c++) {
            const float4 *from =
                (const float4 *)(at + r * (THREADS / 4) * D + c * 32);
            angles.v[r][c][0] = ok ? from[0] : make_float4(0, 0, 0, 0);
            angles.v[r][c][1] = ok ? from[1] : make_float4(0, 0, 0, 0);
        }
    }
}

// Rotate what this thread has copied, and before a barrier alone can see. The
// result is rounded to T, as if it had been stored and read again.
template <typename T, int D, int ROWS, int THREADS>
PE_DEVICE void
turn_tile(T *tile, const Angles<D, ROWS, THREADS> &angles)
{
#pragma unroll
    for (int r = 0; r < ROWS / (THREADS / 4); r++) {
#pragma unroll
        for (int c = 0; c < D / 32; c++) {
            T *p = tile + r * (THREADS / 4) * (D + 8) + c * 32;
            float v[8];
            pe_load8(p, v);
            pe_turn2(v, angles.v[r][c][0]);
            pe_turn2(v + 4, angles.v[r][c][1]);
            pe_store8(p, v);
        }
    }
}

// Both at once, for the queries; see load_angles().
template <typename T, int D, int ROWS, int THREADS>
PE_DEVICE void
turn_queries(T *own, const float *at, int rows)
{
    Angles<D, ROWS, THREADS> angles;
    load_angles(angles, at, rows);
    turn_tile<T>(own, angles);
}

// The fragments of a warp's q [M * 16, D] in shared memory, from the thread's
// row of the first matrices on.
template <typename T, int D, int M>
PE_DEVICE void
load_queries(uint32_t (&q)[M][D / 16][4], PeSharedAddress queries)
{
    const int LD = D + 8;
#pragma unroll
    for (int m = 0; m < M; m++) {
        for (int i = 0; i < D / 16; i++)
            pe_ldmatrix_x4<false>(q[m][i],
                                  queries + (m * 16 * LD + i * 16) * sizeof(T));
    }
}

// s [M * 16, BN] = q k^T of one warp: q in fragments, k in shared memory, from
// the thread's row of the first matrices on.
template <typename T, int D, int BN, int M>
PE_DEVICE void
multiply_keys(float (&s)[M][BN / 8][4], const uint32_t (&q)[M][D / 16][4],
              PeSharedAddress keys)
{
    const int LD = D + 8;
#pragma unroll
    for (int m = 0; m < M; m++) {
        for (int i = 0; i < BN / 8; i++)
            s[m][i][0] = s[m][i][1] = s[m][i][2] = s[m][i][3] = 0;
    }
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
#pragma unroll
        for (int n = 0; n < BN / 16; n++) {
            // Keys n * 16.., channels k * 16..: two 16x8 operands at once.
            uint32_t b[4];
            pe_ldmatrix_x4<false>(b, keys + (n * 16 * LD + k * 16) * sizeof(T));
#pragma unroll
            for (int m = 0; m < M; m++) {
                pe_mma_16816(T(), s[m][2 * n], q[m][k], b[0], b[1]);
                pe_mma_16816(T(), s[m][2 * n + 1], q[m][k], b[2], b[3]);
            }
        }
    }
}

// o [M * 16, D] += p v of one warp: p in fragments, v in shared memory, from
// the thread's row of the first matrices on. Only the first KEYS of BN keys.
template <typename T, int D, int KEYS, int BN, int M>
PE_DEVICE void
multiply_values(float (&o)[M][D / 8][4], const uint32_t (&p)[M][BN / 16][4],
                PeSharedAddress values)
{
    const int LD = D + 8;
#pragma unroll
    for (int n = 0; n < KEYS / 16; n++) {
#pragma unroll
        for (int d = 0; d < D / 16; d++) {
            uint32_t b[4];
            pe_ldmatrix_x4<true>(b,
                                 values + (n * 16 * LD + d * 16) * sizeof(T));
#pragma unroll
            for (int m = 0; m < M; m++) {
                pe_mma_16816(T(), o[m][2 * d], p[m][n], b[0], b[1]);
                pe_mma_16816(T(), o[m][2 * d + 1], p[m][n], b[2], b[3]);
            }
        }
    }
}

// p = exp2(scores) of a warp's queries and the first KEYS keys of a tile, after
// the rows' maxima have followed the scores.
//
//   keys  in shared memory, from the thread's row of the first matrices on
//   key0  the first of them
//   cut   some of them are not for all queries: see mask_keys()
template <typename T, int D, int KEYS, int BN, int M>
PE_DEVICE void
weigh_keys(uint32_t (&p)[M][BN / 16][4], float (&o)[M][D / 8][4],
           Row (&rows)[M][2], const uint32_t (&q)[M][D / 16][4],
           PeSharedAddress keys, int key0, int len, int q0, bool causal,
           bool cut)
{
    float s[M][KEYS / 8][4];
    multiply_keys<T, D, KEYS, M>(s, q, keys);
#pragma unroll
    for (int m = 0; m < M && cut; m++)
        mask_keys<KEYS>(s[m], key0, len, q0 + m * 16, causal);
    raise_maxima<D, KEYS, M>(rows, o, s);
#pragma unroll
    for (int m = 0; m < M; m++) {
        exponentiate<KEYS>(s[m], rows[m]);
        pack_tile<T, KEYS, BN>(p[m], s[m]);
    }
}

// Of a warp's queries, which have seen no key yet.
template <int D, int M>
PE_DEVICE void
begin_rows(float (&o)[M][D / 8][4], Row (&rows)[M][2])
{
#pragma unroll
    for (int m = 0; m < M; m++) {
        for (int i = 0; i < D / 8; i++)
            o[m][i][0] = o[m][i][1] = o[m][i][2] = o[m][i][3] = 0;
        rows[m][0] = rows[m][1] = {MASKED, 0};
    }
}

// Attention with an online softmax; see pe_attention_c for the equation.
//
//   qkv  [R, 3 * heads * D] T      y  [R, heads * D] Y: T or E4M3
//   cos_sin  [n, D / 2, 2] f32: q is rotated; NULL: it has been. With TURN k
//            is, too: in shared memory, by the thread that copied it there,
//            again in every block
//
//   grid    (ceil(n / (16 * M * WARPS)), heads, b)   block 32 * WARPS
//   a warp  owns M * 16 queries: q, o and the softmax stay in registers. With
//           M = 2 each fragment of k and v that comes from shared memory, which
//           gives a multiprocessor 128 bytes a clock, is used twice
//   shared  two tiles each of k and v, [BN, D + 8]: the next is on its way
//           while the tensor cores work on one
//   flops   4 * n^2 * D per head, and what the last tile has too many of: the
//           towers' sequences are one token longer than a multiple of 16, so
//           of a last tile with few keys only FEW are computed
//   needs   16-byte aligned rows (D % 8 == 0)
//
// Source: Dao 2023, FlashAttention-2, algorithm 1.
template <typename T, int D, int BN, int M, int WARPS, bool TURN, typename Y>
__global__ void __launch_bounds__(32 * WARPS, BLOCKS(D, M))
    flash_kernel(Y *y, const T *qkv, const int *offsets, const float *cos_sin,
                 int n, int heads, bool causal)
{
    const int BM = 16 * M * WARPS, LD = D + 8, THREADS = 32 * WARPS;
    const int TILE = BN * LD * sizeof(T);
    static_assert(BM <= 4 * BN, "queries pass through the tiles");
    PE_SHARED(T, shared);
    const PeSharedAddress keys = pe_shared_address(shared);
    const PeSharedAddress values = keys + 2 * TILE;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int block_q0 = blockIdx.x * BM, q0 = block_q0 + warp * M * 16;
    pe_grid_dependency_wait();
    const size_t first = offsets ? offsets[blockIdx.z] : (size_t)blockIdx.z * n;
    const int len = offsets ? offsets[blockIdx.z + 1] - (int)first : n;
    if (block_q0 >= len)
        return;
    const int width = heads * D, stride = 3 * width;
    const T *q = qkv + first * stride + blockIdx.y * D;
    const T *k = q + width, *v = k + width;
    const int last =
        causal && block_q0 + BM < len ? block_q0 + BM : len; // keys needed
    const int tiles = (last + BN - 1) / BN;

    // Where a thread's row of four 8x8 matrices is: two by two of 16 rows, the
    // ones below each other first, or, in the keys, the ones beside each other.
    const int below = (lane % 16 * LD + lane / 16 * 8) * sizeof(T);
    const int beside =
        ((lane % 8 + lane / 16 * 8) * LD + lane / 8 % 2 * 8) * sizeof(T);

    const Copy copy = first_copy();
    T *const own = shared + copy.row * LD + copy.column;
    const PeSharedAddress copied = pe_shared_address(own);
    const float *turns = cos_sin + copy.row * D + copy.column;
    int from = copy.row * stride + copy.column; // of the next tile's keys
    int left = len - copy.row;                  // keys from there on

    uint32_t q_fragment[M][D / 16][4];
    load_tile<T, D, BM, THREADS>(copied, q + (size_t)block_q0 * stride, from,
                                 stride, left - block_q0);
    pe_cp_async_commit();
    pe_cp_async_wait<0>();
    if (cos_sin)
        turn_queries<T, D, BM, THREADS>(own, turns + block_q0 * D,
                                        left - block_q0);
    __syncthreads();
    load_queries<T, D, M>(q_fragment,
                          keys + below + warp * M * 16 * LD * sizeof(T));
    __syncthreads();

    float o[M][D / 8][4];
    Row rows[M][2];
    begin_rows<D, M>(o, rows);

    Angles<D, BN, THREADS> angles; // of the next tile's keys
    load_tile<T, D, BN, THREADS>(copied, k, from, stride, left);
    pe_cp_async_commit();
    if (TURN)
        load_angles(angles, turns, left);
    load_tile<T, D, BN, THREADS>(copied + 2 * TILE, v, from, stride, left);
    pe_cp_async_commit();
    for (int t = 0; t < tiles; t++) {
        const int now = (t & 1) * TILE, next = TILE - now;
        const bool few = len - t * BN <= FEW; // the same for the whole block
        uint32_t p[M][BN / 16][4];

        from += BN * stride;
        left -= BN;
        // Everybody's part of these keys has landed, and nobody reads the
        // keys of the tile before any more.
        pe_cp_async_wait<1>();
        if (TURN)
            turn_tile<T>(own + now / sizeof(T), angles);
        __syncthreads();
        if (t + 1 < tiles)
            load_tile<T, D, BN, THREADS>(copied + next, k, from, stride, left);
        pe_cp_async_commit();
        const bool cut = (t + 1) * BN > len || (causal && (t + 1) * BN > q0);
        if (few)
            weigh_keys<T, D, FEW, BN, M>(p, o, rows, q_fragment,
                                         keys + now + beside, t * BN, len, q0,
                                         causal, cut);
        else
            weigh_keys<T, D, BN, BN, M>(p, o, rows, q_fragment,
                                        keys + now + beside, t * BN, len, q0,
                                        causal, cut);

        pe_cp_async_wait<1>();
        __syncthreads();
        if (t + 1 < tiles)
            load_tile<T, D, BN, THREADS>(copied + 2 * TILE + next, v, from,
                                         stride, left);
        pe_cp_async_commit();
        if (TURN)
            load_angles(angles, turns + (t + 1) * BN * D, left);
        if (few)
            multiply_values<T, D, FEW, BN, M>(o, p, values + now + below);
        else
            multiply_values<T, D, BN, BN, M>(o, p, values + now + below);
    }

    const int row = q0 + lane / 4;
    store_rows<D, M>(y + (first + row) * width + blockIdx.y * D + lane % 4 * 2,
                     width, len - row, o, rows);
}

template <typename T, int D, int BN, int M, typename Y>
static void
launch_flash(PeCudaStream stream, Y *y, const T *qkv, const PeAttention &a)
{
    const int WARPS = 4, BM = 16 * M * WARPS;
    dim3 grid((a.n + BM - 1) / BM, a.heads, a.b), block(32 * WARPS);
    size_t shared = 4 * BN * (D + 8) * sizeof(T);
    auto turning_kernel = flash_kernel<T, D, BN, M, WARPS, true, Y>;
    if (a.cos_sin && a.turn_keys)
        PE_LAUNCH_DEPENDENT(turning_kernel, grid, block, shared, stream, y, qkv,
                            a.offsets, a.cos_sin, a.n, a.heads, a.causal);
    else
        PE_LAUNCH_DEPENDENT((flash_kernel<T, D, BN, M, WARPS, false, Y>), grid,
                            block, shared, stream, y, qkv, a.offsets, a.cos_sin,
                            a.n, a.heads, a.causal);
}

// 128 queries a block where each multiprocessor still gets two blocks, and a
// sequence has more than 64; else 64 queries, and twice as many blocks.
//
// Keys a tile: as many as leave registers, and shared memory, for two blocks a
// multiprocessor. Turing has 64 KiB of it and copies while nobody computes, so
// there the tiles are small for the sake of three blocks.
template <typename T, int D, typename Y>
static void
choose_flash(PeCudaStream stream, Y *y, const T *qkv, const PeAttention &a,
             int sm, int n_sms)
{
    const int BN = D == 64 ? 64 : 32;
    const long blocks = (long)((a.n + 127) / 128) * a.heads * a.b;
    if (sm < 80)
        launch_flash<T, D, 32, 1>(stream, y, qkv, a);
    else if (a.n > 64 && blocks >= 2 * (long)n_sms)
        launch_flash<T, D, BN, 2>(stream, y, qkv, a);
    else
        launch_flash<T, D, BN, 1>(stream, y, qkv, a);
}

// ---- Everything else --------------------------------------------------------

// Attention of one query a warp; see pe_attention_c.
//
//   grid    (ceil(n / 4), heads, b)    block 128
//   shared  [4, n] f32, the scores of a warp's query
//
// For correctness in f32 and for tiny models, not for speed.
template <typename T, typename Y>
__global__ void
attention_kernel(Y *y, const T *qkv, const int *offsets, int n, int heads,
                 int head_dim, bool causal)
{
    PE_SHARED(float, shared);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int row = blockIdx.x * (blockDim.x / 32) + warp;
    pe_grid_dependency_wait();
    pe_launch_dependents();
    const size_t first = offsets ? offsets[blockIdx.z] : (size_t)blockIdx.z * n;
    const int len = offsets ? offsets[blockIdx.z + 1] - (int)first : n;
    if (row >= len)
        return;
    const int keys = causal ? row + 1 : len;
    const size_t width = (size_t)heads * head_dim, stride = 3 * width;
    const T *q = qkv + (first + row) * stride + blockIdx.y * head_dim;
    const T *k = qkv + first * stride + width + blockIdx.y * head_dim;
    const T *v = k + width;
    float *p = shared + (size_t)warp * n;

    float max = MASKED;
    for (int i = lane; i < keys; i += 32) {
        float sum = 0;
        for (int j = 0; j < head_dim; j++)
            sum += pe_to_float(q[j]) * pe_to_float(k[i * stride + j]);
        p[i] = sum;
        max = fmaxf(max, p[i]);
    }
    max = pe_warp_max(max);
    float total = 0;
    for (int i = lane; i < keys; i += 32) {
        p[i] = pe_exp2(p[i] - max);
        total += p[i];
    }
    total = pe_warp_sum(total);
    __syncwarp();
    for (int j = lane; j < head_dim; j += 32) {
        float sum = 0;
        for (int i = 0; i < keys; i++)
            sum += p[i] * pe_to_float(v[i * stride + j]);
        pe_store(y + (first + row) * width + blockIdx.y * head_dim + j,
                 sum / total);
    }
}

template <typename T, typename Y>
static void
launch_attention(PeCudaStream stream, Y *y, const T *qkv, const PeAttention &a)
{
    const int WARPS = 4;
    dim3 grid((a.n + WARPS - 1) / WARPS, a.heads, a.b), block(32 * WARPS);
    PE_LAUNCH_DEPENDENT((attention_kernel<T, Y>), grid, block,
                        WARPS * a.n * sizeof(float), stream, y, qkv, a.offsets,
                        a.n, a.heads, a.head_dim, a.causal);
}

template <typename T, typename Y>
static void
launch_16(PeCudaStream stream, Y *y, const T *qkv, const PeAttention &a, int sm,
          int n_sms)
{
    if (a.head_dim == 64)
        choose_flash<T, 64>(stream, y, qkv, a, sm, n_sms);
    else if (a.head_dim == 96)
        choose_flash<T, 96>(stream, y, qkv, a, sm, n_sms);
    else
        launch_attention(stream, y, qkv, a);
}

extern "C" void
pe_cuda_attention(PeCudaStream stream, PeDtype act, void *y, const void *qkv,
                  const PeAttention *a, int sm, int n_sms)
{
    if (act == PE_DTYPE_BF16 && a->out == PE_DTYPE_E4M3)
        launch_16(stream, (PeE4m3 *)y, (const PeBf16 *)qkv, *a, sm, n_sms);
    else if (act == PE_DTYPE_BF16)
        launch_16(stream, (PeBf16 *)y, (const PeBf16 *)qkv, *a, sm, n_sms);
    else if (act == PE_DTYPE_F16)
        launch_16(stream, (PeHalf *)y, (const PeHalf *)qkv, *a, sm, n_sms);
    else
        launch_attention(stream, (float *)y, (const float *)qkv, *a);
}

extern "C" bool
pe_cuda_attention_turns(PeDtype act, int head_dim)
{
    return act != PE_DTYPE_F32 && (head_dim == 64 || head_dim == 96);
}
