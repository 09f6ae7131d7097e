// SPDX-License-Identifier: LGPL-2.1-or-later
//
// peak_simd.c - how fast a core multiplies when nothing has to be fetched: the
// yardstick of all matrix products.

#include "simd.h"

#include <glib.h>

// Sums that are independent of each other: more than the units have in flight.
#define CHAINS 12
#define ROUNDS 20000
#define MICROSECONDS 3000

// Are words of several numbers multiplied as such?
#ifdef __AVX512BF16__
#define HAS_DOT(type) ((type) != PE_DTYPE_F32)
#else
#define HAS_DOT(type) ((type) == PE_DTYPE_I16)
#endif

// Keeps the compiler from seeing through a value, or moving it to memory.
#ifdef __AVX512F__
#define OPAQUE(v) __asm__ volatile("" : "+v"(v))
#else
#define OPAQUE(v) __asm__ volatile("" : "+x"(v))
#endif

// Numbers of common size: zeros draw less power and run at higher clocks.
INLINE void
multiply(PeDtype type, Vec *sums)
{
    bool halves = type != PE_DTYPE_F32;
    VecWord a = halves ? splat_word(0x3f7e3f7e) : (VecWord)splat(0.993f);
    VecWord b = halves ? splat_word(0x3a803b80) : (VecWord)splat(0.0039f);
    Vec s[CHAINS];
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++)
        s[i] = sums[i];
    for (int r = 0; r < ROUNDS; r++) {
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++) {
            if (HAS_DOT(type))
                s[i] = dot(type, s[i], a, b);
            else
                s[i] = (Vec)a * s[i] + (Vec)b;
            OPAQUE(s[i]);
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < CHAINS; i++)
        sums[i] = s[i];
}

// The best of several stretches of about MICROSECONDS, of which another program
// may have had a part. bf16 without instructions for it is multiplied as f32.
double
PE_SIMD(pe_peak)(PeDtype type)
{
    Vec sums[CHAINS];
    for (int i = 0; i < CHAINS; i++)
        sums[i] = splat((float)i / CHAINS);
    double flops = 2.0 * VF * CHAINS * ROUNDS, best = 0;
    flops *= type == PE_DTYPE_U8 ? 4 : HAS_DOT(type) ? 2 : 1;
    for (int i = 0; i < 10; i++) {
        gint64 start = g_get_monotonic_time(), end;
        int n = 0;
        do {
            if (type == PE_DTYPE_BF16)
                multiply(PE_DTYPE_BF16, sums);
            else if (type == PE_DTYPE_I16)
                multiply(PE_DTYPE_I16, sums);
#ifdef __AVX512VNNI__
            else if (type == PE_DTYPE_U8)
                multiply(PE_DTYPE_U8, sums);
#endif
            else
                multiply(PE_DTYPE_F32, sums);
            n++;
            end = g_get_monotonic_time();
        } while (end - start < MICROSECONDS);
        best = MAX(best, flops * n * 1e6 / (double)(end - start));
    }
    for (int i = 0; i < CHAINS; i++)
        OPAQUE(sums[i]);
    return best;
}
