// SPDX-License-Identifier: LGPL-2.1-or-later
//
// captions.c - see captions.h.

#include "captions.h"

#include <math.h>
#include <string.h>

#define MIN_GAIN 1.1 // of the file's own
#define MIN_CASES 5  // labels or clips
#define MAX_LABELS 2000

static const char *const candidates[] = {"{}", "a photo of {}.",
                                         "a video of {}."};

// One way to say the labels.
typedef struct {
    float *vectors;      // [labels, dim]
    double *separations; // [labels]
    double *margins;     // [clips]
    int *best;           // [clips], labels
} Variant;

static void
variant_clear(Variant *v)
{
    g_free(v->vectors);
    g_free(v->separations);
    g_free(v->margins);
    g_free(v->best);
}

// ---- Numbers --------------------------------------------------------------

// NaN of none.
static double
mean_of(const double *values, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += values[i];
    return sum / n;
}

// The lower end of the 90 % interval of the mean of the paired differences.
static double
least_gain(const double *other, const double *own, int n)
{
    double mean = mean_of(other, n) - mean_of(own, n), sum = 0;
    for (int i = 0; i < n; i++) {
        double d = other[i] - own[i] - mean;
        sum += d * d;
    }
    return mean - 1.645 * sqrt(sum / (n - 1) / n);
}

// ---- Measures -------------------------------------------------------------

static void
measure_separations(const Check *check, Variant *v)
{
    guint n = check->texts->labels->len;
    v->separations = g_new(double, n);
    for (guint i = 0; i < n; i++) {
        double nearest = -1;
        for (guint j = 0; j < n; j++) {
            if (j != i)
                nearest = fmax(
                    nearest,
                    check_cosine(check, v->vectors + i * (size_t)check->dim,
                                 v->vectors + j * (size_t)check->dim));
        }
        v->separations[i] = 1 - nearest;
    }
}

static void
measure_margins(const Check *check, Variant *v)
{
    int n = check_count_clips(check);
    double scale =
        (double)pe_model_get_logit_scale(pe_engine_get_model(check->engine));
    v->margins = g_new(double, (size_t)n);
    v->best = g_new0(int, (size_t)n);
    for (int i = 0; i < n; i++) {
        double first = -2, second = -2;
        for (guint k = 0; k < check->texts->labels->len; k++) {
            double c = check_cosine(check, check_get_clip(check, i),
                                    v->vectors + k * (size_t)check->dim);
            if (c > first) {
                second = first;
                first = c;
                v->best[i] = (int)k;
            } else {
                second = fmax(second, c);
            }
        }
        v->margins[i] = scale * (first - second);
    }
}

// Labels with words of their own keep their vectors.
static bool
measure(const Check *check, const char *template, Variant *v, GError **error)
{
    const GPtrArray *labels = check->texts->labels;
    size_t dim = (size_t)check->dim;
    v->vectors =
        g_memdup2(check->label_vectors, labels->len * dim * sizeof *v->vectors);
    if (template) {
        g_autoptr(GPtrArray) templates = g_ptr_array_new();
        g_ptr_array_add(templates, (void *)template);
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        for (guint i = 0; i < labels->len; i++) {
            const LabelText *label = labels->pdata[i];
            if (!label->prompts && !label->examples)
                g_ptr_array_add(names, labels->pdata[i]);
        }
        g_autofree float *found = g_new(float, names->len *dim);
        if (!check_embed(check, names, templates, found, error))
            return false;
        for (guint i = 0, k = 0; i < labels->len && k < names->len; i++) {
            if (labels->pdata[i] == names->pdata[k])
                memcpy(v->vectors + i * dim, found + k++ * dim,
                       dim * sizeof *found);
        }
    }
    measure_separations(check, v);
    measure_margins(check, v);
    return true;
}

// ---- Advice ---------------------------------------------------------------

static bool
is_better(const double *other, const double *own, int n)
{
    return n >= MIN_CASES && mean_of(other, n) >= MIN_GAIN * mean_of(own, n) &&
           least_gain(other, own, n) > 0;
}

static void
advise(Check *check, const Variant *own, const Variant *other,
       const char *template)
{
    int n_labels = (int)check->texts->labels->len;
    int n_clips = check_count_clips(check), changed = 0;
    double before = mean_of(own->separations, n_labels);
    double after = mean_of(other->separations, n_labels);
    g_autofree char *quoted = finding_quote(template);
    for (int i = 0; i < n_clips; i++)
        changed += own->best[i] != other->best[i];
    Finding *f =
        n_clips == 0
            ? findings_add(check->findings, FINDING_ADVICE, "caption",
                           "with the template %s a label is further from the "
                           "nearest other one (1 - cosine is %.3f on average, "
                           "now %.3f); try \"templates\": [%s]",
                           quoted, after, before, quoted)
            : findings_add(
                  check->findings, FINDING_ADVICE, "caption",
                  "with the template %s the best label of a clip is further "
                  "ahead of the second (%.2f logits on average over %d clips, "
                  "now %.2f; %d clips get another best label; 1 - cosine "
                  "between labels is %.3f, now %.3f); try \"templates\": [%s]",
                  quoted, mean_of(other->margins, n_clips), n_clips,
                  mean_of(own->margins, n_clips), changed, after, before,
                  quoted);
    f->texts = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(f->texts, g_strdup(template));
}

static void
choose(Check *check, const Variant *variants)
{
    int n_labels = (int)check->texts->labels->len;
    int n_clips = check_count_clips(check);
    const Variant *own = variants, *best = NULL;
    size_t number = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(candidates); i++) {
        const Variant *v = variants + 1 + i;
        bool by_clips = n_clips > 0;
        int n = by_clips ? n_clips : n_labels;
        const double *mine = by_clips ? v->margins : v->separations;
        const double *now = by_clips ? own->margins : own->separations;
        if (!is_better(mine, now, n))
            continue;
        if (best &&
            mean_of(mine, n) <=
                mean_of(by_clips ? best->margins : best->separations, n))
            continue;
        best = v;
        number = i;
    }
    if (best)
        advise(check, own, best, candidates[number]);
}

// ---- All ------------------------------------------------------------------

// Does any label take the templates?
static bool
has_names(const Check *check)
{
    const GPtrArray *labels = check->texts->labels;
    bool any = false;
    for (guint i = 0; i < labels->len; i++) {
        const LabelText *label = labels->pdata[i];
        any |= !label->prompts && !label->examples;
    }
    return any;
}

static void
clear_caption(void *data)
{
    g_free(((Caption *)data)->template);
}

Captions *
captions_compare(Check *check, GError **error)
{
    Variant variants[1 + G_N_ELEMENTS(candidates)] = {{0}};
    g_autoptr(GArray) captions = g_array_new(FALSE, FALSE, sizeof(Caption));
    g_array_set_clear_func(captions, clear_caption);
    int n = (int)check->texts->labels->len;
    bool ok = true;
    if (n < 2 || n > MAX_LABELS || !has_names(check))
        return g_steal_pointer(&captions);
    for (size_t i = 0; i < G_N_ELEMENTS(variants) && ok; i++) {
        const char *template = i ? candidates[i - 1] : NULL;
        ok = measure(check, template, &variants[i], error);
        if (!ok)
            break;
        Caption caption = {
            g_strdup(template), mean_of(variants[i].separations, n),
            mean_of(variants[i].margins, check_count_clips(check))};
        g_array_append_val(captions, caption);
    }
    if (ok)
        choose(check, variants);
    for (size_t i = 0; i < G_N_ELEMENTS(variants); i++)
        variant_clear(&variants[i]);
    return ok ? g_steal_pointer(&captions) : NULL;
}

void
captions_free(Captions *captions)
{
    g_clear_pointer(&captions, g_array_unref);
}
