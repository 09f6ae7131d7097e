// SPDX-License-Identifier: LGPL-2.1-or-later
//
// device.h - products of bytes, beside what cuda/device.h has.

#pragma once

#include "cuda/device.h"

#ifndef PE_CUDA_HOST

// Turing's part of what follows: 8x8, k = 16.
PE_DEVICE void
pe_mma_8816(int32_t &c0, int32_t &c1, uint32_t a, uint32_t b)
{
    asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 "
                 "{%0,%1},{%2},{%3},{%0,%1};"
                 : "+r"(c0), "+r"(c1)
                 : "r"(a), "r"(b));
}

// c += a b of one 16x8 tile of signed bytes, k = 32, sums of 32 bits that wrap.
// Fragments as PTX defines them for mma.m16n8k32, of which those of Turing's
// product are parts. Source: PTX ISA 9.0, 9.7.14.5, "Matrix multiply-accumulate
// operation using mma instruction".
PE_DEVICE void
pe_mma_16832(int32_t (&c)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1)
{
#if __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
                 "{%0,%1,%2,%3},{%4,%5,%6,%7},{%8,%9},{%0,%1,%2,%3};"
                 : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0),
                   "r"(b1));
#else
    pe_mma_8816(c[0], c[1], a[0], b0);
    pe_mma_8816(c[2], c[3], a[1], b0);
    pe_mma_8816(c[0], c[1], a[2], b1);
    pe_mma_8816(c[2], c[3], a[3], b1);
#endif
}

#endif // !PE_CUDA_HOST
