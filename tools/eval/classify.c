// SPDX-License-Identifier: LGPL-2.1-or-later
//
// classify.c - see classify.h.

#include "classify.h"

#include <math.h>
#include <string.h>

#include "tools/eval/scores.h"

// What the threads that score fill in, each its own rows.
typedef struct {
    size_t n_classes;
    double logit_scale;
    const guint *truth;    // [n_items]
    double *probabilities; // [n_items, n_classes]
    guint *predicted;      // [n_items]
    size_t *ranks;         // [n_items], of the true class
} Predictions;

void
classify_mean_texts(const float *texts, size_t n_classes, size_t n_templates,
                    size_t dim, double *out)
{
    memset(out, 0, n_classes * dim * sizeof *out);
    for (size_t i = 0; i < n_classes; i++) {
        double *mean = out + i * dim, square = 0;
        for (size_t t = 0; t < n_templates; t++) {
            const float *text = texts + (i * n_templates + t) * dim;
            for (size_t k = 0; k < dim; k++)
                mean[k] += text[k];
        }
        for (size_t k = 0; k < dim; k++) {
            mean[k] /= (double)n_templates;
            square += mean[k] * mean[k];
        }
        for (size_t k = 0; k < dim; k++)
            mean[k] /= fmax(sqrt(square), 1e-12);
    }
}

static void
predict(size_t row, double *scores, void *data)
{
    Predictions *p = data;
    size_t n = p->n_classes;
    p->predicted[row] = (guint)metrics_argmax(scores, n);
    p->ranks[row] = metrics_rank(scores, n, p->truth[row]);
    metrics_softmax(scores, n, p->logit_scale);
    memcpy(p->probabilities + row * n, scores, n * sizeof *scores);
}

// ---- Metrics --------------------------------------------------------------

static void
count(const Predictions *p, Classification *r)
{
    size_t n_top1 = 0, n_top5 = 0, n_with = 0;
    double recalls = 0;
    for (size_t i = 0; i < r->n_items; i++) {
        guint truth = p->truth[i], predicted = p->predicted[i];
        bool right = p->ranks[i] == 0;
        n_top1 += right;
        n_top5 += p->ranks[i] < 5;
        r->classes[truth].n++;
        r->classes[truth].n_right += right;
        r->confusion[truth * r->n_classes + predicted]++;
        calibration_add(&r->calibration,
                        p->probabilities[i * r->n_classes + predicted], right);
    }
    for (size_t i = 0; i < r->n_classes; i++) {
        const ClassResult *c = &r->classes[i];
        n_with += c->n > 0;
        recalls += c->n > 0 ? (double)c->n_right / (double)c->n : 0;
    }
    r->top1 = (double)n_top1 / (double)r->n_items;
    r->top5 = r->n_classes < 5 ? NAN : (double)n_top5 / (double)r->n_items;
    r->mean_per_class_recall = recalls / (double)n_with;
    r->ece = calibration_error(&r->calibration);
}

// Each class against the rest, by its probability.
static void
measure_auroc_of_classes(const Predictions *p, Classification *r)
{
    g_autofree double *positives = g_new(double, r->n_items);
    size_t n_defined = 0;
    double sum = 0;
    for (size_t c = 0; c < r->n_classes; c++) {
        const double *column = p->probabilities + c;
        size_t n = 0;
        for (size_t i = 0; i < r->n_items; i++) {
            if (p->truth[i] == c)
                positives[n++] = column[i * r->n_classes];
        }
        Auroc auroc;
        auroc_start(&auroc, positives, n);
        for (size_t i = 0; i < r->n_items; i++) {
            if (p->truth[i] != c)
                auroc_add_negative(&auroc, column[i * r->n_classes]);
        }
        r->classes[c].auroc = auroc_value(&auroc);
        n_defined += !isnan(r->classes[c].auroc);
        sum += isnan(r->classes[c].auroc) ? 0 : r->classes[c].auroc;
    }
    r->auroc_macro = n_defined > 0 ? sum / (double)n_defined : NAN;
}

// All pairs of an item and a class together.
static void
measure_auroc_of_all(const Predictions *p, Classification *r)
{
    g_autofree double *positives = g_new(double, r->n_items);
    for (size_t i = 0; i < r->n_items; i++)
        positives[i] = p->probabilities[i * r->n_classes + p->truth[i]];
    Auroc auroc;
    auroc_start(&auroc, positives, r->n_items);
    for (size_t i = 0; i < r->n_items; i++) {
        for (size_t c = 0; c < r->n_classes; c++) {
            if (p->truth[i] != c)
                auroc_add_negative(&auroc,
                                   p->probabilities[i * r->n_classes + c]);
        }
    }
    r->auroc_micro = auroc_value(&auroc);
}

// ---- All ------------------------------------------------------------------

// The vectors of the items that have one, in double, and their classes.
static size_t
select_items(const Dataset *dataset, const float *vectors, size_t dim,
             double *selected, guint *truth)
{
    size_t n = 0;
    for (guint i = 0; i < dataset->items->len; i++) {
        const EvalItem *item = dataset->items->pdata[i];
        if (item->problem)
            continue;
        for (size_t k = 0; k < dim; k++)
            selected[n * dim + k] = vectors[i * dim + k];
        truth[n++] = item->class_index;
    }
    return n;
}

bool
classify(const Dataset *dataset, const float *vectors, const double *classes,
         size_t dim, double logit_scale, Classification *result, GError **error)
{
    size_t n = dataset->items->len, n_classes = dataset->classes->len;
    g_autofree guint *truth = g_new(guint, n);
    g_autofree guint *predicted = g_new(guint, n);
    g_autofree size_t *ranks = g_new(size_t, n);
    g_autofree double *selected = g_try_new(double, n *dim);
    g_autofree double *probabilities = g_try_new(double, n *n_classes);
    *result = (Classification){.n_classes = n_classes};
    result->classes = g_new0(ClassResult, n_classes);
    result->confusion = g_try_new0(guint, n_classes * n_classes);
    if (!selected || !probabilities || !result->confusion) {
        g_set_error(error, PE_ERROR, PE_ERROR_NOMEM,
                    "no memory for the probabilities of %zu items and %zu "
                    "classes",
                    n, n_classes);
        return false;
    }
    result->n_items = select_items(dataset, vectors, dim, selected, truth);
    Predictions p = {n_classes,     logit_scale, truth,
                     probabilities, predicted,   ranks};
    scores_for_each_row(selected, result->n_items, classes, n_classes, dim,
                        predict, &p);
    count(&p, result);
    measure_auroc_of_classes(&p, result);
    measure_auroc_of_all(&p, result);
    return true;
}

void
classification_clear(Classification *result)
{
    g_clear_pointer(&result->classes, g_free);
    g_clear_pointer(&result->confusion, g_free);
}
