// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpetext.c - see gstpetext.h.

#include "gst/overlay/gstpetext.h"

#include <stdbool.h>
#include <string.h>

// More than fits on any picture; bounds the work of laying it out.
#define MAX_BYTES 240
#define ELLIPSIS "\xe2\x80\xa6"

// Marks, embeddings, overrides and isolates of direction, which would reach
// into the text behind the name.
static bool
turns_direction(gunichar c)
{
    return c == 0x061c || c == 0x200e || c == 0x200f ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static gunichar
replace(gunichar c)
{
    switch (g_unichar_type(c)) {
    case G_UNICODE_CONTROL:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
        return ' ';
    case G_UNICODE_UNASSIGNED:
    case G_UNICODE_PRIVATE_USE:
    case G_UNICODE_SURROGATE:
        return 0xfffd;
    default:
        return c;
    }
}

char *
gst_pe_text_clean(const char *text)
{
    size_t length = text ? strlen(text) : 0;
    // A character that is cut here is cut away below.
    g_autofree char *valid =
        g_utf8_make_valid(text ? text : "", (gssize)MIN(length, MAX_BYTES));
    GString *clean = g_string_new(NULL);
    bool cut = length > MAX_BYTES;

    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (clean->len >= MAX_BYTES - 4) {
            cut = true;
            break;
        }
        if (!turns_direction(c))
            g_string_append_unichar(clean, replace(c));
    }
    if (cut)
        g_string_append(clean, ELLIPSIS);
    return g_string_free(clean, FALSE);
}
