// SPDX-License-Identifier: LGPL-2.1-or-later
//
// linear.cu - the products of a block for Hopper, with all that a block does
// between two of them: norms, GELU and the residual stream. The library's
// products and passes of their own do it on all devices; block.c takes the
// faster way.
//
// A norm cannot be taken before its row is whole, and then the row has been
// written. So what is written for the next product, in 16 bits, is normalised
// by the mean and the deviation that the norm before has found, which are
// near; tiles leave the sums of that, and the next product's epilogue puts
// right what has changed since. All of it is f32, and what is rounded to 16
// bits is as large as what a pass would round.

#include "cuda/fragments.h"
#include "cuda/gelu.h"
#include "cuda/hopper/device.h"
#include "cuda/hopper/kernels.h"
#include "cuda/hopper/ring.h"

#include <cstring>

#define DEPTH PE_HOPPER_DEPTH // of a step: 128 bytes, what a swizzle holds
#define LINE (DEPTH * 2)

// By the columns of a tile: warpgroups, with 64 rows each; steps of the sum
// that fit at once; blocks of a multiprocessor. Where there are two, one
// computes while the other stores.
template <int TILE> struct Shape;
template <> struct Shape<64> {
    static const int GROUPS = 1, STAGES = 6, PER_SM = 2;
};
template <> struct Shape<128> {
    static const int GROUPS = 2, STAGES = 3, PER_SM = 2;
};
template <> struct Shape<256> {
    static const int GROUPS = 2, STAGES = 4, PER_SM = 1;
};

template <int TILE> struct Tile : Shape<TILE> {
    static const int ROWS = Shape<TILE>::GROUPS * PE_HOPPER_ROWS;
    static const int X_SIZE = ROWS * LINE, SIZE = X_SIZE + TILE * LINE;
    static const int THREADS = Shape<TILE>::GROUPS * 128 + 32;
    typedef RingOf<Shape<TILE>::STAGES> Ring;
};

// ---- The product ------------------------------------------------------------

// Announce a step to its place, and queue its rows of w.
template <int TILE>
PE_DEVICE void
load_weight(const typename Tile<TILE>::Ring &ring, int place,
            const PeTensorMap *w, int depth, int column)
{
    typedef Tile<TILE> Tile;
    const PeSharedAddress full = ring.full + 8 * place;
    pe_barrier_expect(full, Tile::SIZE);
    pe_tensor_load(ring.tiles + place * Tile::SIZE + Tile::X_SIZE, w, depth,
                   column, 0, full);
}

// What one thread does all the time: rows of x and of w, step by step. Those of
// w that fit at once need not wait for the kernel before.
template <int TILE>
PE_DEVICE void
load_steps(typename Tile<TILE>::Ring ring, const PeTensorMap *x,
           const PeTensorMap *w, int row, int column, int steps)
{
    typedef Tile<TILE> Tile;
    for (int i = 0; i < Tile::STAGES && i < steps; i++)
        load_weight<TILE>(ring, i, w, i * DEPTH, column);
    pe_grid_dependency_wait();
    for (int i = 0; i < steps; i++) {
        if (i >= Tile::STAGES) {
            pe_barrier_wait(ring.empty + 8 * ring.place, ring.parity ^ 1);
            load_weight<TILE>(ring, ring.place, w, i * DEPTH, column);
        }
        pe_tensor_load(ring.tiles + ring.place * Tile::SIZE, x, i * DEPTH, row,
                       0, ring.full + 8 * ring.place);
        go_on(&ring);
    }
}

// d = x w^T of a warpgroup's rows and the tile's columns. The products of a
// step go on while the next one's are queued.
template <typename T, int TILE>
PE_DEVICE void
multiply(float (&d)[TILE / 8][4], typename Tile<TILE>::Ring ring, int group,
         int steps)
{
    typedef Tile<TILE> Tile;
    typename Tile::Ring behind = ring;
    for (int i = 0; i < steps; i++) {
        const PeSharedAddress tile = ring.tiles + ring.place * Tile::SIZE;
        const PeSharedAddress x = tile + group * PE_HOPPER_ROWS * LINE;
        const PeSharedAddress w = tile + Tile::X_SIZE;
        pe_barrier_wait(ring.full + 8 * ring.place, ring.parity);
        pe_wgmma_fence();
#pragma unroll
        for (int k = 0; k < DEPTH / 16; k++)
            pe_wgmma_shared(
                T(), d, pe_matrix(x + k * 32, 0, 8 * LINE, PE_SWIZZLE_128),
                pe_matrix(w + k * 32, 0, 8 * LINE, PE_SWIZZLE_128), i + k > 0);
        pe_wgmma_commit();
        pe_wgmma_wait<1>();
        if (i > 0)
            release(behind);
        behind = ring;
        go_on(&ring);
    }
    pe_wgmma_wait<0>();
}

// All of a block but its epilogue: true for threads that have sums d, of rows
// `row` and that + 8, columns from `column` on as fragments have them.
template <typename T, int TILE>
PE_DEVICE bool
multiply_tile(float (&d)[TILE / 8][4], const PeTensorMap *x,
              const PeTensorMap *w, int k, int *row, int *column)
{
    typedef Tile<TILE> Tile;
    PE_SHARED(unsigned char, shared);
    // Swizzles go by the address.
    const PeSharedAddress tiles =
        pe_shared_align(pe_shared_address(shared), 1024);
    const PeSharedAddress barriers = tiles + Tile::STAGES * Tile::SIZE;
    const typename Tile::Ring ring = {tiles, barriers,
                                      barriers + 8 * Tile::STAGES, 0, 0};
    const int steps = (k + DEPTH - 1) / DEPTH, group = threadIdx.x / 128;
    const int row0 = blockIdx.y * Tile::ROWS, column0 = blockIdx.x * TILE;
    if (threadIdx.x == 0) {
        make_barriers(ring, Tile::GROUPS * 4);
        pe_barrier_init_done();
    }
    __syncthreads();
    if (group == Tile::GROUPS) {
        if (threadIdx.x == Tile::GROUPS * 128)
            load_steps<TILE>(ring, x, w, row0, column0, steps);
        return false;
    }
    pe_grid_dependency_wait();
    multiply<T, TILE>(d, ring, group, steps);
    pe_launch_dependents();
    const int lane = threadIdx.x % 32;
    *row = row0 + threadIdx.x / 32 * 16 + lane / 4;
    *column = column0 + lane % 4 * 2;
    return true;
}

// ---- Norms ------------------------------------------------------------------

// The norm of a row of z: (z - mean) * scale.
struct Norm {
    float mean, scale;
};

// That of one row, by the four lanes that have it. z stands for something that
// was divided by a deviation, and so does epsilon.
PE_DEVICE Norm
find_norm(const PeHopperRows &rows, int row, int m, int width, float eps)
{
    if (rows.n_sums == 0)
        return {0, 1};
    row = row < m ? row : m - 1;
    float sum = 0, squares = 0;
    for (int i = threadIdx.x % 4; i < rows.n_sums; i += 4) {
        float a, b;
        pe_load2(rows.sums + ((size_t)i * m + row) * 2, &a, &b);
        sum += a;
        squares += b;
    }
    for (int mask = 1; mask <= 2; mask <<= 1) {
        sum += pe_shuffle_xor(sum, mask);
        squares += pe_shuffle_xor(squares, mask);
    }
    // No cancellation: the mean is what has changed of it, in deviations.
    const float mean = sum / width;
    const float variance = fmaxf(squares / width - mean * mean, 0.0f);
    const float taken = rows.norms[2 * (size_t)row + 1];
    return {mean, 1 / sqrtf(variance + eps * taken * taken)};
}

// ---- Epilogues --------------------------------------------------------------

// See pe_hopper_linear().
//
//   grid    (ceil(n / TILE), ceil(m / ROWS)): neighbours read the same rows
//   block   a warpgroup for 64 rows, and a warp whose first lane queues copies
//   shared  STAGES * (ROWS + TILE) * 128 bytes, two barriers a stage, and what
//           aligns it
//   moves   2 * k * (ROWS + TILE) bytes a block from the cache, 2 * m * n out
template <typename T, int TILE>
__global__ void
__launch_bounds__(Tile<TILE>::THREADS, Tile<TILE>::PER_SM)
    hopper_linear_kernel(T *y, const PE_GRID_CONSTANT PeTensorMap x,
                         const PE_GRID_CONSTANT PeTensorMap w,
                         PeHopperRows rows, const float *columns,
                         const float *bias, int m, int n, int k, float eps,
                         bool to_gelu)
{
    float d[TILE / 8][4];
    int row, column;
    if (!multiply_tile<T, TILE>(d, &x, &w, k, &row, &column))
        return;
    Norm norms[2];
    for (int h = 0; h < 2; h++)
        norms[h] = find_norm(rows, row + 8 * h, m, k, eps);
#pragma unroll
    for (int i = 0; i < TILE / 8; i += 2) {
        const int c = column + i * 8;
        float v[2][2][2]; // fragment, row, column
#pragma unroll
        for (int f = 0; f < 2; f++) {
            float b[2] = {0, 0}, s[2] = {0, 0};
            if (c < n && bias)
                pe_load2(bias + c + 8 * f, &b[0], &b[1]);
            if (c < n && columns)
                pe_load2(columns + c + 8 * f, &s[0], &s[1]);
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const Norm norm = norms[j / 2];
                const float sum = d[i + f][j] - norm.mean * s[j % 2];
                const float a = sum * norm.scale + b[j % 2];
                v[f][j / 2][j % 2] = to_gelu ? gelu(a) : a;
            }
        }
#pragma unroll
        for (int h = 0; h < 2; h++)
            store_fragments(y + (size_t)(row + 8 * h) * n + c,
                            c < n && row + 8 * h < m, v[0][h], v[1][h]);
    }
}

// A row of a tile of the stream, as a thread has it.
struct StreamRow {
    bool ok;
    float mean, scale;  // z = (y - mean) * scale
    float sum, squares; // of z
};

// Row `at` normalised by what the norm before has found; one behind the end is
// nobody's.
PE_DEVICE StreamRow
begin_row(const PeHopperRows &from, int at, int m, int width, float eps)
{
    const Norm norm = find_norm(from, at, m, width, eps);
    float mean, scale;
    pe_load2(from.norms + 2 * (size_t)(at < m ? at : m - 1), &mean, &scale);
    return {at < m, mean + norm.mean / scale, norm.scale * scale, 0, 0};
}

// y += d for two columns of a row, and z of that.
PE_DEVICE void
add_to_stream(float (&z)[2], StreamRow *r, float *y, float a, float b,
              const float *bias, const float *shift, bool ok)
{
    float v[2] = {0, 0}, more[2] = {0, 0}, late[2] = {0, 0};
    if (ok) {
        pe_load2(y, &v[0], &v[1]);
        if (bias)
            pe_load2(bias, &more[0], &more[1]);
        if (shift)
            pe_load2(shift, &late[0], &late[1]);
        v[0] += a + more[0];
        v[1] += b + more[1];
        pe_store2(y, v[0], v[1]);
    }
#pragma unroll
    for (int j = 0; j < 2; j++) {
        z[j] = (v[j] + late[j] - r->mean) * r->scale;
        r->sum += ok ? z[j] : 0;
        r->squares += ok ? z[j] * z[j] : 0;
    }
}

// What a row's norm was taken with, and its sums over the tile.
PE_DEVICE void
end_row(const PeHopperRows &to, StreamRow r, int at, int m)
{
    for (int mask = 1; mask <= 2; mask <<= 1) {
        r.sum += pe_shuffle_xor(r.sum, mask);
        r.squares += pe_shuffle_xor(r.squares, mask);
    }
    if (threadIdx.x % 4 != 0 || !r.ok)
        return;
    pe_store2(to.sums + (blockIdx.x * (size_t)m + at) * 2, r.sum, r.squares);
    if (blockIdx.x == 0)
        pe_store2(to.norms + 2 * (size_t)at, r.mean, r.scale);
}

// See pe_hopper_residual(). As above, and 8 * m * n bytes of y.
template <typename T, int TILE>
__global__ void
__launch_bounds__(Tile<TILE>::THREADS, Tile<TILE>::PER_SM)
    hopper_residual_kernel(float *y, T *z, const PE_GRID_CONSTANT PeTensorMap x,
                           const PE_GRID_CONSTANT PeTensorMap w,
                           PeHopperRows from, PeHopperRows to,
                           const float *bias, const float *shift, int m, int n,
                           int k, float eps)
{
    float d[TILE / 8][4];
    int row, column;
    if (!multiply_tile<T, TILE>(d, &x, &w, k, &row, &column))
        return;
#pragma unroll
    for (int h = 0; h < 4; h += 2, row += 8) {
        StreamRow r = begin_row(from, row, m, n, eps);
        const int left = r.ok ? n - column : 0;
        const size_t first = (size_t)row * n + column;
#pragma unroll
        for (int i = 0; i < TILE / 8; i += 2) {
            float v[2][2];
#pragma unroll
            for (int f = 0; f < 2; f++) {
                const int c = (i + f) * 8;
                add_to_stream(v[f], &r, y + first + c, d[i + f][h],
                              d[i + f][h + 1],
                              bias ? bias + column + c : nullptr,
                              shift ? shift + column + c : nullptr, c < left);
            }
            store_fragments(z + first + i * 8, i * 8 < left, v[0], v[1]);
        }
        end_row(to, r, row, m);
    }
}

// ---- Launchers --------------------------------------------------------------

static PeTensorMap
read_map(const void *map)
{
    PeTensorMap copy;
    memcpy(&copy, map, sizeof copy);
    return copy;
}

template <int TILE> struct Launch : Tile<TILE> {
    dim3 grid, block;
    size_t shared;

    // 1023 bytes may be lost before the tiles.
    explicit Launch(const PeHopperProduct &p)
        : grid((p.n + TILE - 1) / TILE,
               (p.m + Tile<TILE>::ROWS - 1) / Tile<TILE>::ROWS),
          block(Tile<TILE>::THREADS),
          shared(1024 + Tile<TILE>::STAGES * (Tile<TILE>::SIZE + 16))
    {
    }
};

template <typename T, int TILE>
static void
launch_linear(PeCudaStream stream, const PeHopperProduct &p, void *y,
              const PeHopperRows *norm, const float *columns, bool gelu)
{
    const Launch<TILE> l(p);
    const PeTensorMap x = read_map(p.x_map), w = read_map(p.w_map);
    const PeHopperRows rows = norm ? *norm : PeHopperRows{};
    PE_LAUNCH_DEPENDENT((hopper_linear_kernel<T, TILE>), l.grid, l.block,
                        l.shared, stream, (T *)y, x, w, rows, columns, p.bias,
                        p.m, p.n, p.k, p.eps, gelu);
}

template <typename T, int TILE>
static void
launch_residual(PeCudaStream stream, const PeHopperProduct &p, float *y,
                void *z, const float *shift, const PeHopperRows *old_rows,
                const PeHopperRows *new_rows)
{
    const Launch<TILE> l(p);
    const PeTensorMap x = read_map(p.x_map), w = read_map(p.w_map);
    const PeHopperRows from = *old_rows, to = *new_rows;
    PE_LAUNCH_DEPENDENT((hopper_residual_kernel<T, TILE>), l.grid, l.block,
                        l.shared, stream, y, (T *)z, x, w, from, to, p.bias,
                        shift, p.m, p.n, p.k, p.eps);
}

// What follows once for each kernel of a function template f<T, TILE>. False
// where there is none.
#define FOR_KERNEL(act, tile, f, ...) \
    do { \
        if ((act) == PE_DTYPE_BF16 && (tile) == 64) \
            f<PeBf16, 64>(__VA_ARGS__); \
        else if ((act) == PE_DTYPE_BF16 && (tile) == 128) \
            f<PeBf16, 128>(__VA_ARGS__); \
        else if ((act) == PE_DTYPE_BF16 && (tile) == 256) \
            f<PeBf16, 256>(__VA_ARGS__); \
        else if ((act) == PE_DTYPE_F16 && (tile) == 64) \
            f<PeHalf, 64>(__VA_ARGS__); \
        else if ((act) == PE_DTYPE_F16 && (tile) == 128) \
            f<PeHalf, 128>(__VA_ARGS__); \
        else if ((act) == PE_DTYPE_F16 && (tile) == 256) \
            f<PeHalf, 256>(__VA_ARGS__); \
        else \
            return false; \
    } while (0)

extern "C" bool
pe_hopper_linear(PeCudaStream stream, PeDtype act, const PeHopperProduct *p,
                 void *y, const PeHopperRows *rows, const float *columns,
                 bool gelu)
{
    FOR_KERNEL(act, p->tile, launch_linear, stream, *p, y, rows, columns, gelu);
    return true;
}

extern "C" bool
pe_hopper_residual(PeCudaStream stream, PeDtype act, const PeHopperProduct *p,
                   float *y, void *z, const float *shift,
                   const PeHopperRows *from, const PeHopperRows *to)
{
    FOR_KERNEL(act, p->tile, launch_residual, stream, *p, y, z, shift, from,
               to);
    return true;
}
