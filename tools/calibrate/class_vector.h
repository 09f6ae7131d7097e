// SPDX-License-Identifier: LGPL-2.1-or-later
//
// class_vector.h - the vector of a label, moved a little towards examples of
// it. Pure functions over arrays; knows no label and no file.

#pragma once

#include "tools/calibrate/fit.h"

#define CLASS_VECTOR_STEP .05
#define CLASS_VECTOR_STEPS 5 // up to a share of a quarter, as far as trusted

typedef struct {
    Examples examples;    // their evidence is that of the label's own vector
    const float *vectors; // [n, dim], unit, of the examples
    const float *label;   // [dim], unit
    size_t dim;
    double scale; // of evidence over cosine: logit scale times slope
} ClassExamples;

// The mean of the positives' vectors, made unit.
//   without  example that does not count; n: all do
//   mean     [dim]
void class_vector_mean(const ClassExamples *e, size_t without, float *mean);

// The evidence with the vector norm((1 - share) label + share mean), which is
// what the library makes of "vector" and "image-weight". Only the label's own
// cosine changes; what it is compared with stays.
//   out  [n]
void class_vector_weigh(const ClassExamples *e, const float *mean, double share,
                        double *out);

// As fit_leave_one_out(), but the mean leaves the example out as well. The line
// is fitted to the evidence of the vector with this share, and is what the
// vector with way.trust * share gets: both go one part of the way.
void class_vector_leave_one_out(const ClassExamples *e, double share,
                                FitWay way, double *out);

// The share among 0, 0.05, ... 0.25 with the least loss by leave-one-out; the
// lower of equal ones.
double class_vector_choose(const ClassExamples *e, FitWay way);
