// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_neighbours.c - see check.h: labels that are too near to each other, to
// a negative or to a text of the bank.

#include "check.h"

#define MAX_COMPARED 4000 // labels; more would take minutes
#define MAX_TOLD 100      // pairs of one kind

// Words that are as near as this have the same tokens, which is told already.
#define EQUAL .999999

static void
tell_more(Check *check, const char *kind, int n)
{
    if (n > MAX_TOLD)
        findings_add(check->findings, FINDING_WARNING, kind,
                     "%d more pairs are as near; they are not listed",
                     n - MAX_TOLD);
}

static bool
is_told(const LabelText *a, const LabelText *b, double cosine)
{
    return cosine > EQUAL && !a->examples && !b->examples;
}

static void
tell_look_alikes(Check *check, const char *a, const char *b, double cosine)
{
    g_autofree char *first = finding_quote(a);
    g_autofree char *second = finding_quote(b);
    Finding *f = findings_add(
        check->findings, FINDING_WARNING, "look-alikes",
        "the labels %s and %s hardly differ for this model (cosine %.3f), and "
        "share their score; make them one label with two prompts, or say what "
        "tells them apart",
        first, second, cosine);
    f->label = g_strdup(a);
    f->other = g_strdup(b);
    f->cosine = cosine;
}

static void
find_look_alikes(Check *check)
{
    const GPtrArray *labels = check->texts->labels;
    guint n = MIN(labels->len, MAX_COMPARED);
    int told = 0;
    for (guint i = 0; i < n; i++) {
        const float *x = check->label_vectors + i * (size_t)check->dim;
        for (guint j = i + 1; j < n; j++) {
            double cosine = check_cosine(
                check, x, check->label_vectors + j * (size_t)check->dim);
            const LabelText *a = labels->pdata[i], *b = labels->pdata[j];
            if (cosine <= LOOK_ALIKE || is_told(a, b, cosine) ||
                ++told > MAX_TOLD)
                continue;
            tell_look_alikes(check, a->name, b->name, cosine);
        }
    }
    tell_more(check, "look-alikes", told);
    if (labels->len > n)
        findings_add(check->findings, FINDING_WARNING, "look-alikes",
                     "only the first %u of %u labels were compared with each "
                     "other; check the others in files of their own",
                     n, labels->len);
}

// The label that is nearest; *cosine gets how near.
static const LabelText *
find_nearest(const Check *check, const float *x, double *cosine)
{
    const LabelText *nearest = NULL;
    *cosine = -2;
    for (guint i = 0; i < check->texts->labels->len; i++) {
        double c = check_cosine(check, x,
                                check->label_vectors + i * (size_t)check->dim);
        if (c <= *cosine)
            continue;
        nearest = check->texts->labels->pdata[i];
        *cosine = c;
    }
    return nearest;
}

static void
find_near_negatives(Check *check)
{
    const GPtrArray *negatives = check->texts->negatives;
    int told = 0;
    // The library leaves default negatives out that are too near.
    for (guint i = 0; i < negatives->len && !check->texts->default_negatives;
         i++) {
        const LabelText *negative = negatives->pdata[i];
        double cosine;
        const LabelText *label = find_nearest(
            check, check->negative_vectors + i * (size_t)check->dim, &cosine);
        if (cosine < TOO_NEAR || is_told(label, negative, cosine) ||
            ++told > MAX_TOLD)
            continue;
        g_autofree char *a = finding_quote(negative->name);
        g_autofree char *b = finding_quote(label->name);
        Finding *f = findings_add(
            check->findings, FINDING_WARNING, "near-negative",
            "the negative %s is so near to the label %s (cosine %.3f) that it "
            "takes its score; remove it, or say what tells it apart",
            a, b, cosine);
        f->label = g_strdup(label->name);
        f->other = g_strdup(negative->name);
        f->cosine = cosine;
    }
    tell_more(check, "near-negative", told);
}

static bool
find_hidden_bank(Check *check, GError **error)
{
    const GPtrArray *bank = check->texts->bank;
    g_autofree float *vectors =
        g_new(float, (size_t)bank->len *(size_t)check->dim);
    if (!check_embed(check, bank, check->texts->templates, vectors, error))
        return false;
    g_autoptr(GPtrArray) hidden = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < bank->len; i++) {
        double cosine;
        find_nearest(check, vectors + i * (size_t)check->dim, &cosine);
        if (cosine >= TOO_NEAR)
            g_ptr_array_add(
                hidden, g_strdup(((const LabelText *)bank->pdata[i])->name));
    }
    if (hidden->len == 0)
        return true;
    g_autofree char *quoted = finding_quote_all(hidden);
    Finding *f = findings_add(
        check->findings, FINDING_ADVICE, "bank",
        "%u of %u texts of the bank are left out, because a label is nearer "
        "than a cosine of %.1f: %s",
        hidden->len, bank->len, TOO_NEAR, quoted);
    f->texts = g_steal_pointer(&hidden);
    return true;
}

bool
check_neighbours(Check *check, GError **error)
{
    find_look_alikes(check);
    find_near_negatives(check);
    const LabelTexts *texts = check->texts;
    if (texts->labels->len == 1 && texts->negatives->len == 0 &&
        texts->bank->len == 0)
        findings_add(check->findings, FINDING_WARNING, "alone",
                     "one label without negatives has the score 1 whatever is "
                     "seen; name what else may be seen as \"negatives\"");
    return find_hidden_bank(check, error);
}
