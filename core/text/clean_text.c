// SPDX-License-Identifier: LGPL-2.1-or-later
//
// clean_text.c - Unicode white space and lower case as Python has them, and the
// whole cleaning of a text.

#include "clean_text.h"

#include <string.h>

#include "core/pe.h"

bool
pe_is_space(gunichar c)
{
    if (c < 0x80)
        return c == ' ' || (c >= '\t' && c <= '\r');
    switch (g_unichar_type(c)) {
    case G_UNICODE_SPACE_SEPARATOR:
    case G_UNICODE_LINE_SEPARATOR:
    case G_UNICODE_PARAGRAPH_SEPARATOR:
        return true;
    default:
        return c == 0x85;
    }
}

// Runs of white space become one space; none at the ends.
static char *
collapse_spaces(const char *text)
{
    GString *out = g_string_sized_new(strlen(text));
    bool pending = false;
    for (; *text; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);
        if (pe_is_space(c)) {
            pending = out->len > 0;
            continue;
        }
        if (pending)
            g_string_append_c(out, ' ');
        pending = false;
        g_string_append_unichar(out, c);
    }
    return g_string_free(out, FALSE);
}

// Roman numerals and circled letters have cases too, but GLib knows only those
// of letters. How far the small one is from the capital one; 0: no case.
static gunichar
find_case_distance(gunichar c)
{
    if (c >= 0x2160 && c <= 0x217f)
        return 16;
    return c >= 0x24b6 && c <= 0x24e9 ? 26 : 0;
}

static gunichar
lower_char(gunichar c)
{
    gunichar distance = find_case_distance(c);
    if (distance == 0)
        return g_unichar_tolower(c);
    bool capital = find_case_distance(c + distance) == distance;
    return capital ? c + distance : c;
}

// Unicode's Cased and Case_Ignorable, as far as a sigma's neighbours need them.
static bool
is_cased(gunichar c)
{
    return g_unichar_isupper(c) || g_unichar_islower(c) ||
           g_unichar_istitle(c) || g_unichar_toupper(c) != c ||
           g_unichar_tolower(c) != c || find_case_distance(c) > 0;
}

static bool
is_case_ignorable(gunichar c)
{
    switch (g_unichar_type(c)) {
    case G_UNICODE_NON_SPACING_MARK:
    case G_UNICODE_ENCLOSING_MARK:
    case G_UNICODE_FORMAT:
    case G_UNICODE_MODIFIER_LETTER:
    case G_UNICODE_MODIFIER_SYMBOL:
        return true;
    default:
        // Punctuation inside words, Unicode's Word_Break Mid* classes.
        return c == '\'' || c == '.' || c == ':' || c == 0xb7 || c == 0x387 ||
               c == 0x55f || c == 0x5f4 || c == 0x2018 || c == 0x2019 ||
               c == 0x2024 || c == 0x2027 || c == 0xfe13 || c == 0xfe52 ||
               c == 0xfe55 || c == 0xff07 || c == 0xff0e || c == 0xff1a;
    }
}

// A sigma is final after a cased letter and not before one.
// Source: Unicode standard, section 3.13, Final_Sigma.
static bool
is_final_sigma(const char *text, const char *sigma)
{
    const char *p = sigma;
    bool after = false;
    while (p > text) {
        p = g_utf8_prev_char(p);
        if (!is_case_ignorable(g_utf8_get_char(p))) {
            after = is_cased(g_utf8_get_char(p));
            break;
        }
    }
    if (!after)
        return false;
    p = g_utf8_next_char(sigma);
    while (*p && is_case_ignorable(g_utf8_get_char(p)))
        p = g_utf8_next_char(p);
    return !*p || !is_cased(g_utf8_get_char(p));
}

char *
pe_lower(const char *text)
{
    GString *out = g_string_sized_new(strlen(text));
    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (c == 0x130) // the one letter that grows
            g_string_append(out, "i\xcc\x87");
        else if (c == 0x3a3)
            g_string_append(out, is_final_sigma(text, p) ? "ς" : "σ");
        else
            g_string_append_unichar(out, lower_char(c));
    }
    return g_string_free(out, FALSE);
}

char *
pe_tokenizer_clean(const char *text)
{
    g_return_val_if_fail(text, NULL);
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autofree char *fixed = pe_fix_text(valid);
    g_autofree char *once = pe_html_unescape(fixed);
    g_autofree char *twice = pe_html_unescape(once);
    g_autofree char *collapsed = collapse_spaces(twice);
    return pe_lower(collapsed);
}
