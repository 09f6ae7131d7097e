// SPDX-License-Identifier: LGPL-2.1-or-later
//
// dots.c - the plain definition of dots.h, and which variant this machine runs.

#include "dots.h"

#include <glib.h>
#include <math.h>
#include <string.h>

#include "tensor.h"

#ifdef PE_HAVE_X86
#include <cpuid.h>
#endif

// Of finite values: the exponent is moved to where f32 has it, and its bias
// corrected by a product that is exact.
static inline float
half_to_float(uint16_t h)
{
    uint32_t bits = (uint32_t)(h & 0x7fff) << 13;
    float magnitude;
    memcpy(&magnitude, &bits, sizeof magnitude);
    magnitude *= 0x1p112f;
    return h & 0x8000 ? -magnitude : magnitude;
}

static double
dot_exact_c(const uint16_t *row, const float *query, int dim)
{
    enum { LANES = 8 }; // independent sums, for the compiler's vectors
    double sums[LANES] = {0}, sum = 0;
    bool finite = true;
    for (int i = 0; i < dim; i++)
        finite &= (row[i] & 0x7c00) != 0x7c00;
    if (!finite)
        return NAN;
    int i = 0;
    for (; i + LANES <= dim; i += LANES) {
        for (int k = 0; k < LANES; k++)
            sums[k] += (double)half_to_float(row[i + k]) * (double)query[i + k];
    }
    for (; i < dim; i++)
        sum += (double)half_to_float(row[i]) * (double)query[i];
    for (int k = 0; k < LANES; k++)
        sum += sums[k];
    return sum;
}

static void
dots_c(const uint16_t *const *rows, int n_rows, int n_ahead,
       const float *queries, int n_queries, int dim, float *out)
{
    (void)n_ahead;
    for (int q = 0; q < n_queries; q++) {
        for (int r = 0; r < n_rows; r++)
            out[q * PE_DOTS_ROWS + r] = (float)dot_exact_c(
                rows[r], queries + (size_t)q * (size_t)dim, dim);
    }
}

static size_t
to_floats_c(const uint16_t *halves, size_t n, float *floats)
{
    for (size_t i = 0; i < n; i++)
        floats[i] = pe_f16_to_f32(halves[i]);
    return n;
}

static void
multiply_panel_c(const float *a, size_t a_row, int m, const float *panel, int k,
                 float *out)
{
    for (int r = 0; r < m; r++, a += a_row, out += PE_PANEL) {
        memset(out, 0, PE_PANEL * sizeof *out);
        for (int j = 0; j < k; j++) {
            for (int c = 0; c < PE_PANEL; c++)
                out[c] += a[j] * panel[j * PE_PANEL + c];
        }
    }
}

const PeDotsLoops pe_dots_loops_c = {dots_c, dot_exact_c, to_floats_c,
                                     multiply_panel_c};

#ifdef PE_HAVE_X86
// clang 14 has no name for it. A virtual machine's processor takes microseconds
// to answer, and is asked once.
static bool
has_f16c(void)
{
    static gsize answer; // 1: no, 2: yes
    if (g_once_init_enter(&answer)) {
        unsigned a, b, c, d;
        bool has = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
        g_once_init_leave(&answer, has ? 2 : 1);
    }
    return answer == 2;
}
#endif

const PeDotsLoops *
pe_dots_loops(PeDots variant)
{
    switch (variant) {
    case PE_DOTS_C:
        return &pe_dots_loops_c;
#ifdef PE_HAVE_X86
    case PE_DOTS_AVX2:
        return __builtin_cpu_supports("avx2") &&
                       __builtin_cpu_supports("fma") && has_f16c()
                   ? &pe_dots_loops_avx2
                   : NULL;
    case PE_DOTS_AVX512:
        return __builtin_cpu_supports("avx512f") && has_f16c()
                   ? &pe_dots_loops_avx512
                   : NULL;
#endif
    default:
        return NULL;
    }
}

PeDots
pe_dots_best(void)
{
    for (int i = PE_DOTS_N - 1; i > PE_DOTS_C; i--) {
        if (pe_dots_loops((PeDots)i))
            return (PeDots)i;
    }
    return PE_DOTS_C;
}
