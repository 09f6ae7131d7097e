// SPDX-License-Identifier: LGPL-2.1-or-later
//
// label_fingerprint.c - an archive is searched for years, so a fingerprint is
// the same on every machine, and whoever has the label set can compute it:
//
//     entry = SHA-256 of kind, name, threshold, prompts
//     all   = SHA-256 of "pe-labels 1", model, tokenizer, entries
//
// Each part is UTF-8 that ends with a zero byte. The kind is "label" or
// "negative"; a threshold is the eight hexadecimal digits of its float's bits;
// prompts are texts with the label in its place; entries and `all` are in
// hexadecimal. Prompts and entries are sorted by their bytes: in which order
// they were written changes no score. The name of the set changes none either.

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

static char *
make_entry(const PeLabelSpec *spec, const PeLabel *label, const char *kind)
{
    uint32_t bits;
    char digits[9];
    memcpy(&bits, &label->threshold, sizeof bits);
    g_snprintf(digits, sizeof digits, "%08x", bits);

    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    add_text(sum, kind);
    add_text(sum, label->name);
    add_text(sum, digits);
    g_autoptr(GPtrArray) prompts = pe_label_spec_list_prompts(spec, label);
    g_autoptr(GPtrArray) sorted = g_ptr_array_new(); // of borrowed texts
    for (guint i = 0; i < prompts->len; i++)
        g_ptr_array_add(sorted, prompts->pdata[i]);
    add_sorted(sum, sorted);
    return g_strdup(g_checksum_get_string(sum));
}

char *
pe_label_fingerprint(const PeLabelSpec *spec, const char *model,
                     const char *tokenizer)
{
    g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < spec->labels->len; i++)
        g_ptr_array_add(entries,
                        make_entry(spec, spec->labels->pdata[i], "label"));
    for (guint i = 0; i < spec->negatives->len; i++)
        g_ptr_array_add(
            entries, make_entry(spec, spec->negatives->pdata[i], "negative"));

    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
    add_text(sum, "pe-labels 1");
    add_text(sum, model);
    add_text(sum, tokenizer);
    add_sorted(sum, entries);
    return g_strndup(g_checksum_get_string(sum), N_DIGITS);
}
