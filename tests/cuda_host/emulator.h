// SPDX-License-Identifier: LGPL-2.1-or-later
//
// emulator.h - runs a CUDA kernel's own source on the CPU, one fiber a thread.
//
// Blocks run one after the other. The threads of a block are fibers that a
// scheduler resumes in random orders, so that a result which depends on the
// order of unsynchronised threads changes with it. What a GPU leaves undefined
// is made to hurt:
//   - shared memory starts as NaN
//   - cp.async lands only in the wait that covers it, its target is NaN before
//   - a warp operation runs when its last lane arrives; lanes that never arrive
//     or arrive for something else, and a barrier that not all threads reach,
//     are reported
//   - so are writes closely behind shared memory
//   - blocks of a dependent launch begin before the kernel before has run, and
//     go on until each thread waits for it or for such a thread; copies that
//     are under way then have read their source. One that ends without having
//     waited is reported, and a launch that never lets others begin
// Stray accesses to global memory are left to AddressSanitizer.
//
// Not emulated: memory that needs fences between blocks, bank conflicts,
// alignment traps, timing.

#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "core/base/tensor.h"
#include "cuda/dependent.h"

#define PE_CUDA_HOST 1

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c)
    {
    }
};

struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) uint2 {
    uint32_t x, y;
};
struct alignas(16) uint4 {
    uint32_t x, y, z, w;
};

static inline float4
make_float4(float x, float y, float z, float w)
{
    return {x, y, z, w};
}

static inline uint4
make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w)
{
    return {x, y, z, w};
}

static inline uint2
make_uint2(uint32_t x, uint32_t y)
{
    return {x, y};
}

#define __global__ static
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define PE_DEVICE static inline

// Thrown out of pe_emulate() as a failed test, never into a product.
struct PeEmulatorError {
    const char *what;
};

// Who runs when several threads could. With priorities a thread, or a warp,
// goes as far as it can before others have begun, which is what shows a missing
// barrier between two that follow each other. A test runs each kernel with all.
enum PeEmulatorOrder {
    PE_EMULATOR_RANDOM,  // anyone
    PE_EMULATOR_WARPS,   // the warp of highest priority, random in each block
    PE_EMULATOR_THREADS, // the thread
};
void pe_emulator_set_order(PeEmulatorOrder order, unsigned seed);

// Who queues launches on streams; NULL: they run at once. `name` is what the
// launcher calls the kernel. `run` is all of it, or what `begin` has left of it
// where that was called before. `begin` is NULL unless the launch is dependent:
// it runs some of the blocks until they wait for the kernels before. Both throw
// PeEmulatorError, on a deadlock and the like.
extern void (*pe_emulator_queue)(void *stream, const char *name,
                                 std::function<void()> run,
                                 std::function<void()> begin);

// With NULL for that: what stands for the kernels before the next launch.
void pe_emulator_set_primary(std::function<void()> primary);
// That, which is the caller's from now on; NULL: nothing.
std::function<void()> pe_emulator_take_primary(void);

void pe_emulator_launch(PeCudaStream stream, const char *name, dim3 grid,
                        dim3 block, size_t shared,
                        const std::function<void()> &kernel);

#define PE_LAUNCH_DEPENDENT(kernel, grid, block, shared, stream, ...) \
    do { \
        auto pe_kernel = kernel; \
        pe_emulator_launch(stream, #kernel, grid, block, shared, \
                           [=] { pe_kernel(__VA_ARGS__); }); \
    } while (0)

#define PE_LAUNCH(kernel, grid, block, shared, stream, ...) \
    PE_LAUNCH_DEPENDENT(kernel, grid, block, shared, \
                        (PeCudaStream{stream, false}), __VA_ARGS__)

#define PE_PROBE(kernel, version) pe_emulator_probe(version)
int pe_emulator_probe(int *version);

// ---- The state that a fiber sees ------------------------------------------

struct PeThread {
    dim3 thread, block, grid_dim, block_dim;
    unsigned lane, warp;
};
extern PeThread *pe_thread;

#define threadIdx (pe_thread->thread)
#define blockIdx (pe_thread->block)
#define gridDim (pe_thread->grid_dim)
#define blockDim (pe_thread->block_dim)

unsigned char *pe_emulator_shared(void);
size_t pe_emulator_shared_size(void);

// Until somebody wakes all that sleep.
void pe_emulator_sleep(void);
void pe_emulator_wake(void);

// Ends the launch with an exception. Does not return.
[[noreturn]] void pe_emulator_fail(const char *what);
#define PE_SHARED(type, name) type *name = (type *)pe_emulator_shared()

void pe_grid_dependency_wait(void);
void pe_launch_dependents(void);

// ---- Collectives ------------------------------------------------------------

void __syncthreads(void);

// The last lane of a warp to arrive runs the operation for all; `in` and `out`
// are each lane's operands, by lane.
typedef void (*PeWarpOperation)(const void *const *in, void *const *out,
                                int argument);
void pe_emulator_warp(const void *in, void *out, PeWarpOperation operation,
                      int argument);

void __syncwarp(unsigned mask = ~0u);
float pe_shuffle_xor(float v, int mask);

// ---- Asynchronous copies, matrix loads and products -------------------------

typedef unsigned char *PeSharedAddress;

PE_DEVICE PeSharedAddress
pe_shared_address(const void *p)
{
    return (unsigned char *)p;
}

void pe_cp_async16(PeSharedAddress dst, const void *src, bool ok);
void pe_cp_async_commit(void);
void pe_emulator_cp_async_wait(size_t pending);

template <int N>
PE_DEVICE void
pe_cp_async_wait(void)
{
    pe_emulator_cp_async_wait(N);
}

void pe_emulator_ldmatrix_x4(uint32_t (&r)[4], PeSharedAddress a,
                             bool transpose);

template <bool TRANSPOSE>
PE_DEVICE void
pe_ldmatrix_x4(uint32_t (&r)[4], PeSharedAddress a)
{
    pe_emulator_ldmatrix_x4(r, a, TRANSPOSE);
}

PE_DEVICE uint32_t
pe_dot4(uint32_t a, uint32_t b, uint32_t c)
{
    for (int i = 0; i < 32; i += 8)
        c += (a >> i & 255) * (b >> i & 255);
    return c;
}

PE_DEVICE uint32_t
pe_pack_bytes(int a, int b, int c, int d)
{
    uint32_t all = 0;
    for (int v : {d, c, b, a})
        all = all << 8 | (uint32_t)(v < 0 ? 0 : v > 255 ? 255 : v);
    return all;
}

PE_DEVICE float
pe_exp2(float x)
{
    return exp2f(x);
}

struct PeBf16 {
    uint16_t bits;
};
struct PeHalf {
    uint16_t bits;
};

PE_DEVICE float
pe_to_float(PeBf16 v)
{
    return pe_bf16_to_f32(v.bits);
}

PE_DEVICE float
pe_to_float(PeHalf v)
{
    return pe_f16_to_f32(v.bits);
}

PE_DEVICE uint16_t
pe_bits(PeBf16, float v)
{
    return pe_bf16_from_f32(v);
}

PE_DEVICE uint16_t
pe_bits(PeHalf, float v)
{
    return pe_f16_from_f32(v);
}

struct PeE4m3 {
    uint8_t bits;
};

PE_DEVICE uint32_t
pe_pack_e4m3(float a, float b)
{
    return pe_e4m3_from_f32(a) | (uint32_t)pe_e4m3_from_f32(b) << 8;
}

void pe_mma_16816(PeBf16, float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                  uint32_t b1);
void pe_mma_16816(PeHalf, float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                  uint32_t b1);
void pe_mma_16832(int32_t (&c)[4], const uint32_t (&a)[4], uint32_t b0,
                  uint32_t b1);
