// SPDX-License-Identifier: LGPL-2.1-or-later
//
// classify.h - zero-shot classification from vectors: predictions, and how good
// they are. Knows neither engine nor files.

#pragma once

#include "tools/eval/dataset.h"
#include "tools/eval/metrics.h"

typedef struct {
    size_t n, n_right;
    double auroc; // of this class against the rest; NaN: one side is empty
} ClassResult;

// What is not defined is NaN.
typedef struct {
    size_t n_classes;
    size_t n_items;    // that were evaluated
    double top1, top5; // top-5 from 5 classes on
    double mean_per_class_recall;
    double auroc_macro, auroc_micro;
    double ece;
    Calibration calibration;
    ClassResult *classes; // [n_classes]
    guint *confusion;     // [n_classes, n_classes]: true, predicted
} Classification;

// The vectors of the classes: the mean of a class's unit text vectors over the
// templates, then unit.
//   texts  [n_classes, n_templates, dim]
//   out    [n_classes, dim]
// Source: zero_shot_classifier() of the reference's
// apps/pe/clip_benchmark/metrics/zeroshot_classification.py.
void classify_mean_texts(const float *texts, size_t n_classes,
                         size_t n_templates, size_t dim, double *out);

// The class of an item is the one with the greatest cosine; its probability is
// that of a softmax of logit_scale * cosine over all classes. Items with a
// problem do not count.
//   vectors  [dataset->items, dim], unit
//   classes  [dataset->classes, dim], unit
// false with an error when there is not enough memory for all probabilities.
bool classify(const Dataset *dataset, const float *vectors,
              const double *classes, size_t dim, double logit_scale,
              Classification *result, GError **error);
void classification_clear(Classification *result);
