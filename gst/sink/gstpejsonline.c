// SPDX-License-Identifier: LGPL-2.1-or-later
//
// gstpejsonline.c - see gstpejsonline.h.

#include "gst/sink/gstpejsonline.h"

#include "core/pe.h"

#include <string.h>

#define MAX_DEPTH 64

typedef struct {
    const char *text, *at, *end;
    GError **error;
} Scan;

typedef struct {
    const char *at;
    gsize size;
} Span;

static bool
fail(const Scan *scan, const char *where, const char *expected)
{
    gsize byte = (gsize)(where - scan->text);

    if (where < scan->end)
        g_set_error(scan->error, PE_ERROR, PE_ERROR_FORMAT,
                    "byte %" G_GSIZE_FORMAT ": expected %s, found 0x%02x", byte,
                    expected, (guchar)*where);
    else
        g_set_error(scan->error, PE_ERROR, PE_ERROR_FORMAT,
                    "byte %" G_GSIZE_FORMAT ": expected %s, found the end",
                    byte, expected);
    return false;
}

static void
skip_blanks(Scan *scan)
{
    while (scan->at < scan->end && strchr(" \t\r\n", *scan->at))
        scan->at++;
}

// The next sign, which must be `sign`.
static bool
take(Scan *scan, char sign, const char *name)
{
    skip_blanks(scan);
    if (scan->at == scan->end || *scan->at != sign)
        return fail(scan, scan->at, name);
    scan->at++;
    return true;
}

static char
peek(Scan *scan)
{
    skip_blanks(scan);
    return scan->at < scan->end ? *scan->at : 0;
}

// A string with its quotes.
static bool
take_string(Scan *scan, Span *span)
{
    if (!take(scan, '"', "a string"))
        return false;
    span->at = scan->at - 1;
    while (scan->at < scan->end && *scan->at != '"') {
        if ((guchar)*scan->at < 0x20)
            return fail(scan, scan->at, "no control character in a string");
        scan->at += *scan->at == '\\' ? 2 : 1;
    }
    if (scan->at >= scan->end)
        return fail(scan, scan->end, "the end of a string");
    scan->at++;
    span->size = (gsize)(scan->at - span->at);
    return true;
}

// A number or word, whatever it is.
static bool
take_word(Scan *scan, Span *span)
{
    skip_blanks(scan);
    span->at = scan->at;
    while (scan->at < scan->end &&
           (g_ascii_isalnum(*scan->at) || strchr("+-.", *scan->at)))
        scan->at++;
    span->size = (gsize)(scan->at - span->at);
    return span->size > 0 || fail(scan, scan->at, "a value");
}

// An object or list, whose brackets fit.
static bool
skip_nested(Scan *scan)
{
    char open[MAX_DEPTH];
    int depth = 0;
    Span span;

    do {
        char sign = peek(scan);
        if (sign == '"') {
            if (!take_string(scan, &span))
                return false;
            continue;
        }
        if (sign == '{' || sign == '[') {
            if (depth == MAX_DEPTH)
                return fail(scan, scan->at, "at most 64 nested objects");
            open[depth++] = sign;
        } else if (sign == '}' || sign == ']') {
            if (open[--depth] != (sign == '}' ? '{' : '['))
                return fail(scan, scan->at, "the other bracket");
        } else if (scan->at == scan->end) {
            return fail(scan, scan->at, "the end of an object or list");
        } else if ((guchar)sign < 0x20) {
            return fail(scan, scan->at, "no control character");
        }
        scan->at++;
    } while (depth > 0);
    return true;
}

static bool
take_value(Scan *scan, Span *span)
{
    char sign = peek(scan);

    if (sign == '"')
        return take_string(scan, span);
    if (sign != '{' && sign != '[')
        return take_word(scan, span);
    span->at = scan->at;
    if (!skip_nested(scan))
        return false;
    span->size = (gsize)(scan->at - span->at);
    return true;
}

// ---- Values ---------------------------------------------------------------

// Four hexadecimal digits, or -1.
static int
read_digits(const char *at, const char *end)
{
    int code = 0;

    if (end - at < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        if (!g_ascii_isxdigit(at[i]))
            return -1;
        code = code * 16 + g_ascii_xdigit_value(at[i]);
    }
    return code;
}

// What is behind the `u` of an escape, with the other half of a pair. Moves on.
// Returns 0 when it is none, or NUL.
static gunichar
read_code(const char **at, const char *end)
{
    int high = read_digits(*at, end);

    *at += 4;
    if (high <= 0 || (high & 0xfc00) == 0xdc00)
        return 0;
    if ((high & 0xfc00) != 0xd800)
        return (gunichar)high;
    if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
        return 0;
    int low = read_digits(*at + 2, end);
    *at += 6;
    if ((low & ~0x3ff) != 0xdc00)
        return 0;
    return 0x10000 + (((gunichar)high & 0x3ff) << 10) + ((gunichar)low & 0x3ff);
}

// A string's content. NULL: an escape that is none, or a NUL, which would end
// the text.
static char *
unescape(const Span *span)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *at = span->at + 1, *end = span->at + span->size - 1;
    g_autoptr(GString) text = g_string_new(NULL);

    while (at < end) {
        const char *simple;
        if (*at != '\\') {
            g_string_append_c(text, *at++);
        } else if (at[1] == 'u') {
            at += 2;
            gunichar code = read_code(&at, end);
            if (code == 0)
                return NULL;
            g_string_append_unichar(text, code);
        } else if ((simple = strchr(from, at[1]))) {
            g_string_append_c(text, to[simple - from]);
            at += 2;
        } else {
            return NULL;
        }
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static bool
read_value(const Scan *scan, const Span *span, char **value)
{
    g_clear_pointer(value, g_free);
    if (span->at[0] == '{' || span->at[0] == '[' ||
        (span->size == 4 && memcmp(span->at, "null", 4) == 0))
        return true;
    if (span->size > GST_PE_JSON_LINE_MAX_VALUE)
        return fail(scan, span->at, "at most 4096 bytes in a topic's value");
    *value =
        span->at[0] == '"' ? unescape(span) : g_strndup(span->at, span->size);
    if (!*value)
        return fail(scan, span->at, "a string that JSON allows");
    return true;
}

static bool read_object(Scan *scan, const char *const *names, guint n,
                        char **values, bool is_whole);

// The first object of the list of labels has the best one's name.
static bool
read_best_label(const Scan *outer, const Span *list, char **value)
{
    static const char *const name[] = {"label"};
    Scan scan = *outer;

    scan.at = list->at + 1;
    if (list->at[0] != '[' || peek(&scan) != '{')
        return true;
    return read_object(&scan, name, 1, value, false);
}

static bool
keep_member(const Scan *scan, const Span *name, const Span *value,
            const char *const *names, guint n, char **values)
{
    for (guint i = 0; i < n; i++) {
        gsize size = strlen(names[i]);
        if (size == name->size - 2 && !memcmp(names[i], name->at + 1, size))
            return read_value(scan, value, &values[i]);
        if (strcmp(names[i], "label") == 0 && !values[i] && name->size == 8 &&
            !memcmp(name->at, "\"labels\"", 8))
            return read_best_label(scan, value, &values[i]);
    }
    return true;
}

// `is_whole`: nothing follows; else it is part of something that was looked at.
static bool
read_object(Scan *scan, const char *const *names, guint n, char **values,
            bool is_whole)
{
    Span name, value;

    if (!take(scan, '{', "an object"))
        return false;
    while (peek(scan) != '}') {
        if (!take_string(scan, &name) || !take(scan, ':', "a colon") ||
            !take_value(scan, &value) ||
            !keep_member(scan, &name, &value, names, n, values))
            return false;
        if (peek(scan) == '}')
            break;
        if (!take(scan, ',', "a comma or the object's end"))
            return false;
    }
    scan->at++;
    if (is_whole && (peek(scan), scan->at < scan->end))
        return fail(scan, scan->at, "nothing behind the object");
    return true;
}

bool
gst_pe_json_line_read(const char *text, gsize size, const char *const *names,
                      guint n, char **values, GError **error)
{
    Scan scan = {text, text, text + size, error};
    const char *wrong;

    memset(values, 0, n * sizeof *values);
    if (!g_utf8_validate_len(text, size, &wrong))
        return fail(&scan, wrong, "UTF-8 without NUL");
    if (read_object(&scan, names, n, values, true))
        return true;
    for (guint i = 0; i < n; i++)
        g_clear_pointer(&values[i], g_free);
    return false;
}
