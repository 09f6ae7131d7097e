// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpeslug.c - see gstpeslug.h.

#include "gst/mqtt/gstpeslug.h"

#include <stdbool.h>
#include <string.h>

#define MAX_STEM 40
#define N_DIGITS 10

// What the name has of letters and digits, with a _ for what is between them.
static GString *
make_stem(const char *name)
{
    GString *stem = g_string_new(NULL);

    for (const char *c = name; *c && stem->len < MAX_STEM; c++) {
        if (g_ascii_isalnum(*c) || *c == '-')
            g_string_append_c(stem, *c);
        else if (stem->len > 0 && stem->str[stem->len - 1] != '_')
            g_string_append_c(stem, '_');
    }
    if (stem->len > 0 && stem->str[stem->len - 1] == '_')
        g_string_truncate(stem, stem->len - 1);
    return stem;
}

static bool
ends_in_digits(const GString *stem)
{
    gsize n = 0;

    while (n < stem->len &&
           strchr("0123456789abcdef", stem->str[stem->len - 1 - n]))
        n++;
    return n == N_DIGITS && stem->len > n &&
           stem->str[stem->len - 1 - n] == '_';
}

// The name can be read from the stem, so that no other name has it.
static bool
says_all(const GString *stem, const char *name, char blank)
{
    if (strlen(name) != stem->len || stem->len == 0 || ends_in_digits(stem))
        return false;
    for (gsize i = 0; i < stem->len; i++)
        if (stem->str[i] != (name[i] == blank ? '_' : name[i]) ||
            (name[i] == '_' && blank != '_'))
            return false;
    return true;
}

char *
gst_pe_slug_new(const char *name, char blank)
{
    g_autoptr(GString) stem = make_stem(name);

    if (!says_all(stem, name, blank)) {
        g_autofree char *digest =
            g_compute_checksum_for_string(G_CHECKSUM_SHA256, name, -1);
        g_string_append_printf(stem, "%s_%.*s", stem->len > 0 ? "" : "x",
                               N_DIGITS, digest);
    }
    return g_string_free(g_steal_pointer(&stem), FALSE);
}
