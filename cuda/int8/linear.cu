// SPDX-License-Identifier: LGPL-2.1-or-later
//
// linear.cu - the product of bytes, by the matrix units that all cards from
// Turing on have, with scales, bias, GELU and the residual stream behind it.

#include "cuda/fragments.h"
#include "cuda/gelu.h"
#include "cuda/int8/device.h"
#include "cuda/int8/kernels.h"

#define DEPTH 64 // bytes of a row in a step
#define STAGES 3

// Tiles are square. A warp has half of the rows and 32 columns.
template <int TILE> struct Tile {
    static const int THREADS = TILE * 2;
    static const int BLOCKS = TILE / 32;    // of 16 rows, of a warp
    static const int X_SIZE = TILE * DEPTH; // bytes of a step's rows
    static const int SIZE = 2 * X_SIZE;     // and of the weight's
};

// Where 16 bytes of a row are in a step: pieces are permuted so that eight rows
// of a matrix lie in different banks.
PE_DEVICE int
place_of(int row, int piece)
{
    return row * DEPTH + ((piece ^ (row >> 1 & 3)) << 4);
}

// A step's bytes of rows first.. of [n, length]; those outside are zeros.
template <int TILE>
PE_DEVICE void
load_rows(PeSharedAddress to, const int8_t *from, int first, int n, int depth,
          int length)
{
#pragma unroll
    for (int i = 0; i < TILE * DEPTH / 16 / Tile<TILE>::THREADS; i++) {
        const int number = threadIdx.x + i * Tile<TILE>::THREADS;
        const int row = number / (DEPTH / 16), piece = number % (DEPTH / 16);
        const int at = depth + piece * 16;
        const bool ok = first + row < n && at < length;
        pe_cp_async16(to + place_of(row, piece),
                      ok ? from + (size_t)(first + row) * length + at : from,
                      ok);
    }
}

template <int TILE>
PE_DEVICE void
load_step(PeSharedAddress to, const PeInt8Product &p, int row, int column,
          int depth)
{
    load_rows<TILE>(to, p.p, row, p.m, depth, p.length);
    load_rows<TILE>(to + Tile<TILE>::X_SIZE, p.q, column, p.n, depth, p.length);
}

// Sums of a warp, as fragments: blocks of 16 rows, and of eight columns.
template <int TILE> struct Sums {
    int32_t of[Tile<TILE>::BLOCKS][4][4];
};

// Of a step; `row` and `column` are a warp's in the tile.
template <int TILE>
PE_DEVICE void
multiply_step(Sums<TILE> *sums, PeSharedAddress step, int row, int column)
{
    const int lane = threadIdx.x % 32, line = lane % 8, matrix = lane / 8;
#pragma unroll
    for (int piece = 0; piece < DEPTH / 16; piece += 2) {
        uint32_t a[Tile<TILE>::BLOCKS][4], b[2][4];
        // Rows of a fragment: 0-7 and 8-15, then the next 16 bytes of both.
#pragma unroll
        for (int i = 0; i < Tile<TILE>::BLOCKS; i++)
            pe_ldmatrix_x4<false>(
                a[i], step + place_of(row + 16 * i + matrix % 2 * 8 + line,
                                      piece + matrix / 2));
            // Two fragments of the weight, both pieces of each.
#pragma unroll
        for (int j = 0; j < 2; j++)
            pe_ldmatrix_x4<false>(
                b[j], step + Tile<TILE>::X_SIZE +
                          place_of(column + 16 * j + matrix / 2 * 8 + line,
                                   piece + matrix % 2));
#pragma unroll
        for (int i = 0; i < Tile<TILE>::BLOCKS; i++) {
#pragma unroll
            for (int j = 0; j < 4; j++)
                pe_mma_16832(sums->of[i][j], a[i], b[j / 2][j % 2 * 2],
                             b[j / 2][j % 2 * 2 + 1]);
        }
    }
}

// All steps of a tile that begins at row0 and column0.
template <int TILE>
PE_DEVICE void
multiply(Sums<TILE> *sums, const PeInt8Product &p, int row0, int column0,
         int row, int column)
{
    PE_SHARED(unsigned char, shared);
    const PeSharedAddress steps = pe_shared_address(shared);
    const int n = (p.length + DEPTH - 1) / DEPTH;
#pragma unroll
    for (int i = 0; i < STAGES - 1; i++) {
        if (i < n)
            load_step<TILE>(steps + i * Tile<TILE>::SIZE, p, row0, column0,
                            i * DEPTH);
        pe_cp_async_commit();
    }
    for (int i = 0; i < n; i++) {
        pe_cp_async_wait<STAGES - 2>();
        // All have their bytes of this step, and are done with the one before,
        // whose place is filled again.
        __syncthreads();
        const int next = i + STAGES - 1;
        if (next < n)
            load_step<TILE>(steps + next % STAGES * Tile<TILE>::SIZE, p, row0,
                            column0, next * DEPTH);
        pe_cp_async_commit();
        multiply_step<TILE>(sums, steps + i % STAGES * Tile<TILE>::SIZE, row,
                            column);
    }
}

// What two lanes have of two fragments goes to y, or is added to it.
template <typename T>
PE_DEVICE void
finish(T *y, bool ok, bool add, const float (&a)[2], const float (&b)[2])
{
    float v[4], old[4] = {0, 0, 0, 0};
    y += trade_fragments(v, a, b);
    if (!ok)
        return;
    if (add)
        pe_load4(y, old);
    pe_store4(y, v[0] + old[0], v[1] + old[1], v[2] + old[2], v[3] + old[3]);
}

// See pe_int8_multiply().
//
//   grid    (ceil(n / TILE), ceil(m / TILE)): neighbours read the same rows
//   block   a warp for 32 columns of half a tile's rows
//   shared  STAGES * 2 * TILE * 64 bytes
//   moves   2 * length * TILE bytes a block from the cache, sizeof(T) * m * n
//           out
template <typename T, int TILE>
__global__ void
__launch_bounds__(Tile<TILE>::THREADS, TILE == 128 ? 2 : 4)
    int8_linear_kernel(T *y, PeInt8Product p)
{
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int row0 = blockIdx.y * TILE, column0 = blockIdx.x * TILE;
    const int row = warp % 2 * (TILE / 2), column = warp / 2 * 32;
    Sums<TILE> sums = {};
    pe_grid_dependency_wait();
    pe_launch_dependents();
    multiply<TILE>(&sums, p, row0, column0, row, column);
#pragma unroll
    for (int j = 0; j < 4; j += 2) {
        const int at = column0 + column + j * 8 + lane % 4 * 2;
        float c[2][2] = {{0, 0}, {0, 0}}, bias[2][2] = {{0, 0}, {0, 0}};
#pragma unroll
        for (int f = 0; f < 2; f++) {
            if (at < p.n)
                pe_load2(p.c + at + 8 * f, &c[f][0], &c[f][1]);
            if (at < p.n && p.bias)
                pe_load2(p.bias + at + 8 * f, &bias[f][0], &bias[f][1]);
        }
#pragma unroll
        for (int i = 0; i < Tile<TILE>::BLOCKS * 2; i++) {
            const int r = row0 + row + i * 8 + lane / 4;
            const bool ok = r < p.m && at < p.n;
            const float step = ok ? p.r[r] : 0;
            float v[2][2];
#pragma unroll
            for (int f = 0; f < 2; f++) {
#pragma unroll
                for (int e = 0; e < 2; e++) {
                    const int32_t sum = sums.of[i / 2][j + f][i % 2 * 2 + e];
                    v[f][e] = (float)sum * step * c[f][e] + bias[f][e];
                    if (p.gelu)
                        v[f][e] = gelu(v[f][e]);
                }
            }
            finish(y + (size_t)r * p.n + at, ok, p.add, v[0], v[1]);
        }
    }
}

template <typename T>
static void
launch(PeCudaStream stream, PeInt8Product p)
{
    dim3 grid((p.n + p.tile - 1) / p.tile, (p.m + p.tile - 1) / p.tile);
    if (p.tile == 64)
        PE_LAUNCH_DEPENDENT((int8_linear_kernel<T, 64>), grid,
                            dim3(Tile<64>::THREADS), STAGES * Tile<64>::SIZE,
                            stream, (T *)p.y, p);
    else
        PE_LAUNCH_DEPENDENT((int8_linear_kernel<T, 128>), grid,
                            dim3(Tile<128>::THREADS), STAGES * Tile<128>::SIZE,
                            stream, (T *)p.y, p);
}

extern "C" void
pe_int8_multiply(PeCudaStream stream, PeDtype act, const PeInt8Product *p)
{
    if (p->f32)
        launch<float>(stream, *p);
    else if (act == PE_DTYPE_F16)
        launch<PeHalf>(stream, *p);
    else
        launch<PeBf16>(stream, *p);
}
