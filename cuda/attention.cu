// SPDX-License-Identifier: LGPL-2.1-or-later
//
// attention.cu - self attention, full or causal, over packed q, k and v.
//
// flash_kernel does the towers' head dims in 16 bits on tensor cores;
// attention_kernel does everything else: f32, and odd head dims of small
// models.

#include "cuda/device.h"
#include "cuda/kernels.h"

#define MASKED -1e30f // a score that no softmax notices

// ---- Tensor cores -----------------------------------------------------------

// Queue a copy of `rows` rows of a head, row0.., to shared memory [rows, D +
// 8]. Rows from n_rows on become zeros. The padding makes the rows of a matrix
// that ldmatrix reads together fall into different banks, for D = 64 and 96
// alike.
template <typename T, int D, int THREADS>
PE_DEVICE void
load_tile(T *tile, const T *head, size_t stride, int row0, int rows, int n_rows)
{
    const int chunks = D / 8; // of 16 bytes
    for (int i = threadIdx.x; i < rows * chunks; i += THREADS) {
        int row = i / chunks, column = i % chunks * 8;
        bool ok = row0 + row < n_rows;
        const T *src = head + (ok ? (size_t)(row0 + row) * stride : 0) + column;
        pe_cp_async16(pe_shared_address(tile + row * (D + 8) + column), src,
                      ok);
    }
}

// s [16, BN] = q k^T of one warp: q in fragments, k in shared memory.
template <typename T, int D, int BN>
PE_DEVICE void
multiply_keys(float (&s)[BN / 8][4], const uint32_t (&q)[D / 16][4],
              const T *keys)
{
    const int lane = threadIdx.x % 32;
    for (int i = 0; i < BN / 8; i++)
        s[i][0] = s[i][1] = s[i][2] = s[i][3] = 0;
#pragma unroll
    for (int k = 0; k < D / 16; k++) {
#pragma unroll
        for (int n = 0; n < BN / 16; n++) {
            // Keys n * 16.., channels k * 16..: two 16x8 operands at once.
            uint32_t b[4];
            int row = n * 16 + lane % 8 + lane / 16 * 8;
            int column = k * 16 + lane / 8 % 2 * 8;
            pe_ldmatrix_x4<false>(
                b, pe_shared_address(keys + row * (D + 8) + column));
            pe_mma_16816(T(), s[2 * n], q[k], b[0], b[1]);
            pe_mma_16816(T(), s[2 * n + 1], q[k], b[2], b[3]);
        }
    }
}

// o [16, D] += p v of one warp: p in fragments, v in shared memory.
template <typename T, int D, int BN>
PE_DEVICE void
multiply_values(float (&o)[D / 8][4], const uint32_t (&p)[BN / 16][4],
                const T *values)
{
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int n = 0; n < BN / 16; n++) {
#pragma unroll
        for (int d = 0; d < D / 16; d++) {
            uint32_t b[4];
            int row = n * 16 + lane % 16, column = d * 16 + lane / 16 * 8;
            pe_ldmatrix_x4<true>(
                b, pe_shared_address(values + row * (D + 8) + column));
            pe_mma_16816(T(), o[2 * d], p[n], b[0], b[1]);
            pe_mma_16816(T(), o[2 * d + 1], p[n], b[2], b[3]);
        }
    }
}

// Hide the keys behind the end, and those that a causal query must not see.
//
//   s         scores of keys key0..
//   q0        the warp's first query; a thread's rows are q0 + lane / 4 and
//   that
//             + 8, its columns of a fragment lane % 4 * 2 and that + 1
template <int BN>
PE_DEVICE void
mask_keys(float (&s)[BN / 8][4], int key0, int len, int q0, bool causal)
{
    const int lane = threadIdx.x % 32;
    for (int i = 0; i < BN / 8; i++) {
        for (int j = 0; j < 4; j++) {
            int key = key0 + i * 8 + lane % 4 * 2 + j % 2;
            int query = q0 + lane / 4 + j / 2 * 8;
            if (key >= len || (causal && key > query))
                s[i][j] = MASKED;
        }
    }
}

// One of the two query rows that a thread holds of its warp's 16.
struct Row {
    float max, sum; // of scores, and of their powers of two
    float rescale;  // what earlier sums are multiplied with
};

// Take the scores of a row's tile (elements `first`, `first + 1` of each
// fragment) into its running softmax; s becomes exp2(s - max).
template <int BN>
PE_DEVICE void
softmax_row(float (&s)[BN / 8][4], int first, Row *row)
{
    float max = s[0][first];
    for (int i = 0; i < BN / 8; i++)
        max = fmaxf(max, fmaxf(s[i][first], s[i][first + 1]));
    // The four threads of a group share a row.
    max = fmaxf(max, pe_shuffle_xor(max, 1));
    max = fmaxf(max, pe_shuffle_xor(max, 2));
    max = fmaxf(row->max, max);
    row->rescale = pe_exp2(row->max - max);
    row->max = max;
    row->sum *= row->rescale;
    for (int i = 0; i < BN / 8; i++) {
        for (int j = first; j < first + 2; j++) {
            s[i][j] = pe_exp2(s[i][j] - max);
            row->sum += s[i][j];
        }
    }
}

// Probabilities as the left operand of the next product: the accumulators of
// two 16x8 tiles lie just as the fragments of one 16x16 tile.
template <typename T, int BN>
PE_DEVICE void
pack_tile(uint32_t (&p)[BN / 16][4], const float (&s)[BN / 8][4])
{
    for (int i = 0; i < BN / 16; i++) {
        p[i][0] = pe_pack<T>(s[2 * i][0], s[2 * i][1]);
        p[i][1] = pe_pack<T>(s[2 * i][2], s[2 * i][3]);
        p[i][2] = pe_pack<T>(s[2 * i + 1][0], s[2 * i + 1][1]);
        p[i][3] = pe_pack<T>(s[2 * i + 1][2], s[2 * i + 1][3]);
    }
}

// Attention with an online softmax; see pe_attention_c for the equation.
//
//   qkv  [R, 3 * heads * D] T      y  [R, heads * D] T
//
//   grid    (ceil(n / (16 * WARPS)), heads, b)   block 32 * WARPS
//   a warp  owns 16 queries: q, o and the softmax stay in registers
//   shared  two tiles each of k and v, [BN, D + 8]: the next is on its way
//   while
//           the tensor cores work on one
//   flops   4 * n^2 * D per head
//   needs   16-byte aligned rows (D % 8 == 0)
//
// Source: Dao 2023, FlashAttention-2, algorithm 1.
template <typename T, int D, int BN, int WARPS>
__global__ void __launch_bounds__(32 * WARPS)
    flash_kernel(T *y, const T *qkv, const int *offsets, int n, int heads,
                 bool causal)
{
    const int BM = 16 * WARPS, LD = D + 8, THREADS = 32 * WARPS;
    PE_SHARED(T, shared);
    T *keys = shared, *values = shared + 2 * BN * LD;

    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int q0 = blockIdx.x * BM;
    const size_t first = offsets ? offsets[blockIdx.z] : (size_t)blockIdx.z * n;
    const int len = offsets ? offsets[blockIdx.z + 1] - (int)first : n;
    if (q0 >= len)
        return;
    const size_t width = (size_t)heads * D, stride = 3 * width;
    const T *q = qkv + first * stride + blockIdx.y * D;
    const T *k = q + width, *v = k + width;
    const int last = causal && q0 + BM < len ? q0 + BM : len; // keys needed
    const int tiles = (last + BN - 1) / BN;

    // The queries pass through the key tiles, which hold at least BM rows.
    uint32_t q_fragment[D / 16][4];
    load_tile<T, D, THREADS>(keys, q, stride, q0, BM, len);
    pe_cp_async_commit();
    pe_cp_async_wait<0>();
    __syncthreads();
    for (int i = 0; i < D / 16; i++) {
        int row = warp * 16 + lane % 16, column = i * 16 + lane / 16 * 8;
        pe_ldmatrix_x4<false>(q_fragment[i],
                              pe_shared_address(keys + row * LD + column));
    }
    __syncthreads();

    float o[D / 8][4];
    for (int i = 0; i < D / 8; i++)
        o[i][0] = o[i][1] = o[i][2] = o[i][3] = 0;
    Row upper = {MASKED, 0, 0}, lower = {MASKED, 0, 0};

    load_tile<T, D, THREADS>(keys, k, stride, 0, BN, len);
    pe_cp_async_commit();
    load_tile<T, D, THREADS>(values, v, stride, 0, BN, len);
    pe_cp_async_commit();
    for (int t = 0; t < tiles; t++) {
        const T *tile_keys = keys + t % 2 * BN * LD;
        const T *tile_values = values + t % 2 * BN * LD;
        T *next_keys = keys + (t + 1) % 2 * BN * LD;
        T *next_values = values + (t + 1) % 2 * BN * LD;
        float s[BN / 8][4];

        // Everybody's part of these keys has landed, and nobody reads the
        // keys of the tile before any more.
        pe_cp_async_wait<1>();
        __syncthreads();
        if (t + 1 < tiles)
            load_tile<T, D, THREADS>(next_keys, k, stride, (t + 1) * BN, BN,
                                     len);
        pe_cp_async_commit();
        multiply_keys<T, D, BN>(s, q_fragment, tile_keys);

        if ((t + 1) * BN > len || (causal && (t + 1) * BN > q0 + warp * 16))
            mask_keys<BN>(s, t * BN, len, q0 + warp * 16, causal);
        softmax_row<BN>(s, 0, &upper);
        softmax_row<BN>(s, 2, &lower);
        for (int i = 0; i < D / 8; i++) {
            o[i][0] *= upper.rescale;
            o[i][1] *= upper.rescale;
            o[i][2] *= lower.rescale;
            o[i][3] *= lower.rescale;
        }
        uint32_t p[BN / 16][4];
        pack_tile<T, BN>(p, s);

        pe_cp_async_wait<1>();
        __syncthreads();
        if (t + 1 < tiles)
            load_tile<T, D, THREADS>(next_values, v, stride, (t + 1) * BN, BN,
                                     len);
        pe_cp_async_commit();
        multiply_values<T, D, BN>(o, p, tile_values);
    }

    for (int mask = 1; mask <= 2; mask <<= 1) {
        upper.sum += pe_shuffle_xor(upper.sum, mask);
        lower.sum += pe_shuffle_xor(lower.sum, mask);
    }
    const int row = q0 + warp * 16 + lane / 4;
    T *out = y + (first + row) * width + blockIdx.y * D + lane % 4 * 2;
    const float a = 1 / upper.sum, b = 1 / lower.sum;
    for (int i = 0; i < D / 8; i++) {
        if (row < len)
            *(uint32_t *)(out + i * 8) = pe_pack<T>(o[i][0] * a, o[i][1] * a);
        if (row + 8 < len)
            *(uint32_t *)(out + 8 * width + i * 8) =
                pe_pack<T>(o[i][2] * b, o[i][3] * b);
    }
}

template <typename T, int D>
static void
launch_flash(void *stream, T *y, const T *qkv, const int *offsets, int b, int n,
             int heads, bool causal)
{
    // 64 queries and 64 keys: small enough for three or four blocks on an SM,
    // and 577 tokens waste one key in ten at the most.
    const int BN = 64, WARPS = 4, BM = 16 * WARPS;
    dim3 grid((n + BM - 1) / BM, heads, b), block(32 * WARPS);
    size_t shared = 4 * BN * (D + 8) * sizeof(T);
    PE_LAUNCH((flash_kernel<T, D, BN, WARPS>), grid, block, shared, stream, y,
              qkv, offsets, n, heads, causal);
}

// ---- Everything else --------------------------------------------------------

// Attention of one query a warp; see pe_attention_c.
//
//   grid    (ceil(n / 4), heads, b)    block 128
//   shared  [4, n] f32, the scores of a warp's query
//
// For correctness in f32 and for tiny models, not for speed.
template <typename T>
__global__ void
attention_kernel(T *y, const T *qkv, const int *offsets, int n, int heads,
                 int head_dim, bool causal)
{
    PE_SHARED(float, shared);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int row = blockIdx.x * (blockDim.x / 32) + warp;
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

template <typename T>
static void
launch_attention(void *stream, T *y, const T *qkv, const int *offsets, int b,
                 int n, int heads, int head_dim, bool causal)
{
    const int WARPS = 4;
    dim3 grid((n + WARPS - 1) / WARPS, heads, b), block(32 * WARPS);
    PE_LAUNCH(attention_kernel<T>, grid, block, WARPS * n * sizeof(float),
              stream, y, qkv, offsets, n, heads, head_dim, causal);
}

template <typename T>
static void
launch_16(void *stream, T *y, const T *qkv, const int *offsets, int b, int n,
          int heads, int head_dim, bool causal)
{
    if (head_dim == 64)
        launch_flash<T, 64>(stream, y, qkv, offsets, b, n, heads, causal);
    else if (head_dim == 96)
        launch_flash<T, 96>(stream, y, qkv, offsets, b, n, heads, causal);
    else
        launch_attention(stream, y, qkv, offsets, b, n, heads, head_dim,
                         causal);
}

extern "C" void
pe_cuda_attention(void *stream, PeDtype act, void *y, const void *qkv,
                  const int *offsets, int b, int n, int heads, int head_dim,
                  bool causal)
{
    if (act == PE_DTYPE_BF16)
        launch_16(stream, (PeBf16 *)y, (const PeBf16 *)qkv, offsets, b, n,
                  heads, head_dim, causal);
    else if (act == PE_DTYPE_F16)
        launch_16(stream, (PeHalf *)y, (const PeHalf *)qkv, offsets, b, n,
                  heads, head_dim, causal);
    else
        launch_attention(stream, (float *)y, (const float *)qkv, offsets, b, n,
                         heads, head_dim, causal);
}
