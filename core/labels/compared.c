// SPDX-License-Identifier: LGPL-2.1-or-later
//
// compared.c - see compared.h.

#include "compared.h"

#include <string.h>

#include "core/base/read_file.h"
#include "products.h"

#define TOO_NEAR 0.9f // cosine to a label
#define MAX_NAMED 20  // of what is left out, in one warning

static bool
is_near_a_label(const PeLabelSpec *spec, const float *vectors, int dim,
                const float *x, float *cosines)
{
    int n = pe_label_spec_count(spec);
    pe_products(vectors, (size_t)n, (size_t)dim, x, cosines);
    for (int i = 0; i < n; i++) {
        if (cosines[i] >= TOO_NEAR)
            return true;
    }
    return false;
}

static void
warn_about_bank(GPtrArray *hidden, GPtrArray *warnings)
{
    if (hidden->len == 0)
        return;
    g_autoptr(GString) text = g_string_new(NULL);
    g_string_printf(text,
                    "the bank's texts that are nearer than a cosine of %.1f to "
                    "a label are left out (%u): ",
                    (double)TOO_NEAR, hidden->len);
    for (guint i = 0; i < MIN(hidden->len, MAX_NAMED); i++) {
        g_autofree char *quoted = pe_quote(hidden->pdata[i]);
        g_string_append_printf(text, "%s%s", i ? ", " : "", quoted);
    }
    if (hidden->len > MAX_NAMED)
        g_string_append_printf(text, " and %u more", hidden->len - MAX_NAMED);
    pe_log(PE_LOG_WARNING, "%s", text->str);
    g_ptr_array_add(warnings, g_strdup(text->str));
}

int
pe_compared_hide(const PeLabelSpec *spec, float *vectors, int dim,
                 GPtrArray *warnings)
{
    int n_labels = pe_label_spec_count(spec), n = pe_label_spec_count_all(spec);
    int first_of_bank = n - (int)spec->bank->len;
    int first = spec->has_negatives ? first_of_bank : n_labels, kept = first;
    g_autofree float *cosines = g_new(float, (size_t)n_labels);
    g_autoptr(GPtrArray) hidden = g_ptr_array_new(); // of borrowed names

    for (int i = first; i < n; i++) {
        const float *x = vectors + (size_t)i * (size_t)dim;
        const char *name = pe_label_spec_get(spec, i)->name;
        if (!is_near_a_label(spec, vectors, dim, x, cosines)) {
            memmove(vectors + (size_t)kept++ * (size_t)dim, x,
                    sizeof *x * (size_t)dim);
        } else if (i >= first_of_bank) {
            g_ptr_array_add(hidden, (void *)name);
        } else {
            pe_log(PE_LOG_INFO,
                   "the default negative \"%s\" is left out: a label is nearer "
                   "than a cosine of %.1f",
                   name, (double)TOO_NEAR);
        }
    }
    warn_about_bank(hidden, warnings);
    return kept;
}
