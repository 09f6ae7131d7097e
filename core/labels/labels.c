// SPDX-License-Identifier: LGPL-2.1-or-later
//
// labels.c - labels as unit vectors, and what is known about the set of them.
// Knows engines only as something that embeds texts. score.c scores clips.

#include "labels_private.h"

#include <math.h>
#include <string.h>

#include "compared.h"
#include "label_examples.h"
#include "label_fingerprint.h"
#include "label_spec.h"
#include "label_vectors.h"
#include "products.h"

#define SIMILAR 0.95f      // cosine of two labels that hardly differ
#define MAX_SIMILAR_TOLD 8 // warnings of one label set
#define MAX_TWINS_TOLD 8   // the same
#define MAX_COMPARED 2000  // labels; more would take seconds to compare

// ---- Make -----------------------------------------------------------------

// Takes the warning.
static void
warn(GPtrArray *warnings, char *warning)
{
    pe_log(PE_LOG_WARNING, "%s", warning);
    g_ptr_array_add(warnings, warning);
}

// About names that differ where the model does not see it: in case, in blanks,
// or behind the end of its context.
static void
warn_about_twins(const PeLabels *l, const PeLabelSpec *spec, const int *twins,
                 GPtrArray *warnings)
{
    int told = 0, more = 0;
    int n = l->n_labels + (int)spec->negatives->len;
    for (int i = 0; i < n && (spec->has_negatives || i < l->n_labels); i++) {
        const char *name = pe_label_spec_get(spec, i)->name;
        const char *first = pe_label_spec_get(spec, twins[i])->name;
        // Two negatives do no harm. Equal names have been told already.
        if (twins[i] >= l->n_labels || strcmp(name, first) == 0)
            continue;
        if (told == MAX_TWINS_TOLD) {
            more++;
            continue;
        }
        told++;
        warn(
            warnings,
            g_strdup_printf(
                "%s \"%s\" becomes the same tokens as the label \"%s\": this "
                "model cannot tell them apart, and they will share their score",
                i < l->n_labels ? "label" : "negative label", name, first));
    }
    if (more > 0)
        warn(warnings, g_strdup_printf("%d more labels become the same tokens "
                                       "as others",
                                       more));
}

// Adds to `warnings`, an array of char *.
static void
warn_about_similar(const PeLabels *l, const int *twins, GPtrArray *warnings)
{
    int told = 0;
    g_autofree float *cosines = g_new(float, (size_t)l->n_labels);
    for (int i = 0; i < l->n_labels && l->n_labels <= MAX_COMPARED; i++) {
        const float *x = pe_labels_get_vector(l, i);
        pe_products(x, (size_t)(l->n_labels - i), (size_t)l->dim, x, cosines);
        for (int j = i + 1; j < l->n_labels; j++) {
            float cosine = cosines[j - i];
            // Equal names and equal tokens have been told already.
            if (cosine <= SIMILAR || twins[i] == twins[j] ||
                strcmp(l->names[i], l->names[j]) == 0)
                continue;
            if (told++ == MAX_SIMILAR_TOLD)
                return;
            warn(warnings,
                 g_strdup_printf(
                     "labels \"%s\" and \"%s\" hardly differ for this model "
                     "(cosine %.3f): they will share their score",
                     l->names[i], l->names[j], (double)cosine));
        }
    }
}

static PeLabels *
labels_alloc(const PeLabelSpec *spec, int dim, float logit_scale)
{
    PeLabels *l = g_new0(PeLabels, 1);
    l->ref_count = 1;
    l->n_labels = (int)spec->labels->len;
    l->n = pe_label_spec_count_all(spec);
    l->dim = dim;
    l->logit_scale = logit_scale;
    l->mode = spec->mode;
    l->default_negatives = !spec->has_negatives;
    l->names = g_new0(char *, l->n_labels + 1);
    l->rules = g_new(PeLabelRule, l->n_labels);
    l->most_offset = -INFINITY;
    l->vectors = g_new0(float, (size_t)l->n *(size_t)dim);
    for (int i = 0; i < l->n_labels; i++) {
        const PeLabel *label = spec->labels->pdata[i];
        l->names[i] = g_strdup(label->name);
        l->rules[i] =
            (PeLabelRule){label->threshold, label->probability_threshold,
                          label->similarity_threshold, label->offset};
        l->most_offset = MAX(l->most_offset, label->offset);
    }
    l->set_name = g_strdup(spec->name ? spec->name : "");
    return l;
}

static bool
has_offsets(const PeLabels *l)
{
    bool has = false;
    for (int i = 0; i < l->n_labels; i++)
        has |= l->rules[i].offset != 0;
    return has;
}

static bool
calibrate(PeLabels *l, const PeLabelSpec *spec, const PeModel *model,
          GError **error)
{
    PeCalibration *found = NULL;
    if (!spec->calibration &&
        !pe_calibration_find(model, l->mode, &found, error))
        return false;
    const PeCalibration *c = found ? found : spec->calibration;
    bool ok = !c || pe_calibration_check(c, model, l->mode, error);
    l->slope = c ? c->slope : 1;
    l->offset = c ? c->offset : 0;
    l->calibration = "none";
    if (spec->calibration || has_offsets(l))
        l->calibration = "labels";
    else if (found)
        l->calibration = "model";
    pe_calibration_free(found);
    return ok;
}

// Without anything to compare with, a label alone is certain whatever is seen.
static bool
check_compared(const PeLabels *l, GPtrArray *warnings, GError **error)
{
    if (l->n > l->n_labels)
        return true;
    if (l->mode == PE_LABELS_INDEPENDENT) {
        g_set_error(error, PE_ERROR, PE_ERROR_FORMAT,
                    "labels in independent mode are compared with negatives "
                    "and a bank only, and there are none that differ from the "
                    "labels; name what else may be seen as negative labels");
        return false;
    }
    if (l->n_labels == 1)
        warn(warnings,
             g_strdup_printf("there is nothing to compare the label \"%s\" "
                             "with: its score is 1 whatever is seen; name what "
                             "else may be seen as negative labels",
                             l->names[0]));
    return true;
}

static void
note_defaults(PeLabels *l)
{
    l->notes = g_new0(char *, 2);
    if (!l->default_negatives)
        return;
    g_autofree char *texts = g_strjoinv("|", (char **)pe_default_negatives());
    l->notes[0] = g_strdup_printf(
        "no negative labels are given: the default ones are used (%s); "
        "\"none\" turns them off",
        texts);
    pe_log(PE_LOG_INFO, "%s", l->notes[0]);
}

// Pictures are nearer to pictures than texts are, whatever they show.
static void
warn_about_pictures(const PeLabels *l, const PeLabelSpec *spec,
                    GPtrArray *warnings)
{
    const char *alone = NULL, *text = NULL;
    int n = pe_label_spec_count_all(spec);
    for (int i = 0; i < n; i++) {
        const PeLabel *label = pe_label_spec_get(spec, i);
        bool without_texts = label->image_weight == 1;
        bool is_label = i < l->n_labels;
        if (is_label && without_texts && !alone)
            alone = label->name;
        bool compared = !is_label || l->mode == PE_LABELS_EXCLUSIVE;
        if (compared && !without_texts && !text)
            text = label->name;
    }
    if (alone && text)
        warn(warnings,
             g_strdup_printf(
                 "label \"%s\" has examples and no prompts, but it is compared "
                 "with texts, such as \"%s\": a picture is nearer to pictures "
                 "than to texts whatever it shows, so that the score is high "
                 "for all of them; give the label prompts too, or give "
                 "everything that it is compared with examples alone",
                 alone, text));
}

// For the mode in which scores share what is certain, so that only few of them
// are neither 0 nor 1.
static void
copy_many(PeLabels *l)
{
    size_t n = (size_t)l->n, dim = (size_t)l->dim;
    if (l->mode != PE_LABELS_EXCLUSIVE || !pe_products_are_many(n, dim))
        return;
    l->halves = g_new(uint16_t, n * dim);
    pe_halves_from_floats(l->vectors, n * dim, l->halves);
}

// The vectors of the labels and of what they are compared with.
static bool
make_vectors(PeLabels *l, PeEngine *engine, const PeTokenizer *tokenizer,
             const PeLabelSpec *spec, const PeExamples *examples,
             GPtrArray *warnings, GError **error)
{
    g_autofree int *twins = g_new(int, (size_t)l->n);
    for (int i = 0; i < l->n; i++)
        twins[i] = i;
    if (tokenizer && !pe_label_vectors_make(engine, tokenizer, spec, l->vectors,
                                            twins, warnings, error))
        return false;
    for (int i = 0; i < l->n; i++)
        pe_examples_add(examples, i, l->vectors + (size_t)i * (size_t)l->dim);
    warn_about_twins(l, spec, twins, warnings);
    warn_about_similar(l, twins, warnings);
    warn_about_pictures(l, spec, warnings);
    l->n = pe_compared_hide(spec, l->vectors, l->dim, warnings);
    copy_many(l);
    return true;
}

// Everything but the warnings as such.
static bool
labels_fill(PeLabels *l, PeEngine *engine, const PeTokenizer *tokenizer,
            const PeLabelSpec *spec, GPtrArray *warnings, GError **error)
{
    const PeModel *model = pe_engine_get_model(engine);
    if (!calibrate(l, spec, model, error))
        return false;
    g_autoptr(PeExamples) examples = pe_examples_make(engine, spec, error);
    if (!examples)
        return false;
    l->fingerprint = pe_label_fingerprint(
        spec, examples, l->slope, l->offset, pe_model_get_fingerprint(model),
        tokenizer ? pe_tokenizer_get_fingerprint(tokenizer) : "");
    pe_label_spec_warn(spec, warnings);
    if (!make_vectors(l, engine, tokenizer, spec, examples, warnings, error))
        return false;
    note_defaults(l);
    return check_compared(l, warnings, error);
}

// A model without a text tower knows labels by their examples alone.
static bool
check_has_no_texts(const PeLabelSpec *spec, const PeModel *model,
                   GError **error)
{
    int n = pe_label_spec_count_all(spec);
    for (int i = 0; i < n; i++) {
        const PeLabel *label = pe_label_spec_get(spec, i);
        if (label->image_weight == 1)
            continue;
        const char *name = pe_model_get_name(model);
        bool is_default = i >= (int)spec->labels->len && !spec->has_negatives;
        g_set_error(error, PE_ERROR, PE_ERROR_SHAPE,
                    "%s: the %s \"%s\" is a text, and the model %s has no "
                    "text tower; use a PE-Core checkpoint with both towers, or "
                    "give images or a vector, and no prompts, for everything",
                    label->where ? label->where : name,
                    is_default ? "default negative" : "label", label->name,
                    name);
        return false;
    }
    return true;
}

PeLabels *
pe_labels_new(PeEngine *engine, const PeTokenizer *tokenizer,
              const PeLabelSpec *spec, GError **error)
{
    g_return_val_if_fail(engine && spec, NULL);
    const PeModel *model = pe_engine_get_model(engine);
    if (!pe_model_get_text(model)) {
        if (!check_has_no_texts(spec, model, error))
            return NULL;
        tokenizer = NULL;
    }
    g_return_val_if_fail(tokenizer || !pe_model_get_text(model), NULL);
    PeLabels *l = labels_alloc(spec, pe_engine_get_dim(engine),
                               pe_model_get_logit_scale(model));
    g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
    if (!labels_fill(l, engine, tokenizer, spec, warnings, error)) {
        pe_labels_unref(l);
        return NULL;
    }
    if (tokenizer)
        l->tokenizer = pe_tokenizer_ref((PeTokenizer *)tokenizer);
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
    g_free(labels->rules);
    g_free(labels->vectors);
    g_free(labels->halves);
    g_free(labels->set_name);
    g_free(labels->fingerprint);
    g_strfreev(labels->warnings);
    g_strfreev(labels->notes);
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

PeLabelsMode
pe_labels_get_mode(const PeLabels *labels)
{
    return labels->mode;
}

const char *
pe_labels_get_calibration(const PeLabels *labels)
{
    return labels->calibration;
}

bool
pe_labels_has_default_negatives(const PeLabels *labels)
{
    return labels->default_negatives;
}

const char *const *
pe_labels_get_warnings(const PeLabels *labels)
{
    return (const char *const *)labels->warnings;
}

const char *const *
pe_labels_get_notes(const PeLabels *labels)
{
    return (const char *const *)labels->notes;
}
