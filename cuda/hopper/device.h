// SPDX-License-Identifier: LGPL-2.1-or-later
//
// device.h - what a kernel for compute capability 9.0a may use beyond
// cuda/device.h: barriers in shared memory, copies of boxes of a tensor, and
// products of warpgroups, as thin wrappers over PTX. With PE_CUDA_HOST the same
// names come from the emulator, tests/cuda_host/hopper.h.
//
// Sections are those of the PTX ISA 9.0.

#pragma once

#include "cuda/device.h"

#ifndef PE_CUDA_HOST

// How a tensor in global memory is laid out and in which boxes it is copied:
// a CUtensorMap, which the driver fills.
struct alignas(64) PeTensorMap {
    uint64_t words[16];
};

// A parameter that the copy engine reads where the launch has put it.
#define PE_GRID_CONSTANT __grid_constant__

// What a matrix descriptor calls the address.
PE_DEVICE uint32_t
pe_shared_offset(PeSharedAddress a)
{
    return a;
}

// ---- Barriers in shared memory, 8 bytes each; 9.7.13.15 ---------------------

// A phase ends when `count` threads have arrived and the bytes that were
// announced have landed; then the next begins.
PE_DEVICE void
pe_barrier_init(PeSharedAddress barrier, int count)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier),
                 "r"(count)
                 : "memory");
}

// Barriers that this thread has made are there for the copy engine; others
// still need __syncthreads().
PE_DEVICE void
pe_barrier_init_done(void)
{
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

PE_DEVICE void
pe_barrier_arrive(PeSharedAddress barrier)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier)
                 : "memory");
}

// Arrive, and announce bytes.
PE_DEVICE void
pe_barrier_expect(PeSharedAddress barrier, int bytes)
{
    asm volatile(
        "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier),
        "r"(bytes)
        : "memory");
}

// Until the phase of this parity has ended: the one that runs, or the one
// before. The hardware sleeps for a while before it says that it has not; who
// hears that for seconds gives up, as an error is better than a device that
// hangs.
PE_DEVICE void
pe_barrier_wait(PeSharedAddress barrier, int parity)
{
    int done = 0;
    for (int i = 0; !done; i++) {
        if (i == 1 << 26)
            __trap();
        asm volatile("{\n"
                     ".reg .pred p;\n"
                     "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
                     "selp.b32 %0, 1, 0, p;\n"
                     "}"
                     : "=r"(done)
                     : "r"(barrier), "r"(parity)
                     : "memory");
    }
}

// ---- Copies; 9.7.9.27.1.2, cp.async.bulk.tensor -----------------------------

// Copy the box at (x, y, z) to shared memory; what of it is outside of the
// tensor becomes zeros. All bytes of the box are announced to the barrier by
// the caller and land there.
PE_DEVICE void
pe_tensor_load(PeSharedAddress to, const PeTensorMap *map, int x, int y, int z,
               PeSharedAddress barrier)
{
    asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.tile"
                 ".mbarrier::complete_tx::bytes [%0], [%1, {%2, %3, %4}], "
                 "[%5];" ::"r"(to),
                 "l"(map), "r"(x), "r"(y), "r"(z), "r"(barrier)
                 : "memory");
}

// ---- Products of a warpgroup; 9.7.15 ----------------------------------------

// What was written to registers, or read from them, comes before the products
// that follow; 9.7.15.7.1.
PE_DEVICE void
pe_wgmma_fence(void)
{
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

PE_DEVICE void
pe_wgmma_commit(void)
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

// Until at most N groups of products are under way.
template <int N>
PE_DEVICE void
pe_wgmma_wait(void)
{
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");
}

// Operands of asm: sums of 8 columns, four a thread, and all as a vector.
#define PE_SUMS(i) "+f"(d[i][0]), "+f"(d[i][1]), "+f"(d[i][2]), "+f"(d[i][3])
#define PE_SUMS_2(i) PE_SUMS(i), PE_SUMS(i + 1)
#define PE_SUMS_4(i) PE_SUMS_2(i), PE_SUMS_2(i + 2)
#define PE_SUMS_8(i) PE_SUMS_4(i), PE_SUMS_4(i + 4)
#define PE_SUMS_12(i) PE_SUMS_8(i), PE_SUMS_4(i + 8)
#define PE_SUMS_16(i) PE_SUMS_8(i), PE_SUMS_8(i + 8)
#define PE_SUMS_32(i) PE_SUMS_16(i), PE_SUMS_16(i + 16)
#define PE_REGISTERS_8 "{%0,%1,%2,%3,%4,%5,%6,%7}"
#define PE_REGISTERS_32 \
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17," \
    "%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31}"
#define PE_REGISTERS_48 \
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17," \
    "%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,%32,%33," \
    "%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47}"
#define PE_REGISTERS_64 \
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17," \
    "%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,%32,%33," \
    "%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49," \
    "%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63}"
#define PE_REGISTERS_128 \
    "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17," \
    "%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31,%32,%33," \
    "%34,%35,%36,%37,%38,%39,%40,%41,%42,%43,%44,%45,%46,%47,%48,%49," \
    "%50,%51,%52,%53,%54,%55,%56,%57,%58,%59,%60,%61,%62,%63,%64,%65," \
    "%66,%67,%68,%69,%70,%71,%72,%73,%74,%75,%76,%77,%78,%79,%80,%81," \
    "%82,%83,%84,%85,%86,%87,%88,%89,%90,%91,%92,%93,%94,%95,%96,%97," \
    "%98,%99,%100,%101,%102,%103,%104,%105,%106,%107,%108,%109,%110," \
    "%111,%112,%113,%114,%115,%116,%117,%118,%119,%120,%121,%122,%123," \
    "%124,%125,%126,%127}"

// d [64, N] = a [64, 16] b [N, 16]^T, or += where `add` is not 0: both in
// shared memory, with what is summed over side by side. The last two numbers
// say so.
#define PE_WGMMA_SHARED(n, type, registers, a, b, add, sums) \
    asm volatile("{\n" \
                 ".reg .pred p;\n" \
                 "setp.ne.b32 p, " add ", 0;\n" \
                 "wgmma.mma_async.sync.aligned.m64n" n "k16.f32." type \
                 " " registers ", " a ", " b ", p, 1, 1, 0, 0;\n" \
                 "}" \
                 : sums \
                 : "l"(left), "l"(right), "r"(add_to) \
                 : "memory")

// d [64, N] += a [64, 16] b [16, N]: a in registers, as mma.m16n8k16 has it, b
// in shared memory with the columns side by side, as the last number says.
#define PE_WGMMA_REGISTERS(n, type, registers, a, b, sums) \
    asm volatile("{\n" \
                 ".reg .pred p;\n" \
                 "setp.eq.b32 p, 0, 0;\n" \
                 "wgmma.mma_async.sync.aligned.m64n" n "k16.f32." type \
                 " " registers ", " a ", " b ", p, 1, 1, 1;\n" \
                 "}" \
                 : sums \
                 : "r"(left[0]), "r"(left[1]), "r"(left[2]), "r"(left[3]), \
                   "l"(right) \
                 : "memory")

#define PE_DEFINE_WGMMA(T, type) \
    PE_DEVICE void pe_wgmma_shared(T, float(&d)[2][4], uint64_t left, \
                                   uint64_t right, int add_to) \
    { \
        PE_WGMMA_SHARED("16", type, PE_REGISTERS_8, "%8", "%9", "%10", \
                        PE_SUMS_2(0)); \
    } \
    PE_DEVICE void pe_wgmma_shared(T, float(&d)[8][4], uint64_t left, \
                                   uint64_t right, int add_to) \
    { \
        PE_WGMMA_SHARED("64", type, PE_REGISTERS_32, "%32", "%33", "%34", \
                        PE_SUMS_8(0)); \
    } \
    PE_DEVICE void pe_wgmma_shared(T, float(&d)[16][4], uint64_t left, \
                                   uint64_t right, int add_to) \
    { \
        PE_WGMMA_SHARED("128", type, PE_REGISTERS_64, "%64", "%65", "%66", \
                        PE_SUMS_16(0)); \
    } \
    PE_DEVICE void pe_wgmma_shared(T, float(&d)[32][4], uint64_t left, \
                                   uint64_t right, int add_to) \
    { \
        PE_WGMMA_SHARED("256", type, PE_REGISTERS_128, "%128", "%129", "%130", \
                        PE_SUMS_32(0)); \
    } \
    PE_DEVICE void pe_wgmma_registers( \
        T, float(&d)[8][4], const uint32_t(&left)[4], uint64_t right) \
    { \
        PE_WGMMA_REGISTERS("64", type, PE_REGISTERS_32, "{%32,%33,%34,%35}", \
                           "%36", PE_SUMS_8(0)); \
    } \
    PE_DEVICE void pe_wgmma_registers( \
        T, float(&d)[12][4], const uint32_t(&left)[4], uint64_t right) \
    { \
        PE_WGMMA_REGISTERS("96", type, PE_REGISTERS_48, "{%48,%49,%50,%51}", \
                           "%52", PE_SUMS_12(0)); \
    }

PE_DEFINE_WGMMA(PeBf16, "bf16.bf16")
PE_DEFINE_WGMMA(PeHalf, "f16.f16")

#endif // !PE_CUDA_HOST

// ---- The same on both sides -------------------------------------------------

// The next multiple of so many bytes, a power of two.
PE_DEVICE PeSharedAddress
pe_shared_align(PeSharedAddress a, uint32_t bytes)
{
    return a + ((0 - pe_shared_offset(a)) & (bytes - 1));
}

// Swizzles: how many bytes of a row lie side by side, their 16-byte pieces
// permuted by the row, so that the same piece of 8 rows is in different banks.
enum PeSwizzle { PE_SWIZZLE_128 = 1, PE_SWIZZLE_64 = 2 };

// A matrix in shared memory; 9.7.15.5.1.2, "Matrix Descriptor Format".
//
//   leading  bytes from what a swizzle holds of a row to the next part of it;
//            only counts where what is summed over runs down
//   stride   bytes from 8 rows to the next 8
PE_DEVICE uint64_t
pe_matrix(PeSharedAddress a, int leading, int stride, PeSwizzle swizzle)
{
    return (uint64_t)(pe_shared_offset(a) >> 4 & 0x3fff) |
           (uint64_t)(leading >> 4) << 16 | (uint64_t)(stride >> 4) << 32 |
           (uint64_t)swizzle << 62;
}
