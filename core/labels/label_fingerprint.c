// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_fingerprint.c - an archive is searched for years, so a fingerprint is
// the same on every machine, and whoever has the label set can compute it:
//
//     entry = SHA-256 of kind, name, the thresholds of score, probability and
//             similarity, offset, prompts
//     all   = SHA-256 of "pe-labels 2", model, tokenizer, mode, slope, offset,
//             entries
//
// The entry of a label with examples has between offset and prompts: their
// weight, the SHA-256 of each (see label_examples.h), and an empty part.
//
// Each part is UTF-8 that ends with a zero byte. The kind is "label",
// "negative" or "bank", and " with examples" when there are some; a number is
// the eight hexadecimal digits of its float's bits; prompts are texts with the
// label in its place; entries and `all` are in hexadecimal. Default negatives
// count like others. Prompts, examples and entries are sorted by their bytes:
// in which order they were written changes no score. The name of the set
// changes none either.

#include "label_fingerprint.h"

#include <string.h>

#define N_DIGITS 16

static int
compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
add_text(GChecksum *sum, const char *text)
{
    g_checksum_update(sum, (const guchar *)text, (gssize)strlen(text) + 1);
}

static void
add_sorted(GChecksum *sum, GPtrArray *texts)
{
    g_ptr_array_sort(texts, compare_texts);
    for (guint i = 0; i < texts->len; i++)
        add_text(sum, texts->pdata[i]);
}

static void
add_number(GChecksum *sum, float number)
{
    uint32_t bits;
    char digits[9];
    memcpy(&bits, &number, sizeof bits);
    g_snprintf(digits, sizeof digits, "%08x", bits);
    add_text(sum, digits);
}

// As add_sorted(), of borrowed texts that keep their order.
static void
add_sorted_copy(GChecksum *sum, const GPtrArray *texts)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    for (guint i = 0; i < texts->len; i++)
        g_ptr_array_add(sorted, texts->pdata[i]);
    add_sorted(sum, sorted);
}

//   sums  of its examples; NULL: it has none
static char *
make_entry(const PeLabelSpec *spec, const PeLabel *label, const char *kind,
           const GPtrArray *sums)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    g_autofree char *whole =
        g_strconcat(kind, sums ? " with examples" : "", NULL);
    add_text(sum, whole);
    add_text(sum, label->name);
    add_number(sum, label->threshold);
    add_number(sum, label->probability_threshold);
    add_number(sum, label->similarity_threshold);
    add_number(sum, label->offset);
    if (sums) {
        add_number(sum, label->image_weight);
        add_sorted_copy(sum, sums);
        add_text(sum, "");
    }
    g_autoptr(GPtrArray) prompts = pe_label_spec_list_prompts(spec, label);
    add_sorted_copy(sum, prompts);
    return g_strdup(g_checksum_get_string(sum));
}

char *
pe_label_fingerprint(const PeLabelSpec *spec, const PeExamples *examples,
                     float slope, float offset, const char *model,
                     const char *tokenizer)
{
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(g_free);
    int n = pe_label_spec_count_all(spec), n_labels = pe_label_spec_count(spec);
    for (int i = 0; i < n; i++) {
        const char *kind = i < n_labels                   ? "label"
                           : i < n - (int)spec->bank->len ? "negative"
                                                          : "bank";
        g_ptr_array_add(entries,
                        make_entry(spec, pe_label_spec_get(spec, i), kind,
                                   pe_examples_get_sums(examples, i)));
    }

    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    add_text(sum, "pe-labels 2");
    add_text(sum, model);
    add_text(sum, tokenizer);
    add_text(sum, pe_labels_mode_nick(spec->mode));
    add_number(sum, slope);
    add_number(sum, offset);
    add_sorted(sum, entries);
    return g_strndup(g_checksum_get_string(sum), N_DIGITS);
}
