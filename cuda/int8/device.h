// SPDX-License-Identifier: LGPL-2.1-or-later
//
// device.h - products of bytes, beside what cuda/device.h has.

#pragma once

#include "cuda/device.h"

#ifndef PE_CUDA_HOST

// c += a b of one 16x8 tile of signed bytes, k = 32, sums of 32 bits that wrap.
// Fragments as PTX defines them for mma.m16n8k32; Turing does it as four steps
// of 8x8 and k = 16, whose fragments are parts of these. Source: PTX ISA 9.0,
// 9.7.14.5, "Matrix multiply-accumulate operation using mma instruction".
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
    asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 "
                 "{%0,%1},{%2},{%3},{%0,%1};"
                 : "+r"(c[0]), "+r"(c[1])
                 : "r"(a[0]), "r"(b0));
    asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 "
                 "{%0,%1},{%2},{%3},{%0,%1};"
                 : "+r"(c[2]), "+r"(c[3])
                 : "r"(a[1]), "r"(b0));
    asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 "
                 "{%0,%1},{%2},{%3},{%0,%1};"
                 : "+r"(c[0]), "+r"(c[1])
                 : "r"(a[2]), "r"(b1));
    asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 "
                 "{%0,%1},{%2},{%3},{%0,%1};"
                 : "+r"(c[2]), "+r"(c[3])
                 : "r"(a[3]), "r"(b1));
#endif
}

#endif // !PE_CUDA_HOST
