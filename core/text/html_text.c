// SPDX-License-Identifier: LGPL-2.1-or-later
//
// html_text.c - HTML entities in text, read as Python and ftfy read them.

#include <string.h>

#include "clean_text.h"
#include "html_entities.h"

#define MAX_NAME 32        // bytes looked at after '&', as in html.unescape()
#define MAX_STRICT_NAME 24 // letters between '&' and ';', as in ftfy

gunichar
pe_cp1252_decode(gunichar c)
{
    static const uint16_t table[32] = {
        0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
        0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008d, 0x017d, 0x008f,
        0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
        0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x009d, 0x017e, 0x0178,
    };
    return c >= 0x80 && c < 0xa0 ? table[c - 0x80] : c;
}

// What a number names; 0: nothing at all.
// Source: HTML standard, "Numeric character reference end state"; Python's
// html module drops the characters that the standard only complains about.
static gunichar
decode_number(uint64_t n)
{
    if (n == 0 || n > 0x10ffff || (n >= 0xd800 && n < 0xe000))
        return 0xfffd;
    if (n >= 0x80 && n < 0xa0)
        return pe_cp1252_decode((gunichar)n);
    bool control = n < 0x20 && n != '\t' && n != '\n' && n != '\f' && n != '\r';
    bool not_character = (n >= 0xfdd0 && n < 0xfdf0) || (n & 0xfffe) == 0xfffe;
    return control || n == 0x7f || not_character ? 0 : (gunichar)n;
}

// Read "#65", "#x41" at `p`. Returns what follows the digits, NULL when there
// are none.
static const char *
parse_number(const char *p, gunichar *c)
{
    int base = p[1] == 'x' || p[1] == 'X' ? 16 : 10;
    p += base == 16 ? 2 : 1;
    uint64_t n = 0;
    const char *digits = p;
    while (base == 16 ? g_ascii_isxdigit(*p) : g_ascii_isdigit(*p)) {
        n = MIN(n * (uint64_t)base + (uint64_t)g_ascii_xdigit_value(*p),
                UINT32_MAX);
        p++;
    }
    if (p == digits)
        return NULL;
    *c = decode_number(n);
    return p;
}

static void
append(GString *out, gunichar c)
{
    if (c)
        g_string_append_unichar(out, c);
}

// `p` is after '&'. Appends what is meant and returns what follows; NULL and
// nothing appended when this is only an ampersand.
static const char *
unescape_one(const char *p, GString *out)
{
    gunichar c;
    if (*p == '#') {
        const char *end = parse_number(p, &c);
        if (!end)
            return NULL;
        append(out, c);
        return end + (*end == ';');
    }
    size_t size = strcspn(p, "\t\n\f <&#;");
    size = MIN(size, MAX_NAME);
    if (p[size] == ';' && (c = pe_html_entity_find(p, size))) {
        append(out, c);
        return p + size + 1;
    }
    for (; size > 1; size--) {
        if ((c = pe_html_entity_find_legacy(p, size))) {
            append(out, c);
            return p + size;
        }
    }
    return NULL;
}

char *
pe_html_unescape(const char *text)
{
    GString *out = g_string_sized_new(strlen(text));
    for (const char *p = text; *p;) {
        const char *end = *p == '&' ? unescape_one(p + 1, out) : NULL;
        if (end) {
            p = end;
            continue;
        }
        g_string_append_c(out, *p++);
    }
    return g_string_free(out, FALSE);
}

// Append the meaning of the name p[0, size); false when it has none.
static bool
append_entity(const char *p, size_t size, GString *out)
{
    gunichar c;
    if (*p == '#') {
        // A semicolon would look like an entity that was read only in part.
        if (parse_number(p, &c) != p + size || c == ';')
            return false;
        append(out, c);
        return true;
    }
    if ((c = pe_html_entity_find(p, size))) {
        append(out, c);
        return true;
    }
    // "&EACUTE;" is what an upper-cased "&eacute;" has become.
    char lower[MAX_STRICT_NAME + 1];
    for (size_t i = 0; i < size; i++) {
        if (g_ascii_islower(p[i]))
            return false;
        lower[i] = g_ascii_tolower(p[i]);
    }
    if (!(c = pe_html_entity_find(lower, size)))
        return false;
    char utf8[8] = {0};
    g_unichar_to_utf8(c, utf8);
    g_autofree char *upper = g_utf8_strup(utf8, -1);
    g_string_append(out, upper);
    return true;
}

char *
pe_html_unescape_strict(const char *text)
{
    GString *out = g_string_sized_new(strlen(text));
    for (const char *p = text; *p;) {
        const char *name = p + 1;
        size_t size = 0;
        if (*p == '&') {
            size = *name == '#';
            while (g_ascii_isalnum(name[size]) && size <= MAX_STRICT_NAME)
                size++;
        }
        bool found = size > 0 && size <= MAX_STRICT_NAME && name[size] == ';' &&
                     append_entity(name, size, out);
        if (found)
            p = name + size + 1;
        else
            g_string_append_c(out, *p++);
    }
    return g_string_free(out, FALSE);
}
