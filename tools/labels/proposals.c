// SPDX-License-Identifier: LGPL-2.1-or-later
//
// proposals.c - see proposals.h.

#include "proposals.h"

#include <math.h>

#include "tools/labels/everyday.h"

#define MAX_OF_LABEL 2   // neighbours of one label
#define MAX_NEIGHBOURS 8 // of all labels
#define MAX_SEEN 3
#define MIN_SEEN .1 // share of the clips in which no label fires

// The list of everyday things that may be proposed.
typedef struct {
    Check *check;
    GPtrArray *words; // LabelText *
    float *vectors;   // [words, dim]
    bool *taken;      // [words], proposed already, or too near to what is there
} Everyday;

static const float *
get_vector(const Everyday *e, guint word)
{
    return e->vectors + word * (size_t)e->check->dim;
}

static bool
is_near(const Check *check, const float *x, const float *others, guint n)
{
    for (guint i = 0; i < n; i++) {
        if (check_cosine(check, x, others + i * (size_t)check->dim) >= TOO_NEAR)
            return true;
    }
    return false;
}

static bool
open_everyday(Everyday *e, GError **error)
{
    Check *check = e->check;
    const LabelTexts *texts = check->texts;
    for (const char *const *word = everyday_things; *word; word++) {
        LabelText *label = label_text_new(*word);
        g_clear_pointer(&label->prompts, g_ptr_array_unref);
        g_ptr_array_add(e->words, label);
    }
    e->vectors = g_new(float, e->words->len *(size_t)check->dim);
    e->taken = g_new0(bool, e->words->len);
    if (!check_embed(check, e->words, texts->templates, e->vectors, error))
        return false;
    for (guint i = 0; i < e->words->len; i++) {
        const float *x = get_vector(e, i);
        e->taken[i] =
            is_near(check, x, check->label_vectors, texts->labels->len) ||
            is_near(check, x, check->negative_vectors, texts->negatives->len);
    }
    return true;
}

// The word that is nearest among those that are left, or -1.
static int
find_nearest(const Everyday *e, const float *x)
{
    int nearest = -1;
    double best = -2;
    for (guint i = 0; i < e->words->len; i++) {
        double c =
            e->taken[i] ? -2 : check_cosine(e->check, x, get_vector(e, i));
        if (c <= best)
            continue;
        nearest = (int)i;
        best = c;
    }
    return nearest;
}

static void
take(Everyday *e, int word, GPtrArray *texts)
{
    e->taken[word] = true;
    g_ptr_array_add(texts,
                    g_strdup(((LabelText *)e->words->pdata[word])->name));
}

static GPtrArray *
texts_new(void)
{
    return g_ptr_array_new_with_free_func(g_free);
}

// How near a word must be to a label to stand out of the list: two standard
// deviations above its mean.
static double
get_bound(const Everyday *e, const float *x)
{
    double sum = 0, squares = 0, n = e->words->len;
    for (guint i = 0; i < e->words->len; i++) {
        double c = check_cosine(e->check, x, get_vector(e, i));
        sum += c;
        squares += c * c;
    }
    double variance = squares / n - sum / n * (sum / n);
    return sum / n + 2 * sqrt(fmax(variance, 0));
}

static void
propose_neighbour(Everyday *e, guint number, GPtrArray *texts, GString *pairs)
{
    const float *x = e->check->label_vectors + number * (size_t)e->check->dim;
    const LabelText *label = e->check->texts->labels->pdata[number];
    int word = find_nearest(e, x);
    if (word < 0 || texts->len == MAX_NEIGHBOURS ||
        check_cosine(e->check, x, get_vector(e, (guint)word)) < get_bound(e, x))
        return;
    take(e, word, texts);
    g_autofree char *a = finding_quote(texts->pdata[texts->len - 1]);
    g_autofree char *b = finding_quote(label->name);
    g_string_append_printf(pairs, "%s%s (near %s)", pairs->len ? ", " : "", a,
                           b);
}

// Each label proposes in turn, so that the first ones do not fill the list.
static void
propose_neighbours(Everyday *e)
{
    Check *check = e->check;
    g_autoptr(GPtrArray) texts = texts_new();
    g_autoptr(GString) pairs = g_string_new(NULL);
    for (int turn = 0; turn < MAX_OF_LABEL; turn++) {
        for (guint i = 0; i < check->texts->labels->len; i++)
            propose_neighbour(e, i, texts, pairs);
    }
    if (texts->len == 0)
        return;
    findings_add(check->findings, FINDING_ADVICE, "negatives",
                 "everyday things that are near a label: %s; add to "
                 "\"negatives\" those that the camera may see and that you do "
                 "not look for",
                 pairs->str)
        ->texts = g_steal_pointer(&texts);
}

// How many clips without a label are nearest to each word.
static int
count_seen(const Everyday *e, const bool *fired, int *counts)
{
    int n = 0;
    for (int i = 0; i < check_count_clips(e->check); i++) {
        int word = fired[i] ? -1 : find_nearest(e, check_get_clip(e->check, i));
        if (word < 0)
            continue;
        counts[word]++;
        n++;
    }
    return n;
}

static void
propose_seen(Everyday *e, const bool *fired)
{
    Check *check = e->check;
    g_autoptr(GPtrArray) texts = texts_new();
    g_autofree int *counts = g_new0(int, e->words->len);
    int n = count_seen(e, fired, counts), shown = 0;
    while (texts->len < MAX_SEEN) {
        int best = 0;
        for (guint i = 1; i < e->words->len; i++)
            best = counts[i] > counts[best] ? (int)i : best;
        if (counts[best] == 0 || counts[best] < MIN_SEEN * n)
            break;
        shown += counts[best];
        counts[best] = 0;
        take(e, best, texts);
    }
    if (texts->len == 0)
        return;
    g_autofree char *quoted = finding_quote_all(texts);
    findings_add(
        check->findings, FINDING_ADVICE, "scene",
        "of %d clips in which no label fires, %d are most like %s; add "
        "to \"negatives\" what is true of them",
        n, shown, quoted)
        ->texts = g_steal_pointer(&texts);
}

bool
proposals_make(Check *check, const bool *fired, GError **error)
{
    Everyday e = {.check = check,
                  .words = g_ptr_array_new_with_free_func(
                      (GDestroyNotify)label_text_free)};
    bool ok = open_everyday(&e, error);
    if (ok) {
        // What is really there comes first.
        propose_seen(&e, fired);
        propose_neighbours(&e);
    }
    g_ptr_array_unref(e.words);
    g_free(e.vectors);
    g_free(e.taken);
    return ok;
}
