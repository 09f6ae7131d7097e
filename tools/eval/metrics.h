// SPDX-License-Identifier: LGPL-2.1-or-later
//
// metrics.h - how good scores are, as numbers: ranks, AUROC, calibration.
// Pure functions over arrays; knows no model and no file.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- Ranks ----------------------------------------------------------------

// How many of the others come before `own`: those with a greater score, and
// those with an equal one that stand before it. The answer is among the first k
// when this is less than k; so ties are decided by the order alone, and the
// first of equal scores is the prediction.
//   scores  [n]
// Source: top-k accuracy and recall@k of CLIP_benchmark's
// metrics/zeroshot_classification.py and metrics/zeroshot_retrieval.py, which
// leave ties to torch.topk.
size_t metrics_rank(const double *scores, size_t n, size_t own);

// The rank of the best of scores[begin] to scores[end - 1], end > begin: of
// several right answers, any counts.
size_t metrics_rank_of_best(const double *scores, size_t n, size_t begin,
                            size_t end);

// The index of the greatest score, the first of equal ones. n > 0.
size_t metrics_argmax(const double *scores, size_t n);

// ---- Probabilities --------------------------------------------------------

// softmax(scale * scores), in place.
//   scores  [n], n > 0
void metrics_softmax(double *scores, size_t n, double scale);

// ---- AUROC ----------------------------------------------------------------

// The area under the curve of true over false positives: the part of all pairs
// of a positive and a negative in which the positive has the greater score, a
// tie counting half, which is what mid-ranks give.
// Source: Hanley and McNeil 1982, section III; T. Fawcett 2006, section 7.
typedef struct {
    const double *positives; // [n_positives], ascending; borrowed
    size_t n_positives, n_negatives;
    uint64_t twice_won; // pairs that the positive wins, ties once
} Auroc;

// Sorts `positives`, which stay the caller's and must outlive *auroc.
void auroc_start(Auroc *auroc, double *positives, size_t n_positives);
void auroc_add_negative(Auroc *auroc, double score);
// NaN without a positive or without a negative.
double auroc_value(const Auroc *auroc);

// ---- Calibration ----------------------------------------------------------

#define CALIBRATION_BINS 15

// Predictions in bins of equal width by their confidence: (0, 1/15], (1/15,
// 2/15] and so on; 0 is in the first.
typedef struct {
    size_t n[CALIBRATION_BINS];
    size_t n_right[CALIBRATION_BINS];
    double confidence[CALIBRATION_BINS]; // their sum
} Calibration;

void calibration_add(Calibration *calibration, double confidence, bool right);
// The expected calibration error: over the bins, the mean of |share of right
// ones - mean confidence| weighted by how many are in the bin. NaN when empty.
// Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", eq. 3.
double calibration_error(const Calibration *calibration);
