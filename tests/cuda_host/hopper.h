// SPDX-License-Identifier: LGPL-2.1-or-later
//
// hopper.h - the emulator's part for cuda/hopper: barriers in shared memory,
// the copy engine and products of warpgroups, all as late as the hardware may:
//   - a copy lands when no thread can go on without it, any of them first, as
//     nothing orders them; its target is NaN before
//   - a product reads its operands in the wait that covers it; sums that begin
//     with it are NaN before
//   - a group of products that no fence precedes is reported, and so are the
//     warps of a warpgroup when their products differ, and barriers that are
//     not made, not fenced or arrived at too often
//
// Not emulated: what the warps of a warpgroup do to each other meanwhile.

#pragma once

#include "tests/cuda_host/emulator.h"
#include "tests/cuda_host/matrices.h"

struct alignas(64) PeTensorMap {
    uint64_t words[16];
};

#define PE_GRID_CONSTANT

uint32_t pe_shared_offset(PeSharedAddress a);

void pe_barrier_init(PeSharedAddress barrier, int count);
void pe_barrier_init_done(void);
void pe_barrier_arrive(PeSharedAddress barrier);
void pe_barrier_expect(PeSharedAddress barrier, int bytes);
void pe_barrier_wait(PeSharedAddress barrier, int parity);

void pe_tensor_load(PeSharedAddress to, const PeTensorMap *map, int x, int y,
                    int z, PeSharedAddress barrier);

void pe_wgmma_fence(void);
void pe_wgmma_commit(void);
void pe_emulator_wgmma_wait(int pending);

template <int N>
PE_DEVICE void
pe_wgmma_wait(void)
{
    pe_emulator_wgmma_wait(N);
}

// What a lane brings to a product.
struct PeProduct {
    float (*to_f32)(uint16_t);
    float *d;
    int columns;
    const uint32_t *left_registers; // NULL: left
    uint64_t left, right;
    bool add;
};
void pe_emulator_wgmma(const PeProduct &p);

template <typename T>
float
pe_product_to_f32(uint16_t bits)
{
    return pe_to_float(T{bits});
}

template <typename T, int N>
PE_DEVICE void
pe_wgmma_shared(T, float (&d)[N][4], uint64_t left, uint64_t right, int add)
{
    pe_emulator_wgmma(
        {pe_product_to_f32<T>, d[0], N * 8, nullptr, left, right, add != 0});
}

template <typename T, int N>
PE_DEVICE void
pe_wgmma_registers(T, float (&d)[N][4], const uint32_t (&left)[4],
                   uint64_t right)
{
    pe_emulator_wgmma(
        {pe_product_to_f32<T>, d[0], N * 8, left, 0, right, true});
}

// ---- For emulator.cpp -------------------------------------------------------

// What a block has of all this, and whose turn it is.
struct PeHopperBlock;
std::shared_ptr<PeHopperBlock> pe_hopper_new_block(void);
void pe_hopper_use_block(PeHopperBlock *block);
// Lands one of the copies that are under way. False: there is none.
bool pe_hopper_land(unsigned random);
// What is wrong at the end of a block, or NULL.
const char *pe_hopper_end_block(void);
