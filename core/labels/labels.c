// SPDX-License-Identifier: LGPL-2.1-or-later
//
// labels.c - labels as unit vectors, and the score of a clip against them.
// Knows engines only as something that embeds texts.

#include "core/pe.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "label_fingerprint.h"
#include "label_spec.h"
#include "label_vectors.h"

#define SIMILAR 0.95f      // cosine of two labels that hardly differ
#define MAX_SIMILAR_TOLD 8 // warnings of one label set
#define MAX_COMPARED 2000  // labels; more would take seconds to compare

struct PeLabels {
    int ref_count;
    int n_labels; // reported
    int n;        // labels, then negatives
    int dim;
    float logit_scale;
    uint64_t version;
    char **names;      // [n_labels]
    float *thresholds; // [n_labels]
    float *vectors;    // [n, dim], unit
    char *set_name;    // "": the user gave it none
    char *fingerprint;
    char **warnings;        // NULL-terminated
    PeTokenizer *tokenizer; // kept, so that the next set need not parse it
};

static float
dot(const float *a, const float *b, int n)
{
    // Independent sums, so that the compiler may use vectors.
    enum { LANES = 16 };
    float sums[LANES] = {0};
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int k = 0; k < LANES; k++)
            sums[k] += a[i + k] * b[i + k];
    }
    float sum = 0;
    for (int k = 0; k < LANES; k++)
        sum += sums[k];
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

// ---- Make -----------------------------------------------------------------

// Adds to `warnings`, an array of char *.
static void
warn_about_similar(const PeLabels *l, GPtrArray *warnings)
{
    int told = 0;
    for (int i = 0; i < l->n_labels && l->n_labels <= MAX_COMPARED; i++) {
        const float *x = pe_labels_get_vector(l, i);
        for (int j = i + 1; j < l->n_labels; j++) {
            float cosine = dot(x, pe_labels_get_vector(l, j), l->dim);
            // Equal names have been told already.
            if (cosine <= SIMILAR || strcmp(l->names[i], l->names[j]) == 0)
                continue;
            if (told++ == MAX_SIMILAR_TOLD)
                return;
            char *warning = g_strdup_printf(
                "labels \"%s\" and \"%s\" hardly differ for this model "
                "(cosine %.3f): they will share their score",
                l->names[i], l->names[j], (double)cosine);
            pe_log(PE_LOG_WARNING, "%s", warning);
            g_ptr_array_add(warnings, warning);
        }
    }
}

static PeLabels *
labels_alloc(const PeLabelSpec *spec, int dim, float logit_scale)
{
    static atomic_uint_fast64_t last_version;
    PeLabels *l = g_new0(PeLabels, 1);
    l->ref_count = 1;
    l->n_labels = (int)spec->labels->len;
    l->n = l->n_labels + (int)spec->negatives->len;
    l->dim = dim;
    l->logit_scale = logit_scale;
    l->version = atomic_fetch_add(&last_version, 1) + 1;
    l->names = g_new0(char *, l->n_labels + 1);
    l->thresholds = g_new(float, l->n_labels);
    l->vectors = g_new0(float, (size_t)l->n *(size_t)dim);
    for (int i = 0; i < l->n_labels; i++) {
        const PeLabel *label = spec->labels->pdata[i];
        l->names[i] = g_strdup(label->name);
        l->thresholds[i] = label->threshold;
    }
    l->set_name = g_strdup(spec->name ? spec->name : "");
    return l;
}

PeLabels *
pe_labels_new(PeEngine *engine, const PeTokenizer *tokenizer,
              const PeLabelSpec *spec, GError **error)
{
    g_return_val_if_fail(engine && tokenizer && spec, NULL);
    const PeModel *model = pe_engine_get_model(engine);
    const PeTextConfig *text = pe_model_get_text(model);
    if (!text) {
        g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                    "%s: labels need a text tower, and this model has none; "
                    "use a PE-Core checkpoint with both towers",
                    pe_model_get_name(model));
        return NULL;
    }
    int dim = pe_engine_get_dim(engine);
    PeLabels *l = labels_alloc(spec, dim, pe_model_get_logit_scale(model));
    l->fingerprint =
        pe_label_fingerprint(spec, pe_model_get_fingerprint(model),
                             pe_tokenizer_get_fingerprint(tokenizer));
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    pe_label_spec_warn(spec, warnings);
    if (!pe_label_vectors_make(engine, tokenizer, spec, l->vectors, warnings,
                               error)) {
        pe_labels_unref(l);
        return NULL;
    }
    l->tokenizer = pe_tokenizer_ref((PeTokenizer *)tokenizer);
    warn_about_similar(l, warnings);
    g_ptr_array_add(warnings, NULL);
    l->warnings = g_strdupv((char **)warnings->pdata);
    return l;
}

PeLabels *
pe_labels_ref(PeLabels *labels)
{
    g_atomic_int_inc(&labels->ref_count);
    return labels;
}

void
pe_labels_unref(PeLabels *labels)
{
    if (!labels || !g_atomic_int_dec_and_test(&labels->ref_count))
        return;
    g_strfreev(labels->names);
    g_free(labels->thresholds);
    g_free(labels->vectors);
    g_free(labels->set_name);
    g_free(labels->fingerprint);
    g_strfreev(labels->warnings);
    pe_tokenizer_unref(labels->tokenizer);
    g_free(labels);
}

int
pe_labels_count(const PeLabels *labels)
{
    return labels->n_labels;
}

const char *
pe_labels_get_name(const PeLabels *labels, int index)
{
    g_return_val_if_fail(index >= 0 && index < labels->n_labels, NULL);
    return labels->names[index];
}

const float *
pe_labels_get_vector(const PeLabels *labels, int index)
{
    g_return_val_if_fail(index >= 0 && index < labels->n_labels, NULL);
    return labels->vectors + (size_t)index * (size_t)labels->dim;
}

uint64_t
pe_labels_get_version(const PeLabels *labels)
{
    return labels->version;
}

const char *
pe_labels_get_set_name(const PeLabels *labels)
{
    return labels->set_name;
}

const char *
pe_labels_get_fingerprint(const PeLabels *labels)
{
    return labels->fingerprint;
}

const char *const *
pe_labels_get_warnings(const PeLabels *labels)
{
    return (const char *const *)labels->warnings;
}

// ---- Score ----------------------------------------------------------------

// Insert a score into the best n <= top_k so far; among equals the lower index,
// which came first, stays ahead. Similarities order like probabilities and
// still differ where those are both 0. Returns the new n.
static int
insert_score(PeScore *scores, int n, int top_k, PeScore score)
{
    int i = n < top_k ? n : top_k - 1;
    if (n == top_k && !(score.similarity > scores[i].similarity))
        return n;
    for (; i > 0 && score.similarity > scores[i - 1].similarity; i--)
        scores[i] = scores[i - 1];
    scores[i] = score;
    return n < top_k ? n + 1 : n;
}

int
pe_labels_score(const PeLabels *labels, const float *embedding, int top_k,
                float threshold, PeScore *scores)
{
    g_return_val_if_fail(labels && embedding && (scores || top_k <= 0), 0);
    if (top_k <= 0)
        return 0;
    const PeLabels *l = labels;
    g_autofree float *cosines = g_new(float, l->n);
    float highest = -INFINITY;
    for (int i = 0; i < l->n; i++) {
        const float *x = l->vectors + (size_t)i * (size_t)l->dim;
        cosines[i] = CLAMP(dot(x, embedding, l->dim), -1, 1);
        highest = MAX(highest, cosines[i]);
    }
    // softmax(scale * cosine); the highest is taken off against overflow.
    double scale = l->logit_scale, sum = 0;
    for (int i = 0; i < l->n; i++)
        sum += exp(scale * ((double)cosines[i] - highest));

    int n = 0;
    for (int i = 0; i < l->n_labels; i++) {
        double p = exp(scale * ((double)cosines[i] - highest)) / sum;
        if ((float)p >= MAX(threshold, l->thresholds[i]))
            n = insert_score(scores, n, top_k,
                             (PeScore){i, l->names[i], (float)p, cosines[i]});
    }
    return n;
}
