// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fit.h - a line through evidence, so that its logistic function is how often a
// label is there. Pure functions over arrays; knows no label and no file.

#pragma once

#include <stdbool.h>
#include <stddef.h>

// Examples with known answers; both kinds are there.
typedef struct {
    const double *evidence; // [n], log-odds
    const bool *positive;   // [n]
    size_t n;
} Examples;

// What evidence becomes: slope * evidence + offset.
typedef struct {
    double slope, offset;
} Line;

// The line with the least
//
//   sum_i w_i log(1 + exp(-y_i (slope x_i + offset)))
//       + offset^2 / 200 + (slope - 1)^2 / 20,     y_i = 1 or -1
//
// which is logistic regression with a ridge towards the line that changes
// nothing: 10 log-odds, or a slope that differs by 3.2, are one standard
// deviation away. The weights w_i make both kinds count half, however many
// examples each has: who collects examples does not collect them as often as
// they happen.
// Source: le Cessie and van Houwelingen 1992, "Ridge Estimators in Logistic
// Regression"; Newton's method with halved steps.
Line fit_line(const Examples *examples);

// How a fit is made of a line.
typedef struct {
    bool with_slope; // the line itself; else its shift
    double trust;    // the part of the shift that counts, up to 1
} FitWay;

// With a slope: the line as it is. Without: its shift is trusted by
//
//   m / (m + 4),     1/m = 1/positives + 1/negatives
//
// as if 4 examples of each kind had shown before that nothing need change. It
// is a half for 5 positives and 20 negatives.
// Source: the mean of a normal distribution after m observations, with a prior
// that is worth 4 (Gelman et al., "Bayesian Data Analysis", section 2.5); the
// 4 was chosen by what labels lost (MODEL.md).
FitWay fit_way(const Examples *examples, bool with_slope);

// The same with half of the rest of the way; see fit_goes_further().
FitWay fit_way_further(FitWay way);

// The line of slope 1 that crosses 0 where this one does, or as far towards
// there as the shift is trusted. A slope that was fitted and is then left out
// keeps one example that is far off from pulling the offset: with a slope of 1
// from the start, errors after 5 + 20 examples were up to three times as many.
Line fit_shift(Line line, double trust);

// The line of a fit to all examples but one. There are two or more of each
// kind.
//   without  number of the example that does not count
Line fit_without(const Examples *examples, size_t without, FitWay way);

// What each example gets from the line that was fitted to the others.
//   out  [n]
void fit_leave_one_out(const Examples *examples, FitWay way, double *out);

// How good evidence is. Both kinds count half in log_loss, error and ece.
typedef struct {
    double auroc;
    double log_loss;       // mean of -log(probability of what is true)
    double error;          // mean probability of what is not
    double ece;            // of the probability that the label is there
    size_t n_found;        // positives whose score passes the threshold
    size_t n_false_alarms; // and negatives
} FitQuality;

//   threshold  of the score, in (0, 1)
FitQuality fit_measure(const Examples *examples, double threshold);

// What a fit is judged by: its expected error, in which an example that is far
// off counts no more than one that is just wrong; with a slope its log loss,
// because the steepest line has the least expected error.
double fit_get_loss(const FitQuality *quality, FitWay way);

// By how much the loss is less, both kinds counting half, and the standard
// error of that, from how far the examples' gains differ.
typedef struct {
    double gain, standard_error;
} FitGain;

//   after  [n], evidence of the same examples
FitGain fit_compare(const Examples *examples, const double *after, FitWay way);

// Is it better beyond what chance does? A gain within its standard error is
// none.
bool fit_is_better(FitGain gain);

// Is what fit_way_further() gains worth the step, from what fit_way() gave? It
// must also be a hundredth or more: where hardly an example is wrong, every
// step makes all of them a little surer, and only fresh ones would show what it
// costs.
bool fit_goes_further(FitGain step);
