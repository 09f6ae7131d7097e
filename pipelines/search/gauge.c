// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gauge.c - see gauge.h. MODEL.md has the formula and how it was chosen.

#include "gauge.h"

#include <math.h>
#include <string.h>

#define SAME_TEXT 0.9f // cosine of two texts that mean the same
// How odds and sigmas go together: by so much the logarithm of the odds counts
// as one sigma; odds of e^EVEN leave the score as it is, and more than e^MOST
// are no better.
#define PER_SIGMA 2.0
#define EVEN (-1.0)
#define MOST 2.0

// Four sums, so that one does not wait for the other.
static float
multiply(const float *a, const float *b, int n)
{
    float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    for (int i = 0; i < n; i += 4) { // rows are padded to 32
        s0 += a[i] * b[i];
        s1 += a[i + 1] * b[i + 1];
        s2 += a[i + 2] * b[i + 2];
        s3 += a[i + 3] * b[i + 3];
    }
    return (s0 + s1) + (s2 + s3);
}

static bool
is_asked_for(const float *text, const Query *query, int row_dim)
{
    for (guint i = 0; i < query->parts->len; i++) {
        if (multiply(text, query->vectors + (size_t)i * (size_t)row_dim,
                     row_dim) >= SAME_TEXT)
            return true;
    }
    return false;
}

void
gauge_init_text(Gauge *gauge, const Null *null, const float *texts,
                const Query *query, int row_dim, double scale)
{
    size_t dim = (size_t)row_dim;
    *gauge = (Gauge){.null = *null,
                     .rivals = g_new(float, NULL_N_RIVALS *dim),
                     .scale = scale};
    for (size_t i = 0; i < NULL_N_RIVALS; i++) {
        const float *text = texts + i * dim;
        if (!is_asked_for(text, query, row_dim))
            memcpy(gauge->rivals + (size_t)gauge->n_rivals++ * dim, text,
                   dim * sizeof *text);
    }
}

void
gauge_init_picture(Gauge *gauge, const Null *null)
{
    *gauge = (Gauge){.null = *null};
}

void
gauge_clear(Gauge *gauge)
{
    g_clear_pointer(&gauge->rivals, g_free);
    gauge->n_rivals = 0;
}

static double
find_odds(const Gauge *gauge, float cosine, const float *frame, int row_dim)
{
    double cosines[NULL_N_RIVALS], most = -INFINITY, sum = 0;
    for (int i = 0; i < gauge->n_rivals; i++) {
        cosines[i] = (double)multiply(
            gauge->rivals + (size_t)i * (size_t)row_dim, frame, row_dim);
        most = MAX(most, cosines[i]);
    }
    for (int i = 0; i < gauge->n_rivals; i++)
        sum += exp(gauge->scale * (cosines[i] - most));
    return gauge->scale * ((double)cosine - most) - log(sum);
}

Measure
gauge_measure(const Gauge *gauge, const float *query, const float *frame,
              int row_dim)
{
    Measure m = {.cosine = multiply(query, frame, row_dim), .odds = NAN};
    m.sigmas = ((double)m.cosine - gauge->null.middle) / gauge->null.spread;
    m.score = m.sigmas;
    if (gauge->n_rivals == 0 ||
        m.sigmas + (MOST - EVEN) / PER_SIGMA < GAUGE_LIMIT)
        return m;
    m.odds = find_odds(gauge, m.cosine, frame, row_dim);
    m.score += (MIN(m.odds, MOST) - EVEN) / PER_SIGMA;
    return m;
}
