// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fit.c - see fit.h.

#include "fit.h"

#include <glib.h>
#include <math.h>

#include "tools/eval/metrics.h"

#define RIDGE_OFFSET .01
#define RIDGE_SLOPE .1
#define MIN_SLOPE .05 // of a line that is shifted
#define MIN_STEP_GAIN .01
#define PRIOR_EXAMPLES 4 // of each kind, that nothing need change

static size_t
count_positives(const Examples *e)
{
    size_t n = 0;
    for (size_t i = 0; i < e->n; i++)
        n += e->positive[i];
    return n;
}

// The weight of an example, of which all together have n.
static double
get_weight(const Examples *e, size_t n_positives, bool positive)
{
    size_t n_kind = positive ? n_positives : e->n - n_positives;
    return (double)e->n / (2 * (double)n_kind);
}

// Overflows to 0 where it should be 0; the programs see no other header of the
// library than core/pe.h, which has none of it.
static double
logistic(double x)
{
    return 1 / (1 + exp(-x));
}

// -log(logistic(x)), which does not overflow.
static double
log_loss(double x)
{
    return x > 0 ? log1p(exp(-x)) : log1p(exp(x)) - x;
}

// ---- Fit ------------------------------------------------------------------

static double
get_cost(const Examples *e, size_t n_positives, Line line)
{
    double cost = RIDGE_OFFSET / 2 * line.offset * line.offset +
                  RIDGE_SLOPE / 2 * (line.slope - 1) * (line.slope - 1);
    for (size_t i = 0; i < e->n; i++) {
        double x = line.slope * e->evidence[i] + line.offset;
        cost += get_weight(e, n_positives, e->positive[i]) *
                log_loss(e->positive[i] ? x : -x);
    }
    return cost;
}

// Newton's step: the inverse of the Hessian times the gradient.
static Line
get_step(const Examples *e, size_t n_positives, Line line)
{
    double g_offset = RIDGE_OFFSET * line.offset;
    double g_slope = RIDGE_SLOPE * (line.slope - 1);
    double h_offset = RIDGE_OFFSET, h_slope = RIDGE_SLOPE, h_both = 0;
    for (size_t i = 0; i < e->n; i++) {
        double x = e->evidence[i];
        double p = logistic(line.slope * x + line.offset);
        double w = get_weight(e, n_positives, e->positive[i]);
        double slack = w * (p - (e->positive[i] ? 1 : 0));
        double curve = w * p * (1 - p);
        g_offset += slack;
        g_slope += slack * x;
        h_offset += curve;
        h_slope += curve * x * x;
        h_both += curve * x;
    }
    double determinant = h_offset * h_slope - h_both * h_both;
    return (Line){(h_offset * g_slope - h_both * g_offset) / determinant,
                  (h_slope * g_offset - h_both * g_slope) / determinant};
}

Line
fit_line(const Examples *examples)
{
    enum { MAX_STEPS = 200, MAX_HALVES = 40 };
    size_t n_positives = count_positives(examples);
    Line line = {1, 0};
    double cost = get_cost(examples, n_positives, line);
    for (int i = 0; i < MAX_STEPS; i++) {
        Line step = get_step(examples, n_positives, line);
        for (int j = 0; j < MAX_HALVES; j++) {
            Line next = {line.slope - step.slope, line.offset - step.offset};
            double next_cost = get_cost(examples, n_positives, next);
            if (next_cost < cost) {
                line = next;
                cost = next_cost;
                break;
            }
            step = (Line){step.slope / 2, step.offset / 2};
        }
        if (fabs(step.slope) < 1e-12 && fabs(step.offset) < 1e-12)
            break;
    }
    return line;
}

FitWay
fit_way(const Examples *examples, bool with_slope)
{
    double n_positives = (double)count_positives(examples);
    double n_negatives = (double)examples->n - n_positives;
    double n = 1 / (1 / n_positives + 1 / n_negatives);
    return (FitWay){with_slope, with_slope ? 1 : n / (n + PRIOR_EXAMPLES)};
}

FitWay
fit_way_further(FitWay way)
{
    return (FitWay){way.with_slope, (1 + way.trust) / 2};
}

Line
fit_shift(Line line, double trust)
{
    return (Line){1, trust * line.offset / fmax(line.slope, MIN_SLOPE)};
}

Line
fit_without(const Examples *examples, size_t without, FitWay way)
{
    size_t n = examples->n, n_others = 0;
    g_autofree double *evidence = g_new(double, n);
    g_autofree bool *positive = g_new(bool, n);
    for (size_t i = 0; i < n; i++) {
        if (i == without)
            continue;
        evidence[n_others] = examples->evidence[i];
        positive[n_others++] = examples->positive[i];
    }
    Line line = fit_line(&(Examples){evidence, positive, n_others});
    return way.with_slope ? line : fit_shift(line, way.trust);
}

void
fit_leave_one_out(const Examples *examples, FitWay way, double *out)
{
    for (size_t i = 0; i < examples->n; i++) {
        Line line = fit_without(examples, i, way);
        out[i] = line.slope * examples->evidence[i] + line.offset;
    }
}

// ---- Quality --------------------------------------------------------------

static double
measure_auroc(const Examples *e)
{
    g_autofree double *positives = g_new(double, e->n);
    size_t n = 0;
    for (size_t i = 0; i < e->n; i++) {
        if (e->positive[i])
            positives[n++] = e->evidence[i];
    }
    Auroc auroc;
    auroc_start(&auroc, positives, n);
    for (size_t i = 0; i < e->n; i++) {
        if (!e->positive[i])
            auroc_add_negative(&auroc, e->evidence[i]);
    }
    return auroc_value(&auroc);
}

// As calibration_error(), but of weighted examples and of one probability.
static double
measure_ece(const Examples *e, size_t n_positives)
{
    double gaps[CALIBRATION_BINS] = {0}, sum = 0;
    for (size_t i = 0; i < e->n; i++) {
        double p = logistic(e->evidence[i]);
        int bin = (int)ceil(p * CALIBRATION_BINS) - 1;
        gaps[CLAMP(bin, 0, CALIBRATION_BINS - 1)] +=
            get_weight(e, n_positives, e->positive[i]) *
            ((e->positive[i] ? 1 : 0) - p);
    }
    for (int i = 0; i < CALIBRATION_BINS; i++)
        sum += fabs(gaps[i]);
    return sum / (double)e->n;
}

FitQuality
fit_measure(const Examples *examples, double threshold)
{
    const Examples *e = examples;
    size_t n_positives = count_positives(e);
    FitQuality q = {.auroc = measure_auroc(e),
                    .ece = measure_ece(e, n_positives)};
    for (size_t i = 0; i < e->n; i++) {
        double x = e->evidence[i];
        bool passes = logistic(x) >= threshold;
        q.log_loss += get_weight(e, n_positives, e->positive[i]) *
                      log_loss(e->positive[i] ? x : -x) / (double)e->n;
        q.error += get_weight(e, n_positives, e->positive[i]) *
                   logistic(e->positive[i] ? -x : x) / (double)e->n;
        q.n_found += passes && e->positive[i];
        q.n_false_alarms += passes && !e->positive[i];
    }
    return q;
}

// ---- Judgement ------------------------------------------------------------

double
fit_get_loss(const FitQuality *quality, FitWay way)
{
    return way.with_slope ? quality->log_loss : quality->error;
}

// The loss of one example, of which fit_get_loss() is the mean.
static double
get_loss(double evidence, bool positive, FitWay way)
{
    double x = positive ? evidence : -evidence;
    return way.with_slope ? log_loss(x) : logistic(-x);
}

// Adds the half of a gain that one kind of examples has.
static void
add_kind(const Examples *e, const double *after, bool positive, FitWay way,
         FitGain *sum)
{
    double mean = 0, squares = 0, n = 0;
    for (size_t i = 0; i < e->n; i++) {
        if (e->positive[i] != positive)
            continue;
        double gain = get_loss(e->evidence[i], positive, way) -
                      get_loss(after[i], positive, way);
        double delta = gain - mean;
        mean += delta / ++n;
        squares += delta * (gain - mean); // Welford 1962
    }
    sum->gain += mean / 2;
    sum->standard_error =
        hypot(sum->standard_error, sqrt(squares / (n - 1) / n) / 2);
}

FitGain
fit_compare(const Examples *examples, const double *after, FitWay way)
{
    FitGain sum = {0, 0};
    add_kind(examples, after, true, way, &sum);
    add_kind(examples, after, false, way, &sum);
    return sum;
}

bool
fit_is_better(FitGain gain)
{
    return gain.gain > gain.standard_error;
}

bool
fit_goes_further(FitGain step)
{
    return fit_is_better(step) && step.gain >= MIN_STEP_GAIN;
}
