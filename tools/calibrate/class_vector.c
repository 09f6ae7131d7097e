// SPDX-License-Identifier: LGPL-2.1-or-later
//
// class_vector.c - see class_vector.h.

#include "class_vector.h"

#include <glib.h>
#include <math.h>
#include <string.h>

static double
dot(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

static void
normalize(float *x, size_t n)
{
    double length = fmax(sqrt(dot(x, x, n)), 1e-12);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(x[i] / length);
}

void
class_vector_mean(const ClassExamples *e, size_t without, float *mean)
{
    memset(mean, 0, e->dim * sizeof *mean);
    for (size_t i = 0; i < e->examples.n; i++) {
        if (!e->examples.positive[i] || i == without)
            continue;
        for (size_t k = 0; k < e->dim; k++)
            mean[k] += e->vectors[i * e->dim + k];
    }
    normalize(mean, e->dim);
}

void
class_vector_weigh(const ClassExamples *e, const float *mean, double share,
                   double *out)
{
    g_autofree float *moved = g_new(float, e->dim);
    for (size_t k = 0; k < e->dim; k++)
        moved[k] = (float)((1 - share) * (double)e->label[k] +
                           share * (double)mean[k]);
    normalize(moved, e->dim);
    for (size_t i = 0; i < e->examples.n; i++) {
        const float *x = e->vectors + i * e->dim;
        out[i] = e->examples.evidence[i] +
                 e->scale * (dot(moved, x, e->dim) - dot(e->label, x, e->dim));
    }
}

void
class_vector_leave_one_out(const ClassExamples *e, double share, FitWay way,
                           double *out)
{
    size_t n = e->examples.n;
    g_autofree double *evidence = g_new(double, n);
    g_autofree float *mean = g_new(float, e->dim);
    for (size_t i = 0; i < n; i++) {
        class_vector_mean(e, i, mean);
        class_vector_weigh(e, mean, share, evidence);
        Examples moved = {evidence, e->examples.positive, n};
        Line line = fit_without(&moved, i, way);
        class_vector_weigh(e, mean, way.trust * share, evidence);
        out[i] = line.slope * evidence[i] + line.offset;
    }
}

double
class_vector_choose(const ClassExamples *e, FitWay way)
{
    g_autofree double *out = g_new(double, e->examples.n);
    double best = INFINITY, share = 0;
    for (int i = 0; i <= CLASS_VECTOR_STEPS; i++) {
        class_vector_leave_one_out(e, i * CLASS_VECTOR_STEP, way, out);
        Examples left_out = {out, e->examples.positive, e->examples.n};
        FitQuality quality = fit_measure(&left_out, .5);
        double loss = fit_get_loss(&quality, way);
        if (loss >= best)
            continue;
        best = loss;
        share = i * CLASS_VECTOR_STEP;
    }
    return share;
}
