// SPDX-License-Identifier: LGPL-2.1-or-later
//
// metrics.c - see metrics.h.

#include "metrics.h"

#include <math.h>
#include <stdlib.h>

// ---- Ranks ----------------------------------------------------------------

size_t
metrics_rank(const double *scores, size_t n, size_t own)
{
    size_t rank = 0;
    for (size_t i = 0; i < own; i++)
        rank += scores[i] >= scores[own];
    for (size_t i = own + 1; i < n; i++)
        rank += scores[i] > scores[own];
    return rank;
}

size_t
metrics_rank_of_best(const double *scores, size_t n, size_t begin, size_t end)
{
    return metrics_rank(scores, n,
                        begin + metrics_argmax(scores + begin, end - begin));
}

size_t
metrics_argmax(const double *scores, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        best = scores[i] > scores[best] ? i : best;
    return best;
}

// ---- Probabilities --------------------------------------------------------

void
metrics_softmax(double *scores, size_t n, double scale)
{
    double max = scores[metrics_argmax(scores, n)];
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        scores[i] = exp(scale * (scores[i] - max));
        sum += scores[i];
    }
    for (size_t i = 0; i < n; i++)
        scores[i] /= sum;
}

// ---- AUROC ----------------------------------------------------------------

static int
compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void
auroc_start(Auroc *auroc, double *positives, size_t n_positives)
{
    if (n_positives > 0)
        qsort(positives, n_positives, sizeof *positives, compare_doubles);
    *auroc = (Auroc){.positives = positives, .n_positives = n_positives};
}

// How many of the positives from `begin` on are below the score, or
// (with_equal) not above it, counted from 0.
static size_t
count_below(const Auroc *auroc, size_t begin, double score, bool with_equal)
{
    size_t end = auroc->n_positives;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        double positive = auroc->positives[middle];
        if (positive < score || (with_equal && positive == score))
            begin = middle + 1;
        else
            end = middle;
    }
    return begin;
}

void
auroc_add_negative(Auroc *auroc, double score)
{
    size_t below = count_below(auroc, 0, score, false);
    size_t up_to = below;
    if (below < auroc->n_positives && auroc->positives[below] == score)
        up_to = count_below(auroc, below, score, true);
    auroc->n_negatives++;
    auroc->twice_won += 2 * auroc->n_positives - below - up_to;
}

double
auroc_value(const Auroc *auroc)
{
    double n_pairs = (double)auroc->n_positives * (double)auroc->n_negatives;
    return n_pairs > 0 ? (double)auroc->twice_won / (2 * n_pairs) : NAN;
}

// ---- Calibration ----------------------------------------------------------

void
calibration_add(Calibration *calibration, double confidence, bool right)
{
    int bin = (int)ceil(confidence * CALIBRATION_BINS) - 1;
    bin = bin < 0 ? 0 : bin;
    bin = bin < CALIBRATION_BINS ? bin : CALIBRATION_BINS - 1;
    calibration->n[bin]++;
    calibration->n_right[bin] += right;
    calibration->confidence[bin] += confidence;
}

double
calibration_error(const Calibration *calibration)
{
    double sum = 0;
    size_t n = 0;
    for (int i = 0; i < CALIBRATION_BINS; i++) {
        sum +=
            fabs((double)calibration->n_right[i] - calibration->confidence[i]);
        n += calibration->n[i];
    }
    return n > 0 ? sum / (double)n : NAN;
}
