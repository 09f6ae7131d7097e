// SPDX-License-Identifier: LGPL-2.1-or-later
//
// device.h - what a kernel may use: types, conversions, warp operations and
// thin wrappers over PTX. With PE_CUDA_HOST the same names come from the
// emulator in tests/cuda_host, so that a kernel's own source also runs on a
// CPU.
//
// Only dynamic shared memory is used, through PE_SHARED, and kernels are
// started with PE_LAUNCH or PE_LAUNCH_DEPENDENT alone: all have a host form.

#pragma once

#include <cstddef>
#include <cstdint>

#include "cuda/dependent.h"

#ifndef PE_CUDA_HOST

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#define PE_DEVICE __device__ __forceinline__

// The block's dynamic shared memory.
#define PE_SHARED(type, name) \
    extern __shared__ __align__(128) unsigned char pe_shared[]; \
    type *name = (type *)pe_shared

// More than 48 KiB of shared memory has to be asked for, once per kernel.
#define PE_LAUNCH(kernel, grid, block, shared, stream, ...) \
    do { \
        auto pe_kernel = kernel; \
        if ((shared) > 48 * 1024) \
            cudaFuncSetAttribute(pe_kernel, \
                                 cudaFuncAttributeMaxDynamicSharedMemorySize, \
                                 (int)(shared)); \
        pe_kernel<<<grid, block, shared, (cudaStream_t)(stream)>>>( \
            __VA_ARGS__); \
    } while (0)

// Start a kernel, with the attribute of a dependent launch or without. As with
// <<<>>>, what goes wrong is the runtime's last error.
template <typename... P, typename... A>
static void
pe_launch(void (*kernel)(P...), dim3 grid, dim3 block, size_t shared,
          PeCudaStream s, A... arguments)
{
    cudaLaunchAttribute early = {};
    early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    early.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared;
    config.stream = (cudaStream_t)s.stream;
    config.attrs = &early;
    config.numAttrs = s.dependent;
    if (shared > 48 * 1024)
        cudaFuncSetAttribute(
            kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared);
    cudaLaunchKernelEx(&config, kernel, arguments...);
}

// On a PeCudaStream. The kernel keeps the rule of cuda/dependent.h.
#define PE_LAUNCH_DEPENDENT(kernel, grid, block, shared, stream, ...) \
    pe_launch(kernel, grid, block, shared, stream, __VA_ARGS__)

// The runtime's status for a kernel: not 0 when the device cannot run it.
// *version, an int, is the capability for which its PTX was made, 90 for 9.0.
#define PE_PROBE(kernel, version) \
    ((int)[](int *ptx) { \
        cudaFuncAttributes attributes = {}; \
        cudaError_t status = cudaFuncGetAttributes(&attributes, kernel); \
        *ptx = attributes.ptxVersion; \
        return status; \
    }(version))

// Until all kernels before on the stream have ended; see cuda/dependent.h. PTX
// ISA 9.0, 9.7.13.13.
PE_DEVICE void
pe_grid_dependency_wait(void)
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// The kernel behind may begin when all blocks have called this or ended.
PE_DEVICE void
pe_launch_dependents(void)
{
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

typedef uint32_t PeSharedAddress;

PE_DEVICE PeSharedAddress
pe_shared_address(const void *p)
{
    return (uint32_t)__cvta_generic_to_shared(p);
}

// Copy 16 bytes to shared memory, zeros when !ok; done after
// pe_cp_async_wait(). Turing has no such copy and does it at once.
PE_DEVICE void
pe_cp_async16(PeSharedAddress dst, const void *src, bool ok)
{
#if __CUDA_ARCH__ >= 800
    int n = ok ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(dst),
                 "l"(src), "r"(n)
                 : "memory");
#else
    uint4 v = make_uint4(0, 0, 0, 0);
    if (ok)
        v = *(const uint4 *)src;
    asm volatile("st.shared.v4.u32 [%0], {%1, %2, %3, %4};" ::"r"(dst),
                 "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w)
                 : "memory");
#endif
}

PE_DEVICE void
pe_cp_async_commit(void)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Until at most N groups of this thread are under way.
template <int N>
PE_DEVICE void
pe_cp_async_wait(void)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}

// Four 8x8 matrices of 16-bit elements; lane l gives the address of row l % 8
// of matrix l / 8. Source: PTX ISA, ldmatrix.
template <bool TRANSPOSE>
PE_DEVICE void
pe_ldmatrix_x4(uint32_t (&r)[4], PeSharedAddress a)
{
    if constexpr (TRANSPOSE)
        asm volatile(
            "ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3},[%4];"
            : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
            : "r"(a)
            : "memory");
    else
        asm volatile(
            "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3},[%4];"
            : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
            : "r"(a)
            : "memory");
}

// 2^x
PE_DEVICE float
pe_exp2(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

// c + the sum of the products of four unsigned bytes each
PE_DEVICE uint32_t
pe_dot4(uint32_t a, uint32_t b, uint32_t c)
{
    return __dp4a(a, b, c);
}

// Four numbers as bytes, the first lowest; what lies outside of 0..255 is cut
// off there.
PE_DEVICE uint32_t
pe_pack_bytes(int a, int b, int c, int d)
{
    uint32_t high, all;
    asm("cvt.pack.sat.u8.s32.b32 %0, %1, %2, 0;" : "=r"(high) : "r"(d), "r"(c));
    asm("cvt.pack.sat.u8.s32.b32 %0, %1, %2, %3;"
        : "=r"(all)
        : "r"(b), "r"(a), "r"(high));
    return all;
}

PE_DEVICE float
pe_shuffle_xor(float v, int mask)
{
    return __shfl_xor_sync(~0u, v, mask);
}

// 16-bit activations: the storage type and its arithmetic.
struct PeBf16 {
    uint16_t bits;
};
struct PeHalf {
    uint16_t bits;
};

PE_DEVICE float
pe_to_float(PeBf16 v)
{
    return __uint_as_float((uint32_t)v.bits << 16);
}

PE_DEVICE float
pe_to_float(PeHalf v)
{
    return __half2float(__ushort_as_half(v.bits));
}

PE_DEVICE uint16_t
pe_bits(PeBf16, float v)
{
    return __bfloat16_as_ushort(__float2bfloat16_rn(v));
}

PE_DEVICE uint16_t
pe_bits(PeHalf, float v)
{
    return __half_as_ushort(__float2half_rn(v));
}

// An 8-bit float, E4M3; pe_e4m3_from_f32() is the definition.
struct PeE4m3 {
    uint8_t bits;
};

#if __CUDA_ARCH__ < 890
PE_DEVICE uint32_t
pe_round_e4m3(float v)
{
    const uint32_t u = __float_as_uint(v), a = u & 0x7fffffffu;
    uint32_t b = ((a + 0x7ffffu + (a >> 20 & 1)) >> 20) - 960;
    if (a < 0x3c800000u)
        b = __float_as_uint(fabsf(v) + 16384.0f) & 0xf;
    if (a >= 0x43e00000u)
        b = 0x7e;
    return a > 0x7f800000u ? 0x7f : (u >> 24 & 0x80) | b;
}
#endif

// Two neighbours as E4M3 in the low half, the first in the lowest byte.
PE_DEVICE uint32_t
pe_pack_e4m3(float a, float b)
{
#if __CUDA_ARCH__ >= 890
    uint16_t v;
    asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(v) : "f"(b), "f"(a));
    return v;
#else
    // Fewer devices have an instruction, and none of these a use for the type;
    // but code for 8.0 is what the driver makes code for later ones of.
    return pe_round_e4m3(a) | pe_round_e4m3(b) << 8;
#endif
}

// c += a b of one 16x8 tile, k = 16, f32 sums. Fragments as PTX defines them
// for mma.m16n8k16; Turing does it as two steps of k = 8 and has no bf16.
PE_DEVICE void
pe_mma_16816(PeBf16, float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
             uint32_t b1)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0),
                   "r"(b1));
#else
    __trap(); // never started there: the backend picks f16
#endif
}

PE_DEVICE void
pe_mma_16816(PeHalf, float (&c)[4], const uint32_t (&a)[4], uint32_t b0,
             uint32_t b1)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0),
                   "r"(b1));
#else
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
                 "{%0,%1,%2,%3},{%4,%5},{%6},{%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(b0));
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
                 "{%0,%1,%2,%3},{%4,%5},{%6},{%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[2]), "r"(a[3]), "r"(b1));
#endif
}

#endif // !PE_CUDA_HOST

// ---- The same on both sides -------------------------------------------------

PE_DEVICE float
pe_to_float(float v)
{
    return v;
}

// Store an activation of type T.
PE_DEVICE void
pe_store(float *p, float v)
{
    *p = v;
}

template <typename T>
PE_DEVICE void
pe_store(T *p, float v)
{
    p->bits = pe_bits(T(), v);
}

PE_DEVICE void
pe_store4(float *p, float a, float b, float c, float d)
{
    *(float4 *)p = make_float4(a, b, c, d);
}

// Two neighbours in one 32-bit word, the first in the low half.
template <typename T>
PE_DEVICE uint32_t
pe_pack(float a, float b)
{
    return (uint32_t)pe_bits(T(), a) | (uint32_t)pe_bits(T(), b) << 16;
}

template <typename T>
PE_DEVICE void
pe_store4(T *p, float a, float b, float c, float d)
{
    *(uint2 *)p = make_uint2(pe_pack<T>(a, b), pe_pack<T>(c, d));
}

template <typename T>
PE_DEVICE float
pe_low(uint32_t v)
{
    T t;
    t.bits = (uint16_t)v;
    return pe_to_float(t);
}

template <typename T>
PE_DEVICE float
pe_high(uint32_t v)
{
    T t;
    t.bits = (uint16_t)(v >> 16);
    return pe_to_float(t);
}

// Two neighbours, `p` aligned to both.
template <typename T>
PE_DEVICE void
pe_load2(const T *p, float *a, float *b)
{
    uint32_t v = *(const uint32_t *)p;
    *a = pe_low<T>(v);
    *b = pe_high<T>(v);
}

PE_DEVICE void
pe_load2(const float *p, float *a, float *b)
{
    *a = p[0];
    *b = p[1];
}

// Four neighbours, `p` aligned to all.
template <typename T>
PE_DEVICE void
pe_load4(const T *p, float (&v)[4])
{
    uint2 w = *(const uint2 *)p;
    v[0] = pe_low<T>(w.x);
    v[1] = pe_high<T>(w.x);
    v[2] = pe_low<T>(w.y);
    v[3] = pe_high<T>(w.y);
}

PE_DEVICE void
pe_load4(const float *p, float (&v)[4])
{
    float4 w = *(const float4 *)p;
    v[0] = w.x, v[1] = w.y, v[2] = w.z, v[3] = w.w;
}

// Eight neighbours, `p` aligned to 16 bytes.
template <typename T>
PE_DEVICE void
pe_load8(const T *p, float (&v)[8])
{
    uint4 w = *(const uint4 *)p;
    v[0] = pe_low<T>(w.x), v[1] = pe_high<T>(w.x);
    v[2] = pe_low<T>(w.y), v[3] = pe_high<T>(w.y);
    v[4] = pe_low<T>(w.z), v[5] = pe_high<T>(w.z);
    v[6] = pe_low<T>(w.w), v[7] = pe_high<T>(w.w);
}

PE_DEVICE void
pe_load8(const float *p, float (&v)[8])
{
    float4 a = *(const float4 *)p, b = *(const float4 *)(p + 4);
    v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
    v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
}

template <typename T>
PE_DEVICE void
pe_store8(T *p, const float (&v)[8])
{
    *(uint4 *)p = make_uint4(pe_pack<T>(v[0], v[1]), pe_pack<T>(v[2], v[3]),
                             pe_pack<T>(v[4], v[5]), pe_pack<T>(v[6], v[7]));
}

PE_DEVICE void
pe_store8(float *p, const float (&v)[8])
{
    *(float4 *)p = make_float4(v[0], v[1], v[2], v[3]);
    *(float4 *)(p + 4) = make_float4(v[4], v[5], v[6], v[7]);
}

// Two pairs of channels turned by two angles, (cos, sin) each; see pe_rope_c.
// Products and sums are put together by hand, so that all who turn round alike:
// the compiler does it in one way here and in another there.
PE_DEVICE void
pe_turn2(float *v, float4 cs)
{
    float a = v[0], b = v[1], c = v[2], d = v[3];
    v[0] = fmaf(a, cs.x, -(b * cs.y));
    v[1] = fmaf(b, cs.x, a * cs.y);
    v[2] = fmaf(c, cs.z, -(d * cs.w));
    v[3] = fmaf(d, cs.z, c * cs.w);
}

template <typename T>
PE_DEVICE void
pe_store2(T *p, float a, float b)
{
    *(uint32_t *)p = pe_pack<T>(a, b);
}

PE_DEVICE void
pe_store2(float *p, float a, float b)
{
    p[0] = a;
    p[1] = b;
}

PE_DEVICE float
pe_warp_sum(float v)
{
    for (int mask = 16; mask > 0; mask >>= 1)
        v += pe_shuffle_xor(v, mask);
    return v;
}

PE_DEVICE float
pe_warp_max(float v)
{
    for (int mask = 16; mask > 0; mask >>= 1)
        v = fmaxf(v, pe_shuffle_xor(v, mask));
    return v;
}

PE_DEVICE void
pe_store(PeE4m3 *p, float v)
{
    p->bits = (uint8_t)pe_pack_e4m3(v, 0);
}

PE_DEVICE void
pe_store2(PeE4m3 *p, float a, float b)
{
    *(uint16_t *)p = (uint16_t)pe_pack_e4m3(a, b);
}

PE_DEVICE void
pe_store4(PeE4m3 *p, float a, float b, float c, float d)
{
    *(uint32_t *)p = pe_pack_e4m3(a, b) | pe_pack_e4m3(c, d) << 16;
}

// Run a statement with T standing for the C++ type of a PeDtype.
#define PE_FOR_TYPE(dtype, T, ...) \
    switch (dtype) { \
    case PE_DTYPE_BF16: { \
        typedef PeBf16 T; \
        __VA_ARGS__; \
        break; \
    } \
    case PE_DTYPE_F16: { \
        typedef PeHalf T; \
        __VA_ARGS__; \
        break; \
    } \
    default: { \
        typedef float T; \
        __VA_ARGS__; \
        break; \
    } \
    }
