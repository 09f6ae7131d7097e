// SPDX-License-Identifier: LGPL-2.1-or-later
//
// fix_text.c - the repairs that ftfy makes before CLIP's tokenizer sees a text.
// Written from the library's documented behaviour; the one step left out is
// the repair of text that was decoded in a wrong encoding.

#include <string.h>

#include "clean_text.h"

// ftfy repeats its steps until nothing changes; nested entities ("&amp;amp;")
// need one round a level, and a hostile text has as many levels as it likes.
#define MAX_ROUNDS 16

static const char *
split_ligature(gunichar c)
{
    static const char *const dutch[] = {"IJ", "ij"};              // U+0132
    static const char *const serbian[] = {"DŽ", "Dž", "dž",       // U+01C4
                                          "LJ", "Lj", "lj",       //
                                          "NJ", "Nj", "nj"};      //
    static const char *const digraph[] = {"DZ", "Dz", "dz"};      // U+01F1
    static const char *const latin[] = {"ff",  "fi", "fl", "ffi", // U+FB00
                                        "ffl", "ſt", "st"};
    if (c >= 0x132 && c < 0x132 + G_N_ELEMENTS(dutch))
        return dutch[c - 0x132];
    if (c >= 0x1c4 && c < 0x1c4 + G_N_ELEMENTS(serbian))
        return serbian[c - 0x1c4];
    if (c >= 0x1f1 && c < 0x1f1 + G_N_ELEMENTS(digraph))
        return digraph[c - 0x1f1];
    if (c >= 0xfb00 && c < 0xfb00 + G_N_ELEMENTS(latin))
        return latin[c - 0xfb00];
    return c == 0x149 ? "'n" : NULL; // Afrikaans, its apostrophe straightened
}

// Fullwidth and halfwidth forms and the ideographic space.
static bool
has_odd_width(gunichar c)
{
    return c == 0x3000 || (c >= 0xff01 && c < 0xfff0);
}

static gunichar
straighten_quote(gunichar c)
{
    if (c == 0x2bc || (c >= 0x2018 && c <= 0x201b))
        return '\'';
    return c >= 0x201c && c <= 0x201f ? '"' : c;
}

static void
append_repaired(GString *out, gunichar c)
{
    c = pe_cp1252_decode(c);
    const char *letters = split_ligature(c);
    if (letters) {
        g_string_append(out, letters);
    } else if (has_odd_width(c)) {
        char utf8[8] = {0};
        g_unichar_to_utf8(c, utf8);
        g_autofree char *normal = g_utf8_normalize(utf8, -1, G_NORMALIZE_NFKC);
        g_string_append(out, normal);
    } else {
        g_string_append_unichar(out, straighten_quote(c));
    }
}

// Control characters that nobody meant to write.
// Source: Unicode TR 20, "characters not suitable for use with markup".
static bool
is_unwanted(gunichar c)
{
    return c < 0x09 || c == 0x0b || (c >= 0x0e && c < 0x20) || c == 0x7f ||
           (c >= 0x206a && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff9 && c <= 0xfffc);
}

// The end of a terminal's escape sequence ("\033[1;31m") at `p`, else `p`.
static const char *
skip_escape(const char *p)
{
    if (p[0] != '\033' || p[1] != '[')
        return p;
    const char *end = p + 2;
    while (*end == ';' || g_unichar_isdigit(g_utf8_get_char(end)))
        end = g_utf8_next_char(end);
    return g_ascii_isalpha(*end) ? end + 1 : p;
}

static char *
remove_controls(const char *text)
{
    GString *out = g_string_sized_new(strlen(text));
    while (*text) {
        const char *end = skip_escape(text);
        if (end != text) {
            text = end;
            continue;
        }
        gunichar c = g_utf8_get_char(text);
        if (!is_unwanted(c))
            g_string_append_unichar(out, c);
        text = g_utf8_next_char(text);
    }
    return g_string_free(out, FALSE);
}

static char *
fix_once(const char *line, bool unescape)
{
    g_autofree char *plain =
        unescape ? pe_html_unescape_strict(line) : g_strdup(line);
    GString *repaired = g_string_sized_new(strlen(plain));
    for (const char *p = plain; *p; p = g_utf8_next_char(p))
        append_repaired(repaired, g_utf8_get_char(p));
    g_autofree char *visible = remove_controls(repaired->str);
    g_string_free(repaired, TRUE);
    return g_utf8_normalize(visible, -1, G_NORMALIZE_NFC);
}

// Nothing in fix_once() touches printable ASCII, except an entity.
static bool
is_plain(const char *line)
{
    for (; *line; line++) {
        if (*line < 0x20 || *line > 0x7e || *line == '&')
            return false;
    }
    return true;
}

static char *
fix_line(char *line, bool unescape)
{
    for (int i = 0; i < MAX_ROUNDS && !is_plain(line); i++) {
        char *fixed = fix_once(line, unescape);
        bool same = strcmp(fixed, line) == 0;
        g_free(line);
        line = fixed;
        if (same)
            break;
    }
    return line;
}

char *
pe_fix_text(const char *text)
{
    GString *out = g_string_sized_new(strlen(text));
    // A "<" may be markup; then entities stay, on all later lines too.
    bool unescape = true;
    while (*text) {
        size_t size = strcspn(text, "\n");
        size += text[size] == '\n';
        char *line = g_strndup(text, size);
        unescape = unescape && !strchr(line, '<');
        line = fix_line(line, unescape);
        g_string_append(out, line);
        g_free(line);
        text += size;
    }
    return g_string_free(out, FALSE);
}
