// SPDX-License-Identifier: LGPL-2.1-or-later
//
// check_texts.c - see check.h: what the tokens of a labels file say, before any
// vector.

#include "check.h"

typedef struct {
    Check *check;
    int context_length;
    GHashTable *seen; // tokens -> LabelText * of a label
} Tokens;

static void
tell_cut(Tokens *t, const LabelText *label, const char *text, char *lost)
{
    g_autofree char *quoted = finding_quote(text);
    g_autofree char *cut = finding_quote(lost);
    Finding *f = findings_add(
        t->check->findings, FINDING_WARNING, "cut-text",
        "%s is longer than the %d tokens that the model reads: %s is lost; say "
        "it in fewer words",
        quoted, t->context_length, cut);
    f->label = g_strdup(label->name);
    f->texts = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(f->texts, lost);
}

// The tokens of all texts of a label, as a key. Returns, g_free().
static char *
encode(Tokens *t, const LabelText *label)
{
    g_autoptr(GPtrArray) prompts =
        label_text_list(label, t->check->texts->templates);
    g_autofree int *ids = g_new0(int, t->context_length);
    GString *key = g_string_new(NULL);
    for (guint i = 0; i < prompts->len; i++) {
        char *lost = NULL;
        int n = pe_tokenizer_encode(t->check->tokenizer, prompts->pdata[i],
                                    t->context_length, ids, &lost);
        for (int k = 0; k < n; k++)
            g_string_append_printf(key, "%d ", ids[k]);
        g_string_append_c(key, '\n');
        if (lost)
            tell_cut(t, label, prompts->pdata[i], lost);
    }
    return g_string_free(key, FALSE);
}

static void
tell_equal(Tokens *t, const LabelText *label, const LabelText *first,
           bool negative)
{
    g_autofree char *a = finding_quote(first->name);
    g_autofree char *b = finding_quote(label->name);
    Finding *f =
        negative
            ? findings_add(t->check->findings, FINDING_ERROR,
                           "label-equals-negative",
                           "the negative %s is the label %s for this model, "
                           "which can never be sure of it; remove one of them",
                           b, a)
            : findings_add(t->check->findings, FINDING_ERROR, "equal-labels",
                           "the labels %s and %s are the same for this model, "
                           "and share their score; remove one of them",
                           a, b);
    f->label = g_strdup(first->name);
    f->other = g_strdup(label->name);
}

static void
look_at(Tokens *t, const GPtrArray *labels, bool negatives)
{
    for (guint i = 0; i < labels->len; i++) {
        LabelText *label = labels->pdata[i];
        g_autofree char *key = NULL;
        // Pictures tell labels apart that have the same words, or none.
        if (label->wordless)
            continue;
        key = encode(t, label);
        if (label->examples)
            continue;
        LabelText *first = g_hash_table_lookup(t->seen, key);
        if (first)
            tell_equal(t, label, first, negatives);
        else if (!negatives)
            g_hash_table_insert(t->seen, g_steal_pointer(&key), label);
    }
}

void
check_tokens(Check *check)
{
    const PeModel *model = pe_engine_get_model(check->engine);
    Tokens t = {check, pe_model_get_text(model)->context_length,
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
    look_at(&t, check->texts->labels, false);
    // Default negatives that are labels are left out by the library.
    if (!check->texts->default_negatives)
        look_at(&t, check->texts->negatives, true);
    g_hash_table_unref(t.seen);
}
