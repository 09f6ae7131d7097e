// SPDX-License-Identifier: LGPL-2.1-or-later
//
// score.c - how well each label fits a clip. MODEL.md section 8 has the
// formulas. Sums and logarithms are in double and relative to a maximum, so
// that no exponential overflows and no small number is the difference of two
// large ones.

#include "core/pe.h"

#include <math.h>
#include <string.h>

#include "core/base/cores.h"
#include "core/base/threads.h"
#include "labels_private.h"
#include "logistic.h"
#include "products.h"
#include "score_simd.h"

#define MAX_EVIDENCE 1e4 // instead of infinity
#define UNKNOWN_MASS 0.5f
#define SMALL_SHARE 1e-3
#define ROUNDING 1e-6 // more than logits may be off

// ---- Mode -----------------------------------------------------------------

static const char *const mode_nicks[] = {
    [PE_LABELS_EXCLUSIVE] = "exclusive",
    [PE_LABELS_INDEPENDENT] = "independent",
};

bool
pe_labels_mode_parse(const char *nick, PeLabelsMode *mode)
{
    for (size_t i = 0; i < G_N_ELEMENTS(mode_nicks); i++) {
        if (strcmp(nick, mode_nicks[i]) != 0)
            continue;
        *mode = (PeLabelsMode)i;
        return true;
    }
    return false;
}

const char *
pe_labels_mode_nick(PeLabelsMode mode)
{
    return mode_nicks[mode];
}

// ---- Functions ------------------------------------------------------------

// log(exp(a) + exp(b)); -inf is the log of nothing.
static double
log_add(double a, double b)
{
    double low = fmin(a, b), high = fmax(a, b);
    return isinf(low) ? high : high + log1p(exp(low - high));
}

// ---- Sums -----------------------------------------------------------------

// Exponentials of some logits. The best is kept apart from the others, so that
// the sum of all but one is never the difference of two nearly equal numbers.
typedef struct {
    int best;      // -1: there are none
    double first;  // logit of the best, -inf: there is none
    double second; // the next one, -inf: there is none
    double sum;    // of exp(logit - second), over all but the best
} Sum;

//   logits  [n]   shares  [n] gets exp(logit - second), and 0 for the best
static Sum
sum_up(const PeScoreLoops *loops, const double *logits, int n, double *shares)
{
    Sum s = {-1, -INFINITY, -INFINITY, 0};
    for (int i = 0; i < n; i++) {
        if (logits[i] > s.first) {
            s.second = s.first;
            s.first = logits[i];
            s.best = i;
        } else if (logits[i] > s.second) {
            s.second = logits[i];
        }
    }
    if (n < 2) {
        memset(shares, 0, sizeof *shares * (size_t)n);
        return s;
    }
    size_t best = (size_t)s.best, next = best + 1;
    shares[best] = 0;
    s.sum = loops->shares(logits, best, s.second, shares);
    s.sum +=
        loops->shares(logits + next, (size_t)n - next, s.second, shares + next);
    return s;
}

// log of the sum without the best; -inf: there are no others.
static double
log_others(const Sum *s)
{
    return s->sum > 0 ? s->second + log(s->sum) : -INFINITY;
}

// A clip among the labels.
typedef struct {
    const PeLabels *set;
    const float *cosines; // [n]
    const double *logits; // [n] scale * cosine
    const double *shares; // [n_labels]
    Sum labels;
    double all_labels; // log of the labels' sum
    double compared;   // of negatives and bank; -inf: there are none
    double reference;  // the larger of the labels' first and `compared`
    double total;      // sum over all, relative to the reference
    // What makes shares of the sum over all, and of that over the labels.
    double to_total, to_labels;
} Clip;

// Of many, those cosines are exact whose share in the softmax over all is not
// small. The others have logits that are off by 10^-3 as a rule, and scores by
// that times their share.
static void
compare_many(const PeLabels *l, const float *embedding, float *cosines)
{
    size_t n = (size_t)l->n, dim = (size_t)l->dim;
    g_autofree double *shares = g_new(double, n);
    double most = -1, sum = 0;
    pe_products_of_halves(l->halves, n, dim, embedding, cosines);
    for (size_t i = 0; i < n; i++)
        most = fmax(most, (double)cosines[i]);
    for (size_t i = 0; i < n; i++) {
        shares[i] = exp((double)l->logit_scale * ((double)cosines[i] - most));
        sum += shares[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (shares[i] >= SMALL_SHARE * sum)
            pe_products(l->vectors + i * dim, 1, dim, embedding, &cosines[i]);
    }
}

static bool
is_finite(const float *embedding, int dim)
{
    bool is = true;
    for (int i = 0; i < dim; i++)
        is &= isfinite(embedding[i]) != 0;
    return is;
}

//   cosines  [n] of the clip, changed and borrowed by it
//   scratch  [2 * n] borrowed by it
static void
clip_init(Clip *c, const PeLabels *l, float *cosines, double *scratch)
{
    const PeScoreLoops *loops = pe_score_loops(pe_dots_best());
    size_t n = (size_t)l->n, n_labels = (size_t)l->n_labels;
    double *logits = scratch, *shares = scratch + n;
    loops->logits(cosines, n, (double)l->logit_scale, logits);
    *c = (Clip){
        .set = l, .cosines = cosines, .logits = logits, .shares = shares};
    c->labels = sum_up(loops, logits, l->n_labels, shares);
    Sum compared =
        sum_up(loops, logits + n_labels, l->n - l->n_labels, shares + n_labels);
    c->all_labels = log_add(c->labels.first, log_others(&c->labels));
    c->compared = log_add(compared.first, log_others(&compared));
    c->reference = fmax(c->labels.first, c->compared);
    c->total =
        exp(c->all_labels - c->reference) + exp(c->compared - c->reference);
    c->to_total = exp(c->labels.second - c->reference);
    c->to_labels = exp(c->labels.second - c->all_labels);
}

// log of the sum that a label is compared with; -inf: it is alone.
static double
get_rest(const Clip *c, int i)
{
    if (c->set->mode == PE_LABELS_INDEPENDENT)
        return c->compared;
    if (i == c->labels.best)
        return log_add(log_others(&c->labels), c->compared);
    // At least 1 is left.
    return c->reference + log(c->total - c->shares[i] * c->to_total);
}

// The logit of the score.
static double
get_evidence(const Clip *c, int i)
{
    const PeLabels *l = c->set;
    double odds = fmin(c->logits[i] - get_rest(c, i), MAX_EVIDENCE);
    double logit = (double)l->slope * odds + (double)l->offset +
                   (double)l->rules[i].offset;
    return CLAMP(logit, -MAX_EVIDENCE, MAX_EVIDENCE);
}

// The least that a label which is not the best is compared with: all but itself
// and, at most, the second.
static double
get_least_rest(const Clip *c)
{
    double rest = c->set->mode == PE_LABELS_INDEPENDENT
                      ? c->compared
                      : c->reference + log(c->total - c->to_total);
    return rest - ROUNDING;
}

// The logit that such a label must exceed to have more than this evidence.
static double
get_limit(const PeLabels *l, double least_rest, double evidence)
{
    return least_rest +
           (evidence - (double)l->offset - (double)l->most_offset) /
               (double)l->slope;
}

// ---- Results --------------------------------------------------------------

// What scores are ordered by: evidences differ where scores are all 0 or 1.
typedef struct {
    int index;
    double evidence;
} Candidate;

// Insert a candidate into the best n <= top_k so far; among equals the lower
// index, which came first, stays ahead. Returns the new n.
static int
insert(Candidate *best, int n, int top_k, Candidate candidate)
{
    int i = n < top_k ? n : top_k - 1;
    if (n == top_k && !(candidate.evidence > best[i].evidence))
        return n;
    for (; i > 0 && candidate.evidence > best[i - 1].evidence; i--)
        best[i] = best[i - 1];
    best[i] = candidate;
    return n < top_k ? n + 1 : n;
}

static float
get_probability(const Clip *c, int i)
{
    return (float)(i == c->labels.best ? exp(c->labels.first - c->all_labels)
                                       : c->shares[i] * c->to_labels);
}

static bool
reaches_thresholds(const Clip *c, int i, double evidence,
                   const PeScoreParams *params)
{
    const PeLabelRule *rule = &c->set->rules[i];
    float score = MAX(params->threshold, rule->threshold);
    float probability =
        MAX(params->probability_threshold, rule->probability_threshold);
    float similarity =
        MAX(params->similarity_threshold, rule->similarity_threshold);
    // Most often there is none, and that costs nothing.
    return c->cosines[i] >= similarity &&
           (probability <= 0 || get_probability(c, i) >= probability) &&
           (score <= 0 || (float)pe_logistic(evidence) >= score);
}

// The best labels of a clip that reach their thresholds: best [top_k]. Returns
// how many. *any: is there one, also when none is wanted? evidence: of all
// labels, [n_labels] or NULL.
static int
choose(const Clip *c, const PeScoreParams *params, int top_k, Candidate *best,
       bool *any, float *evidence)
{
    int n = 0;
    double least_rest = get_least_rest(c);
    double limit = -INFINITY; // of logits: others need no evidence
    *any = false;
    for (int i = 0; i < c->set->n_labels; i++) {
        if (c->logits[i] <= limit && i != c->labels.best)
            continue;
        Candidate candidate = {i, get_evidence(c, i)};
        if (evidence)
            evidence[i] = (float)candidate.evidence;
        if (!reaches_thresholds(c, i, candidate.evidence, params))
            continue;
        *any = true;
        if (top_k > 0)
            n = insert(best, n, top_k, candidate);
        if (n == top_k && !evidence)
            limit = n > 0 ? get_limit(c->set, least_rest, best[n - 1].evidence)
                          : INFINITY;
    }
    return n;
}

// Of an embedding that is not finite.
static void
say_nothing(const PeLabels *labels, PeVerdict *verdict, float *evidence)
{
    *verdict = (PeVerdict){NAN, true};
    for (int i = 0; evidence && i < labels->n_labels; i++)
        evidence[i] = NAN;
}

// As pe_labels_score(), of cosines [n] with the embedding, which are changed.
//   scratch  [2 * n]   best  [top_k]
static int
score_clip(const PeLabels *labels, const float *embedding, float *cosines,
           double *scratch, Candidate *best, const PeScoreParams *params,
           PeScore *scores, PeVerdict *verdict, float *evidence)
{
    // A value that is not finite makes all cosines so.
    if (!isfinite(cosines[0]) && !is_finite(embedding, labels->dim)) {
        say_nothing(labels, verdict, evidence);
        return 0;
    }
    Clip clip;
    clip_init(&clip, labels, cosines, scratch);
    bool any;
    int top_k = CLAMP(params->top_k, 0, labels->n_labels);
    int n = choose(&clip, params, top_k, best, &any, evidence);
    for (int k = 0; k < n; k++) {
        int i = best[k].index;
        scores[k] =
            (PeScore){i, labels->names[i], (float)pe_logistic(best[k].evidence),
                      get_probability(&clip, i), cosines[i]};
    }
    verdict->mass = (float)pe_logistic(clip.compared - clip.all_labels);
    verdict->unknown = verdict->mass >= UNKNOWN_MASS || !any;
    return n;
}

int
pe_labels_score(const PeLabels *labels, const float *embedding,
                const PeScoreParams *params, PeScore *scores,
                PeVerdict *verdict, float *evidence)
{
    g_return_val_if_fail(labels && embedding && params, 0);
    g_return_val_if_fail(scores || params->top_k <= 0, 0);
    size_t n = (size_t)labels->n;
    g_autofree float *cosines = g_new(float, n);
    g_autofree double *scratch = g_new(double, 2 * n);
    g_autofree Candidate *best =
        g_new(Candidate, (size_t)CLAMP(params->top_k, 0, labels->n_labels));
    PeVerdict unwanted;
    if (labels->halves)
        compare_many(labels, embedding, cosines);
    else
        pe_products(labels->vectors, n, (size_t)labels->dim, embedding,
                    cosines);
    return score_clip(labels, embedding, cosines, scratch, best, params, scores,
                      verdict ? verdict : &unwanted, evidence);
}

// ---- Many clips ------------------------------------------------------------

typedef struct {
    const PeLabels *labels;
    const float *embeddings;
    int n, block;
    const PeScoreParams *params;
    PeScore *scores;
    int *n_scores;
    PeVerdict *verdicts;
    float *evidence;
} Many;

static void
score_block(void *data, int task, int lane)
{
    const Many *m = data;
    const PeLabels *l = m->labels;
    int first = task * m->block, count = MIN(m->block, m->n - first);
    size_t n = (size_t)l->n, dim = (size_t)l->dim;
    size_t top_k = (size_t)MAX(m->params->top_k, 0);
    const float *x = m->embeddings + (size_t)first * dim;
    g_autofree float *cosines = g_new(float, (size_t)count *n);
    g_autofree float *packed = g_new(float, (size_t)count *dim);
    g_autofree double *scratch = g_new(double, 2 * n);
    g_autofree Candidate *best =
        g_new(Candidate, MIN(top_k, (size_t)l->n_labels));
    pe_score_loops(pe_dots_best())
        ->products(l->vectors, n, x, (size_t)count, dim, packed, cosines, n);
    for (size_t i = 0; i < (size_t)count; i++) {
        size_t at = (size_t)first + i;
        PeVerdict unwanted;
        m->n_scores[at] = score_clip(
            l, x + i * dim, cosines + i * n, scratch, best, m->params,
            m->scores ? m->scores + at * top_k : NULL,
            m->verdicts ? m->verdicts + at : &unwanted,
            m->evidence ? m->evidence + at * (size_t)l->n_labels : NULL);
    }
}

void
pe_labels_score_many(const PeLabels *labels, const float *embeddings, int n,
                     const PeScoreParams *params, PeScore *scores,
                     int *n_scores, PeVerdict *verdicts, float *evidence)
{
    g_return_if_fail(labels && params && n >= 0);
    if (n == 0)
        return; // nor need there be anything to put nothing into
    g_return_if_fail(embeddings && n_scores);
    g_return_if_fail(scores || params->top_k <= 0);
    int n_threads = pe_cores_count();
    // Several blocks for each thread, if there are as many clips as that.
    int block = (n / (4 * n_threads) + 11) / 12 * 12;
    block = CLAMP(block, 12, PE_SCORE_BLOCK);
    Many many = {labels, embeddings, n,        block,   params,
                 scores, n_scores,   verdicts, evidence};
    pe_threads_run(n_threads, (n + block - 1) / block, score_block, &many);
}
