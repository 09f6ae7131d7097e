// SPDX-License-Identifier: LGPL-2.1-or-later
//
// pe.c - the small things of pe.h that belong to no object.

#include "core/pe.h"

#include <math.h>
#include <stdlib.h>

// GLib's macro keeps it in a variable that every thread writes.
GQuark
pe_error_quark(void)
{
    return g_quark_from_static_string("pe-error-quark");
}

const char *
pe_get_version(void)
{
    return PE_VERSION;
}

static const char *const precision_nicks[] = {
    [PE_PRECISION_AUTO] = "auto", [PE_PRECISION_FP32] = "fp32",
    [PE_PRECISION_BF16] = "bf16", [PE_PRECISION_FP16] = "fp16",
    [PE_PRECISION_INT8] = "int8", [PE_PRECISION_FP8] = "fp8",
};

bool
pe_precision_parse(const char *nick, PePrecision *precision)
{
    for (size_t i = 0; i < G_N_ELEMENTS(precision_nicks); i++) {
        if (g_strcmp0(nick, precision_nicks[i]) == 0) {
            *precision = (PePrecision)i;
            return true;
        }
    }
    return false;
}

const char *
pe_precision_nick(PePrecision precision)
{
    g_return_val_if_fail((size_t)precision < G_N_ELEMENTS(precision_nicks), "");
    return precision_nicks[precision];
}

static int
compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;
    return (x > y) - (x < y);
}

double
pe_percentile(float *values, size_t n, double p)
{
    g_return_val_if_fail(p > 0 && p <= 1, 0);
    if (n == 0)
        return 0;
    qsort(values, n, sizeof *values, compare_floats);
    // 0.95 * 20 is a little more than 19 in binary.
    double rank = ceil(p * (double)n * (1 - 1e-12));
    return (double)values[MIN((size_t)rank, n) - 1];
}

double
pe_embedding_normalize(float *x, int dim)
{
    double sum = 0;
    for (int i = 0; i < dim; i++)
        sum += (double)x[i] * x[i];
    double norm = sqrt(sum);
    float scale = (float)(1.0 / (norm > 1e-12 ? norm : 1e-12));
    for (int i = 0; i < dim; i++)
        x[i] *= scale;
    return norm;
}

double
pe_embedding_mean(const float *const *embeddings, int n, int dim, float *out)
{
    for (int i = 0; i < dim; i++) {
        double sum = 0;
        for (int j = 0; j < n; j++)
            sum += embeddings[j][i];
        out[i] = (float)(sum / n);
    }
    return pe_embedding_normalize(out, dim);
}
